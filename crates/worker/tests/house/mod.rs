//! A cluster of workers in this process, on real sockets, and a gateway without clients that speaks the link protocol.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)] // each test file takes what it needs

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ringway_cluster::{Lease, Member, MemoryRegistry, Registry, Views, views};
use ringway_proto::v1::gateway_frame::Frame as Up;
use ringway_proto::v1::worker_frame::Frame as Down;
use ringway_proto::v1::{
    self, Detach, GatewayFrame, GatewayFrames, Hello, Move, Open, Opened, Reopen, WorkerFrames,
};
use ringway_ring::{MemberId, Slot, Strategy};
use ringway_rpc::{
    ClusterSecret, HealthHandle, NodeChannel, NodePool, NodeServices, NodeUrl, PoolConfig, ServerConfig,
    serve_node,
};
use ringway_session::SessionId;
use ringway_store::PresenceExport;
use ringway_worker::{Worker, WorkerConfig};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// How long anything may take.
pub const DEADLINE: Duration = Duration::from_secs(10);

pub struct House {
    pub registry: MemoryRegistry,
    pub views: Views,
    pub pool: NodePool,
    pub workers: Vec<Tenant>,
    pub tasks: TaskTracker,
    pub export: Option<Arc<dyn PresenceExport>>,
    secret: ClusterSecret,
    shutdown: CancellationToken,
    _end: DropGuard,
}

pub struct Tenant {
    pub worker: Worker,
    pub node: NodeChannel,
    pub stop: CancellationToken,
    pub lease: Box<dyn Lease>,
    server_stop: CancellationToken,
    server: tokio::task::JoinHandle<()>,
}

pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("it happens within the deadline")
}

/// Waits until something is so.
pub async fn until(is_so: impl AsyncFn() -> bool) {
    within(async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

pub fn id(name: &str) -> MemberId {
    MemberId::new(name).unwrap()
}

impl House {
    pub async fn new(workers: usize) -> House {
        House::with(workers, |_| {}).await
    }

    /// Workers w1, w2, …, each with its own configuration changed by `change`.
    pub async fn with(workers: usize, change: impl Fn(&mut WorkerConfig)) -> House {
        let registry = MemoryRegistry::new();
        let shutdown = CancellationToken::new();
        let secret = ClusterSecret::generate();
        let pool = NodePool::new(secret.clone(), PoolConfig::default());
        let views = views(&registry, Strategy::Slots, shutdown.clone());
        let end = shutdown.clone().drop_guard();
        let tasks = TaskTracker::new();
        let (workers_running, export) = (vec![], None);
        let mut house = House {
            registry,
            views,
            pool,
            workers: workers_running,
            tasks,
            export,
            secret,
            shutdown,
            _end: end,
        };
        for number in 1..=workers {
            house.add(&format!("w{number}"), &change).await;
        }
        house
    }

    /// Workers that write who is online.
    pub async fn exporting(workers: usize, export: &Arc<dyn PresenceExport>) -> House {
        let mut house = House::new(0).await;
        house.export = Some(Arc::clone(export));
        for number in 1..=workers {
            house.add(&format!("w{number}"), |_| {}).await;
        }
        house
    }

    pub async fn add(&mut self, name: &str, change: impl Fn(&mut WorkerConfig)) {
        self.add_seeing(self.views.clone(), name, change).await;
        let mut views = self.views.subscribe();
        within(views.wait_for(|view| view.member(&id(name)).is_some())).await.unwrap();
    }

    /// The views that a registry of its own gives.
    pub fn views_of(&self, registry: &MemoryRegistry) -> Views {
        views(registry, Strategy::Slots, self.shutdown.clone())
    }

    /// A worker that sees other views than the rest, to whom it is a member all the same.
    pub async fn add_seeing(&mut self, seen: Views, name: &str, change: impl Fn(&mut WorkerConfig)) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: NodeUrl = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let mut config = WorkerConfig::new(id(name));
        change(&mut config);
        let worker = Worker::new(config, 1, seen, self.pool.clone());
        if let Some(export) = &self.export {
            worker.export_presence(Arc::clone(export));
        }
        let services = worker.add_services(NodeServices::new(HealthHandle::default()));
        let (stop, server_stop) = (self.shutdown.child_token(), self.shutdown.child_token());
        let config = ServerConfig { shutdown_timeout: Duration::from_millis(100), ..ServerConfig::default() };
        let serving = serve_node(listener, services, self.secret.clone(), config, server_stop.clone());
        let server = self.tasks.spawn(async move { serving.await.unwrap() });
        let (running, until) = (worker.clone(), stop.clone());
        self.tasks.spawn(async move { running.run(until).await });
        let lease = self.registry.join(Member::new(id(name), url.clone())).await.unwrap();
        self.workers.push(Tenant { worker, node: self.pool.node(&url), stop, lease, server_stop, server });
    }

    pub fn tenant(&self, name: &str) -> &Tenant {
        self.workers.iter().find(|tenant| tenant.worker.id().as_str() == name).unwrap()
    }

    pub fn owner(&self, key: &str) -> &Tenant {
        self.tenant(self.views.current().owner(key).unwrap().id.as_str())
    }

    /// Some worker that does not own the key.
    pub fn other(&self, key: &str) -> &Tenant {
        let owner = self.owner(key).worker.id().clone();
        self.workers.iter().find(|tenant| *tenant.worker.id() != owner).unwrap()
    }

    /// The first of `prefix0`, `prefix1`, … that this worker owns.
    pub fn key_of(&self, worker: &str, prefix: &str) -> String {
        let view = self.views.current();
        let mut keys = (0..).map(|number| format!("{prefix}{number}"));
        keys.find(|key| view.owner(key).unwrap().id.as_str() == worker).unwrap()
    }

    /// A gateway attached to a worker.
    pub async fn gateway(&self, worker: &str) -> Gateway {
        Gateway::attach(&self.tenant(worker).worker).await
    }

    /// A client of a user, at the user's worker, on a gateway of its own.
    pub async fn client(&self, user: &str, groups: &[&str]) -> Gateway {
        let mut gateway = Gateway::attach(&self.owner(user).worker).await;
        gateway.open_ok(user, groups).await;
        gateway
    }

    /// Ends the gRPC server of a worker, as if its machine were gone.
    pub async fn cut(&mut self, worker: &str) {
        let tenant = self.workers.iter_mut().find(|tenant| tenant.worker.id().as_str() == worker).unwrap();
        tenant.server_stop.cancel();
        within(&mut tenant.server).await.unwrap();
    }
}

pub struct Gateway {
    frames: mpsc::Sender<GatewayFrames>,
    answers: std::pin::Pin<Box<dyn Stream<Item = WorkerFrames> + Send>>,
    pending: std::collections::VecDeque<Down>,
    pub sessions: HashMap<u64, SessionId>,
    next: u64,
}

impl Gateway {
    pub async fn attach(worker: &Worker) -> Gateway {
        let (frames, receiver) = mpsc::channel(64);
        let hello = Up::Hello(Hello { gateway_id: "g1".into(), protocol: ringway_proto::LINK_PROTOCOL });
        frames.send(batch([hello])).await.unwrap();
        let answers = Box::pin(worker.attach(ReceiverStream::new(receiver)).await.unwrap());
        let mut gateway =
            Gateway { frames, answers, pending: Default::default(), sessions: HashMap::new(), next: 0 };
        let Down::Welcome(welcome) = gateway.next().await else { panic!("the first frame is no Welcome") };
        assert_eq!(welcome.worker_id, worker.id().as_str());
        assert!(welcome.window_bytes > 0);
        gateway
    }

    pub async fn say(&self, frame: Up) {
        self.frames.send(batch([frame])).await.unwrap();
    }

    pub async fn say_all(&self, frames: Vec<Up>) {
        self.frames.send(batch(frames)).await.unwrap();
    }

    pub async fn next(&mut self) -> Down {
        within(self.try_next()).await.expect("the link goes on")
    }

    pub async fn try_next(&mut self) -> Option<Down> {
        while self.pending.is_empty() {
            self.pending
                .extend(self.answers.next().await?.frames.into_iter().filter_map(|frame| frame.frame));
        }
        self.pending.pop_front()
    }

    /// Asks for a session and gives back its channel and the answer.
    pub async fn open(&mut self, user: &str, groups: &[&str]) -> (u64, Down) {
        let groups = groups.iter().map(ToString::to_string).collect();
        let channel = self.ask(Open { user: user.into(), groups, ..Open::default() }).await;
        (channel, self.next().await)
    }

    /// Asks for a session and gives back its channel.
    pub async fn ask(&mut self, open: Open) -> u64 {
        self.next += 1;
        let channel = self.next;
        let session = SessionId::new(Slot::of(open.user.as_bytes()), (rand::random::<u64>()).into());
        self.sessions.insert(channel, session);
        let session_id = Bytes::copy_from_slice(&session.to_bytes());
        let remote_address = "127.0.0.1:1".into();
        self.say(Up::Open(Open { channel, session_id, remote_address, ..open })).await;
        channel
    }

    pub async fn open_ok(&mut self, user: &str, groups: &[&str]) -> u64 {
        let (channel, answer) = self.open(user, groups).await;
        assert!(matches!(&answer, Down::Opened(opened) if opened.channel == channel), "{answer:?}");
        channel
    }

    /// The next frame that is no checkpoint: those come whenever groups change.
    pub async fn next_but_checkpoints(&mut self) -> Down {
        loop {
            match self.next().await {
                Down::Checkpoint(_) => {}
                other => return other,
            }
        }
    }

    /// The next frame, which must say that these sessions belong elsewhere.
    pub async fn told_to_move(&mut self) -> Vec<u64> {
        match self.next_but_checkpoints().await {
            Down::Move(Move { channels }) => channels,
            other => panic!("{other:?} came instead of a move"),
        }
    }

    /// Lets a session go. Gives back its state, which must come next.
    pub async fn detach(&mut self, channel: u64) -> Bytes {
        self.say(Up::Detach(Detach { channel })).await;
        match self.next_but_checkpoints().await {
            Down::Detached(detached) if detached.channel == channel => detached.state,
            other => panic!("{other:?} came instead of the state"),
        }
    }

    /// Brings a session. Gives back its channel; the answer is still to come.
    pub async fn bring(&mut self, user: &str, state: Bytes, passed_offset: u64) -> u64 {
        self.next += 1;
        let channel = self.next;
        let reopen = Some(Reopen { state, passed_offset, ..Reopen::default() });
        let session_id = Bytes::copy_from_slice(&SessionId::new(Slot::of(user.as_bytes()), 0).to_bytes());
        self.say(Up::Open(Open { channel, session_id, user: user.into(), reopen, ..Open::default() })).await;
        channel
    }

    /// The next frame, which must say that a session is open.
    pub async fn opened(&mut self, channel: u64) -> Opened {
        match self.next_but_checkpoints().await {
            Down::Opened(opened) if opened.channel == channel => opened,
            other => panic!("{other:?} came instead of Opened"),
        }
    }

    /// The next frame, which must be a message: its receivers and its text.
    pub async fn message(&mut self) -> (Vec<u64>, String) {
        match self.next_but_checkpoints().await {
            Down::Deliver(deliver) => {
                let mut channels = deliver.channels;
                channels.sort_unstable();
                (channels, String::from_utf8(deliver.payload.to_vec()).unwrap())
            }
            other => panic!("{other:?} came instead of a message"),
        }
    }
}

pub fn batch(frames: impl IntoIterator<Item = Up>) -> GatewayFrames {
    GatewayFrames { frames: frames.into_iter().map(|frame| GatewayFrame { frame: Some(frame) }).collect() }
}

pub fn text(content: &str) -> Option<v1::Message> {
    Some(v1::Message { payload: Bytes::copy_from_slice(content.as_bytes()), ..Default::default() })
}

pub fn to_user(user: &str, content: &str) -> v1::SendToUserRequest {
    v1::SendToUserRequest { user: user.into(), message: text(content), ..v1::SendToUserRequest::default() }
}

pub fn to_group(group: &str, content: &str) -> v1::SendToGroupRequest {
    v1::SendToGroupRequest { group: group.into(), message: text(content), routing: None }
}

pub fn to_all(content: &str) -> v1::SendToAllRequest {
    v1::SendToAllRequest { message: text(content), routing: None }
}

pub fn forwarded() -> Option<v1::Routing> {
    Some(v1::Routing { ring_version: 0, hops: 1 })
}
