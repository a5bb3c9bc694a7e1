//! A Publish stream at a gateway: each request goes on its owner's own stream, in order, and is answered when the owner
//! has answered. An owner that answers late holds up nobody else; one whose stream has no room holds up what comes next.

use std::sync::Arc;

use futures_util::FutureExt as _;
use ringway_dispatch::{Hops, PublishHandler, SplitPublisher, Taken};
use ringway_proto::Refusal;
use ringway_proto::v1::publish_request::Send as Target;
use ringway_rpc::PublishTicket;

use super::Forwarder;

/// Forwards the requests of one stream.
pub(super) struct PublishForwarder {
    forwarder: Arc<Forwarder>,
    publisher: SplitPublisher,
}

impl PublishForwarder {
    pub(super) fn new(forwarder: Arc<Forwarder>) -> Self {
        let publisher = forwarder.dispatcher.publisher(Hops::Forwarded, forwarder.config.publish);
        Self { forwarder, publisher }
    }

    async fn forward(&self, mut target: Target) -> Result<PublishTicket, Refusal> {
        let Forwarder { rules, .. } = &*self.forwarder;
        let routing = match &mut target {
            Target::ToUser(request) => rules.user_send(request).map(|_| request.routing.as_ref()),
            Target::ToGroup(request) => rules.group_send(request).map(|_| request.routing.as_ref()),
            Target::ToAll(request) => rules.all_send(request).map(|_| request.routing.as_ref()),
        };
        self.forwarder.check_hops(routing?)?;
        self.publisher.publish(target).await
    }
}

impl PublishHandler for PublishForwarder {
    async fn take(&self, target: Target) -> Taken {
        match self.forward(target).await {
            Ok(ticket) => Taken::Later(ticket.boxed()),
            Err(refusal) => Taken::Now(Err(refusal)),
        }
    }
}
