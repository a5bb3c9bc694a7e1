//! A Publish stream at the node that serves it: requests taken in order, each answered under its sequence number.
//!
//! What a request means is the [`PublishHandler`]'s business. It may answer at once or later; the next request is taken
//! meanwhile, so a slow answer does not hold up the others, and the order of the requests is the order of
//! [`take`](PublishHandler::take).

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use ringway_proto::v1::publish_reply::Result as Answer;
use ringway_proto::v1::publish_request::Send as Target;
use ringway_proto::v1::{PublishReply, PublishRequest, Receipt};
use ringway_proto::{Reason, Refusal};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

/// Carries out the requests of one stream.
pub trait PublishHandler: Send + 'static {
    /// Takes one request. Until this returns, the next one is not looked at.
    fn take(&mut self, target: Target) -> impl Future<Output = Taken> + Send;
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
    let task = PublishTask { requests, handler, bounds, replies, under_way: FuturesUnordered::new() };
    tokio::spawn(task.run());
    ReceiverStream::new(receiver).map(Ok)
}

struct PublishTask<H> {
    requests: Streaming<PublishRequest>,
    handler: H,
    bounds: StreamBounds,
    replies: mpsc::Sender<PublishReply>,
    under_way: FuturesUnordered<BoxFuture<'static, PublishReply>>,
}

/// The caller takes no more answers.
struct CallerGone;

impl<H: PublishHandler> PublishTask<H> {
    async fn run(mut self) {
        let mut more = true;
        while more || !self.under_way.is_empty() {
            let taken = tokio::select! {
                biased;
                // Cancel-safe: an answer that was not taken stays in the set.
                Some(reply) = self.under_way.next(), if !self.under_way.is_empty() => self.reply(reply).await,
                // Cancel-safe: a request that was not taken stays in the stream.
                request = self.requests.message(), if more && self.under_way.len() < self.bounds.in_flight_max => {
                    match request {
                        Ok(Some(request)) => self.take(request).await,
                        // The caller has ended its half, or is gone; the answers that are under way still count.
                        Ok(None) | Err(_) => {
                            more = false;
                            Ok(())
                        }
                    }
                }
            };
            if let Err(CallerGone) = taken {
                return;
            }
        }
    }

    async fn take(&mut self, request: PublishRequest) -> Result<(), CallerGone> {
        let sequence = request.sequence;
        let Some(target) = request.send else {
            let missing = "the request has no target: set to_user, to_group or to_all";
            let refusal = Refusal::new(Reason::InvalidArgument, missing);
            return self.reply(reply(sequence, Err(refusal))).await;
        };
        match self.handler.take(target).await {
            Taken::Now(answer) => self.reply(reply(sequence, answer)).await,
            Taken::Later(answer) => {
                self.under_way.push(answer.map(move |answer| reply(sequence, answer)).boxed());
                Ok(())
            }
        }
    }

    async fn reply(&mut self, reply: PublishReply) -> Result<(), CallerGone> {
        self.replies.send(reply).await.map_err(|_| CallerGone)
    }
}

fn reply(sequence: u64, answer: Result<Receipt, Refusal>) -> PublishReply {
    let result = match answer {
        Ok(receipt) => Answer::Receipt(receipt),
        Err(refusal) => Answer::Error(refusal.to_publish_error()),
    };
    PublishReply { sequence, result: Some(result) }
}
