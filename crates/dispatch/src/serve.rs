//! A Publish stream at the node that serves it: requests taken in order, each answered under its sequence number.
//!
//! What a request means is the [`PublishHandler`]'s business. Requests are taken one after the other: the next one waits
//! until [`take`](PublishHandler::take) of the one before is done, so a handler that waits there holds up the requests
//! behind it. Answers wait for no request: those under way go out while another request is being taken. Only a caller
//! that takes no answers stops everything.
//!
//! A request that cannot be read, such as one beyond the size limit, ends the stream: what was taken before it is
//! answered, then its status is the last word. Neither it nor what came after it is taken.

use std::pin::pin;

use futures_util::future::{BoxFuture, OptionFuture};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use ringway_proto::v1::publish_reply::Result as Answer;
use ringway_proto::v1::publish_request::Send as Target;
use ringway_proto::v1::{PublishReply, PublishRequest, Receipt};
use ringway_proto::{Reason, Refusal};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

/// Carries out the requests of one stream.
pub trait PublishHandler: Send + Sync + 'static {
    /// Takes one request. Until this is done, the next one is not looked at.
    fn take(&self, target: Target) -> impl Future<Output = Taken> + Send;
}

/// How a request was taken.
pub enum Taken {
    /// It is done.
    Now(Result<Receipt, Refusal>),
    /// It is under way.
    Later(BoxFuture<'static, Result<Receipt, Refusal>>),
}

/// The bounds of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamBounds {
    /// How many answers may wait for the caller; beyond it, its requests are not taken.
    pub replies_max: usize,
    /// How many requests may be under way; beyond it, further ones are not taken.
    pub in_flight_max: usize,
}

impl Default for StreamBounds {
    fn default() -> Self {
        StreamBounds { replies_max: 1024, in_flight_max: 4096 }
    }
}

/// Serves one stream in a task of its own, until the caller has ended its half and everything is answered, or until it
/// takes no more answers. Gives back the answers.
pub fn serve_publish(
    requests: Streaming<PublishRequest>,
    handler: impl PublishHandler,
    bounds: StreamBounds,
) -> impl Stream<Item = Result<PublishReply, Status>> + Send + 'static {
    let (replies, receiver) = mpsc::channel(bounds.replies_max);
    tokio::spawn(PublishTask { requests, handler, bounds, replies }.run());
    ReceiverStream::new(receiver)
}

struct PublishTask<H> {
    requests: Streaming<PublishRequest>,
    handler: H,
    bounds: StreamBounds,
    replies: mpsc::Sender<Result<PublishReply, Status>>,
}

/// How the caller's half of the stream stands.
enum Requests {
    Open,
    Ended,
    Broken(Status),
}

impl<H: PublishHandler> PublishTask<H> {
    async fn run(self) {
        // The caller takes no more answers: there is nobody to tell.
        let _ = self.answer_all().await;
    }

    async fn answer_all(self) -> Result<(), mpsc::error::SendError<Result<PublishReply, Status>>> {
        let PublishTask { mut requests, handler, bounds, replies } = self;
        let mut taking = pin!(None);
        let mut under_way = FuturesUnordered::new();
        let mut state = Requests::Open;
        loop {
            let may_take = taking.is_none() && under_way.len() < bounds.in_flight_max;
            tokio::select! {
                biased;
                // Cancel-safe: an answer that was not taken out stays in the set.
                Some(reply) = under_way.next() => replies.send(Ok(reply)).await?,
                // Cancel-safe: the future stays where it is pinned.
                Some((sequence, taken)) = OptionFuture::from(taking.as_mut().as_pin_mut()) => {
                    taking.set(None);
                    match taken {
                        Taken::Now(answer) => replies.send(Ok(reply(sequence, answer))).await?,
                        Taken::Later(answer) => under_way.push(answer.map(move |answer| reply(sequence, answer))),
                    }
                }
                // Cancel-safe: a request that was not taken out stays in the stream.
                request = requests.message(), if may_take && matches!(state, Requests::Open) => match request {
                    Ok(Some(request)) => taking.set(Some(take(&handler, request))),
                    Ok(None) => state = Requests::Ended,
                    Err(status) => state = Requests::Broken(last_word(status)),
                },
                else => break,
            }
        }
        match state {
            Requests::Broken(status) => replies.send(Err(status)).await,
            Requests::Open | Requests::Ended => Ok(()),
        }
    }
}

async fn take(handler: &impl PublishHandler, request: PublishRequest) -> (u64, Taken) {
    let taken = match request.send {
        Some(target) => handler.take(target).await,
        None => {
            let missing = "the request has no target: set to_user, to_group or to_all";
            Taken::Now(Err(Refusal::new(Reason::InvalidArgument, missing)))
        }
    };
    (request.sequence, taken)
}

fn reply(sequence: u64, answer: Result<Receipt, Refusal>) -> PublishReply {
    let result = match answer {
        Ok(receipt) => Answer::Receipt(receipt),
        Err(refusal) => Answer::Error(refusal.to_publish_error()),
    };
    PublishReply { sequence, result: Some(result) }
}

/// The status with which a stream ends whose next request cannot be read.
fn last_word(status: Status) -> Status {
    match status.code() {
        // So the transport says it of a request beyond the size limit.
        Code::OutOfRange => {
            let what = status.message();
            let message =
                format!("{what}; the stream ends here: no request without an answer was carried out");
            Refusal::new(Reason::MessageTooLarge, message).to_status()
        }
        _ => status,
    }
}
