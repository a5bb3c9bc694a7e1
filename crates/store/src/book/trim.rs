//! What may go, and what must.

use std::time::Duration;

use super::{Book, Mark};
use crate::clock::UnixTime;
use crate::limits::Limits;
use ringway_session::DeviceId;

use crate::names::Offset;

/// What was taken out of a book. Its store removes that when it suits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trimmed<P> {
    /// Where the entries are.
    pub places: Vec<P>,
    /// What they counted.
    pub cost_bytes: u64,
    /// Whether there is anything that should be written down of it.
    pub is_news: bool,
}

impl<P> Book<P> {
    /// Takes out what nobody needs any more, and the oldest of what is too much. Forgets devices that have been silent for too
    /// long.
    pub fn trim(&mut self, now: UnixTime, limits: &Limits) -> Trimmed<P> {
        let mut trimmed =
            Trimmed { places: Vec::new(), cost_bytes: 0, is_news: self.forget_devices(now, limits) };
        while let Some(mark) = self.marks.front() {
            if !self.is_too_much(limits) && !self.is_spent(mark, now, limits) {
                break;
            }
            self.take_first(&mut trimmed);
        }
        self.withdrawn.forget_before(self.first);
        trimmed
    }

    /// Whether nothing is lost if the whole mailbox is forgotten.
    pub fn is_forgettable(&self, now: UnixTime, limits: &Limits) -> bool {
        self.marks.is_empty() && now.since(self.used_at) > limits.mailbox_forget_after
    }

    /// The earliest time at which something may go that is there now for no other reason than its message's id.
    pub fn spent_at(&self, now: UnixTime, limits: &Limits) -> Option<UnixTime> {
        let first = self.marks.front().filter(|mark| self.is_dead(self.first, mark, now))?;
        Some(first.stored_at.plus(limits.idempotency_window).max(now))
    }

    /// Whether every known device has it, and there is one; or it was withdrawn.
    pub(super) fn is_settled(&self, offset: Offset) -> bool {
        let acknowledged = || self.devices.values().all(|device| device.offset >= offset);
        self.withdrawn.contains(offset) || (!self.devices.is_empty() && acknowledged())
    }

    fn take_first(&mut self, trimmed: &mut Trimmed<P>) {
        let Some(mark) = self.marks.pop_front() else { return };
        if !self.is_settled(self.first) {
            self.intact_from = self.intact_from.max(self.first.next());
        }
        self.first = self.first.next();
        self.cost_bytes -= mark.cost_bytes;
        trimmed.cost_bytes += mark.cost_bytes;
        trimmed.places.extend(mark.place);
        trimmed.is_news = true;
    }

    pub(super) fn is_too_much(&self, limits: &Limits) -> bool {
        self.marks.len() as u64 > limits.entries_max || self.cost_bytes > limits.bytes_max
    }

    /// Whether it is needed for nothing.
    fn is_spent(&self, mark: &Mark<P>, now: UnixTime, limits: &Limits) -> bool {
        mark.place.is_none() || (!mark.is_recent(now, limits) && self.is_dead(self.first, mark, now))
    }

    /// Whether no device needs it any more.
    fn is_dead(&self, offset: Offset, mark: &Mark<P>, now: UnixTime) -> bool {
        mark.is_expired(now) || self.is_settled(offset)
    }

    fn forget_devices(&mut self, now: UnixTime, limits: &Limits) -> bool {
        let silent_for = |seen_at| now.since(seen_at);
        let limit: Duration = limits.device_forget_after;
        let is_silent = |seen_at| silent_for(seen_at) > limit;
        let silent = self.devices.iter().filter(|(_, device)| is_silent(device.seen_at));
        let silent: Vec<DeviceId> = silent.map(|(id, _)| id.clone()).collect();
        silent.iter().for_each(|id| _ = self.devices.remove(id));
        !silent.is_empty()
    }
}
