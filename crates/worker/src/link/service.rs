//! The gRPC service `ringway.v1.Link`: links of gateways in other processes.

use std::pin::Pin;
use std::sync::Arc;

use ringway_proto::v1::link_server::Link;
use ringway_proto::v1::{GatewayFrames, WorkerFrames};
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming};
use tracing::debug;

use crate::worker::Shared;

pub(crate) struct LinkService(pub(crate) Arc<Shared>);

#[tonic::async_trait]
impl Link for LinkService {
    type AttachStream = Pin<Box<dyn Stream<Item = Result<WorkerFrames, Status>> + Send>>;

    async fn attach(
        &self,
        request: Request<Streaming<GatewayFrames>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let frames = request.into_inner().map_while(|frames| match frames {
            Ok(frames) => Some(frames),
            Err(status) => {
                debug!(code = ?status.code(), "a gateway's link has broken");
                None
            }
        });
        let outbound = super::attach(Arc::clone(&self.0), frames).await?;
        Ok(Response::new(Box::pin(outbound.map(Ok))))
    }
}
