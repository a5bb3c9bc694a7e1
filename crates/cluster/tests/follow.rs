//! Followers see what nodes show, over real sockets, and outlive the nodes that they began with.

use std::time::Duration;

use ringway_cluster::{
    FollowError, Lease, Member, MemoryRegistry, Registry as _, RingService, View, Views, follow, views,
};
use ringway_proto::v1;
use ringway_ring::{Slot, Strategy};
use ringway_rpc::{
    ClusterSecret, HealthHandle, NodePool, NodeServices, NodeUrl, PoolConfig, ServerConfig, serve_node,
};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::Code;

const PATIENCE: Duration = Duration::from_secs(20);

/// A node that serves the Ring service.
struct Node {
    url: NodeUrl,
    shutdown: DropGuard,
    serving: JoinHandle<()>,
}

impl Node {
    /// Serves what a registry shows.
    async fn start(registry: &MemoryRegistry) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = NodeUrl::from(listener.local_addr().expect("an address"));
        let shutdown = CancellationToken::new();
        let views = views(registry, Strategy::Slots, shutdown.clone());
        let pool = pool();
        let service = pool.limits().ring_server(RingService::new(views, shutdown.clone()));
        let services = NodeServices::new(HealthHandle::new()).with(service);
        let token = shutdown.clone();
        let serving = tokio::spawn(async move {
            serve_node(listener, services, secret(), ServerConfig::default(), token)
                .await
                .expect("it serves");
        });
        Self { url, shutdown: shutdown.drop_guard(), serving }
    }

    /// Ends it; watch streams end at once, without waiting for the server's deadline.
    async fn stop(self) {
        drop(self.shutdown);
        let stopped = tokio::time::timeout(Duration::from_secs(2), self.serving).await;
        stopped.expect("a watch stream holds the server").expect("the server does not panic");
    }

    /// Puts the node itself on the list of members.
    async fn join(&self, registry: &MemoryRegistry, id: &str) -> Box<dyn Lease> {
        registry
            .join(Member::new(id.parse().expect("a good id"), self.url.clone()))
            .await
            .expect("it is open")
    }
}

fn secret() -> ClusterSecret {
    ClusterSecret::new("a-secret-of-the-tests").expect("a good secret")
}

fn pool() -> NodePool {
    NodePool::new(secret(), PoolConfig::default())
}

async fn until(views: &Views, what: &str, right: impl Fn(&View) -> bool) {
    let mut subscription = views.subscribe();
    let waited = tokio::time::timeout(PATIENCE, subscription.wait_for(|view| right(view))).await;
    waited.unwrap_or_else(|_| panic!("not in time: {what}; {:?}", views.current())).expect("the views live");
}

fn has(id: &'static str) -> impl Fn(&View) -> bool {
    move |view| view.workers().iter().any(|member| member.id.as_str() == id)
}

/// A port that nobody listens on.
async fn nowhere() -> NodeUrl {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    NodeUrl::from(listener.local_addr().expect("an address"))
}

#[tokio::test]
async fn a_follower_sees_every_change_and_moves_on_when_its_node_stops() {
    let registry = MemoryRegistry::new();
    let (first, second) = (Node::start(&registry).await, Node::start(&registry).await);
    let _first = first.join(&registry, "w1").await;
    let nodes = vec![nowhere().await, first.url.clone(), second.url.clone()];
    let views = follow(&pool(), nodes, CancellationToken::new()).await.expect("a node answers");
    until(&views, "the first member", has("w1")).await;

    let _second = second.join(&registry, "w2").await;
    until(&views, "a change", has("w2")).await;
    let before = views.current();
    first.stop().await;
    assert_eq!(views.current().version(), before.version());
    let _third = second.join(&registry, "w3").await;
    until(&views, "a change after the node was lost", has("w3")).await;
}

#[tokio::test]
async fn a_follower_turns_to_the_workers_of_its_last_view() {
    let registry = MemoryRegistry::new();
    let (given, worker) = (Node::start(&registry).await, Node::start(&registry).await);
    let _joined = worker.join(&registry, "w1").await;
    let views = follow(&pool(), vec![given.url.clone()], CancellationToken::new()).await.expect("it answers");
    until(&views, "the worker", has("w1")).await;
    given.stop().await;
    let _later = worker.join(&registry, "w2").await;
    until(&views, "news from the worker", has("w2")).await;
}

#[tokio::test]
async fn without_an_answer_every_node_is_named_with_its_reason() {
    let (one, other) = (nowhere().await, nowhere().await);
    let error = follow(&pool(), vec![one.clone(), other.clone()], CancellationToken::new()).await;
    let error = error.expect_err("nobody is there").to_string();
    for expected in [one.as_str(), other.as_str(), "UNREACHABLE"] {
        assert!(error.contains(expected), "{error:?} does not say {expected:?}");
    }
    let nobody = follow(&pool(), Vec::new(), CancellationToken::new()).await;
    assert!(matches!(nobody, Err(FollowError::NoNodes)));
    let shutdown = CancellationToken::new();
    shutdown.cancel();
    assert!(matches!(follow(&pool(), vec![one], shutdown).await, Err(FollowError::ShutDown)));
}

#[tokio::test]
async fn the_ring_is_shown_with_its_table_if_wanted() {
    let registry = MemoryRegistry::new();
    let node = Node::start(&registry).await;
    let _joined = node.join(&registry, "w1").await;
    let views = follow(&pool(), vec![node.url.clone()], CancellationToken::new()).await.expect("it answers");
    until(&views, "the member", has("w1")).await;
    let mut client = pool().node(&node.url).ring();
    for with_table in [false, true] {
        let snapshot = client.get(v1::GetRingRequest { with_table }).await.expect("it answers").into_inner();
        assert_eq!(snapshot.table.len(), if with_table { 524_288 } else { 0 });
        let view = View::from_snapshot(snapshot).expect("a good snapshot");
        assert_eq!(view.version(), views.current().version());
    }
}

#[tokio::test]
async fn a_key_is_located() {
    let registry = MemoryRegistry::new();
    let node = Node::start(&registry).await;
    let mut client = pool().node(&node.url).ring();
    let locate = |key: &str| v1::LocateRequest { key: key.to_owned() };
    let nobody = client.locate(locate("alice")).await.expect("it answers").into_inner();
    assert_eq!((nobody.owner.as_str(), nobody.successors.len()), ("", 0));

    let _joined = (node.join(&registry, "w1").await, node.join(&registry, "w2").await);
    let views = follow(&pool(), vec![node.url.clone()], CancellationToken::new()).await.expect("it answers");
    until(&views, "both members", |view| view.workers().len() == 2).await;
    let found = client.locate(locate("alice")).await.expect("it answers").into_inner();
    let slot = Slot::of(b"alice");
    let (view, ring) = (views.current(), views.current().ring().clone());
    assert_eq!(found.slot, slot.index());
    assert_eq!(Some(found.owner), view.owner("alice").map(|owner| owner.id.to_string()));
    assert_eq!(found.successors, ring.successors(slot).iter().map(ToString::to_string).collect::<Vec<_>>());
    assert_eq!(found.ring_version, view.version().as_u64());
    for wrong in [String::new(), "x".repeat(256)] {
        let status = client.locate(locate(&wrong)).await.expect_err("it is refused");
        assert_eq!(status.code(), Code::InvalidArgument);
    }
}
