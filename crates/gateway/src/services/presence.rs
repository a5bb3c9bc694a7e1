//! `ringway.v1.Presence` of a gateway.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::{Stream, StreamExt as _};
use ringway_dispatch::{Hops, serve_presence_watch};
use ringway_proto::v1::presence_server::Presence;
use ringway_proto::v1::{GetPresenceRequest, GetPresenceResponse, PresenceChanges, WatchPresenceRequest};
use ringway_proto::{Reason, Refusal};
use tonic::{Request, Response, Status, Streaming};

use super::Forwarder;

pub(super) struct PresenceService(pub(super) Arc<Forwarder>);

#[tonic::async_trait]
impl Presence for PresenceService {
    async fn get(
        &self,
        request: Request<GetPresenceRequest>,
    ) -> Result<Response<GetPresenceResponse>, Status> {
        let Self(forwarder) = self;
        let request = request.into_inner();
        forwarder.check_hops(request.routing.as_ref())?;
        let answer = forwarder.dispatcher.get_presence(&request, Hops::Forwarded, forwarder.deadline());
        Ok(Response::new(answer.await?))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<PresenceChanges, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<Streaming<WatchPresenceRequest>>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let Self(forwarder) = self;
        let mut requests = request.into_inner();
        let first = requests.message().await?;
        let first =
            first.ok_or_else(|| Refusal::new(Reason::InvalidArgument, "the stream has no first request"))?;
        forwarder.check_hops(first.routing.as_ref())?;
        let (dispatcher, grace) = (forwarder.dispatcher.clone(), forwarder.config.presence_grace);
        let changes = serve_presence_watch(dispatcher, grace, &first, requests)?;
        Ok(Response::new(Box::pin(changes.take_until(forwarder.end.clone().cancelled_owned()))))
    }
}
