//! A Publish stream at a worker: requests taken in order, each answered by its sequence number.
//!
//! What this worker owns is carried out before the next request is looked at. What another worker owns is forwarded on
//! that worker's own pipelined stream, in order, and answered when the answer comes. So messages for one user leave in
//! the order of the stream, and one slow worker does not hold up the others' messages.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use ringway_dispatch::{Hops, SplitConfig, SplitPublisher};
use ringway_proto::v1::publish_reply::Result as Answer;
use ringway_proto::v1::publish_request::Send as Target;
use ringway_proto::v1::{PublishReply, PublishRequest, Receipt, SendToUserRequest};
use ringway_proto::{Reason, Refusal};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::{send_to_all, send_to_group, send_to_user_here};
use crate::fence::Place;
use crate::worker::Shared;

/// How many answers may wait for the caller before its requests are not taken any more.
const REPLIES_MAX: usize = 1024;
/// How many forwarded requests of one stream may be under way.
const FORWARDED_MAX: usize = 4096;

/// Serves one stream in a task of its own. Gives back the answers.
pub(crate) fn serve(
    shared: Arc<Shared>,
    requests: Streaming<PublishRequest>,
) -> impl Stream<Item = Result<PublishReply, Status>> + Send + 'static {
    let (replies, receiver) = mpsc::channel(REPLIES_MAX);
    let forward = shared.dispatcher.publisher(Hops::Forwarded, SplitConfig::default());
    let task = PublishTask { shared, requests, replies, forward, forwarded: FuturesUnordered::new() };
    tokio::spawn(task.run());
    ReceiverStream::new(receiver).map(Ok)
}

type Answered = (u64, Result<Receipt, Refusal>);

struct PublishTask {
    shared: Arc<Shared>,
    requests: Streaming<PublishRequest>,
    replies: mpsc::Sender<PublishReply>,
    forward: SplitPublisher,
    forwarded: FuturesUnordered<BoxFuture<'static, Answered>>,
}

/// The caller does not take answers any more.
struct CallerGone;

impl PublishTask {
    async fn run(mut self) {
        let mut more = true;
        while more || !self.forwarded.is_empty() {
            let done = tokio::select! {
                biased;
                // Cancel-safe: an answer that was not taken stays in the set.
                Some((sequence, answer)) = self.forwarded.next(), if !self.forwarded.is_empty() => {
                    self.reply(sequence, answer).await
                }
                // Cancel-safe: a stream's next item stays in the stream until it is taken.
                request = self.requests.message(), if more && self.forwarded.len() < FORWARDED_MAX => {
                    match request {
                        Ok(Some(request)) => self.take(request).await,
                        Ok(None) | Err(_) => {
                            more = false;
                            Ok(())
                        }
                    }
                }
            };
            if let Err(CallerGone) = done {
                return;
            }
        }
    }

    async fn take(&mut self, request: PublishRequest) -> Result<(), CallerGone> {
        let sequence = request.sequence;
        let answer = match request.send {
            Some(Target::ToUser(request)) => match self.send_to_user(sequence, request).await {
                Some(answer) => answer,
                None => return Ok(()),
            },
            Some(Target::ToGroup(request)) => send_to_group(&self.shared, request).await,
            Some(Target::ToAll(request)) => send_to_all(&self.shared, request).await,
            None => {
                let message = "the request has no target: set to_user, to_group or to_all";
                Err(Refusal::new(Reason::InvalidArgument, message))
            }
        };
        self.reply(sequence, answer).await
    }

    /// Carries a request out, or forwards it; then the answer comes later.
    async fn send_to_user(
        &mut self,
        sequence: u64,
        request: SendToUserRequest,
    ) -> Option<Result<Receipt, Refusal>> {
        let view = self.shared.view();
        match self.shared.place(&view, &request.user, request.routing.as_ref()) {
            Ok(Place::Here) => Some(send_to_user_here(&self.shared, &view, request).await),
            Ok(Place::Elsewhere) => {
                let ring_version = view.version().as_u64();
                match self.forward.publish(Target::ToUser(request)).await {
                    Ok(ticket) => {
                        let answer = async move {
                            (sequence, ticket.await.map(|receipt| Receipt { ring_version, ..receipt }))
                        };
                        self.forwarded.push(Box::pin(answer));
                        None
                    }
                    Err(refusal) => Some(Err(refusal)),
                }
            }
            Err(refusal) => Some(Err(refusal)),
        }
    }

    async fn reply(&mut self, sequence: u64, answer: Result<Receipt, Refusal>) -> Result<(), CallerGone> {
        let result = match answer {
            Ok(receipt) => Answer::Receipt(receipt),
            Err(refusal) => Answer::Error(refusal.to_publish_error()),
        };
        let reply = PublishReply { sequence, result: Some(result) };
        self.replies.send(reply).await.map_err(|_| CallerGone)
    }
}
