//! The gRPC service `ringway.v1.Delivery` of a worker.

use std::pin::Pin;
use std::sync::Arc;

use ringway_dispatch::serve_publish;
use ringway_proto::v1::delivery_server::Delivery;
use ringway_proto::v1::{
    PublishReply, PublishRequest, Receipt, SendToAllRequest, SendToGroupRequest, SendToUserRequest,
};
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::publish::Publishing;
use crate::worker::Shared;

pub(crate) struct DeliveryService {
    pub(crate) shared: Arc<Shared>,
    /// Ends the Publish streams.
    pub(crate) end: CancellationToken,
}

#[tonic::async_trait]
impl Delivery for DeliveryService {
    async fn send_to_user(&self, request: Request<SendToUserRequest>) -> Result<Response<Receipt>, Status> {
        Ok(Response::new(super::send_to_user(&self.shared, request.into_inner()).await?))
    }

    async fn send_to_group(&self, request: Request<SendToGroupRequest>) -> Result<Response<Receipt>, Status> {
        Ok(Response::new(super::send_to_group(&self.shared, request.into_inner()).await?))
    }

    async fn send_to_all(&self, request: Request<SendToAllRequest>) -> Result<Response<Receipt>, Status> {
        Ok(Response::new(super::send_to_all(&self.shared, request.into_inner()).await?))
    }

    type PublishStream = Pin<Box<dyn Stream<Item = Result<PublishReply, Status>> + Send>>;

    async fn publish(
        &self,
        request: Request<Streaming<PublishRequest>>,
    ) -> Result<Response<Self::PublishStream>, Status> {
        let handler = Publishing::new(Arc::clone(&self.shared));
        let bounds = self.shared.config.publish;
        let replies = serve_publish(request.into_inner(), handler, bounds, self.end.clone());
        Ok(Response::new(Box::pin(replies)))
    }
}
