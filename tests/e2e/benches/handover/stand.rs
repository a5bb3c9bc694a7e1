//! The test stand: the cluster, the clients, the sends, and how a change is measured with them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringway_e2e::metrics::Metrics;
use ringway_proto::v1::{DrainRequest, UndrainRequest};
use ringway_rpc::NodeChannel;

use crate::buckets::Buckets;
use crate::course::{self, Times};
use crate::crowd::Crowd;
use crate::load::Load;
use crate::options::Options;
use crate::passage::{Change, Passage};
use crate::pump::{OFTEN, Pump};
use crate::site::Site;
use crate::stage::{Stage, Window};
use crate::users;

/// How long is sent before anything is measured.
const WARM_UP: Duration = Duration::from_millis(500);
/// How long the steady state is measured.
const STEADY: Duration = Duration::from_secs(3);
/// How long is still sent afterwards: the change's last work, and the ends of the gaps that it made, come here.
const TAIL: Duration = Duration::from_millis(500);

/// Of how many flaws of a passage is told.
const EXAMPLES: usize = 10;

/// Everything that a passage needs.
pub(crate) struct Stand {
    pub(crate) site: Site,
    stage: Arc<Stage>,
    crowd: Arc<Crowd>,
    /// There while it does not run.
    pump: Option<Pump>,
    movers: usize,
}

impl Stand {
    /// Starts the cluster and connects the clients.
    pub(crate) async fn build(options: &Options, binary: &Path) -> Self {
        let site = Site::start(options, binary).await;
        let sender = site.sender().await;
        let stage = Arc::new(Stage::new());
        let listeners = users::pick(sender.views().current().ring(), site.moving().name(), options);
        let began = Instant::now();
        let crowd = Arc::new(Crowd::gather(listeners, site.gateway.told("client"), &stage).await);
        eprintln!("{} clients are connected after {:.1?}", options.clients, began.elapsed());
        let pump = Some(Pump::new(sender, Arc::clone(&crowd), Arc::clone(&stage), options));
        let stand = Self { site, stage, crowd, pump, movers: options.movers() };
        assert_eq!(stand.moving_sessions().await, stand.movers, "sessions of the worker that will move");
        stand
    }

    /// Makes a change while messages flow.
    pub(crate) async fn pass(&mut self, change: Change) -> Passage {
        let pump = self.pump.take().expect("one passage at a time");
        let before = pump.sent.clone();
        self.crowd.reset(&before);
        self.stage.take();
        let running = pump.start();
        self.idle(Window::Outside, WARM_UP).await;
        let steady = self.load(change);
        self.idle(Window::Before, STEADY).await;
        let steady = steady.map(|steady| steady.end(&self.site));
        let (from, load) = (self.site.gateway.metrics().await, self.load(change));
        self.stage.enter(Window::During);
        let (times, empty) = self.make(change, &from).await;
        self.idle(Window::Outside, TAIL).await;
        let spent = load.map(|load| load.end(&self.site));
        let pump = running.stop().await;
        self.crowd.arrived(&pump.sent).await;
        self.check(change).await;
        let passage = Passage {
            change,
            sessions: self.movers,
            times,
            empty,
            pauses: Buckets::between(&from, &self.site.gateway.metrics().await),
            gaps: self.crowd.gaps(OFTEN),
            latencies: self.stage.take(),
            cpu: spent.zip(steady).map(|(spent, steady)| spent.beyond(&steady)),
            lag_max: pump.lag_max,
            account: self.crowd.account(&before, &pump.sent, &pump.take_answers()),
        };
        self.pump = Some(pump);
        passage
    }

    async fn idle(&self, window: Window, time: Duration) {
        self.stage.enter(window);
        course::idle(&self.site.gateway, time).await;
    }

    /// Begins to measure processor time, where no process comes or goes.
    fn load(&self, change: Change) -> Option<Load> {
        matches!(change, Change::Drain | Change::Undrain).then(|| Load::begin(&self.site))
    }

    /// Makes the change, and says how it went and when the worker was empty.
    async fn make(&mut self, change: Change, from: &Metrics) -> (Times, Option<Duration>) {
        let (began, worker) = (Instant::now(), self.site.channel());
        match change {
            Change::Drain => {
                let course = course::watch(&self.site.gateway, began, from, self.movers);
                let (times, drained) = tokio::join!(course, drain(&worker, began));
                return (times, Some(drained));
            }
            Change::Undrain => undrain(&worker).await,
            Change::Kill => self.site.kill_moving().await,
            Change::Start => self.site.start_moving().await,
        }
        (course::watch(&self.site.gateway, began, from, self.movers).await, None)
    }

    /// Holds that the sessions are where they belong.
    async fn check(&mut self, change: Change) {
        for flaw in self.crowd.flaws().take(EXAMPLES) {
            eprintln!("{}: {flaw}", change.as_str());
        }
        match change {
            Change::Kill => {}
            Change::Drain => assert_eq!(self.moving_sessions().await, 0, "sessions of the drained worker"),
            Change::Undrain | Change::Start => {
                assert_eq!(self.moving_sessions().await, self.movers, "sessions of the worker that is back");
                self.site.assert_sound();
            }
        }
    }

    async fn moving_sessions(&self) -> usize {
        self.site.moving().metrics().await.sum("ringway_worker_sessions", &[]) as usize
    }
}

/// Drains the worker, and says after what time it was empty.
async fn drain(worker: &NodeChannel, began: Instant) -> Duration {
    let mut progress = worker.node().drain(DrainRequest {}).await.expect("the worker drains").into_inner();
    while let Some(told) = progress.message().await.expect("the worker tells how far it is") {
        if told.done {
            return began.elapsed();
        }
    }
    panic!("the worker gave the drain up");
}

async fn undrain(worker: &NodeChannel) {
    worker.node().undrain(UndrainRequest {}).await.expect("the worker is active again");
}
