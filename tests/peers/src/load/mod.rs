//! Sending: as fast as the system takes it, or at a rate whatever becomes of it.

mod due;
mod echo;
mod stream;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::crowd::Crowd;
use crate::procs::Family;
use crate::sender::Waiting;
use crate::system::{Inlet, System, Target};

pub(crate) use due::{Due, Ticks};

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) count: u64,
    pub(crate) to: Receivers,
    pub(crate) pace: Pace,
    /// How ringway's sender sends it.
    pub(crate) call: Call,
}

/// For whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receivers {
    /// Users in turn.
    Users,
    /// Everybody at once.
    All,
}

/// How fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As fast as it goes, with no more than this many deliveries outstanding.
    Saturated { outstanding_max: u64 },
    /// So many in a second.
    PerSecond(u64),
}

impl Pace {
    /// Whether it does not matter when a message is read.
    fn is_throughput(self) -> bool {
        matches!(self, Self::Saturated { outstanding_max } if outstanding_max > 0)
    }
}

/// Which call of ringway's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Call {
    /// A call for each.
    Unary,
    /// A message on a stream for each.
    Publish,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) deliveries: u64,
    /// What the sender was told not to have been delivered.
    pub(crate) failed: u64,
    /// What else did not arrive.
    pub(crate) lost: u64,
    pub(crate) time: Duration,
    /// Of the system's processes.
    pub(crate) cpu: Duration,
    /// How often its threads gave up a processor.
    pub(crate) switches: u64,
    /// Of ringway's sender, if it was one.
    pub(crate) sender_cpu: Option<Duration>,
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    /// What ringway's sender says of its sends.
    pub(crate) sender: Option<Value>,
}

impl Plan {
    fn target(&self, number: u64, clients: usize) -> Target {
        match self.to {
            Receivers::All => Target::All,
            Receivers::Users => Target::User(usize::try_from(number % clients as u64).unwrap_or_default()),
        }
    }

    /// Whether each message waits until those before it have arrived.
    pub(crate) fn is_stepwise(&self, clients: usize) -> bool {
        self.to == Receivers::All && clients > 1 && matches!(self.pace, Pace::Saturated { .. })
    }

    fn deliveries(&self, clients: usize) -> u64 {
        self.count * self.receivers(clients)
    }

    /// How many clients get a message.
    pub(crate) fn receivers(&self, clients: usize) -> u64 {
        match self.to {
            Receivers::All => clients as u64,
            Receivers::Users => 1,
        }
    }
}

/// Sends, waits until everything has arrived, and says what it took.
pub(crate) fn run(system: &System, crowd: &Crowd, plan: &Plan) -> Result<Outcome> {
    let (arrivals, family) = (crowd.arrivals(), system.family());
    arrivals.take_latencies();
    let expected = arrivals.count() + plan.deliveries(crowd.len());
    let waiting = match &system.inlet {
        Inlet::Sender { node, secret } => Some(Waiting::start(node, secret, plan, crowd.len())?),
        Inlet::Echo | Inlet::Stream(_) => None,
    };
    let _patient = plan.pace.is_throughput().then(|| crowd.wait_for_its_turn()).transpose()?;
    let (began, before, switches) = (Instant::now(), family.cpu(), family.switches());
    let sender = waiting.map(|waiting| waiting.go(crowd, plan)).transpose()?;
    let connection = match &system.inlet {
        Inlet::Echo => echo::send(crowd, plan).map(|()| None),
        Inlet::Stream(inlet) => stream::send(inlet, crowd, plan).map(Some),
        Inlet::Sender { .. } => Ok(None),
    };
    let connection = connection.context("sending")?;
    let failed = sender.as_ref().map_or(0, |told| told["failed"].as_u64().unwrap_or_default());
    let failed = failed * plan.receivers(crowd.len());
    let lost = arrivals.wait(expected - failed);
    drop(connection);
    let latencies = arrivals.take_latencies();
    Ok(Outcome {
        deliveries: plan.deliveries(crowd.len()) - failed - lost,
        failed,
        lost,
        time: began.elapsed(),
        cpu: spent(&family, before),
        switches: family.switches().saturating_sub(switches),
        sender_cpu: sender.as_ref().and_then(|told| Some(Duration::from_micros(told["cpu_us"].as_u64()?))),
        p50_us: latencies.value_at_quantile(0.5),
        p99_us: latencies.value_at_quantile(0.99),
        sender,
    })
}

fn spent(family: &Family, before: Duration) -> Duration {
    family.cpu().saturating_sub(before)
}

impl Outcome {
    /// Processor time of the system for a delivery, in microseconds.
    pub(crate) fn cpu_us(&self) -> f64 {
        each(self.cpu, self.deliveries)
    }

    /// The same with that of ringway's sender.
    pub(crate) fn cpu_all_us(&self) -> f64 {
        each(self.cpu + self.sender_cpu.unwrap_or_default(), self.deliveries)
    }

    /// How often the system's threads gave up a processor, for a delivery.
    pub(crate) fn switches_each(&self) -> f64 {
        self.switches as f64 / self.deliveries.max(1) as f64
    }

    /// Deliveries in a second.
    pub(crate) fn rate(&self) -> f64 {
        self.deliveries as f64 / self.time.as_secs_f64()
    }
}

/// Microseconds for each.
pub(crate) fn each(time: Duration, count: u64) -> f64 {
    time.as_secs_f64() * 1e6 / count.max(1) as f64
}
