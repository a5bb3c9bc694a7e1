//! The gRPC service `ringway.v1.Delivery` of a worker.

use std::pin::Pin;
use std::sync::Arc;

use ringway_dispatch::serve_publish;
use ringway_proto::v1::delivery_server::Delivery;
use ringway_proto::v1::{
    PublishReply, PublishRequest, Receipt, SendToAllRequest, SendToGroupRequest, SendToUserRequest,
};
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use super::publish::Publishing;
use crate::worker::Shared;

pub(crate) struct DeliveryService(pub(crate) Arc<Shared>);

#[tonic::async_trait]
impl Delivery for DeliveryService {
    async fn send_to_user(&self, request: Request<SendToUserRequest>) -> Result<Response<Receipt>, Status> {
        Ok(Response::new(super::send_to_user(&self.0, request.into_inner()).await?))
    }

    async fn send_to_group(&self, request: Request<SendToGroupRequest>) -> Result<Response<Receipt>, Status> {
        Ok(Response::new(super::send_to_group(&self.0, request.into_inner()).await?))
    }

    async fn send_to_all(&self, request: Request<SendToAllRequest>) -> Result<Response<Receipt>, Status> {
        Ok(Response::new(super::send_to_all(&self.0, request.into_inner()).await?))
    }

    type PublishStream = Pin<Box<dyn Stream<Item = Result<PublishReply, Status>> + Send>>;

    async fn publish(
        &self,
        request: Request<Streaming<PublishRequest>>,
    ) -> Result<Response<Self::PublishStream>, Status> {
        let shared = &self.0;
        let (handler, end) = (Publishing::new(Arc::clone(shared)), shared.has_left.clone());
        let replies = serve_publish(request.into_inner(), handler, shared.config.publish, end);
        Ok(Response::new(Box::pin(replies)))
    }
}
