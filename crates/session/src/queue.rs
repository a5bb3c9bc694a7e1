//! A session's outbound queue: what is on its way to the gateway, and what waits for room in the window.
//!
//! The order of messages is the order of [`push`](OutboundQueue::push). The bytes of both parts together never exceed
//! `queue_bytes_max`, but for a single message on an empty queue, which is always taken.

use std::collections::VecDeque;

use crate::payload::Payload;
use crate::policy::{OnSlowConsumer, Policy};

/// What became of a pushed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It goes to the gateway at once.
    Now,
    /// It waits for room in the window.
    Waiting,
    /// There is no room; the session is to be closed.
    Overflow,
    /// There is no room, and nothing older could give way: it was dropped.
    Dropped,
}

/// Whether a link takes more now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Free,
    Full,
}

#[derive(Debug, Default)]
pub(crate) struct OutboundQueue {
    in_flight_bytes: u64,
    waiting_bytes: u64,
    waiting: VecDeque<Payload>,
}

impl OutboundQueue {
    /// All bytes that count against `queue_bytes_max`.
    pub(crate) fn bytes(&self) -> u64 {
        self.in_flight_bytes + self.waiting_bytes
    }

    /// Takes a message. `link` says whether the session's link has room.
    pub(crate) fn push(&mut self, payload: &Payload, link: Room, policy: &Policy) -> Pushed {
        if link == Room::Free && self.waiting.is_empty() && self.window_is_open(policy) {
            self.in_flight_bytes += payload.cost_bytes();
            return Pushed::Now;
        }
        if !self.make_room(payload.cost_bytes(), policy) {
            return match policy.on_slow_consumer {
                OnSlowConsumer::Close => Pushed::Overflow,
                OnSlowConsumer::DropOldest => Pushed::Dropped,
            };
        }
        self.waiting_bytes += payload.cost_bytes();
        self.waiting.push_back(payload.clone());
        Pushed::Waiting
    }

    /// Takes note of bytes that have left the gateway.
    pub(crate) fn written(&mut self, bytes: u64) {
        self.in_flight_bytes = self.in_flight_bytes.saturating_sub(bytes);
    }

    /// The next message that may go, in order, if there is one and the window is open.
    pub(crate) fn release(&mut self, policy: &Policy) -> Option<Payload> {
        if !self.window_is_open(policy) {
            return None;
        }
        let payload = self.pop()?;
        self.in_flight_bytes += payload.cost_bytes();
        if self.waiting.is_empty() {
            self.waiting = VecDeque::new();
        }
        Some(payload)
    }

    /// Whether something waits for nothing but the link.
    pub(crate) fn is_ready(&self, policy: &Policy) -> bool {
        !self.waiting.is_empty() && self.window_is_open(policy)
    }

    fn window_is_open(&self, policy: &Policy) -> bool {
        self.in_flight_bytes < policy.window_bytes
    }

    /// Whether a message of this cost fits, after older ones have given way where the policy says so.
    fn make_room(&mut self, cost_bytes: u64, policy: &Policy) -> bool {
        let fits = |bytes: u64| bytes + cost_bytes <= policy.queue_bytes_max;
        if policy.on_slow_consumer == OnSlowConsumer::DropOldest && fits(self.in_flight_bytes) {
            while !fits(self.bytes()) && self.pop().is_some() {}
        }
        fits(self.bytes())
    }

    fn pop(&mut self) -> Option<Payload> {
        let payload = self.waiting.pop_front()?;
        self.waiting_bytes -= payload.cost_bytes();
        Some(payload)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::payload::Kind;

    fn payload(n: u8) -> Payload {
        Payload::new(Bytes::from(vec![n; 36]), Kind::Binary).unwrap() // costs 100 bytes
    }

    fn policy(on_slow_consumer: OnSlowConsumer) -> Policy {
        Policy { window_bytes: 200, queue_bytes_max: 400, on_slow_consumer, ..Policy::default() }
    }

    fn drain(queue: &mut OutboundQueue, bytes: u64, policy: &Policy) -> Vec<u8> {
        queue.written(bytes);
        std::iter::from_fn(|| queue.release(policy)).map(|payload| payload.bytes()[0]).collect()
    }

    #[test]
    fn the_window_then_the_queue_then_overflow() {
        let policy = policy(OnSlowConsumer::Close);
        let mut queue = OutboundQueue::default();
        let pushed: Vec<_> = (0..5).map(|n| queue.push(&payload(n), Room::Free, &policy)).collect();
        use Pushed::{Now, Overflow, Waiting};
        assert_eq!(pushed, [Now, Now, Waiting, Waiting, Overflow]);
        assert_eq!(queue.bytes(), 400);
    }

    #[test]
    fn what_waits_follows_in_order_and_new_messages_do_not_overtake_it() {
        let policy = policy(OnSlowConsumer::Close);
        let mut queue = OutboundQueue::default();
        for n in 0..4 {
            queue.push(&payload(n), Room::Free, &policy);
        }
        assert_eq!(drain(&mut queue, 100, &policy), [2]);
        assert_eq!(queue.push(&payload(4), Room::Free, &policy), Pushed::Waiting);
        assert_eq!(drain(&mut queue, 300, &policy), [3, 4]);
        assert_eq!(drain(&mut queue, 200, &policy), [0; 0]);
        assert_eq!(queue.bytes(), 0);
    }

    #[test]
    fn the_oldest_waiting_gives_way_if_the_policy_says_so() {
        let policy = policy(OnSlowConsumer::DropOldest);
        let mut queue = OutboundQueue::default();
        for n in 0..6 {
            queue.push(&payload(n), Room::Free, &policy);
        }
        assert_eq!(queue.bytes(), 400);
        assert_eq!(drain(&mut queue, 200, &policy), [4, 5]);
    }

    #[test]
    fn a_message_that_can_never_fit_drops_nothing_else() {
        let policy = policy(OnSlowConsumer::DropOldest);
        let mut queue = OutboundQueue::default();
        for n in 0..3 {
            queue.push(&payload(n), Room::Free, &policy);
        }
        let large = Payload::new(Bytes::from(vec![9; 1000]), Kind::Binary).unwrap();
        assert_eq!(queue.push(&large, Room::Free, &policy), Pushed::Dropped);
        assert_eq!(drain(&mut queue, 200, &policy), [2]);
    }

    #[test]
    fn without_room_on_the_link_a_message_waits_and_goes_first_when_there_is() {
        let policy = policy(OnSlowConsumer::Close);
        let mut queue = OutboundQueue::default();
        assert_eq!(queue.push(&payload(0), Room::Full, &policy), Pushed::Waiting);
        assert_eq!(queue.push(&payload(1), Room::Free, &policy), Pushed::Waiting);
        assert!(queue.is_ready(&policy));
        assert_eq!(drain(&mut queue, 0, &policy), [0, 1]);
        assert!(!queue.is_ready(&policy));
    }

    #[test]
    fn a_large_message_is_taken_by_an_empty_window() {
        let policy = policy(OnSlowConsumer::Close);
        let large = Payload::new(Bytes::from(vec![9; 1000]), Kind::Binary).unwrap();
        assert_eq!(OutboundQueue::default().push(&large, Room::Free, &policy), Pushed::Now);
    }
}
