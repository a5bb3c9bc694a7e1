//! What is read of a mailbox.

use super::Book;
use crate::clock::UnixTime;
use crate::entry::{Entry, LeftOut, Page, PageBounds};
use crate::names::Offset;

/// A page that is yet to be read from the medium.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading<P> {
    /// Where its entries are, in order.
    pub places: Vec<(Offset, P)>,
    /// What is not among them.
    pub left_out: LeftOut,
    /// The last offset that was looked at.
    pub read_to: Offset,
    /// Whether that is the last one there is.
    pub is_last: bool,
    /// Up to here something has gone that was not withdrawn.
    pub gone_to: Offset,
}

impl<P> Reading<P> {
    /// The page, once its entries are read.
    pub fn page(self, entries: Vec<Entry>) -> Page {
        let Self { left_out, read_to, is_last, gone_to, .. } = self;
        Page { entries, left_out, read_to, is_last, gone_to }
    }
}

impl<P: Clone> Book<P> {
    /// What is to be read behind an offset.
    pub fn read(&self, after: Offset, bounds: PageBounds, now: UnixTime) -> Reading<P> {
        let from = after.next().max(self.first);
        let removed = from.since(after.next());
        let left_out = LeftOut { removed, ..LeftOut::default() };
        let read_to = Offset(from.0 - 1);
        let gone_to = if removed > 0 { read_to } else { Offset::default() };
        let mut reading = Reading { places: Vec::new(), left_out, read_to, is_last: true, gone_to };
        let mut bytes = 0;
        for (offset, mark) in
            self.numbered().skip(usize::try_from(from.since(self.first)).unwrap_or(usize::MAX))
        {
            if self.has_gone(offset, mark, now) {
                reading.gone_to = offset;
            }
            match &mark.place {
                _ if self.withdrawn.contains(offset) => reading.left_out.withdrawn += 1,
                None => reading.left_out.removed += 1,
                Some(_) if mark.is_expired(now) => reading.left_out.expired += 1,
                Some(place) => {
                    bytes += mark.cost_bytes;
                    let count = reading.places.len();
                    if count >= bounds.entries_max || (count > 0 && bytes > bounds.bytes_max) {
                        reading.is_last = false;
                        return reading;
                    }
                    reading.places.push((offset, place.clone()));
                }
            }
            reading.read_to = offset;
        }
        reading
    }
}
