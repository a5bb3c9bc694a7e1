//! When messages are due, pure. The times follow from the rate alone, whatever became of earlier messages: an open loop, in which
//! a server that stalls is charged for everything that should have been sent meanwhile.

use std::time::Duration;

/// Times at a rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Schedule {
    per_second: f64,
    next: u64,
    end: u64,
}

impl Schedule {
    /// So many each second, for this time.
    pub(crate) fn new(per_second: f64, duration: Duration) -> Self {
        // A number of messages that nobody lives to see counted fits.
        let end = (per_second * duration.as_secs_f64()).round().max(1.0) as u64;
        Self { per_second, next: 0, end }
    }

    /// So many of them.
    pub(crate) fn of(count: u64, per_second: f64) -> Self {
        Self { per_second, next: 0, end: count }
    }

    /// The next that is due by now, and its time.
    pub(crate) fn due(&mut self, now: Duration) -> Option<Duration> {
        let at = self.next_at()?;
        (at <= now).then(|| {
            self.next += 1;
            at
        })
    }

    /// How many are left.
    pub(crate) fn left(&self) -> u64 {
        self.end - self.next
    }

    /// The time of the next; none: that was all.
    pub(crate) fn next_at(&self) -> Option<Duration> {
        (self.next < self.end).then(|| Duration::from_secs_f64(self.next as f64 / self.per_second))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_do_not_depend_on_when_one_asks() {
        let all = |asked: &[u64]| -> Vec<u128> {
            let mut schedule = Schedule::new(1_000.0, Duration::from_millis(5));
            let mut due = Vec::new();
            for now in asked {
                while let Some(at) = schedule.due(Duration::from_millis(*now)) {
                    due.push(at.as_millis());
                }
            }
            due
        };
        assert_eq!(all(&[0, 1, 2, 3, 4]), [0, 1, 2, 3, 4]);
        assert_eq!(all(&[0, 4]), [0, 1, 2, 3, 4], "those that were held up are due at their own times");
        assert_eq!(all(&[2]), [0, 1, 2]);
        assert_eq!(all(&[1_000]), [0, 1, 2, 3, 4], "and then it is over");
    }

    #[test]
    fn odd_rates_add_up() {
        let mut schedule = Schedule::new(3.0, Duration::from_secs(10));
        let mut count = 0;
        while schedule.due(Duration::from_secs(100)).is_some() {
            count += 1;
        }
        assert_eq!((count, schedule.next_at()), (30, None));
        assert_eq!(Schedule::new(0.1, Duration::from_secs(1)).end, 1, "something is sent");
    }
}
