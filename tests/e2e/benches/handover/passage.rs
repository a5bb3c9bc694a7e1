//! One change with the steady state before it, and what was measured.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::buckets::Buckets;
use crate::course::Times;
use crate::crowd::Account;
use crate::stage::Latencies;

/// What happens to the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is drained.
    Drain,
    /// It is made active again.
    Undrain,
    /// It is killed.
    Kill,
    /// It is started again.
    Start,
}

/// What was measured.
pub(crate) struct Passage {
    pub(crate) change: Change,
    pub(crate) sessions: usize,
    pub(crate) times: Times,
    /// When the worker told that it is empty: of a drain.
    pub(crate) empty: Option<Duration>,
    pub(crate) pauses: Buckets,
    /// The longest gaps of users that get messages often, before and during the change, in microseconds.
    pub(crate) gaps: [Histogram<u64>; 2],
    pub(crate) latencies: Latencies,
    /// The processor time that the change took, of the gateway and of the workers; where no worker came or went.
    pub(crate) cpu: Option<[Duration; 2]>,
    pub(crate) lag_max: Duration,
    pub(crate) account: Account,
}

impl Change {
    /// In the order in which they are made.
    pub(crate) const ALL: [Self; 4] = [Self::Drain, Self::Undrain, Self::Kill, Self::Start];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Change::Drain => "drain",
            Change::Undrain => "undrain",
            Change::Kill => "kill -9",
            Change::Start => "start",
        }
    }
}

impl Passage {
    /// Whether it was as promised for such a change.
    pub(crate) fn is_flawless(&self) -> bool {
        match self.change {
            Change::Kill => self.account.is_bearable(),
            Change::Drain | Change::Undrain | Change::Start => self.account.is_flawless(),
        }
    }
}

impl fmt::Display for Passage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { change, sessions, times, account, .. } = self;
        write!(
            f,
            "{}: {sessions} sessions served elsewhere after {:.2?}; {account}",
            change.as_str(),
            times.served
        )
    }
}
