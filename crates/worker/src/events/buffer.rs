//! What is kept for one subscription, pure: events in their order, of which the first ones have been sent and wait for their
//! acknowledgement.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use ringway_proto::v1::Event;
use tokio::sync::oneshot;

/// What an event counts beside its texts and its payload, in bytes.
const EVENT_OVERHEAD_BYTES: usize = 256;
/// The most events in one batch.
const BATCH_EVENTS_MAX: usize = 512;
/// The bytes at which a batch is closed. One event that is larger makes a batch of its own.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// An event, once for all subscriptions that keep it.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) event: Event,
    bytes: usize,
    /// Who waits for its acknowledgement. When the last subscription lets go of the event, it is dropped.
    settle: Mutex<Option<oneshot::Sender<()>>>,
}

impl Kept {
    pub(super) fn new(event: Event, settle: Option<oneshot::Sender<()>>) -> Arc<Self> {
        let bytes = EVENT_OVERHEAD_BYTES + prost::Message::encoded_len(&event);
        Arc::new(Kept { event, bytes, settle: Mutex::new(settle) })
    }

    fn acknowledged(&self) {
        if let Some(settle) = self.settle.lock().take() {
            // Nobody may be waiting any more.
            settle.send(()).ok();
        }
    }
}

/// How much a buffer may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) events_max: usize,
    pub(super) bytes_max: usize,
}

/// Some events to send.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) events: Vec<Arc<Kept>>,
    /// How many are lost since the last batch.
    pub(super) missed: u64,
}

/// The events of one subscription that are not acknowledged.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    kept: VecDeque<Arc<Kept>>,
    bytes: usize,
    /// How many of them, from the front, have been sent to the present subscriber.
    sent: usize,
    missed: u64,
}

impl Buffer {
    /// Keeps an event. Gives back how many had to go for it.
    pub(super) fn push(&mut self, event: Arc<Kept>, bounds: Bounds) -> u64 {
        self.bytes += event.bytes;
        self.kept.push_back(event);
        let mut lost = 0;
        while self.kept.len() > 1 && self.exceeds(bounds) {
            self.pop();
            lost += 1;
        }
        self.missed += lost;
        lost
    }

    /// What goes next, if anything does, while no more than `window` events are sent and not acknowledged.
    pub(super) fn take(&mut self, window: usize) -> Option<Batch> {
        let mut batch = Batch { events: Vec::new(), missed: self.missed };
        let mut bytes = 0;
        while self.sent < window
            && batch.events.len() < BATCH_EVENTS_MAX
            && let Some(next) = self.kept.get(self.sent)
            && (batch.events.is_empty() || bytes + next.bytes <= BATCH_BYTES_MAX)
        {
            bytes += next.bytes;
            batch.events.push(Arc::clone(next));
            self.sent += 1;
        }
        self.missed = 0;
        (!batch.events.is_empty() || batch.missed > 0).then_some(batch)
    }

    /// Everything that was sent up to this sequence is done with.
    pub(super) fn acknowledge(&mut self, upto: u64) {
        while self.sent > 0 && self.kept.front().is_some_and(|first| first.event.sequence <= upto) {
            if let Some(done) = self.pop() {
                done.acknowledged();
            }
        }
    }

    /// Another subscriber has come: what was not acknowledged is sent again.
    pub(super) fn rewind(&mut self) {
        self.sent = 0;
    }

    /// Whether one more event would make the oldest go.
    pub(super) fn is_full(&self, bounds: Bounds) -> bool {
        self.kept.len() >= bounds.events_max || self.bytes >= bounds.bytes_max
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn exceeds(&self, bounds: Bounds) -> bool {
        self.kept.len() > bounds.events_max || self.bytes > bounds.bytes_max
    }

    fn pop(&mut self) -> Option<Arc<Kept>> {
        let first = self.kept.pop_front()?;
        self.bytes -= first.bytes;
        self.sent = self.sent.saturating_sub(1);
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOMY: Bounds = Bounds { events_max: 1_000, bytes_max: usize::MAX };

    fn event(sequence: u64) -> Arc<Kept> {
        Kept::new(Event { sequence, ..Event::default() }, None)
    }

    fn filled(events: u64, bounds: Bounds) -> Buffer {
        let mut buffer = Buffer::default();
        (1..=events).for_each(|sequence| _ = buffer.push(event(sequence), bounds));
        buffer
    }

    fn taken(batch: Option<Batch>) -> (Vec<u64>, u64) {
        let batch = batch.unwrap_or_default();
        (batch.events.iter().map(|kept| kept.event.sequence).collect(), batch.missed)
    }

    #[test]
    fn no_more_is_sent_than_the_window_and_acknowledgements_make_room() {
        let mut buffer = filled(5, ROOMY);
        assert_eq!(taken(buffer.take(3)), (vec![1, 2, 3], 0));
        assert!(buffer.take(3).is_none());
        buffer.acknowledge(2);
        assert_eq!(taken(buffer.take(3)), (vec![4, 5], 0));
        buffer.acknowledge(5);
        assert!(buffer.is_empty());
        assert_eq!(buffer.bytes(), 0);
    }

    #[test]
    fn what_was_not_acknowledged_is_sent_again_to_the_next() {
        let mut buffer = filled(3, ROOMY);
        buffer.take(10);
        buffer.acknowledge(1);
        buffer.rewind();
        assert_eq!(taken(buffer.take(10)), (vec![2, 3], 0));
    }

    #[test]
    fn nothing_is_done_with_that_was_not_sent() {
        let mut buffer = filled(3, ROOMY);
        buffer.take(1);
        buffer.acknowledge(u64::MAX);
        assert_eq!(taken(buffer.take(10)), (vec![2, 3], 0));
    }

    #[test]
    fn at_the_bound_the_oldest_go_and_are_told() {
        let mut buffer = filled(5, Bounds { events_max: 3, ..ROOMY });
        assert_eq!(taken(buffer.take(10)), (vec![3, 4, 5], 2));
        assert!(buffer.take(10).is_none(), "it was told once");
        let size = event(1).bytes;
        let bounds = Bounds { bytes_max: size * 2, ..ROOMY };
        let mut buffer = filled(3, bounds);
        assert!(buffer.is_full(bounds));
        assert_eq!(taken(buffer.take(10)), (vec![2, 3], 1));
    }

    #[test]
    fn one_event_is_kept_however_large_it_is() {
        let mut buffer = filled(2, Bounds { bytes_max: 1, ..ROOMY });
        assert_eq!(taken(buffer.take(10)), (vec![2], 1));
    }

    #[test]
    fn batches_have_bounds() {
        let mut buffer = filled(BATCH_EVENTS_MAX as u64 + 1, ROOMY);
        assert_eq!(taken(buffer.take(10_000)).0.len(), BATCH_EVENTS_MAX);
        assert_eq!(taken(buffer.take(10_000)).0.len(), 1);
        let mut buffer = Buffer::default();
        for sequence in 1..=3 {
            let message = ringway_proto::v1::ClientSent {
                payload: vec![0; BATCH_BYTES_MAX / 2].into(),
                ..Default::default()
            };
            let what = Some(ringway_proto::v1::event::What::Message(message));
            buffer.push(Kept::new(Event { sequence, what, ..Event::default() }, None), ROOMY);
        }
        assert_eq!(taken(buffer.take(10)).0, [1]);
        assert_eq!(taken(buffer.take(10)).0, [2]);
    }

    #[test]
    fn whoever_waits_learns_what_became_of_an_event() {
        let (settle, mut acknowledged) = oneshot::channel();
        let (lose, mut lost) = oneshot::channel();
        let bounds = Bounds { events_max: 1, ..ROOMY };
        let mut buffer = Buffer::default();
        buffer.push(Kept::new(Event { sequence: 1, ..Event::default() }, Some(lose)), bounds);
        buffer.push(Kept::new(Event { sequence: 2, ..Event::default() }, Some(settle)), bounds);
        assert_eq!(lost.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        buffer.take(1);
        buffer.acknowledge(2);
        assert_eq!(acknowledged.try_recv(), Ok(()));
    }
}
