//! A cluster with its crowd, and sends under way; what it costs when something changes.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, MutexGuard};

use crate::listener::Way;
use crate::{Crowd, Fleet, PATIENCE, Traffic};

/// In how many groups the clients are.
const GROUPS: usize = 20;

/// Held by the scene that is set: they measure, so there is one at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

/// A cluster with its crowd, and sends under way.
pub struct Scene {
    /// The cluster.
    pub fleet: Fleet,
    /// The clients.
    pub crowd: Crowd,
    /// The sends.
    pub traffic: Traffic,
    _alone: MutexGuard<'static, ()>,
}

impl Scene {
    /// Workers and two gateways that gossip, and so many clients: half of them raw, half with `ringway.v1.json`, spread over
    /// both gateways.
    pub async fn set(workers: usize, clients: usize, settings: &[&str]) -> Self {
        let alone = ALONE.lock().await;
        let fleet = Fleet::gossip(workers, 2, settings).await;
        let way = |number: usize| if number.is_multiple_of(2) { Way::Raw } else { Way::V1 };
        Self::on(alone, fleet, clients, way).await
    }

    /// The same on a cluster that somebody else makes, once the scene is alone.
    pub async fn set_on(
        fleet: impl Future<Output = Fleet>,
        clients: usize,
        way: impl Fn(usize) -> Way,
    ) -> Self {
        let alone = ALONE.lock().await;
        Self::on(alone, fleet.await, clients, way).await
    }

    async fn on(
        alone: MutexGuard<'static, ()>,
        fleet: Fleet,
        clients: usize,
        way: impl Fn(usize) -> Way,
    ) -> Self {
        let gateways: Vec<SocketAddr> = fleet.gateways.iter().map(|gateway| gateway.clients()).collect();
        let crowd = Crowd::gather(clients, GROUPS, &gateways, way).await;
        println!("{clients} clients connected in {:?}", crowd.began.elapsed());
        let traffic = Traffic::start(fleet.sender().await, &crowd);
        let scene = Self { fleet, crowd, traffic, _alone: alone };
        scene.heard_since(scene.crowd.began.elapsed()).await;
        scene.crowd.lap();
        scene
    }

    /// Waits until every client has received something that was sent after this moment.
    pub async fn heard_since(&self, moment: Duration) {
        self.crowd.until("hears anything new", |listener| listener.heard().youngest > moment).await;
    }

    /// Waits until all is as it shall be after a change: the ring is known, the sessions have moved, everybody hears.
    pub async fn calm(&self, active: usize) {
        self.fleet.settled(active).await;
        let deadline = Instant::now() + PATIENCE;
        while self.sessions_of_others().await > 0 {
            assert!(Instant::now() < deadline, "sessions stay where they do not belong");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.heard_since(self.crowd.began.elapsed()).await;
    }

    /// By how many sessions the workers differ from what the ring gives them.
    async fn sessions_of_others(&self) -> usize {
        let view = self.fleet.sender().await.views().current();
        let mut strangers = 0;
        for worker in &self.fleet.workers {
            let owned = self.crowd.listeners.iter().filter(|listener| {
                view.owner(&listener.user).is_some_and(|owner| owner.id.as_str() == worker.name())
            });
            let held = worker.metrics().await.sum("ringway_worker_sessions", &[]) as usize;
            strangers += held.abs_diff(owned.count());
        }
        strangers
    }

    /// How many sessions have been on their way, at the gateways.
    pub async fn moved(&self) -> f64 {
        self.fleet.over_gateways("ringway_gateway_moves_total", &[]).await
    }

    /// Prints what a change cost.
    pub async fn tell(&self, what: &str, began: Instant, moved_before: f64) {
        let moves = self.moved().await - moved_before;
        println!("{what}: {moves} sessions moved; calm after {:?}\n  {}", began.elapsed(), self.crowd.lap());
    }

    /// The users whom a worker owns.
    pub async fn users_of(&self, worker: usize) -> Vec<String> {
        let (view, worker) = (self.fleet.sender().await.views().current(), &self.fleet.workers[worker]);
        let users = self.crowd.listeners.iter().map(|listener| &listener.user);
        users
            .filter(|user| view.owner(user).is_some_and(|owner| owner.id.as_str() == worker.name()))
            .cloned()
            .collect()
    }

    /// Waits until a worker has no session.
    pub async fn left(&self, worker: usize) {
        let status = self.fleet.workers[worker].status();
        crate::metrics::until(status, "ringway_worker_sessions", &[], |sessions| sessions == 0.0).await;
    }

    /// How long it has lasted.
    pub fn now(&self) -> Duration {
        self.crowd.began.elapsed()
    }

    /// Ends the sends, and gives the account of all of them.
    pub async fn end(self) -> (crate::crowd::Account, Fleet) {
        let ledger = self.traffic.finish(&self.crowd).await;
        let account = self.crowd.account(&ledger);
        println!("{account}");
        (account, self.fleet)
    }
}
