//! Which message may go now: one lane for each target, so that a retry keeps its place. Pure: time comes in.
//!
//! A lane is open while nothing in it waits. When one of its messages must be sent again, the lane holds: messages that
//! come later wait behind, those under way are waited for (some may have to be sent again, too), and after the pause all
//! that wait go out in the order in which they first came. A lane also holds while its messages under way are on one stream
//! and the next one would go on another: on one stream they keep their order, on two they do not.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;

use ringway_rpc::StreamId;
use tokio::time::Instant;

/// The lanes of a pipeline. `K` is a target (cheap to clone), `T` a message.
#[derive(Debug)]
pub(super) struct Lanes<K, T> {
    lanes: HashMap<K, Lane<T>>,
    /// Lanes with nothing under way whose messages wait for the end of the pause.
    due: BTreeSet<(Instant, Order)>,
    due_targets: HashMap<Order, K>,
    next: u64,
}

/// A message's place among all: the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Order(u64);

#[cfg(test)]
impl Order {
    pub(super) fn nth(n: u64) -> Self {
        Order(n)
    }
}

#[derive(Debug)]
struct Lane<T> {
    /// Messages that were let go and have no answer.
    under_way: usize,
    /// How many of them are on a stream, and on which.
    on_stream: usize,
    stream: Option<StreamId>,
    waiting: BTreeMap<Order, T>,
    not_before: Option<Instant>,
}

impl<K: Clone + Eq + Hash, T> Lanes<K, T> {
    pub(super) fn new() -> Self {
        Lanes { lanes: HashMap::new(), due: BTreeSet::new(), due_targets: HashMap::new(), next: 0 }
    }

    /// A new message: given back with its place if it may go now, kept if it has to wait.
    pub(super) fn arrive(&mut self, target: &K, message: T) -> Option<(Order, T)> {
        let order = Order(self.next);
        self.next += 1;
        let lane = self.lane(target);
        if !lane.waiting.is_empty() {
            lane.waiting.insert(order, message);
            return None;
        }
        lane.under_way += 1;
        Some((order, message))
    }

    /// A message that was let go and is about to be sent: given back, unless another of its lane must be sent again
    /// and was before it; then it waits behind that one.
    pub(super) fn recheck(&mut self, target: &K, order: Order, message: T) -> Option<(Order, T)> {
        let lane = self.lane(target);
        if lane.waiting.is_empty() {
            return Some((order, message));
        }
        lane.under_way -= 1;
        lane.waiting.insert(order, message);
        self.settle(target);
        None
    }

    /// The stream of the messages that are on one now: the next one must follow them there.
    pub(super) fn stream(&self, target: &K) -> Option<StreamId> {
        self.lanes.get(target)?.stream
    }

    /// A message has entered a stream.
    pub(super) fn entered(&mut self, target: &K, stream: StreamId) {
        let lane = self.lane(target);
        lane.on_stream += 1;
        lane.stream = Some(stream);
    }

    /// A message that was on a stream is answered; its end or its retry follows.
    pub(super) fn answered(&mut self, target: &K) {
        let lane = self.lane(target);
        lane.on_stream -= 1;
        if lane.on_stream == 0 {
            lane.stream = None;
        }
    }

    /// A message that was under way has come to its end.
    pub(super) fn finish(&mut self, target: &K) {
        self.lane(target).under_way -= 1;
        self.settle(target);
    }

    /// A message that was under way must be sent again, not before the given time.
    pub(super) fn retry(&mut self, target: &K, order: Order, message: T, not_before: Instant) {
        let lane = self.lane(target);
        lane.under_way -= 1;
        lane.waiting.insert(order, message);
        lane.not_before = lane.not_before.max(Some(not_before));
        self.settle(target);
    }

    /// When the next lane is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The messages of one lane that is due, in their order; they count as under way.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Vec<(Order, T)>> {
        let (at, order) = self.due.first().copied().filter(|(at, _)| *at <= now)?;
        self.due.remove(&(at, order));
        let target = self.due_targets.remove(&order)?;
        let lane = self.lanes.get_mut(&target)?;
        lane.not_before = None;
        let messages: Vec<_> = std::mem::take(&mut lane.waiting).into_iter().collect();
        lane.under_way += messages.len();
        Some(messages)
    }

    fn lane(&mut self, target: &K) -> &mut Lane<T> {
        self.lanes.entry(target.clone()).or_insert_with(|| Lane {
            under_way: 0,
            on_stream: 0,
            stream: None,
            waiting: BTreeMap::new(),
            not_before: None,
        })
    }

    /// With nothing under way, a lane is closed, or its pause begins to count.
    fn settle(&mut self, target: &K) {
        let Some(lane) = self.lanes.get(target).filter(|lane| lane.under_way == 0) else { return };
        match (lane.waiting.first_key_value(), lane.not_before) {
            (Some((order, _)), Some(not_before)) => {
                self.due.insert((not_before, *order));
                self.due_targets.insert(*order, target.clone());
            }
            _ => {
                self.lanes.remove(target);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    struct Run {
        lanes: Lanes<&'static str, &'static str>,
        start: Instant,
    }

    impl Run {
        fn new() -> Self {
            Run { lanes: Lanes::new(), start: Instant::now() }
        }

        fn at(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }

        /// The message's place, if it may go now.
        fn arrive(&mut self, target: &'static str, message: &'static str) -> Option<Order> {
            self.lanes.arrive(&target, message).map(|(order, _)| order)
        }

        fn retry(&mut self, target: &'static str, order: Order, message: &'static str, ms: u64) {
            let not_before = self.at(ms);
            self.lanes.retry(&target, order, message, not_before);
        }

        fn due(&mut self, ms: u64) -> Option<Vec<&'static str>> {
            let now = self.at(ms);
            Some(self.lanes.take_due(now)?.into_iter().map(|(_, message)| message).collect())
        }
    }

    #[test]
    fn an_open_lane_lets_everything_pass_and_leaves_nothing() {
        let mut run = Run::new();
        assert!(run.arrive("alice", "a1").is_some());
        assert!(run.arrive("alice", "a2").is_some());
        assert!(run.arrive("bob", "b1").is_some());
        for target in ["alice", "alice", "bob"] {
            run.lanes.finish(&target);
        }
        assert!(run.lanes.lanes.is_empty());
        assert_eq!(run.lanes.next_due(), None);
    }

    #[test]
    fn a_retry_goes_before_what_came_later_and_other_lanes_do_not_wait() {
        let mut run = Run::new();
        let a1 = run.arrive("alice", "a1").unwrap();
        run.retry("alice", a1, "a1", 10);
        assert!(run.arrive("alice", "a2").is_none());
        assert!(run.arrive("alice", "a3").is_none());
        assert!(run.arrive("bob", "b1").is_some());
        assert_eq!(run.lanes.next_due(), Some(run.at(10)));
        assert_eq!(run.due(9), None);
        assert_eq!(run.due(10), Some(vec!["a1", "a2", "a3"]));
        assert!(run.arrive("alice", "a4").is_some());
    }

    #[test]
    fn messages_that_were_refused_together_go_again_in_their_order() {
        let mut run = Run::new();
        let orders: Vec<_> = ["a1", "a2", "a3"].map(|message| run.arrive("alice", message).unwrap()).into();
        run.retry("alice", orders[2], "a3", 30);
        assert!(run.arrive("alice", "a4").is_none());
        assert_eq!(run.due(1_000), None, "a1 and a2 are still under way");
        run.lanes.finish(&"alice");
        run.retry("alice", orders[0], "a1", 20);
        assert_eq!(run.due(29), None, "the longest pause counts");
        assert_eq!(run.due(30), Some(vec!["a1", "a3", "a4"]));
        for _ in 0..3 {
            run.lanes.finish(&"alice");
        }
        assert!(run.lanes.lanes.is_empty() && run.lanes.due.is_empty() && run.lanes.due_targets.is_empty());
    }

    #[test]
    fn a_message_that_was_let_go_waits_for_one_that_comes_back_before_it_is_sent() {
        let mut run = Run::new();
        let a1 = run.arrive("alice", "a1").unwrap();
        let a2 = run.arrive("alice", "a2").unwrap();
        assert!(run.lanes.recheck(&"alice", a1, "a1").is_some());
        run.retry("alice", a1, "a1", 10);
        assert!(run.lanes.recheck(&"alice", a2, "a2").is_none());
        assert_eq!(run.due(10), Some(vec!["a1", "a2"]));
    }

    #[test]
    fn lanes_are_due_one_by_one() {
        let mut run = Run::new();
        for (target, ms) in [("alice", 20), ("bob", 10), ("carol", 10)] {
            let order = run.arrive(target, target).unwrap();
            run.retry(target, order, target, ms);
        }
        assert_eq!(run.due(20), Some(vec!["bob"]));
        assert_eq!(run.due(20), Some(vec!["carol"]));
        assert_eq!(run.due(20), Some(vec!["alice"]));
        assert_eq!(run.due(20), None);
    }
}
