//! Order on the whole way: a sender's pipeline, the streams that nodes serve, and what they forward, while nodes refuse, delay
//! and pass on at random, end their streams, and the ring changes. The nodes are played; everything between is the real thing.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, Shared, join_all};
use futures_util::{FutureExt as _, Stream};
use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use ringway_cluster::{Lease, Member, MemoryRegistry, Registry as _, RingService, Views, views};
use ringway_dispatch::{
    Dispatcher, Earlier, Hops, PublishHandler, SplitPublisher, StreamBounds, Taken, Way, serve_publish,
};
use ringway_proto::v1::delivery_server::Delivery;
use ringway_proto::v1::publish_request::Send as Target;
use ringway_proto::v1::{self, Outcome, PublishReply, PublishRequest, Receipt};
use ringway_proto::{Reason, Refusal};
use ringway_ring::{MemberId, Strategy};
use ringway_rpc::{
    Entered, HealthHandle, NodePool, NodeServices, NodeUrl, PoolConfig, PublisherConfig, ServerConfig,
    serve_node,
};
use ringway_sender::{RetryConfig, Sender, SenderConfig};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Request, Response, Status, Streaming};

use fake::{secret, soon};

#[allow(dead_code, reason = "the dispatcher's tests use more of it")]
#[path = "../../dispatch/tests/dispatch/fake.rs"]
mod fake;

const NODES: usize = 3;
const USERS: usize = 8;
const EACH: usize = 200;

type Arrival = Shared<BoxFuture<'static, bool>>;

/// What was carried out, for each user in its order.
type Log = Arc<Mutex<HashMap<String, Vec<usize>>>>;

/// A node that takes requests as chance has it.
#[derive(Clone)]
struct Fickle(Arc<Inner>);

struct Inner {
    log: Log,
    rng: Mutex<SmallRng>,
    /// The sessions that are to arrive, for each user.
    arrivals: Mutex<HashMap<String, Arrival>>,
    /// To the next node.
    onward: SplitPublisher,
}

impl Inner {
    fn chance(&self) -> u32 {
        self.rng.lock().random_range(0..100)
    }

    async fn hesitate(&self) {
        let pause = Duration::from_micros(self.rng.lock().random_range(0..2_000));
        tokio::time::sleep(pause).await;
    }

    fn carry_out(&self, user: &str, number: usize) {
        self.log.lock().entry(user.to_owned()).or_default().push(number);
    }

    async fn here(&self, user: String, number: usize, earlier: Earlier) -> Taken {
        if let Err(refusal) = earlier.give_way(Way::Here).await {
            return Taken::Now(Err(refusal));
        }
        self.carry_out(&user, number);
        let Some(arrival) = self.arrival(&user) else { return Taken::Now(Ok(done())) };
        let log = Arc::clone(&self.log);
        let kept = arrival.map(move |arrives| match arrives {
            true => Ok(done()),
            false => {
                log.lock().get_mut(&user).unwrap().retain(|known| *known != number);
                Err(refusal(Reason::NotOwner))
            }
        });
        Taken::Later(Way::Here, kept.boxed())
    }

    /// Whether the session, if it is still to arrive, does. What is kept for it has one fate.
    fn arrival(&self, user: &str) -> Option<Arrival> {
        let mut arrivals = self.arrivals.lock();
        if let Some(arrival) = arrivals.get(user).filter(|arrival| arrival.peek().is_none()) {
            return Some(arrival.clone());
        }
        let chance = self.chance();
        if chance >= 20 {
            return None;
        }
        let pause = Duration::from_micros(self.rng.lock().random_range(0..3_000));
        let arrival = tokio::time::sleep(pause).map(move |()| chance < 10).boxed().shared();
        arrivals.insert(user.to_owned(), arrival.clone());
        Some(arrival)
    }

    async fn elsewhere(&self, target: Target, earlier: &Earlier) -> Taken {
        match self.onward.forward(target, earlier).await {
            Ok(Entered { ticket, stream }) => Taken::Later(Way::Stream(stream), ticket.boxed()),
            Err(refusal) => Taken::Now(Err(refusal)),
        }
    }
}

impl PublishHandler for Fickle {
    async fn take(&self, target: Target, earlier: Earlier) -> Taken {
        let Fickle(fickle) = self;
        let Target::ToUser(request) = &target else { panic!("not to a user") };
        let number = request.message.as_ref().unwrap().message_id.parse().unwrap();
        let (user, hops) = (request.user.clone(), Hops::of(request.routing.as_ref()));
        match fickle.chance() {
            0..5 => return Taken::Now(Err(refusal(Reason::NotOwner))),
            5..10 => {
                fickle.hesitate().await;
                return Taken::Now(Err(refusal(Reason::Overloaded)));
            }
            10..20 => fickle.hesitate().await,
            20..40 if hops == Hops::FromClient => return fickle.elsewhere(target, &earlier).await,
            _ => {}
        }
        fickle.here(user, number, earlier).await
    }
}

fn done() -> Receipt {
    Receipt { outcome: Outcome::Delivered.into(), sessions: 1, ..Receipt::default() }
}

fn refusal(reason: Reason) -> Refusal {
    Refusal::new(reason, "chance has it so")
}

struct Service {
    fickle: Fickle,
    end: End,
}

/// Ends the streams to a node; another one for those that come later.
type End = Arc<Mutex<CancellationToken>>;

#[tonic::async_trait]
impl Delivery for Service {
    type PublishStream = Pin<Box<dyn Stream<Item = Result<PublishReply, Status>> + Send>>;

    async fn send_to_user(&self, _: Request<v1::SendToUserRequest>) -> Result<Response<Receipt>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn send_to_group(&self, _: Request<v1::SendToGroupRequest>) -> Result<Response<Receipt>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn send_to_all(&self, _: Request<v1::SendToAllRequest>) -> Result<Response<Receipt>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn publish(
        &self,
        request: Request<Streaming<PublishRequest>>,
    ) -> Result<Response<Self::PublishStream>, Status> {
        let (fickle, end) = (self.fickle.clone(), self.end.lock().clone());
        let replies = serve_publish(request.into_inner(), fickle, StreamBounds::default(), end);
        Ok(Response::new(Box::pin(replies)))
    }
}

/// The nodes, of which some are on the ring.
struct House {
    registry: MemoryRegistry,
    members: Vec<Member>,
    leases: Vec<Option<Box<dyn Lease>>>,
    ends: Vec<End>,
    log: Log,
    _end: DropGuard,
}

impl House {
    async fn start(seed: u64) -> Self {
        let (registry, log, end) = (MemoryRegistry::new(), Log::default(), CancellationToken::new());
        let ring = views(&registry, Strategy::Slots, end.clone());
        let (mut listeners, ends) = (Vec::new(), Vec::from_iter((0..NODES).map(|_| End::default())));
        for _ in 0..NODES {
            listeners.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
        }
        let members: Vec<_> = listeners.iter().enumerate().map(|(n, listener)| member(n, listener)).collect();
        for (n, listener) in listeners.into_iter().enumerate() {
            let next = only(members[(n + 1) % NODES].clone(), &end).await;
            let onward = Dispatcher::new(next, pool()).publisher(Hops::Forwarded, PublisherConfig::default());
            let rng = Mutex::new(SmallRng::seed_from_u64(seed * 100 + n as u64));
            let inner = Inner { log: Arc::clone(&log), rng, arrivals: Mutex::default(), onward };
            let service = Service { fickle: Fickle(Arc::new(inner)), end: Arc::clone(&ends[n]) };
            let services = NodeServices::new(HealthHandle::new())
                .with(pool().limits().delivery_server(service))
                .with(pool().limits().ring_server(RingService::new(ring.clone(), end.clone())));
            tokio::spawn(serve_node(listener, services, secret(), ServerConfig::default(), end.clone()));
        }
        let leases = members.iter().map(|_| None).collect();
        House { registry, members, leases, ends, log, _end: end.drop_guard() }
    }

    /// A node ends its streams, as at its own end.
    fn end_streams(&self, n: usize) {
        std::mem::take(&mut *self.ends[n].lock()).cancel();
    }

    /// A node joins or leaves.
    async fn change(&mut self, n: usize) {
        self.leases[n] = match self.leases[n].take() {
            Some(lease) => {
                lease.leave().await.unwrap();
                None
            }
            None => Some(self.registry.join(self.members[n].clone()).await.unwrap()),
        };
    }
}

fn member(n: usize, listener: &TcpListener) -> Member {
    Member::new(MemberId::new(format!("w{n}")).unwrap(), NodeUrl::from(listener.local_addr().unwrap()))
}

fn pool() -> NodePool {
    NodePool::new(secret(), PoolConfig::default())
}

/// A ring of one.
async fn only(member: Member, end: &CancellationToken) -> Views {
    let registry = MemoryRegistry::new();
    let views = views(&registry, Strategy::Slots, end.clone());
    let lease = registry.join(member).await.unwrap();
    let mut shown = views.subscribe();
    soon("the node in the view", shown.wait_for(|view| !view.workers().is_empty())).await.unwrap();
    std::mem::forget(lease);
    views
}

async fn sender(house: &House, room: u32) -> Sender {
    let mut config = SenderConfig::new([house.members[0].rpc_url.clone()], secret());
    config.deadline = Duration::from_secs(60);
    config.streams.in_flight_max = room;
    let pauses = Duration::from_millis(2);
    config.retry = RetryConfig { first_pause_max: pauses, pause_max: pauses, ..RetryConfig::default() };
    soon("a sender", Sender::connect(config)).await.unwrap()
}

/// Publishes everything, with so much room on each stream, while the ring changes, and gives back what was carried out.
async fn run(seed: u64, room: u32) -> HashMap<String, Vec<usize>> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut house = House::start(seed).await;
    house.change(0).await;
    let sender = sender(&house, room).await;
    let mut tickets = Vec::new();
    for number in 0..EACH {
        for user in 0..USERS {
            let call = sender.send_to_user(format!("user{user}"), "hello").message_id(number.to_string());
            tickets.push(soon("room", call.publish()).await.unwrap());
        }
        if number % 10 == 0 {
            house.change(rng.random_range(1..NODES)).await;
        }
        if number % 7 == 0 {
            house.end_streams(rng.random_range(0..NODES));
        }
        if rng.next_u32().is_multiple_of(4) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    for receipt in soon("all receipts", join_all(tickets)).await {
        receipt.unwrap();
    }
    std::mem::take(&mut *house.log.lock())
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_refused_and_passed_on_each_user_gets_everything_once_and_in_order() {
    for (seed, room) in [4096, 4096, 4096, 64, 12, 3].into_iter().enumerate() {
        let log = run(seed as u64, room).await;
        assert_eq!(log.len(), USERS);
        for (user, numbers) in log {
            assert_eq!(numbers, (0..EACH).collect::<Vec<_>>(), "seed {seed}: {user}");
        }
    }
}
