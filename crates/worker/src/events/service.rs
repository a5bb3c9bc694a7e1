//! The gRPC service `ringway.v1.Events`: a subscription at the other end of a stream.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::stream;
use ringway_proto::v1::events_server::Events;
use ringway_proto::v1::subscribe_request::Request as Said;
use ringway_proto::v1::{EventKind, SubscribeRequest, SubscribeResponse, SubscribeStart};
use ringway_proto::{Reason, Refusal};
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use super::hub::{Subscribe, SubscribeError};
use super::subscription::Subscription;
use crate::worker::Shared;

pub(crate) struct EventsService(pub(crate) Arc<Shared>);

#[tonic::async_trait]
impl Events for EventsService {
    type SubscribeStream = Pin<Box<dyn Stream<Item = Result<SubscribeResponse, Status>> + Send>>;

    async fn subscribe(
        &self,
        request: Request<Streaming<SubscribeRequest>>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let mut says = request.into_inner();
        let Some(Said::Start(start)) = says.message().await?.and_then(|first| first.request) else {
            return Err(invalid("a subscription begins with a Start").into());
        };
        let subscription = self.0.events.subscribe(wish(start)?).map_err(|error| refusal(&error))?;
        let served = Served { subscription, says };
        let events = stream::unfold(served, |mut served| async move {
            let next = served.next().await?;
            Some((next, served))
        });
        Ok(Response::new(Box::pin(events)))
    }
}

struct Served {
    subscription: Subscription,
    says: Streaming<SubscribeRequest>,
}

impl Served {
    /// What goes to the subscriber next; nothing when either end has ended it.
    async fn next(&mut self) -> Option<Result<SubscribeResponse, Status>> {
        loop {
            tokio::select! {
                biased;
                // Cancel-safe: a stream's next item stays in it until it is taken.
                said = self.says.message() => match said {
                    Ok(Some(SubscribeRequest { request: Some(Said::Ack(ack)) })) => {
                        self.subscription.acknowledge(ack.upto);
                    }
                    Ok(Some(_)) => return Some(Err(invalid("after the Start come Acks only").into())),
                    Ok(None) | Err(_) => return None,
                },
                // Cancel-safe: it says so.
                batch = self.subscription.next() => return batch.map(Ok),
            }
        }
    }
}

fn wish(start: SubscribeStart) -> Result<Subscribe, Refusal> {
    let kind = |kind: &i32| {
        EventKind::try_from(*kind).map_err(|_| invalid(format!("kind {kind} is not a kind of events")))
    };
    let kinds = start.kinds.iter().map(kind).collect::<Result<_, _>>()?;
    Ok(Subscribe { name: start.name, kinds, window: start.window, reliable: start.reliable })
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(Reason::InvalidArgument, message)
}

fn refusal(error: &SubscribeError) -> Refusal {
    let reason = match error {
        SubscribeError::Name(_) | SubscribeError::Window(_) | SubscribeError::Kind => Reason::InvalidArgument,
        SubscribeError::Taken(_) | SubscribeError::TooMany(_) => Reason::Overloaded,
        SubscribeError::Leaving => Reason::Draining,
    };
    Refusal::new(reason, error.to_string())
}
