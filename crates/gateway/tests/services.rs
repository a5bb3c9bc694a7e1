//! The services of a gateway's rpc port, and links over gRPC, against a worker's real server.

mod support;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use parking_lot::Mutex;
use ringway_cluster::{Lease, Member, MemoryRegistry, Registry, Views, views};
use ringway_dispatch::Dispatcher;
use ringway_gateway::{ForwardConfig, Grpc, LinkConnector, add_services};
use ringway_proto::v1::delivery_server::Delivery;
use ringway_proto::v1::gateway_frame::Frame as Said;
use ringway_proto::v1::link_server::Link;
use ringway_proto::v1::publish_request::Send;
use ringway_proto::v1::sessions_server::Sessions;
use ringway_proto::v1::*;
use ringway_proto::{LINK_PROTOCOL, Reason, Refusal};
use ringway_ring::{MemberId, Strategy};
use ringway_rpc::{
    ClusterSecret, HealthHandle, NodeChannel, NodeLimits, NodePool, NodeServices, PoolConfig, ServerConfig,
    serve_node,
};
use support::soon;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

/// Answers every send with a receipt that names what it was, and remembers how often it had been forwarded.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<(String, u32)>>>);

impl Recorder {
    fn record(&self, what: String, routing: Option<Routing>) -> Receipt {
        self.0.lock().push((what.clone(), routing.unwrap_or_default().hops));
        let (outcome, sessions) = (Outcome::Delivered.into(), 1);
        Receipt { outcome, sessions, message_id: what, ..Receipt::default() }
    }
}

#[tonic::async_trait]
impl Delivery for Recorder {
    async fn send_to_user(&self, request: Request<SendToUserRequest>) -> Result<Response<Receipt>, Status> {
        let SendToUserRequest { user, routing, .. } = request.into_inner();
        Ok(Response::new(self.record(format!("user {user}"), routing)))
    }

    async fn send_to_group(&self, request: Request<SendToGroupRequest>) -> Result<Response<Receipt>, Status> {
        let SendToGroupRequest { group, routing, .. } = request.into_inner();
        Ok(Response::new(self.record(format!("group {group}"), routing)))
    }

    async fn send_to_all(&self, request: Request<SendToAllRequest>) -> Result<Response<Receipt>, Status> {
        Ok(Response::new(self.record("all".to_owned(), request.into_inner().routing)))
    }

    type PublishStream = Pin<Box<dyn Stream<Item = Result<PublishReply, Status>> + std::marker::Send>>;

    async fn publish(
        &self,
        request: Request<Streaming<PublishRequest>>,
    ) -> Result<Response<Self::PublishStream>, Status> {
        let recorder = self.clone();
        let replies = request.into_inner().map(move |request| {
            let PublishRequest { sequence, send, .. } = request?;
            let (what, routing) = match send {
                Some(Send::ToUser(to)) => {
                    (format!("user {} {}", to.user, to.message.expect("one").message_id), to.routing)
                }
                Some(Send::ToGroup(to)) => (format!("group {}", to.group), to.routing),
                Some(Send::ToAll(to)) => ("all".to_owned(), to.routing),
                None => return Err(Status::invalid_argument("nobody")),
            };
            let receipt = recorder.record(what, routing);
            Ok(PublishReply { sequence, result: Some(publish_reply::Result::Receipt(receipt)) })
        });
        Ok(Response::new(replies.boxed()))
    }
}

#[tonic::async_trait]
impl Sessions for Recorder {
    async fn list(
        &self,
        request: Request<ListSessionsRequest>,
    ) -> Result<Response<ListSessionsResponse>, Status> {
        self.record("list".to_owned(), request.into_inner().routing);
        let sessions = vec![Session { user: "alice".to_owned(), ..Session::default() }];
        Ok(Response::new(ListSessionsResponse { sessions, total: 1, workers_unreached: vec![] }))
    }

    async fn get(&self, request: Request<GetSessionRequest>) -> Result<Response<Session>, Status> {
        self.record("get".to_owned(), request.into_inner().routing);
        Err(Refusal::new(Reason::SessionNotFound, "not here").to_status())
    }

    async fn close(
        &self,
        request: Request<CloseSessionsRequest>,
    ) -> Result<Response<CloseSessionsResponse>, Status> {
        self.record("close".to_owned(), request.into_inner().routing);
        Ok(Response::new(CloseSessionsResponse { sessions: 3 }))
    }

    async fn join_group(
        &self,
        request: Request<JoinGroupRequest>,
    ) -> Result<Response<JoinGroupResponse>, Status> {
        self.record("join".to_owned(), request.into_inner().routing);
        Ok(Response::new(JoinGroupResponse { sessions: 2 }))
    }

    async fn leave_group(
        &self,
        request: Request<LeaveGroupRequest>,
    ) -> Result<Response<LeaveGroupResponse>, Status> {
        self.record("leave".to_owned(), request.into_inner().routing);
        Ok(Response::new(LeaveGroupResponse { sessions: 1 }))
    }
}

#[tonic::async_trait]
impl Link for Recorder {
    type AttachStream = Pin<Box<dyn Stream<Item = Result<WorkerFrames, Status>> + std::marker::Send>>;

    async fn attach(
        &self,
        request: Request<Streaming<GatewayFrames>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let mut frames = request.into_inner();
        let first = frames.message().await?.and_then(|batch| batch.frames.into_iter().next()?.frame);
        let Some(Said::Hello(hello)) = first else { return Err(Status::invalid_argument("no hello")) };
        let worker_id = format!("knows {}", hello.gateway_id);
        let welcome = Welcome { worker_id, ..Welcome::default() };
        let welcome = WorkerFrame { frame: Some(worker_frame::Frame::Welcome(welcome)) };
        Ok(Response::new(
            futures_util::stream::iter([Ok(WorkerFrames { frames: vec![welcome] })])
                .chain(futures_util::stream::pending())
                .boxed(),
        ))
    }
}

/// A worker's server, and a gateway's in front of it.
struct Nodes {
    worker: Recorder,
    gateway: NodeChannel,
    pool: NodePool,
    member: Member,
    views: Views,
    _lease: Box<dyn Lease>,
    _end: tokio_util::sync::DropGuard,
}

impl Nodes {
    async fn start() -> Self {
        let secret = ClusterSecret::generate();
        let pool = NodePool::new(secret.clone(), PoolConfig::default());
        let end = CancellationToken::new();
        let limits = NodeLimits::default();
        let worker = Recorder::default();
        let services = NodeServices::new(HealthHandle::new())
            .with(limits.delivery_server(worker.clone()))
            .with(limits.sessions_server(worker.clone()))
            .with(limits.link_server(worker.clone()));
        let worker_url = serve(services, &secret, &end).await;
        let registry = MemoryRegistry::new();
        let member = Member::new(MemberId::new("w1").expect("an id"), worker_url.parse().expect("a url"));
        let lease = registry.join(member.clone()).await.expect("joined");
        let views = views(&registry, Strategy::Slots, end.clone());
        let dispatcher = Dispatcher::new(views.clone(), pool.clone());
        let services = add_services(
            NodeServices::new(HealthHandle::new()),
            dispatcher,
            ForwardConfig::default(),
            CancellationToken::new(),
        );
        let gateway_url = serve(services, &secret, &end).await;
        let gateway = pool.node(&gateway_url.parse().expect("a url"));
        Self { worker, gateway, pool, member, views, _lease: lease, _end: end.drop_guard() }
    }

    fn recorded(&self) -> Vec<(String, u32)> {
        self.worker.0.lock().clone()
    }
}

async fn serve(services: NodeServices, secret: &ClusterSecret, end: &CancellationToken) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (secret, end) = (secret.clone(), end.clone());
    tokio::spawn(async move { serve_node(listener, services, secret, ServerConfig::default(), end).await });
    url
}

fn text(payload: &str) -> Option<Message> {
    Some(Message { payload: payload.to_owned().into(), ..Message::default() })
}

fn hops(hops: u32) -> Option<Routing> {
    Some(Routing { ring_version: 0, hops })
}

#[tokio::test]
async fn sends_are_forwarded_once_and_their_receipts_come_back() {
    let nodes = Nodes::start().await;
    let mut delivery = nodes.gateway.delivery();
    let to_user = |routing| SendToUserRequest {
        user: "alice".into(),
        message: text("hi"),
        routing,
        ..SendToUserRequest::default()
    };
    let receipt = soon("a receipt", delivery.send_to_user(to_user(None))).await.expect("sent").into_inner();
    assert_eq!((receipt.outcome(), receipt.message_id.as_str()), (Outcome::Delivered, "user alice"));
    delivery.send_to_user(to_user(hops(0))).await.expect("sent");
    let to_group = SendToGroupRequest { group: "room7".into(), message: text("hi"), routing: None };
    delivery.send_to_group(to_group).await.expect("sent");
    delivery.send_to_all(SendToAllRequest { message: text("hi"), routing: None }).await.expect("sent");
    let once = |what: &str| (what.to_owned(), 1);
    assert_eq!(nodes.recorded(), [once("user alice"), once("user alice"), once("group room7"), once("all")]);
}

#[tokio::test]
async fn what_was_forwarded_already_or_cannot_be_is_refused_here() {
    let nodes = Nodes::start().await;
    let mut delivery = nodes.gateway.delivery();
    let version = nodes.views.current().version();
    let request = SendToUserRequest {
        user: "alice".into(),
        message: text("hi"),
        routing: hops(1),
        ..SendToUserRequest::default()
    };
    let refusal = Refusal::from_status(&delivery.send_to_user(request).await.expect_err("refused"));
    assert_eq!((refusal.reason, refusal.ring_version), (Reason::NotOwner, Some(version)));
    let request =
        SendToUserRequest { user: String::new(), message: text("hi"), ..SendToUserRequest::default() };
    let refusal = Refusal::from_status(&delivery.send_to_user(request).await.expect_err("refused"));
    assert_eq!(refusal.reason, Reason::InvalidArgument);
    let list = ListSessionsRequest { routing: hops(1), ..ListSessionsRequest::default() };
    let refusal = Refusal::from_status(&nodes.gateway.sessions().list(list).await.expect_err("refused"));
    assert_eq!(refusal.reason, Reason::NotOwner);
    assert!(nodes.recorded().is_empty(), "no worker was called");
}

#[tokio::test]
async fn a_publish_stream_keeps_order_and_outlives_single_refusals() {
    let nodes = Nodes::start().await;
    let (sender, requests) = mpsc::channel(16);
    let call =
        soon("a stream", async { nodes.gateway.delivery().publish(ReceiverStream::new(requests)).await });
    let count = 500_u64;
    let sending = tokio::spawn(async move {
        for sequence in 0..count {
            // Every tenth cannot be.
            let user = if sequence % 10 == 9 { String::new() } else { "alice".to_owned() };
            let message = Message { message_id: sequence.to_string(), ..text("hi").expect("a message") };
            let send = Send::ToUser(SendToUserRequest {
                user,
                message: Some(message),
                ..SendToUserRequest::default()
            });
            sender.send(PublishRequest { sequence, send: Some(send), turn: 0 }).await.expect("taken");
        }
        sender.send(PublishRequest { sequence: count, send: None, turn: 0 }).await.expect("taken");
    });
    let replies: Vec<_> =
        soon("all replies", call.await.expect("a stream").into_inner().collect::<Vec<_>>()).await;
    sending.await.expect("all sent");
    let mut answered: Vec<u64> = Vec::new();
    for reply in replies {
        let PublishReply { sequence, result } = reply.expect("a reply");
        answered.push(sequence);
        let refused =
            matches!(result, Some(publish_reply::Result::Error(error)) if error.reason == "INVALID_ARGUMENT");
        assert_eq!(refused, sequence % 10 == 9 || sequence == count, "request {sequence}");
    }
    answered.sort_unstable();
    assert_eq!(answered, (0..=count).collect::<Vec<_>>());
    let wanted = (0..count)
        .filter(|sequence| sequence % 10 != 9)
        .map(|sequence| (format!("user alice {sequence}"), 1));
    assert_eq!(nodes.recorded(), wanted.collect::<Vec<_>>(), "in the order of the stream");
}

#[tokio::test]
async fn calls_on_sessions_are_forwarded() {
    let nodes = Nodes::start().await;
    let mut sessions = nodes.gateway.sessions();
    let id = || ringway_session::SessionId::new(ringway_ring::Slot::of(b"alice"), 7).to_string();
    let target = || Some(SessionTarget { target: Some(session_target::Target::User("alice".into())) });
    let listed = sessions.list(ListSessionsRequest::default()).await.expect("a list").into_inner();
    assert_eq!((listed.total, listed.sessions[0].user.as_str()), (1, "alice"));
    let missing =
        sessions.get(GetSessionRequest { session_id: id(), routing: None }).await.expect_err("nobody");
    assert_eq!(Refusal::from_status(&missing).reason, Reason::SessionNotFound);
    let close = CloseSessionsRequest { target: target(), ..CloseSessionsRequest::default() };
    assert_eq!(sessions.close(close).await.expect("closed").into_inner().sessions, 3);
    let join = JoinGroupRequest { target: target(), group: "room7".into(), routing: None };
    assert_eq!(sessions.join_group(join).await.expect("joined").into_inner().sessions, 2);
    let leave = LeaveGroupRequest { target: target(), group: "room7".into(), routing: None };
    assert_eq!(sessions.leave_group(leave).await.expect("left").into_inner().sessions, 1);
    assert!(nodes.recorded().iter().all(|(_, hops)| *hops == 1), "{:?}", nodes.recorded());
}

#[tokio::test]
async fn a_link_over_grpc_says_hello_before_it_is_answered() {
    let nodes = Nodes::start().await;
    let (says, outgoing) = mpsc::channel(1);
    let hello = Said::Hello(Hello { gateway_id: "g1".into(), protocol: LINK_PROTOCOL });
    says.send(GatewayFrames { frames: vec![GatewayFrame { frame: Some(hello) }] }).await.expect("room");
    let connector = Grpc::new(nodes.pool.clone());
    let connecting = connector.connect(&nodes.member, ReceiverStream::new(outgoing));
    let mut incoming = soon("a link", connecting).await.expect("a link");
    let first = soon("a welcome", incoming.next()).await.expect("a frame").expect("a frame");
    let Some(worker_frame::Frame::Welcome(welcome)) = &first.frames[0].frame else { panic!("{first:?}") };
    assert_eq!(welcome.worker_id, "knows g1");

    let nobody = Member::new(nodes.member.id.clone(), "http://127.0.0.1:1".parse().expect("a url"));
    let (_says, outgoing) = mpsc::channel(1);
    let refused = soon("an error", connector.connect(&nobody, ReceiverStream::new(outgoing))).await;
    assert_eq!(refused.err().expect("nobody is there").reason, Reason::Unreachable);
}

#[tokio::test]
async fn another_worker_at_the_address_gets_no_sessions() {
    let nodes = Nodes::start().await;
    let bench = support::Bench::with(|setup| {
        setup.config.http.open_deadline = Duration::from_millis(500);
        setup.connector = Some(Arc::new(Grpc::new(nodes.pool.clone())));
        setup.member = Some(nodes.member.clone());
    })
    .await;
    let answer = bench.ask(&support::upgrade("/ws?token=alice", "")).await;
    assert_eq!((answer.status, answer.reason().as_str()), (503, "worker_unavailable"));
    assert!(answer.body.contains("no link to it is up"), "{}", answer.body);
    bench.end().await;
}
