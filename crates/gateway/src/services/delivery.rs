//! `ringway.v1.Delivery` of a gateway.

use std::pin::Pin;
use std::sync::Arc;

use ringway_dispatch::{Hops, serve_publish, wait_acknowledged};
use ringway_proto::v1::delivery_server::Delivery;
use ringway_proto::v1::{
    PublishReply, PublishRequest, Receipt, SendToAllRequest, SendToGroupRequest, SendToUserRequest,
};
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use super::Forwarder;
use super::publish::PublishForwarder;

pub(super) struct DeliveryService(pub(super) Arc<Forwarder>);

#[tonic::async_trait]
impl Delivery for DeliveryService {
    async fn send_to_user(&self, request: Request<SendToUserRequest>) -> Result<Response<Receipt>, Status> {
        let Self(forwarder) = self;
        let mut request = request.into_inner();
        forwarder.check_hops(request.routing.as_ref())?;
        forwarder.rules.user_send(&mut request)?;
        let deadline = forwarder.deadline() + wait_acknowledged(&request);
        let sent = forwarder.dispatcher.send_to_user(request, Hops::Forwarded, deadline);
        Ok(Response::new(sent.await?))
    }

    async fn send_to_group(&self, request: Request<SendToGroupRequest>) -> Result<Response<Receipt>, Status> {
        let Self(forwarder) = self;
        let mut request = request.into_inner();
        forwarder.check_hops(request.routing.as_ref())?;
        forwarder.rules.group_send(&mut request)?;
        let sent = forwarder.dispatcher.send_to_group(request, Hops::Forwarded, forwarder.deadline());
        Ok(Response::new(sent.await?))
    }

    async fn send_to_all(&self, request: Request<SendToAllRequest>) -> Result<Response<Receipt>, Status> {
        let Self(forwarder) = self;
        let mut request = request.into_inner();
        forwarder.check_hops(request.routing.as_ref())?;
        forwarder.rules.all_send(&mut request)?;
        let sent = forwarder.dispatcher.send_to_all(request, Hops::Forwarded, forwarder.deadline());
        Ok(Response::new(sent.await?))
    }

    type PublishStream = Pin<Box<dyn Stream<Item = Result<PublishReply, Status>> + Send>>;

    async fn publish(
        &self,
        request: Request<Streaming<PublishRequest>>,
    ) -> Result<Response<Self::PublishStream>, Status> {
        let handler = PublishForwarder::new(Arc::clone(&self.0));
        let Forwarder { config, end, .. } = &*self.0;
        let replies = serve_publish(request.into_inner(), handler, config.stream, end.clone());
        Ok(Response::new(Box::pin(replies)))
    }
}
