//! A node whose Delivery service does what the test says.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use ringway_proto::v1::publish_request::Send;
use ringway_proto::v1::{
    Message, Outcome, PublishReply, PublishRequest, Receipt, SendToAllRequest, SendToGroupRequest,
    SendToUserRequest, delivery_server::Delivery, publish_reply,
};
use ringway_proto::{Reason, Refusal};
use ringway_rpc::{
    ClusterSecret, HealthHandle, NodeChannel, NodeLimits, NodePool, NodeServices, NodeUrl, PoolConfig,
    ServeError, ServerConfig, serve_node,
};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

/// No event that a test waits for takes this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for an event that must come.
pub(crate) async fn soon<T>(what: &str, event: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, event).await.unwrap_or_else(|_| panic!("it did not come: {what}"))
}

/// A Publish stream that a client has opened, from the node's side.
pub(crate) struct Opened {
    pub(crate) requests: Streaming<PublishRequest>,
    pub(crate) replies: mpsc::Sender<Result<PublishReply, Status>>,
}

impl Opened {
    pub(crate) async fn next(&mut self) -> PublishRequest {
        let request = soon("a request", self.requests.message()).await;
        request.expect("the stream goes on").expect("a request, not the end")
    }

    pub(crate) async fn reply(&self, sequence: u64, result: publish_reply::Result) {
        let reply = PublishReply { sequence, result: Some(result) };
        soon("room for a reply", self.replies.send(Ok(reply))).await.expect("the stream goes on");
    }
}

/// Hands Publish streams to the test. `SendToUser` to "slow" waits for `release`; to others it answers at once.
struct FakeDelivery {
    opened: mpsc::Sender<Opened>,
    entered: Arc<Notify>,
    release: Arc<Notify>,
}

#[tonic::async_trait]
impl Delivery for FakeDelivery {
    type PublishStream = Pin<Box<dyn Stream<Item = Result<PublishReply, Status>> + std::marker::Send>>;

    async fn send_to_user(&self, request: Request<SendToUserRequest>) -> Result<Response<Receipt>, Status> {
        let request = request.into_inner();
        match request.user.as_str() {
            "slow" => {
                self.entered.notify_one();
                self.release.notified().await;
            }
            "refused" => return Err(Refusal::new(Reason::NotOwner, "ask another").into()),
            _ => {}
        }
        Ok(Response::new(receipt(&request.message.unwrap_or_default().message_id)))
    }

    async fn send_to_group(&self, _: Request<SendToGroupRequest>) -> Result<Response<Receipt>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn send_to_all(&self, _: Request<SendToAllRequest>) -> Result<Response<Receipt>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn publish(
        &self,
        request: Request<Streaming<PublishRequest>>,
    ) -> Result<Response<Self::PublishStream>, Status> {
        let (replies, answers) = mpsc::channel(16);
        let opened = Opened { requests: request.into_inner(), replies };
        self.opened.send(opened).await.map_err(|_| Status::internal("the test is over"))?;
        Ok(Response::new(Box::pin(ReceiverStream::new(answers))))
    }
}

/// A running node.
pub(crate) struct FakeNode {
    pub(crate) url: NodeUrl,
    pub(crate) secret: ClusterSecret,
    pub(crate) health: HealthHandle,
    pub(crate) shutdown: CancellationToken,
    pub(crate) entered: Arc<Notify>,
    pub(crate) release: Arc<Notify>,
    opened: mpsc::Receiver<Opened>,
    serving: JoinHandle<Result<(), ServeError>>,
}

impl FakeNode {
    pub(crate) async fn start() -> Self {
        Self::start_with(ServerConfig::default()).await
    }

    pub(crate) async fn start_with(config: ServerConfig) -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), config)
    }

    pub(crate) fn start_on(listener: TcpListener, config: ServerConfig) -> Self {
        let url = NodeUrl::from(listener.local_addr().unwrap());
        let secret = ClusterSecret::new("the-secret-of-this-test").unwrap();
        let (health, shutdown) = (HealthHandle::new(), CancellationToken::new());
        let (entered, release) = (Arc::<Notify>::default(), Arc::<Notify>::default());
        let (opening, opened) = mpsc::channel(4);
        let delivery = FakeDelivery { opened: opening, entered: entered.clone(), release: release.clone() };
        let services =
            NodeServices::new(health.clone()).with(NodeLimits::default().delivery_server(delivery));
        let serving = tokio::spawn(serve_node(listener, services, secret.clone(), config, shutdown.clone()));
        FakeNode { url, secret, health, shutdown, entered, release, opened, serving }
    }

    pub(crate) fn pool(&self) -> NodePool {
        let config = PoolConfig { reconnect_delay: Duration::from_millis(1), ..PoolConfig::default() };
        NodePool::new(self.secret.clone(), config)
    }

    pub(crate) fn channel(&self) -> NodeChannel {
        self.pool().node(&self.url)
    }

    /// The next Publish stream that a client opens.
    pub(crate) async fn opened(&mut self) -> Opened {
        soon("a publish stream", self.opened.recv()).await.expect("the node runs")
    }

    /// Waits until the node has ended by itself or by its token.
    pub(crate) async fn ended(self) {
        soon("the end of the node", self.serving).await.unwrap().unwrap();
    }

    /// Drops the node and all its connections at once, as a crash would.
    pub(crate) async fn crash(self) {
        self.serving.abort();
        // The task was aborted: that it says so is what is wanted.
        let _ = self.serving.await;
    }
}

pub(crate) fn to_user(user: &str, message_id: &str) -> SendToUserRequest {
    let message = Message { payload: "hello".into(), message_id: message_id.into(), ..Message::default() };
    SendToUserRequest { user: user.into(), message: Some(message), ..SendToUserRequest::default() }
}

pub(crate) fn send(message_id: &str) -> Send {
    Send::ToUser(to_user("alice", message_id))
}

pub(crate) fn message_id(request: &PublishRequest) -> String {
    match &request.send {
        Some(Send::ToUser(request)) => request.message.clone().unwrap_or_default().message_id,
        other => panic!("not to a user: {other:?}"),
    }
}

pub(crate) fn receipt(message_id: &str) -> Receipt {
    Receipt {
        outcome: Outcome::Delivered.into(),
        sessions: 1,
        message_id: message_id.into(),
        ..Receipt::default()
    }
}
