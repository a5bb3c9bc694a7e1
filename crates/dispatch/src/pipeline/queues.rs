//! Which messages wait for room on a stream, and in which order they get it. Pure: time comes in.
//!
//! Each stream that has no room has a queue, so that nobody waits for room on another one. The messages of one target stand in a
//! line, of which only the first is in a queue: so none overtakes another, whichever streams they need. Whoever takes the first
//! of a line out goes on with the line ([`Queues::next`]): until then it is in no queue.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use tokio::time::Instant;

use super::lanes::Order;

/// Messages that wait for room. `S` is what gives room, `K` a target (both cheap to clone), `T` a message.
#[derive(Debug)]
pub(super) struct Queues<S, K, T> {
    lines: HashMap<K, Line<S, T>>,
    /// The first messages of some lines. A queue stays as long as room is asked for.
    queues: HashMap<S, Queue<K>>,
    /// Of all messages.
    deadlines: BTreeMap<(Instant, Order), K>,
    /// Queues for whose first nobody asks for room.
    unasked: Vec<S>,
}

/// The messages of one target.
#[derive(Debug)]
struct Line<S, T> {
    waiting: BTreeMap<Order, Waiting<T>>,
    /// The queue in which its first message is.
    queue: Option<S>,
}

/// A message that waits, or would.
#[derive(Debug)]
pub(super) struct Waiting<T> {
    pub(super) order: Order,
    pub(super) deadline: Instant,
    pub(super) message: T,
}

/// Of whom the messages are.
type Queue<K> = BTreeMap<Order, K>;

impl<S: Clone + Eq + Hash, K: Clone + Eq + Hash, T> Queues<S, K, T> {
    pub(super) fn new() -> Self {
        Queues {
            lines: HashMap::new(),
            queues: HashMap::new(),
            deadlines: BTreeMap::new(),
            unasked: Vec::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Puts a message behind those of its target that wait; if there are none, it is given back.
    pub(super) fn follow(&mut self, target: &K, waiting: Waiting<T>) -> Option<Waiting<T>> {
        let Some(line) = self.lines.get_mut(target) else { return Some(waiting) };
        self.deadlines.insert((waiting.deadline, waiting.order), target.clone());
        line.waiting.insert(waiting.order, waiting);
        None
    }

    /// Puts a message before all others of its target, and into this queue.
    pub(super) fn wait(&mut self, at: &S, target: &K, waiting: Waiting<T>) {
        let order = waiting.order;
        self.deadlines.insert((waiting.deadline, order), target.clone());
        let line = self.lines.entry(target.clone()).or_insert_with(Line::new);
        line.waiting.insert(order, waiting);
        line.queue = Some(at.clone());
        let unasked = &mut self.unasked;
        let queue = self.queues.entry(at.clone()).or_insert_with(|| {
            unasked.push(at.clone());
            Queue::new()
        });
        queue.insert(order, target.clone());
    }

    /// A queue for whose first message room is to be asked for. It is not named again before there is an answer
    /// ([`Queues::answered`]).
    pub(super) fn ask(&mut self) -> Option<(S, Order, &T)> {
        while let Some(at) = self.unasked.pop() {
            let first = self.queues.get(&at).and_then(BTreeMap::first_key_value);
            let Some((order, target)) = first else {
                self.queues.remove(&at);
                continue;
            };
            let waiting = self.lines.get(target)?.waiting.get(order)?;
            return Some((at, *order, &waiting.message));
        }
        None
    }

    /// Room was asked for and there is an answer: it may be asked for again.
    pub(super) fn answered(&mut self, at: &S) {
        if self.queues.contains_key(at) {
            self.unasked.push(at.clone());
        }
    }

    /// Which message is the first of a queue.
    pub(super) fn first(&self, at: &S) -> Option<Order> {
        self.queues.get(at)?.first_key_value().map(|(order, _)| *order)
    }

    /// Takes out the first message of a queue.
    pub(super) fn take_first(&mut self, at: &S) -> Option<(K, Order, T)> {
        let (order, target) = self.queues.get_mut(at)?.pop_first()?;
        let line = self.lines.get_mut(&target)?;
        line.queue = None;
        let Waiting { deadline, message, .. } = line.waiting.remove(&order)?;
        self.deadlines.remove(&(deadline, order));
        Some((target, order, message))
    }

    /// Takes out the first message of a line that is in no queue.
    pub(super) fn next(&mut self, target: &K) -> Option<(Order, T)> {
        let line = self.lines.get_mut(target).filter(|line| line.queue.is_none())?;
        let Some((order, Waiting { deadline, message, .. })) = line.waiting.pop_first() else {
            self.lines.remove(target);
            return None;
        };
        self.deadlines.remove(&(deadline, order));
        Some((order, message))
    }

    /// Takes out all messages of a target, in their order.
    pub(super) fn take_line(&mut self, target: &K) -> Vec<(Order, T)> {
        let Some(Line { waiting, queue }) = self.lines.remove(target) else { return Vec::new() };
        if let (Some(at), Some((first, _))) = (queue, waiting.first_key_value())
            && let Some(queue) = self.queues.get_mut(&at)
        {
            queue.remove(first);
        }
        let messages = waiting.into_iter().map(|(order, Waiting { deadline, message, .. })| {
            self.deadlines.remove(&(deadline, order));
            (order, message)
        });
        messages.collect()
    }

    /// When the next deadline is.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes out a message whose deadline has passed.
    pub(super) fn take_late(&mut self, now: Instant) -> Option<(K, Order, T)> {
        let first = self.deadlines.first_entry().filter(|first| first.key().0 <= now)?;
        let ((_, order), target) = first.remove_entry();
        let line = self.lines.get_mut(&target)?;
        let is_first = line.waiting.first_key_value().is_some_and(|(first, _)| *first == order);
        if let Some(at) = line.queue.take_if(|_| is_first)
            && let Some(queue) = self.queues.get_mut(&at)
        {
            queue.remove(&order);
        }
        let Waiting { message, .. } = line.waiting.remove(&order)?;
        Some((target, order, message))
    }

    /// Takes out all messages, in their order. Room that was asked for is not needed any more.
    pub(super) fn take_all(&mut self) -> Vec<(Order, T)> {
        self.queues.clear();
        self.unasked.clear();
        self.deadlines.clear();
        let lines = self.lines.drain().flat_map(|(_, line)| line.waiting);
        let mut messages: Vec<_> = lines.map(|(order, waiting)| (order, waiting.message)).collect();
        messages.sort_unstable_by_key(|(order, _)| *order);
        messages
    }
}

impl<S, T> Line<S, T> {
    fn new() -> Self {
        Line { waiting: BTreeMap::new(), queue: None }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    type Name = &'static str;

    struct Run {
        queues: Queues<Name, Name, Name>,
        start: Instant,
        arrived: u64,
    }

    impl Run {
        fn new() -> Self {
            Run { queues: Queues::new(), start: Instant::now(), arrived: 0 }
        }

        fn at(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }

        /// A message that needs room at this place comes behind those of its target, or is the first.
        fn arrive(&mut self, at: Name, target: Name, message: Name, ms: u64) -> Order {
            let (order, deadline) = (Order::nth(self.arrived), self.at(ms));
            self.arrived += 1;
            if let Some(first) = self.queues.follow(&target, Waiting { order, deadline, message }) {
                self.queues.wait(&at, &target, first);
            }
            order
        }

        fn take_first(&mut self, at: Name) -> Option<Name> {
            self.queues.take_first(&at).map(|(_, _, message)| message)
        }

        fn next(&mut self, target: Name) -> Option<Name> {
            self.queues.next(&target).map(|(_, message)| message)
        }

        fn late(&mut self, ms: u64) -> Option<Name> {
            let now = self.at(ms);
            self.queues.take_late(now).map(|(_, _, message)| message)
        }

        fn asks(&mut self) -> Vec<(Name, Name)> {
            let mut asked = Vec::new();
            while let Some((at, _, message)) = self.queues.ask() {
                asked.push((at, *message));
            }
            asked.sort_unstable();
            asked
        }

        fn is_forgotten(&self) -> bool {
            let Queues { lines, queues, deadlines, unasked } = &self.queues;
            lines.is_empty() && queues.is_empty() && deadlines.is_empty() && unasked.is_empty()
        }
    }

    #[test]
    fn each_queue_goes_by_itself_and_those_of_one_target_behind_each_other() {
        let mut run = Run::new();
        for (at, target, message) in
            [("w1", "alice", "a1"), ("w2", "bob", "b1"), ("w1", "alice", "a2"), ("w1", "carol", "c1")]
        {
            run.arrive(at, target, message, 100);
        }
        assert_eq!(run.take_first("w1"), Some("a1"));
        assert_eq!(run.take_first("w1"), Some("c1"), "a2 is in no queue yet");
        assert_eq!(run.next("bob"), None, "b1 is in its queue");
        assert_eq!(run.next("alice"), Some("a2"));
        assert_eq!(run.next("alice"), None);
        assert_eq!(run.take_first("w2"), Some("b1"));
        assert_eq!((run.next("bob"), run.next("carol")), (None, None));
        assert!(run.queues.is_empty());
    }

    #[test]
    fn one_that_has_to_wait_again_keeps_its_place() {
        let mut run = Run::new();
        let a1 = run.arrive("w1", "alice", "a1", 100);
        run.arrive("w1", "alice", "a2", 100);
        run.arrive("w1", "bob", "b1", 100);
        for at in ["w1", "w2"] {
            let deadline = run.at(100);
            assert_eq!(run.take_first("w1"), Some("a1"));
            run.queues.wait(&at, &"alice", Waiting { order: a1, deadline, message: "a1" });
            assert_eq!(run.next("alice"), None);
            assert_eq!(run.queues.first(&at), Some(a1));
        }
        assert_eq!((run.take_first("w1"), run.take_first("w2")), (Some("b1"), Some("a1")));
        assert_eq!(run.next("alice"), Some("a2"));
    }

    #[test]
    fn room_is_asked_for_once_for_each_queue() {
        let mut run = Run::new();
        for (at, target) in [("w1", "alice"), ("w1", "bob"), ("w2", "carol")] {
            run.arrive(at, target, target, 100);
        }
        assert_eq!(run.asks(), [("w1", "alice"), ("w2", "carol")]);
        run.arrive("w1", "dave", "dave", 100);
        assert!(run.asks().is_empty());
        assert_eq!(run.take_first("w1"), Some("alice"));
        run.queues.answered(&"w1");
        assert_eq!(run.asks(), [("w1", "bob")]);
        for _ in 0..2 {
            run.take_first("w1");
        }
        run.queues.answered(&"w1");
        assert!(run.asks().is_empty());
        run.arrive("w1", "erin", "erin", 100);
        assert_eq!(run.asks(), [("w1", "erin")]);
    }

    #[test]
    fn whoever_is_late_leaves_wherever_it_stands() {
        let mut run = Run::new();
        for (target, message, ms) in
            [("alice", "a1", 30), ("alice", "a2", 10), ("alice", "a3", 50), ("bob", "b1", 20)]
        {
            run.arrive("w1", target, message, ms);
        }
        assert_eq!(run.queues.next_deadline(), Some(run.at(10)));
        assert_eq!((run.late(9), run.late(10), run.late(19)), (None, Some("a2"), None));
        assert_eq!(run.next("alice"), None, "a1 is still in its queue");
        assert_eq!((run.late(30), run.late(30), run.late(30)), (Some("b1"), Some("a1"), None));
        assert_eq!((run.next("bob"), run.next("alice")), (None, Some("a3")));
        assert_eq!((run.next("alice"), run.take_first("w1")), (None, None));
        run.queues.answered(&"w1");
        assert!(run.asks().is_empty() && run.is_forgotten());
    }

    #[test]
    fn the_line_of_one_target_is_taken_out_in_its_order_and_leaves_nothing() {
        let mut run = Run::new();
        for (target, message) in [("alice", "a1"), ("bob", "b1"), ("alice", "a2")] {
            run.arrive("w1", target, message, 100);
        }
        let taken: Vec<_> = run.queues.take_line(&"alice").into_iter().map(|(_, message)| message).collect();
        assert_eq!(taken, ["a1", "a2"]);
        assert!(run.queues.take_line(&"alice").is_empty());
        assert_eq!((run.take_first("w1"), run.next("bob"), run.take_first("w1")), (Some("b1"), None, None));
        assert!(run.queues.deadlines.is_empty() && run.queues.is_empty());
    }

    #[test]
    fn all_are_taken_out_in_the_order_in_which_they_came() {
        let mut run = Run::new();
        for (at, target, message) in
            [("w2", "alice", "1"), ("w1", "bob", "2"), ("w2", "alice", "3"), ("w3", "carol", "4")]
        {
            run.arrive(at, target, message, 100);
        }
        let all: Vec<_> = run.queues.take_all().into_iter().map(|(_, message)| message).collect();
        assert_eq!(all, ["1", "2", "3", "4"]);
        assert!(run.is_forgotten());
    }
}
