//! A cluster of workers that note what they are asked and answer as the test says.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use parking_lot::Mutex;
use ringway_cluster::{Lease, Member, MemoryRegistry, Registry as _, RingService, Views, views};
use ringway_dispatch::Hops;
use ringway_proto::v1::delivery_server::Delivery;
use ringway_proto::v1::presence_server::Presence;
use ringway_proto::v1::publish_request::Send;
use ringway_proto::v1::sessions_server::Sessions;
use ringway_proto::v1::{self, PublishReply, PublishRequest, Receipt, Routing, publish_reply};
use ringway_proto::{Reason, Refusal};
use ringway_ring::{MemberId, RingVersion, Strategy};
use ringway_rpc::{
    ClusterSecret, HealthHandle, NodePool, NodeServices, NodeUrl, PoolConfig, ServerConfig, serve_node,
};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Request, Response, Status, Streaming};

/// No event that a test waits for takes this long.
const PATIENCE: Duration = Duration::from_secs(20);
/// The ring version in the fake workers' receipts.
pub(crate) const THEIR_RING: RingVersion = RingVersion::from_u64(7);

/// Waits for an event that must come.
pub(crate) async fn soon<T>(what: &str, event: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, event).await.unwrap_or_else(|_| panic!("it did not come: {what}"))
}

pub(crate) fn secret() -> ClusterSecret {
    ClusterSecret::new("the-secret-of-this-test").unwrap()
}

/// What a worker was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) method: &'static str,
    /// User, group, or session.
    pub(crate) key: String,
    pub(crate) message_id: String,
    pub(crate) ring_version: u64,
    pub(crate) hops: Hops,
}

/// How a worker takes one request.
#[derive(Clone, Debug)]
pub(crate) enum Take {
    /// It carries it out.
    Answer,
    /// It refuses it.
    Refuse(Refusal),
    /// It carries it out when the test says so, and nothing else of the same stream before.
    Hold,
    /// It never answers.
    Hang,
    /// It ends the Publish stream.
    End,
}

/// What the test and the worker's services share.
#[derive(Default)]
pub(crate) struct Script {
    seen: Mutex<Vec<Seen>>,
    /// For the next requests, in order.
    takes: Mutex<VecDeque<Take>>,
    /// For all others; when nothing is said, `Answer`.
    otherwise: Mutex<Option<Take>>,
    pub(crate) sessions: Mutex<Vec<v1::Session>>,
    arrived: Notify,
    pub(crate) release: Notify,
}

impl Script {
    pub(crate) fn then(&self, take: Take) {
        self.takes.lock().push_back(take);
    }

    #[allow(dead_code, reason = "for the tests of the HTTP API")]
    pub(crate) fn always(&self, take: Take) {
        *self.otherwise.lock() = Some(take);
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().clone()
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.seen.lock().iter().map(|seen| seen.message_id.clone()).collect()
    }

    /// Waits until this many requests have come.
    pub(crate) async fn saw(&self, count: usize) {
        let enough = async {
            loop {
                let arrived = self.arrived.notified();
                if self.seen.lock().len() >= count {
                    return;
                }
                arrived.await;
            }
        };
        soon("requests at a worker", enough).await;
    }

    fn note(&self, method: &'static str, key: &str, message_id: &str, routing: Option<&Routing>) {
        self.seen.lock().push(Seen {
            method,
            key: key.into(),
            message_id: message_id.into(),
            ring_version: routing.map_or(0, |routing| routing.ring_version),
            hops: Hops::of(routing),
        });
        self.arrived.notify_waiters();
    }

    async fn take(&self) -> Result<Option<()>, Refusal> {
        let next = self.takes.lock().pop_front().or_else(|| self.otherwise.lock().clone());
        let take = next.unwrap_or(Take::Answer);
        match take {
            Take::Answer => Ok(Some(())),
            Take::Refuse(refusal) => Err(refusal),
            Take::Hold => {
                self.release.notified().await;
                Ok(Some(()))
            }
            Take::Hang => std::future::pending().await,
            Take::End => Ok(None),
        }
    }

    async fn send(&self, send: Option<Send>) -> Result<Option<Receipt>, Refusal> {
        let (method, key, message, routing) = match send.unwrap() {
            Send::ToUser(send) => ("SendToUser", send.user, send.message, send.routing),
            Send::ToGroup(send) => ("SendToGroup", send.group, send.message, send.routing),
            Send::ToAll(send) => ("SendToAll", String::new(), send.message, send.routing),
        };
        let message_id = message.unwrap_or_default().message_id;
        self.note(method, &key, &message_id, routing.as_ref());
        let carried_out = self.take().await?;
        Ok(carried_out.map(|()| Receipt {
            outcome: v1::Outcome::Delivered.into(),
            sessions: 1,
            message_id,
            ring_version: THEIR_RING.as_u64(),
            ..Receipt::default()
        }))
    }

    async fn act<T>(
        &self,
        method: &'static str,
        key: &str,
        routing: Option<&Routing>,
        answer: T,
    ) -> Answer<T> {
        self.note(method, key, "", routing);
        self.take().await?;
        Ok(Response::new(answer))
    }
}

type Answer<T> = Result<Response<T>, Status>;

#[derive(Clone)]
struct Services(Arc<Script>);

impl Services {
    async fn unary(&self, send: Send) -> Answer<Receipt> {
        Ok(Response::new(self.0.send(Some(send)).await?.unwrap_or_default()))
    }

    async fn stream(
        self,
        mut requests: Streaming<PublishRequest>,
        replies: mpsc::Sender<Result<PublishReply, Status>>,
    ) {
        while let Ok(Some(request)) = requests.message().await {
            let result = match self.0.send(request.send).await {
                Ok(Some(receipt)) => publish_reply::Result::Receipt(receipt),
                Ok(None) => return,
                Err(refusal) => publish_reply::Result::Error(refusal.to_publish_error()),
            };
            let reply = PublishReply { sequence: request.sequence, result: Some(result) };
            if replies.send(Ok(reply)).await.is_err() {
                return;
            }
        }
    }
}

#[tonic::async_trait]
impl Delivery for Services {
    type PublishStream = Pin<Box<dyn Stream<Item = Result<PublishReply, Status>> + std::marker::Send>>;

    async fn send_to_user(&self, request: Request<v1::SendToUserRequest>) -> Answer<Receipt> {
        self.unary(Send::ToUser(request.into_inner())).await
    }

    async fn send_to_group(&self, request: Request<v1::SendToGroupRequest>) -> Answer<Receipt> {
        self.unary(Send::ToGroup(request.into_inner())).await
    }

    async fn send_to_all(&self, request: Request<v1::SendToAllRequest>) -> Answer<Receipt> {
        self.unary(Send::ToAll(request.into_inner())).await
    }

    async fn publish(&self, request: Request<Streaming<PublishRequest>>) -> Answer<Self::PublishStream> {
        let (replies, answers) = mpsc::channel(16);
        tokio::spawn(self.clone().stream(request.into_inner(), replies));
        Ok(Response::new(Box::pin(ReceiverStream::new(answers))))
    }
}

fn key_of(target: Option<v1::SessionTarget>) -> String {
    match target.unwrap().target.unwrap() {
        v1::session_target::Target::SessionId(id) => id,
        v1::session_target::Target::User(user) => user,
    }
}

#[tonic::async_trait]
impl Sessions for Services {
    async fn list(&self, request: Request<v1::ListSessionsRequest>) -> Answer<v1::ListSessionsResponse> {
        let request = request.into_inner();
        let mut sessions = self.0.sessions.lock().clone();
        let total = sessions.len() as u64;
        sessions.truncate(request.limit as usize);
        let answer = v1::ListSessionsResponse { sessions, total, workers_unreached: Vec::new() };
        self.0.act("List", &request.limit.to_string(), request.routing.as_ref(), answer).await
    }

    async fn get(&self, request: Request<v1::GetSessionRequest>) -> Answer<v1::Session> {
        let request = request.into_inner();
        let session = v1::Session { id: request.session_id.clone(), ..v1::Session::default() };
        self.0.act("Get", &request.session_id, request.routing.as_ref(), session).await
    }

    async fn close(&self, request: Request<v1::CloseSessionsRequest>) -> Answer<v1::CloseSessionsResponse> {
        let request = request.into_inner();
        let answer = v1::CloseSessionsResponse { sessions: 1 };
        self.0.act("Close", &key_of(request.target), request.routing.as_ref(), answer).await
    }

    async fn join_group(&self, request: Request<v1::JoinGroupRequest>) -> Answer<v1::JoinGroupResponse> {
        let request = request.into_inner();
        let answer = v1::JoinGroupResponse { sessions: 2 };
        self.0.act("JoinGroup", &key_of(request.target), request.routing.as_ref(), answer).await
    }

    async fn leave_group(&self, request: Request<v1::LeaveGroupRequest>) -> Answer<v1::LeaveGroupResponse> {
        let request = request.into_inner();
        let answer = v1::LeaveGroupResponse { sessions: 3 };
        self.0.act("LeaveGroup", &key_of(request.target), request.routing.as_ref(), answer).await
    }
}

/// Everybody is offline, but for those who are called so: of them nothing sure can be said.
#[tonic::async_trait]
impl Presence for Services {
    async fn get(&self, request: Request<v1::GetPresenceRequest>) -> Answer<v1::GetPresenceResponse> {
        let request = request.into_inner();
        let offline = |user: &String| v1::UserPresence { user: user.clone(), ..v1::UserPresence::default() };
        let (undecided, others): (Vec<_>, Vec<_>) =
            request.users.iter().cloned().partition(|user| user.starts_with("undecided"));
        let users = others.iter().map(offline).collect();
        let answer = v1::GetPresenceResponse { users, undecided, workers_unreached: Vec::new() };
        self.0.act("Presence", &request.users.join(" "), request.routing.as_ref(), answer).await
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<v1::PresenceChanges, Status>> + std::marker::Send>>;

    async fn watch(&self, _: Request<Streaming<v1::WatchPresenceRequest>>) -> Answer<Self::WatchStream> {
        Err(Status::unimplemented("no test watches fake workers"))
    }
}

/// One worker.
pub(crate) struct FakeWorker {
    pub(crate) member: Member,
    pub(crate) script: Arc<Script>,
    serving: JoinHandle<()>,
    lease: Option<Box<dyn Lease>>,
}

/// Workers `w0`, `w1`, ... and the registry in which they are.
pub(crate) struct FakeCluster {
    pub(crate) workers: Vec<FakeWorker>,
    pub(crate) views: Views,
    registry: MemoryRegistry,
    shutdown: CancellationToken,
    _guard: DropGuard,
}

impl FakeCluster {
    pub(crate) async fn start(workers: usize) -> Self {
        let shutdown = CancellationToken::new();
        let registry = MemoryRegistry::new();
        let views = views(&registry, Strategy::Slots, shutdown.clone());
        let _guard = shutdown.clone().drop_guard();
        let mut cluster = FakeCluster { workers: Vec::new(), views, registry, shutdown, _guard };
        for _ in 0..workers {
            cluster.add().await;
        }
        for n in 0..workers {
            cluster.join(n).await;
        }
        cluster
    }

    /// Starts a worker that has not joined.
    pub(crate) async fn add(&mut self) -> usize {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = NodeUrl::from(listener.local_addr().unwrap());
        let id = MemberId::new(format!("w{}", self.workers.len())).unwrap();
        let script = Arc::<Script>::default();
        let shutdown = self.shutdown.clone();
        let limits = self.pool().limits();
        let services = NodeServices::new(HealthHandle::new())
            .with(limits.delivery_server(Services(script.clone())))
            .with(limits.sessions_server(Services(script.clone())))
            .with(limits.presence_server(Services(script.clone())))
            .with(limits.ring_server(RingService::new(self.views.clone(), shutdown.clone())));
        let serving = tokio::spawn(async move {
            serve_node(listener, services, secret(), ServerConfig::default(), shutdown).await.unwrap();
        });
        let member = Member::new(id, url);
        self.workers.push(FakeWorker { member, script, serving, lease: None });
        self.workers.len() - 1
    }

    /// Puts a worker on the ring, and waits until the view shows it.
    pub(crate) async fn join(&mut self, n: usize) {
        let worker = &mut self.workers[n];
        worker.lease = Some(self.registry.join(worker.member.clone()).await.unwrap());
        let mut views = self.views.subscribe();
        let id = worker.member.id.clone();
        let joined = views.wait_for(|view| view.member(&id).is_some());
        soon("the worker in the view", joined).await.unwrap();
    }

    /// Takes a worker off the ring, and waits until the view shows it.
    #[allow(dead_code, reason = "for the tests of the sender")]
    pub(crate) async fn leave(&mut self, n: usize) {
        let worker = &mut self.workers[n];
        worker.lease.take().unwrap().leave().await.unwrap();
        let (mut views, id) = (self.views.subscribe(), worker.member.id.clone());
        let left = views.wait_for(|view| view.member(&id).is_none());
        soon("the view without the worker", left).await.unwrap();
    }

    /// Ends a worker's process, while the registry still shows it.
    pub(crate) async fn crash(&mut self, n: usize) {
        let serving = &mut self.workers[n].serving;
        serving.abort();
        // The task was aborted: that it says so is what is wanted.
        let _ = serving.await;
    }

    pub(crate) fn pool(&self) -> NodePool {
        let config = PoolConfig { reconnect_delay: Duration::from_millis(1), ..PoolConfig::default() };
        NodePool::new(secret(), config)
    }

    pub(crate) fn version(&self) -> RingVersion {
        self.views.current().version()
    }

    /// The number of the worker that owns this key.
    pub(crate) fn owner(&self, key: &str) -> usize {
        let view = self.views.current();
        let owner = view.owner(key).unwrap();
        self.workers.iter().position(|worker| worker.member.id == owner.id).unwrap()
    }

    pub(crate) fn script_of(&self, key: &str) -> Arc<Script> {
        self.workers[self.owner(key)].script.clone()
    }

    /// What each worker has seen, by worker, those that saw nothing left out.
    pub(crate) fn seen(&self) -> Vec<(usize, Seen)> {
        let workers = self.workers.iter().enumerate();
        workers.flat_map(|(n, worker)| worker.script.seen().into_iter().map(move |seen| (n, seen))).collect()
    }

    /// A user that this worker owns.
    pub(crate) fn user_of(&self, n: usize) -> String {
        self.users_of(n, 1).remove(0)
    }

    /// Users that this worker owns.
    pub(crate) fn users_of(&self, n: usize, count: usize) -> Vec<String> {
        (0..).map(|i| format!("user{i}")).filter(|user| self.owner(user) == n).take(count).collect()
    }
}

/// A refusal of a worker, with its ring.
pub(crate) fn refusal(reason: Reason) -> Refusal {
    Refusal::new(reason, "the test says so").with_ring(THEIR_RING)
}
