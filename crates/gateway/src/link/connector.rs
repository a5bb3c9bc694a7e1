//! How a gateway reaches a worker: the edge between links and what carries them.
//!
//! A connector is given the stream of what the gateway says, `Hello` first, and gives the stream of what the worker
//! says. Everything above (channels, back-pressure, making a link again) is the same whether a network is between them
//! or not.

use std::pin::Pin;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Stream, StreamExt, TryStreamExt};
use ringway_cluster::Member;
use ringway_proto::Refusal;
use ringway_proto::v1::{GatewayFrames, WorkerFrames};
use ringway_rpc::NodePool;
use tokio_stream::wrappers::ReceiverStream;

/// What a gateway says on a link.
pub type GatewayStream = ReceiverStream<GatewayFrames>;
/// What a worker says on a link. An error is the last item.
pub type WorkerStream = Pin<Box<dyn Stream<Item = Result<WorkerFrames, Refusal>> + Send>>;

/// Makes links.
pub trait LinkConnector: Send + Sync + 'static {
    /// Attaches to `member`. The first item of `says` is there already.
    ///
    /// # Errors
    /// Why the worker cannot be reached, or does not want the link.
    fn connect(
        &self,
        member: &Member,
        says: GatewayStream,
    ) -> BoxFuture<'static, Result<WorkerStream, Refusal>>;
}

/// Links over gRPC: `Link.Attach` at the member's rpc address.
#[derive(Clone)]
pub struct Grpc {
    pool: NodePool,
}

impl Grpc {
    /// Links over the connections of this pool.
    pub fn new(pool: NodePool) -> Self {
        Self { pool }
    }
}

impl LinkConnector for Grpc {
    fn connect(
        &self,
        member: &Member,
        says: GatewayStream,
    ) -> BoxFuture<'static, Result<WorkerStream, Refusal>> {
        let mut client = self.pool.node(&member.rpc_url).link();
        async move {
            let answer = client.attach(says).await.map_err(refusal)?;
            Ok(answer.into_inner().map_err(refusal).boxed())
        }
        .boxed()
    }
}

/// Links to a worker in the same process, for a worker that takes client sockets itself.
pub struct InProcess<F> {
    attach: F,
}

impl<F> InProcess<F>
where
    F: Fn(GatewayStream) -> BoxFuture<'static, Result<WorkerStream, Refusal>> + Send + Sync + 'static,
{
    /// Links made by this function, which is given what the gateway says and gives what the worker says.
    pub fn new(attach: F) -> Self {
        Self { attach }
    }
}

impl<F> LinkConnector for InProcess<F>
where
    F: Fn(GatewayStream) -> BoxFuture<'static, Result<WorkerStream, Refusal>> + Send + Sync + 'static,
{
    fn connect(
        &self,
        _member: &Member,
        says: GatewayStream,
    ) -> BoxFuture<'static, Result<WorkerStream, Refusal>> {
        (self.attach)(says)
    }
}

#[allow(clippy::needless_pass_by_value)]
fn refusal(status: tonic::Status) -> Refusal {
    Refusal::from_status(&status)
}
