//! What has arrived, at all clients of a run: the latencies, and of each client which numbers of its streams came.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::latency::Latency;
use super::ledger::Ledger;
use super::stamp::{Phase, Stamp, Stream};

/// The account of a run.
#[derive(Debug)]
pub(crate) struct Arrivals {
    /// What tells this run's messages from those of others.
    pub(crate) run: u32,
    began: Instant,
    clients: Box<[Mutex<Account>]>,
    groups: usize,
    /// From when a message was due until it was here.
    pub(crate) latency: Latency,
    arrived: AtomicU64,
    strange: AtomicU64,
}

/// What one client got.
#[derive(Debug, Default)]
struct Account {
    user: Ledger,
    group: Ledger,
    all: Ledger,
}

/// What went wrong with the arrivals of all clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flaws {
    /// Messages of which the sender was told that they were delivered, and that did not come.
    pub(crate) lost: u64,
    /// Arrivals that came once more.
    pub(crate) repeated: u64,
    /// Arrivals that came after younger ones.
    pub(crate) late: u64,
}

impl Arrivals {
    /// An empty account for so many clients, spread over so many groups.
    pub(crate) fn new(run: u32, clients: usize, groups: usize) -> Self {
        Self {
            run,
            began: Instant::now(),
            clients: (0..clients).map(|_| Mutex::default()).collect(),
            groups: groups.max(1),
            latency: Latency::default(),
            arrived: AtomicU64::new(0),
            strange: AtomicU64::new(0),
        }
    }

    /// The time of the run.
    pub(crate) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// A message has come to a client.
    pub(crate) fn take(&self, client: usize, payload: &[u8]) {
        let Some(stamp) = Stamp::read(payload).filter(|stamp| stamp.run == self.run) else {
            self.strange.fetch_add(1, Ordering::Relaxed);
            return;
        };
        self.arrived.fetch_add(1, Ordering::Relaxed);
        if stamp.phase == Phase::Measured {
            self.latency.record(self.now().saturating_sub(stamp.due));
        }
        // Those who come and go are not in the account.
        let Some(account) = self.clients.get(client) else { return };
        let mut account = account.lock();
        match stamp.stream {
            Stream::User(user) if user as usize == client => account.user.take(stamp.number),
            Stream::Group(group) if group as usize == client % self.groups => {
                account.group.take(stamp.number);
            }
            Stream::All => account.all.take(stamp.number),
            _ => {
                self.strange.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// How many messages have come, each arrival counted.
    pub(crate) fn count(&self) -> u64 {
        self.arrived.load(Ordering::Relaxed)
    }

    /// How many have come that nobody sent in this run, or that came to the wrong client.
    pub(crate) fn strange(&self) -> u64 {
        self.strange.load(Ordering::Relaxed)
    }

    /// What went wrong, when so much was sent to each stream and the sender knows of some that they were not delivered.
    pub(crate) fn flaws(
        &self,
        sent: impl Fn(Stream) -> u32,
        is_excused: impl Fn(Stream, u32) -> bool,
    ) -> Flaws {
        let flaws = self.streams(|stream, ledger| Flaws {
            lost: ledger.lost(sent(stream), |number| is_excused(stream, number)),
            repeated: ledger.repeated,
            late: ledger.late,
        });
        flaws.fold(Flaws::default(), |all, flaws| Flaws {
            lost: all.lost + flaws.lost,
            repeated: all.repeated + flaws.repeated,
            late: all.late + flaws.late,
        })
    }

    fn streams<'a, T: 'a>(
        &'a self,
        mut look: impl FnMut(Stream, &Ledger) -> T + 'a,
    ) -> impl Iterator<Item = T> + 'a {
        self.clients.iter().enumerate().flat_map(move |(client, account)| {
            let account = account.lock();
            [
                look(Stream::user(client), &account.user),
                look(Stream::group(client % self.groups), &account.group),
                look(Stream::All, &account.all),
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::stamp::STAMP_BYTES;

    fn payload(run: u32, stream: Stream, number: u32, phase: Phase) -> Vec<u8> {
        let mut payload = vec![b'.'; STAMP_BYTES];
        Stamp { run, stream, number, phase, due: Duration::ZERO }.write(&mut payload);
        payload
    }

    #[test]
    fn arrivals_are_accounted_for() {
        let arrivals = Arrivals::new(7, 4, 2);
        let take = |client, stream, number| {
            arrivals.take(client, &payload(7, stream, number, Phase::Measured));
        };
        // Everybody gets 0 and 1 of all; client 3 misses a group's message and gets another one twice.
        (0..4).for_each(|client| (0..2).for_each(|number| take(client, Stream::All, number)));
        take(1, Stream::Group(1), 0);
        take(1, Stream::Group(1), 1);
        take(3, Stream::Group(1), 1);
        take(3, Stream::Group(1), 1);
        take(2, Stream::User(2), 1);
        take(2, Stream::User(2), 0);
        let sent = |stream| match stream {
            Stream::All | Stream::User(2) | Stream::Group(1) => 2,
            _ => 0,
        };
        assert_eq!(arrivals.flaws(sent, |_, _| false), Flaws { lost: 1, repeated: 1, late: 1 });
        let excused = |stream, number| (stream, number) == (Stream::Group(1), 0);
        assert_eq!(arrivals.flaws(sent, excused).lost, 0);
        take(3, Stream::Group(1), 0);
        assert_eq!(arrivals.flaws(sent, |_, _| false).lost, 0);
        assert_eq!((arrivals.count(), arrivals.strange(), arrivals.latency.merged().count()), (15, 0, 15));
    }

    #[test]
    fn what_is_not_ours_is_strange() {
        let arrivals = Arrivals::new(7, 1, 1);
        arrivals.take(0, b"hello");
        arrivals.take(0, &payload(8, Stream::All, 0, Phase::Measured));
        arrivals.take(0, &payload(7, Stream::User(1), 0, Phase::Measured));
        assert_eq!((arrivals.strange(), arrivals.count()), (3, 1));
    }

    #[test]
    fn warming_up_is_not_measured() {
        let arrivals = Arrivals::new(7, 1, 1);
        arrivals.take(0, &payload(7, Stream::All, 0, Phase::WarmUp));
        assert_eq!((arrivals.count(), arrivals.latency.merged().count()), (1, 0));
    }
}
