//! A Publish stream at a gateway: each request goes on its owner's own stream, in order, and is answered when the owner
//! has answered. An owner that answers late holds up nobody else.

use std::sync::Arc;

use futures_util::FutureExt as _;
use ringway_dispatch::{Earlier, Hops, PublishHandler, SplitPublisher, Taken, Way};
use ringway_proto::Refusal;
use ringway_proto::v1::publish_request::Send as Target;
use ringway_rpc::Entered;

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

    async fn forward(&self, mut target: Target, earlier: &Earlier) -> Result<Entered, Refusal> {
        let Forwarder { rules, .. } = &*self.forwarder;
        let routing = match &mut target {
            Target::ToUser(request) => rules.user_send(request).map(|_| request.routing.as_ref()),
            Target::ToGroup(request) => rules.group_send(request).map(|_| request.routing.as_ref()),
            Target::ToAll(request) => rules.all_send(request).map(|_| request.routing.as_ref()),
        };
        self.forwarder.check_hops(routing?)?;
        self.publisher.forward(target, earlier).await
    }
}

impl PublishHandler for PublishForwarder {
    async fn take(&self, target: Target, earlier: Earlier) -> Taken {
        match self.forward(target, &earlier).await {
            Ok(Entered { ticket, stream }) => Taken::Later(Way::Stream(stream), ticket.boxed()),
            Err(refusal) => Taken::Now(Err(refusal)),
        }
    }
}
