//! Whether this node sees the cluster and is seen by it, decided from moments. Pure: the time is given.
//!
//! A moment is *assured* when a peer answered a question that was asked then, so the peer has heard this node since; a
//! node without peers assures itself. From the last assured moment follows everything else. It says nothing about what
//! lies in the socket's buffer: a process that was stopped finds old answers there, and they assure only old moments.

use std::time::{Duration, Instant};

/// What is known from the assured moments so far.
#[derive(Debug)]
pub(crate) struct Sight {
    failure_timeout: Duration,
    assured: Instant,
    /// Since when there was no gap.
    clear_since: Instant,
}

impl Sight {
    /// Nobody can have missed the node before it began.
    pub(crate) fn new(failure_timeout: Duration, now: Instant) -> Self {
        Self { failure_timeout, assured: now, clear_since: now }
    }

    /// The node was heard after this moment.
    pub(crate) fn assure(&mut self, moment: Instant) {
        if moment <= self.assured {
            return;
        }
        if moment > self.valid_until() {
            self.clear_since = moment;
        }
        self.assured = moment;
    }

    /// Until when nobody can have taken this node for dead. Peers do that not before five sixths of the timeout after they
    /// heard of it, be it by way of others; half of the timeout leaves several rounds for the way.
    pub(crate) fn valid_until(&self) -> Instant {
        self.assured + self.failure_timeout / 2
    }

    /// Whether the node has not been heard, and so hears nobody, for too long.
    pub(crate) fn is_blind(&self, now: Instant) -> bool {
        now > self.valid_until()
    }

    /// Whether silence of others is theirs: the node has heard well for as long as a dead one takes to be missed.
    pub(crate) fn is_settled(&self, now: Instant) -> bool {
        !self.is_blind(now) && now.saturating_duration_since(self.clear_since) >= self.failure_timeout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(4);

    /// Assures every half second up to a moment (in seconds), and returns the start.
    fn assured_until(seconds: u64) -> (Sight, Instant) {
        let start = Instant::now();
        let mut sight = Sight::new(TIMEOUT, start);
        (0..=seconds * 2).for_each(|half| sight.assure(start + Duration::from_millis(500 * half)));
        (sight, start)
    }

    #[test]
    fn a_node_that_is_not_answered_goes_blind_and_its_leases_end() {
        let (sight, start) = assured_until(10);
        let end = start + Duration::from_secs(12);
        assert_eq!(sight.valid_until(), end);
        assert!(!sight.is_blind(end) && sight.is_blind(end + Duration::from_nanos(1)));
    }

    #[test]
    fn a_node_settles_only_after_a_while_of_clear_sight() {
        let (sight, start) = assured_until(3);
        assert!(!sight.is_settled(start + Duration::from_secs(3)));
        let (sight, start) = assured_until(4);
        assert!(sight.is_settled(start + Duration::from_secs(4)));
        assert!(!sight.is_settled(start + Duration::from_secs(7)), "it is blind");
    }

    #[test]
    fn after_a_gap_it_must_settle_again() {
        let (mut sight, start) = assured_until(10);
        let back = start + Duration::from_secs(13);
        sight.assure(back);
        assert!(!sight.is_blind(back) && !sight.is_settled(back));
    }

    #[test]
    fn answers_to_old_questions_assure_nothing_new() {
        let (mut sight, start) = assured_until(10);
        sight.assure(start + Duration::from_secs(9));
        assert_eq!(sight.valid_until(), start + Duration::from_secs(12));
    }
}
