//! A Publish stream at a gateway: each request goes on its owner's own stream, in order, and is answered when the owner
//! has answered. One slow worker does not hold up the answers of the others.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use ringway_dispatch::{Hops, SplitPublisher};
use ringway_proto::v1::publish_reply::Result as Answer;
use ringway_proto::v1::publish_request::Send as Target;
use ringway_proto::v1::{PublishReply, PublishRequest, Receipt};
use ringway_proto::{Reason, Refusal};
use ringway_rpc::PublishTicket;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::Forwarder;

/// Serves one stream in a task of its own. Gives the answers.
pub(super) fn serve(
    forwarder: Arc<Forwarder>,
    requests: Streaming<PublishRequest>,
) -> impl Stream<Item = Result<PublishReply, Status>> + Send + 'static {
    let (replies, receiver) = mpsc::channel(forwarder.config.publish_replies_max);
    let publisher = forwarder.dispatcher.publisher(Hops::Forwarded, forwarder.config.publish);
    let task = PublishTask { forwarder, requests, publisher, replies, under_way: FuturesUnordered::new() };
    tokio::spawn(task.run());
    ReceiverStream::new(receiver).map(Ok)
}

struct PublishTask {
    forwarder: Arc<Forwarder>,
    requests: Streaming<PublishRequest>,
    publisher: SplitPublisher,
    replies: mpsc::Sender<PublishReply>,
    under_way: FuturesUnordered<BoxFuture<'static, PublishReply>>,
}

/// The caller takes no more answers.
struct CallerGone;

impl PublishTask {
    async fn run(mut self) {
        let in_flight_max = self.forwarder.config.publish_in_flight_max;
        let mut more = true;
        while more || !self.under_way.is_empty() {
            let taken = tokio::select! {
                biased;
                // Cancel-safe: an answer that was not taken stays in the set.
                Some(reply) = self.under_way.next(), if !self.under_way.is_empty() => self.reply(reply).await,
                // Cancel-safe: a request that was not taken stays in the stream.
                request = self.requests.message(), if more && self.under_way.len() < in_flight_max => {
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
        match self.forward(request.send).await {
            Ok(ticket) => {
                self.under_way.push(ticket.map(move |answer| reply(sequence, answer)).boxed());
                Ok(())
            }
            Err(refusal) => self.reply(reply(sequence, Err(refusal))).await,
        }
    }

    async fn forward(&mut self, target: Option<Target>) -> Result<PublishTicket, Refusal> {
        let missing = "the request has no target: set to_user, to_group or to_all";
        let mut target = target.ok_or_else(|| Refusal::new(Reason::InvalidArgument, missing))?;
        let Forwarder { rules, .. } = &*self.forwarder;
        let routing = match &mut target {
            Target::ToUser(request) => rules.user_send(request).map(|_| request.routing.as_ref()),
            Target::ToGroup(request) => rules.group_send(request).map(|_| request.routing.as_ref()),
            Target::ToAll(request) => rules.all_send(request).map(|_| request.routing.as_ref()),
        };
        self.forwarder.check_hops(routing?)?;
        self.publisher.publish(target).await
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
