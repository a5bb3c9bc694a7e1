//! A session's outbound queue: what is on its way to the gateway, what waits for room in the window, and, for a session
//! that acknowledges, what its client may need again.
//!
//! The order of messages is the order of [`push`](OutboundQueue::push). What counts against `queue_bytes_max` never exceeds
//! it, but for a single message on an empty queue, which is always taken, and the frame that tells of a mailbox.

mod stream;
mod taken;

use std::collections::VecDeque;

use crate::frame;
use crate::mailbox::{MailboxPlace, Stored, Taken};
use crate::message::Message;
use crate::payload::{MESSAGE_OVERHEAD_BYTES, Payload};
use crate::policy::{OnSlowConsumer, Policy};

pub use stream::Acked;
pub(crate) use stream::Stream;
use taken::{Untold, Unwritten};

/// What became of a pushed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It goes to the gateway at once, under this offset; 0 in a session that does not number.
    Now(u64),
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

/// One message as this session's client receives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// Its place in the numbered stream; 0 in a session that does not number.
    pub(crate) offset: u64,
    /// The whole message, or the tail of a numbered frame.
    pub(crate) payload: Payload,
    /// Where it is stored, if it is.
    pub(crate) stored: Option<Stored>,
}

impl Item {
    /// What it counts in windows and queues: what the client receives, and [`MESSAGE_OVERHEAD_BYTES`].
    pub(crate) fn cost_bytes(&self) -> u64 {
        let bytes = self.payload.bytes().len();
        let bytes = if self.offset == 0 { bytes } else { frame::numbered_bytes(self.offset, bytes) };
        bytes as u64 + MESSAGE_OVERHEAD_BYTES
    }
}

#[derive(Debug, Default)]
pub(crate) struct OutboundQueue {
    in_flight_bytes: u64,
    waiting_bytes: u64,
    waiting: VecDeque<Item>,
    stream: Option<Box<Stream>>,
    unwritten: Unwritten,
    untold: Untold,
}

impl OutboundQueue {
    /// An empty queue of a session that numbers its messages if there is a stream.
    pub(crate) fn new(stream: Option<Stream>) -> Self {
        OutboundQueue { stream: stream.map(Box::new), ..Self::default() }
    }

    /// The numbered stream, if there is one.
    pub(crate) fn stream(&self) -> Option<&Stream> {
        self.stream.as_deref()
    }

    /// What has not been sent, in order.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Item> {
        self.waiting.iter()
    }

    /// All bytes that count against `queue_bytes_max`.
    pub(crate) fn bytes(&self) -> u64 {
        self.waiting_bytes + self.stream.as_ref().map_or(self.in_flight_bytes, |stream| stream.unacked_bytes)
    }

    /// Whether there is room for a stored message. Those leave the other half to what is not stored, which cannot wait elsewhere.
    pub(crate) fn takes_stored(&self, message: &Message, policy: &Policy) -> bool {
        let bytes = self.bytes();
        bytes == 0 || bytes + self.cost_bytes(message) <= policy.queue_bytes_max / 2
    }

    /// What a message would count.
    pub(crate) fn cost_bytes(&self, message: &Message) -> u64 {
        self.item(message).cost_bytes()
    }

    /// What the client has taken of what is stored, since this was asked last.
    pub(crate) fn take_taken(&mut self) -> Option<Taken> {
        self.untold.tell()
    }

    /// Whether it has taken something since.
    pub(crate) fn has_taken(&self) -> bool {
        self.untold.is_some()
    }

    /// The last stored message on its way to a client that does not acknowledge.
    pub(crate) fn last_unwritten(&self) -> Option<MailboxPlace> {
        self.unwritten.last()
    }

    /// Takes a message. `link` says whether the session's link has room.
    pub(crate) fn push(&mut self, message: &Message, link: Room, policy: &Policy) -> Pushed {
        let mut item = self.item(message);
        let goes_now = link == Room::Free && self.waiting.is_empty() && self.window_is_open(policy);
        let counts = !goes_now || self.stream.is_some();
        // What is stored was asked to fit before.
        if counts && item.stored.is_none() && !self.make_room(item.cost_bytes(), policy) {
            return match policy.on_slow_consumer {
                OnSlowConsumer::Close => Pushed::Overflow,
                OnSlowConsumer::DropOldest => Pushed::Dropped,
            };
        }
        if let Some(stream) = &mut self.stream {
            item.offset = stream.next_offset();
        }
        if goes_now {
            let offset = item.offset;
            self.fly(item);
            return Pushed::Now(offset);
        }
        self.wait(item);
        Pushed::Waiting
    }

    /// Puts back what another worker held for this session, in order.
    pub(crate) fn restore(&mut self, waiting: impl IntoIterator<Item = Item>) {
        waiting.into_iter().for_each(|item| self.wait(item));
    }

    /// Takes note of bytes that have left the gateway.
    pub(crate) fn written(&mut self, bytes: u64) {
        self.in_flight_bytes = self.in_flight_bytes.saturating_sub(bytes);
        if self.stream.is_none() {
            self.unwritten.in_flight(self.in_flight_bytes, &mut self.untold);
        }
    }

    /// Takes note of what the client has. A session that does not number has nothing to acknowledge.
    pub(crate) fn acknowledge(&mut self, offset: u64) -> Acked {
        let Some(stream) = &mut self.stream else { return Acked::OutOfRange { sent: 0 } };
        stream.acknowledge(offset, |item| item.stored.into_iter().for_each(|stored| self.untold.add(stored)))
    }

    /// The next message that may go, in order, if there is one and the window is open.
    pub(crate) fn release(&mut self, policy: &Policy) -> Option<Item> {
        if !self.window_is_open(policy) {
            return None;
        }
        let item = self.pop()?;
        self.fly(item.clone());
        if self.waiting.is_empty() {
            self.waiting = VecDeque::new();
        }
        Some(item)
    }

    /// The client has resumed its session with its attempt of this number.
    pub(crate) fn attempted(&mut self, attempt: u64) {
        if let Some(stream) = &mut self.stream {
            stream.attempt = stream.attempt.max(attempt);
        }
    }

    /// The way to the client is another one, on which it has everything up to `offset` (0 in a session that does not
    /// number): what was sent after that goes again. Gives back whether nothing in between is lost.
    pub(crate) fn rewind(&mut self, offset: u64) -> bool {
        self.in_flight_bytes = 0;
        let Some(stream) = &mut self.stream else {
            self.forget_stored();
            return true;
        };
        stream.know_of(offset);
        let complete = offset >= stream.floor;
        // What waits here may have been sent by another worker, which was lost.
        while let Some(sent) = self.waiting.pop_front_if(|item| item.offset <= offset) {
            self.waiting_bytes -= sent.cost_bytes();
            if sent.offset > stream.floor {
                stream.sent(sent);
            }
        }
        let mut again = stream.take_after(offset);
        self.waiting_bytes += again.iter().map(Item::cost_bytes).sum::<u64>();
        again.append(&mut self.waiting);
        self.waiting = again;
        complete
    }

    /// Whether something waits for nothing but the link.
    pub(crate) fn is_ready(&self, policy: &Policy) -> bool {
        !self.waiting.is_empty() && self.window_is_open(policy)
    }

    fn item(&self, message: &Message) -> Item {
        match &self.stream {
            None => Item { offset: 0, payload: message.payload().clone(), stored: message.stored() },
            Some(stream) => {
                Item { offset: stream.last + 1, payload: message.tail().clone(), stored: message.stored() }
            }
        }
    }

    /// Puts bytes that are no message on their way, if there is room in the window. Gives back whether there is.
    pub(crate) fn fly_aside(&mut self, bytes: u64, policy: &Policy) -> bool {
        let is_open = self.window_is_open(policy);
        if is_open {
            self.in_flight_bytes += bytes;
        }
        is_open
    }

    fn fly(&mut self, item: Item) {
        self.in_flight_bytes += item.cost_bytes();
        match &mut self.stream {
            Some(stream) => stream.sent(item),
            None => self.unwritten.sent(item.cost_bytes(), item.stored),
        }
    }

    /// Of a session that does not number, nobody knows what the client has: what is stored is read again.
    fn forget_stored(&mut self) {
        self.unwritten.forget();
        self.waiting.retain(|item| item.stored.is_none());
        self.waiting_bytes = self.waiting.iter().map(Item::cost_bytes).sum();
    }

    fn wait(&mut self, item: Item) {
        self.waiting_bytes += item.cost_bytes();
        self.waiting.push_back(item);
    }

    fn window_is_open(&self, policy: &Policy) -> bool {
        self.in_flight_bytes < policy.window_bytes
    }

    /// Whether a message of this cost fits, after older ones have given way where the policy says so.
    fn make_room(&mut self, cost_bytes: u64, policy: &Policy) -> bool {
        let fits = |bytes: u64| bytes == 0 || bytes + cost_bytes <= policy.queue_bytes_max;
        if policy.on_slow_consumer == OnSlowConsumer::DropOldest && fits(self.bytes() - self.waiting_bytes) {
            // What is stored does not give way: nobody would read it again.
            while !fits(self.bytes())
                && let Some(oldest) = self.waiting.iter().position(|item| item.stored.is_none())
                && let Some(dropped) = self.take_waiting(oldest)
            {
                if let Some(stream) = &mut self.stream {
                    stream.floor = stream.floor.max(dropped.offset);
                }
            }
        }
        fits(self.bytes())
    }

    fn pop(&mut self) -> Option<Item> {
        self.take_waiting(0)
    }

    fn take_waiting(&mut self, index: usize) -> Option<Item> {
        let item = self.waiting.remove(index)?;
        self.waiting_bytes -= item.cost_bytes();
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::payload::Kind;

    fn message(n: u8) -> Message {
        Message::of(Payload::new(Bytes::from(vec![n; 36]), Kind::Binary).unwrap()) // costs 100 bytes
    }

    fn policy(on_slow_consumer: OnSlowConsumer) -> Policy {
        Policy { window_bytes: 200, queue_bytes_max: 400, on_slow_consumer, ..Policy::default() }
    }

    fn drain(queue: &mut OutboundQueue, bytes: u64, policy: &Policy) -> Vec<u8> {
        queue.written(bytes);
        std::iter::from_fn(|| queue.release(policy)).map(|item| item.payload.bytes()[0]).collect()
    }

    #[test]
    fn the_window_then_the_queue_then_overflow() {
        let policy = policy(OnSlowConsumer::Close);
        let mut queue = OutboundQueue::default();
        let pushed: Vec<_> = (0..5).map(|n| queue.push(&message(n), Room::Free, &policy)).collect();
        use Pushed::{Now, Overflow, Waiting};
        assert_eq!(pushed, [Now(0), Now(0), Waiting, Waiting, Overflow]);
        assert_eq!(queue.bytes(), 400);
    }

    #[test]
    fn what_waits_follows_in_order_and_new_messages_do_not_overtake_it() {
        let policy = policy(OnSlowConsumer::Close);
        let mut queue = OutboundQueue::default();
        for n in 0..4 {
            queue.push(&message(n), Room::Free, &policy);
        }
        assert_eq!(drain(&mut queue, 100, &policy), [2]);
        assert_eq!(queue.push(&message(4), Room::Free, &policy), Pushed::Waiting);
        assert_eq!(drain(&mut queue, 300, &policy), [3, 4]);
        assert_eq!(drain(&mut queue, 200, &policy), [0; 0]);
        assert_eq!(queue.bytes(), 0);
    }

    #[test]
    fn the_oldest_waiting_gives_way_if_the_policy_says_so() {
        let policy = policy(OnSlowConsumer::DropOldest);
        let mut queue = OutboundQueue::default();
        for n in 0..6 {
            queue.push(&message(n), Room::Free, &policy);
        }
        assert_eq!(queue.bytes(), 400);
        assert_eq!(drain(&mut queue, 200, &policy), [4, 5]);
    }

    #[test]
    fn a_message_that_can_never_fit_drops_nothing_else() {
        let policy = policy(OnSlowConsumer::DropOldest);
        let mut queue = OutboundQueue::default();
        for n in 0..3 {
            queue.push(&message(n), Room::Free, &policy);
        }
        let large = Message::of(Payload::new(Bytes::from(vec![9; 1000]), Kind::Binary).unwrap());
        assert_eq!(queue.push(&large, Room::Free, &policy), Pushed::Dropped);
        assert_eq!(drain(&mut queue, 200, &policy), [2]);
    }

    #[test]
    fn what_is_stored_does_not_give_way() {
        let policy = policy(OnSlowConsumer::DropOldest);
        let mut queue = OutboundQueue::default();
        let place = MailboxPlace { epoch: 1, offset: 1 };
        let stored = |n| message(n).stored_at(Stored { place, until_first_ack: false });
        let messages = [message(0), message(1), stored(2), message(3), message(4), message(5)];
        for message in &messages {
            queue.push(message, Room::Free, &policy);
        }
        assert_eq!(drain(&mut queue, 200, &policy), [2, 5]);
    }

    #[test]
    fn without_room_on_the_link_a_message_waits_and_goes_first_when_there_is() {
        let policy = policy(OnSlowConsumer::Close);
        let mut queue = OutboundQueue::default();
        assert_eq!(queue.push(&message(0), Room::Full, &policy), Pushed::Waiting);
        assert_eq!(queue.push(&message(1), Room::Free, &policy), Pushed::Waiting);
        assert!(queue.is_ready(&policy));
        assert_eq!(drain(&mut queue, 0, &policy), [0, 1]);
        assert!(!queue.is_ready(&policy));
    }

    #[test]
    fn a_large_message_is_taken_by_an_empty_window() {
        let policy = policy(OnSlowConsumer::Close);
        let large = Message::of(Payload::new(Bytes::from(vec![9; 1000]), Kind::Binary).unwrap());
        assert_eq!(OutboundQueue::default().push(&large, Room::Free, &policy), Pushed::Now(0));
    }
}
