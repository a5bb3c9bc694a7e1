//! Many listeners, and the account of what reached them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringway_sender::Outcome;
use tokio::task::JoinSet;

use crate::PATIENCE;
use crate::ledger::{Ledger, Sent};
use crate::listener::{Flaws, Listener, Way};

/// Of how many cases of a kind an account tells.
const EXAMPLES: usize = 3;

/// How many connect at once.
const BATCH: usize = 200;

/// Connected listeners.
pub struct Crowd {
    /// All of them.
    pub listeners: Vec<Arc<Listener>>,
    /// When they began to connect.
    pub began: Instant,
    living: JoinSet<()>,
}

/// What became of all messages.
#[derive(Debug, Default)]
pub struct Account {
    /// Messages sent.
    pub sent: usize,
    /// Those whose receipt does not count the sessions that there are.
    pub short: Vec<Case>,
    /// Those that were refused, surely not delivered.
    pub refused: Vec<Case>,
    /// Those of which the sender does not know whether they were delivered.
    pub doubtful: Vec<Case>,
    /// Those that reached fewer listeners than the receipt says.
    pub lost: Vec<Case>,
    /// Those that did not reach every listener, whatever the receipt says.
    pub missed: Vec<Case>,
    /// Arrivals that came once more, by listener.
    pub repeated: Vec<Irregular>,
    /// Arrivals that came after younger ones, by listener.
    pub late: Vec<Irregular>,
    /// How sockets ended.
    pub ends: Vec<String>,
    /// Messages that nobody sent.
    pub strange: Vec<String>,
}

/// A stream that did not come as it was sent.
#[derive(Clone, Debug)]
pub struct Irregular {
    /// To whom.
    pub user: String,
    /// The user or the group.
    pub stream: String,
    /// The numbers as they came.
    pub arrived: Vec<u32>,
}

/// One message that has a story.
#[derive(Clone, Debug)]
pub struct Case {
    /// The user or the group.
    pub stream: String,
    /// Its number.
    pub number: u32,
    /// When it was sent, since the beginning.
    pub at: Duration,
    /// When its fate was known.
    pub answered: Duration,
    /// How many sessions the receipt counts.
    pub sessions: usize,
    /// Whom it did not reach.
    pub missing: Vec<String>,
    /// The receipt or the error.
    pub answer: String,
}

/// How slow it was for the listeners since the last lap: of each the worst.
#[derive(Debug)]
pub struct Laps {
    delays: Vec<Duration>,
    gaps: Vec<Duration>,
}

impl Crowd {
    /// Connects so many listeners, spread over the gateways, each its own user and in one of so many groups.
    pub async fn gather(
        count: usize,
        groups: usize,
        gateways: &[SocketAddr],
        way: impl Fn(usize) -> Way,
    ) -> Self {
        let mut crowd = Self { listeners: Vec::new(), began: Instant::now(), living: JoinSet::new() };
        for number in 0..count {
            let mut gateways = gateways.to_vec();
            let shift = number / 2 % gateways.len();
            gateways.rotate_left(shift);
            let listener = Arc::new(Listener::new(number, way(number), gateways, crowd.began, groups));
            crowd.listeners.push(Arc::clone(&listener));
            crowd.living.spawn(async move { listener.listen().await });
            if crowd.listeners.len().is_multiple_of(BATCH) {
                crowd.connected().await;
            }
        }
        crowd.connected().await;
        crowd
    }

    async fn connected(&self) {
        self.until("is connected", |listener| !listener.heard().connections.is_empty()).await;
    }

    /// The groups.
    pub fn groups(&self) -> Vec<String> {
        let groups: BTreeSet<_> = self.listeners.iter().map(|listener| listener.group.clone()).collect();
        groups.into_iter().collect()
    }

    /// Waits until something holds for every listener.
    pub async fn until(&self, what: &str, holds: impl Fn(&Listener) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut left: Vec<_> = self.listeners.iter().collect();
        loop {
            left.retain(|listener| !holds(listener));
            let Some(first) = left.first() else { return };
            assert!(
                Instant::now() < deadline,
                "of {} listeners none {what}: {} {:?}",
                left.len(),
                first.user,
                first.heard()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// How slow it was since the last call.
    pub fn lap(&self) -> Laps {
        let laps: Vec<_> = self.listeners.iter().map(|listener| listener.heard().lap()).collect();
        let mut delays: Vec<_> = laps.iter().map(|lap| lap.delay_max).collect();
        let mut gaps: Vec<_> = laps.iter().map(|lap| lap.gap_max).collect();
        delays.sort_unstable();
        gaps.sort_unstable();
        Laps { delays, gaps }
    }

    /// The account, when all that could arrive has arrived.
    pub fn account(&self, ledger: &Ledger) -> Account {
        let mut account = Account::default();
        let mut receivers: HashMap<&str, Vec<(&str, HashSet<u32>)>> = HashMap::new();
        for listener in &self.listeners {
            let heard = listener.heard();
            for (stream, arrived) in [(&listener.user, &heard.own), (&listener.group, &heard.group)] {
                receivers
                    .entry(stream)
                    .or_default()
                    .push((&listener.user, arrived.iter().copied().collect()));
                account.judge(&listener.user, stream, arrived);
            }
            account.ends.extend(heard.ends.iter().map(|end| format!("{}: {end:?}", listener.user)));
            account.strange.extend(heard.strange.iter().map(|text| format!("{}: {text}", listener.user)));
        }
        for stream in ledger.streams() {
            for (number, sent) in ledger.messages(stream).iter().enumerate() {
                account.settle(stream, number as u32, sent, &receivers[stream]);
            }
        }
        account
    }
}

impl Account {
    fn judge(&mut self, user: &str, stream: &str, arrived: &[u32]) {
        let Flaws { repeated, late } = Flaws::of(arrived);
        let irregular =
            Irregular { user: user.to_owned(), stream: stream.to_owned(), arrived: arrived.to_vec() };
        if repeated > 0 {
            self.repeated.push(irregular.clone());
        }
        if late > 0 {
            self.late.push(irregular);
        }
    }

    fn settle(&mut self, stream: &str, number: u32, sent: &Sent, receivers: &[(&str, HashSet<u32>)]) {
        self.sent += 1;
        let (answered, answer) = sent.answer.as_ref().expect("every message is answered");
        let missing: Vec<_> = receivers
            .iter()
            .filter(|(_, arrived)| !arrived.contains(&number))
            .map(|(user, _)| (*user).to_owned())
            .collect();
        let sessions = match answer {
            Ok(receipt) if receipt.outcome == Outcome::Delivered => receipt.sessions as usize,
            _ => 0,
        };
        let case = Case {
            stream: stream.to_owned(),
            number,
            at: sent.at,
            answered: *answered,
            sessions,
            missing,
            answer: format!("{answer:?}"),
        };
        if !case.missing.is_empty() && sessions > receivers.len() - case.missing.len() {
            self.lost.push(case.clone());
        }
        if !case.missing.is_empty() {
            self.missed.push(case.clone());
        }
        match answer {
            Ok(_) if sessions != receivers.len() => self.short.push(case),
            Ok(_) => {}
            Err(error) if error.maybe_delivered() => self.doubtful.push(case),
            Err(_) => self.refused.push(case),
        }
    }

    /// Holds that everything arrived everywhere, once and in order, that each receipt said so, and that no socket ended.
    pub fn assert_flawless(&self) {
        self.assert_complete();
        assert!(self.short.is_empty() && self.ends.is_empty(), "{self}");
    }

    /// Holds that everything arrived everywhere, once and in order.
    pub fn assert_complete(&self) {
        let flaws = [&self.missed, &self.refused, &self.doubtful, &self.lost].map(Vec::len);
        let others = [self.repeated.len(), self.late.len(), self.strange.len()];
        assert!(flaws == [0; 4] && others == [0; 3], "{self}");
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} messages", self.sent)?;
        let cases = [
            ("with other receipts", &self.short),
            ("refused", &self.refused),
            ("in doubt", &self.doubtful),
            ("lost", &self.lost),
            ("missed by some", &self.missed),
        ];
        for (what, cases) in cases {
            write!(f, ", {} {what}", cases.len())?;
            for case in cases.iter().take(EXAMPLES) {
                write!(f, "\n    {case}")?;
            }
        }
        let irregular = |all: &[Irregular]| all.iter().map(ToString::to_string).collect();
        let [repeated, late]: [Vec<String>; 2] = [irregular(&self.repeated), irregular(&self.late)];
        let lines = [
            ("streams with repeated ones", &repeated),
            ("streams with late ones", &late),
            ("ended sockets", &self.ends),
            ("strange ones", &self.strange),
        ];
        for (what, lines) in lines {
            write!(f, ", {} {what}", lines.len())?;
            for line in lines.iter().take(EXAMPLES) {
                write!(f, "\n    {line}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Irregular {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, stream, arrived } = self;
        write!(f, "{user}: {stream}: {arrived:?}")
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream, number, at, answered, missing, answer, .. } = self;
        write!(
            f,
            "{stream} {number}, sent at {at:?}, answered at {answered:?}: {answer}; missing at {missing:?}"
        )
    }
}

impl fmt::Display for Laps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |times: &[Duration], part: f64| {
            let at = (times.len() as f64 * part) as usize;
            times[at.min(times.len() - 1)].as_millis()
        };
        let [delays, gaps] = [&self.delays, &self.gaps];
        write!(
            f,
            "a listener's slowest message: p50 {} ms, p99 {} ms, max {} ms; longest gap: p50 {} ms, p99 {} ms, max {} ms",
            at(delays, 0.5),
            at(delays, 0.99),
            at(delays, 1.0),
            at(gaps, 0.5),
            at(gaps, 0.99),
            at(gaps, 1.0),
        )
    }
}
