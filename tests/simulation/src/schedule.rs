//! What happens next: a clock that jumps from event to event. Events of one moment happen in the order of their planning.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Milliseconds since a history's beginning.
pub(crate) type Time = u64;

#[derive(Debug)]
struct Entry<E> {
    at: Time,
    sequence: u64,
    event: E,
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    /// The earliest is the greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}

/// Events by their time.
#[derive(Debug)]
pub(crate) struct Schedule<E> {
    entries: BinaryHeap<Entry<E>>,
    planned: u64,
    pub(crate) now: Time,
}

impl<E> Schedule<E> {
    pub(crate) fn new() -> Self {
        Schedule { entries: BinaryHeap::new(), planned: 0, now: 0 }
    }

    pub(crate) fn at(&mut self, at: Time, event: E) {
        self.planned += 1;
        self.entries.push(Entry { at: at.max(self.now), sequence: self.planned, event });
    }

    pub(crate) fn after(&mut self, delay_ms: u64, event: E) {
        self.at(self.now + delay_ms, event);
    }

    /// The next event up to `end`; the clock stands at its time then, or at the end.
    pub(crate) fn next(&mut self, end: Time) -> Option<E> {
        if self.entries.peek().is_none_or(|entry| entry.at > end) {
            self.now = self.now.max(end);
            return None;
        }
        let entry = self.entries.pop()?;
        self.now = entry.at;
        Some(entry.event)
    }

    pub(crate) fn planned(&self) -> u64 {
        self.planned
    }
}
