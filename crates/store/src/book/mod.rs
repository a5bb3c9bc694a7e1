//! What is decided about one mailbox: what may go, what is a gap, who has what. Pure: no medium, no clock.
//!
//! A [`Book`] knows of each entry when it was stored, until when it is of use, how large it is, and where its store has it
//! (`P`), but not what it says. A store changes its medium first and then tells the book, or asks the book what
//! may go and then removes that: whatever survives of a mailbox, a book that is made from it is right again.
//!
//! The law: an offset is missing for a device only if the device has acknowledged it, if it was withdrawn, or if
//! [`intact_from`](Book::intact_from) says so.

mod head;
mod page;
mod ranges;
#[cfg(test)]
mod tests;
mod trim;

use std::collections::{BTreeMap, VecDeque};

pub use head::{Device, Head};
pub use page::Reading;
pub use ranges::{OffsetRanges, OffsetRangesError};
pub use trim::Trimmed;

use crate::clock::UnixTime;
use crate::error::StoreError;
use crate::limits::Limits;
use ringway_session::DeviceId;

use crate::names::{Epoch, Offset, Place};
use crate::state::{MailboxState, Stored};

/// What a book knows of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark<P> {
    /// When it was stored.
    pub stored_at: UnixTime,
    /// From when on it is of no use.
    pub expires_at: UnixTime,
    /// What it counts.
    pub cost_bytes: u64,
    /// Where it is; nowhere if it was lost.
    pub place: Option<P>,
}

/// One mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Book<P> {
    epoch: Epoch,
    first: Offset,
    intact_from: Offset,
    marks: VecDeque<Mark<P>>,
    cost_bytes: u64,
    withdrawn: OffsetRanges,
    devices: BTreeMap<DeviceId, Device>,
    used_at: UnixTime,
}

impl<P> Book<P> {
    /// A mailbox in which nothing was ever stored.
    pub fn new(epoch: Epoch, now: UnixTime) -> Self {
        Self::from_head(Head::new(epoch, now))
    }

    /// The present numbering.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The oldest offset that is there.
    pub fn first(&self) -> Offset {
        self.first
    }

    /// The offset that the next entry gets.
    pub fn next(&self) -> Offset {
        self.first.plus(self.marks.len() as u64)
    }

    /// Where the next append belongs.
    pub fn end(&self) -> Place {
        Place { epoch: self.epoch, offset: self.next() }
    }

    /// From here on nothing has gone that a known device has not acknowledged, except what was withdrawn.
    pub fn intact_from(&self) -> Offset {
        self.intact_from
    }

    /// What its entries count together.
    pub fn cost_bytes(&self) -> u64 {
        self.cost_bytes
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// Takes note of an entry at the end. `place` is where its store has it.
    pub fn push(&mut self, mark: Mark<P>) {
        self.used_at = self.used_at.max(mark.stored_at);
        self.cost_bytes += mark.cost_bytes;
        self.marks.push_back(mark);
    }

    /// Somebody has looked at it: it is in use.
    pub fn touch(&mut self, now: UnixTime) {
        self.used_at = self.used_at.max(now);
    }

    /// A device has everything up to there. `true` if that is news which is worth being written down.
    ///
    /// # Errors
    /// `Conflict` for another epoch, `NeverAppended` for an offset beyond the end.
    pub fn acknowledge(
        &mut self,
        device: &DeviceId,
        upto: Place,
        now: UnixTime,
        limits: &Limits,
    ) -> Result<bool, StoreError> {
        self.check_epoch(upto.epoch)?;
        let (offset, next) = (upto.offset, self.next());
        if offset >= next {
            return Err(StoreError::NeverAppended { offset, next });
        }
        self.touch(now);
        let news = match self.devices.get_mut(device) {
            Some(known) => known.acknowledge(offset, now, limits),
            None => {
                // Nothing was kept for it so far: what has gone is not missing for it later either.
                let offset = offset.max(Offset(self.first.0 - 1));
                self.devices.insert(device.clone(), Device { offset, seen_at: now }).is_none()
            }
        };
        self.bound_devices(limits.devices_max);
        Ok(news)
    }

    /// These are needed by nobody any more. `true` if that is news.
    ///
    /// # Errors
    /// `Conflict` for another epoch.
    pub fn withdraw(&mut self, epoch: Epoch, offsets: &[Offset]) -> Result<bool, StoreError> {
        self.check_epoch(epoch)?;
        let there = self.first..self.next();
        let mut news = false;
        for offset in offsets.iter().filter(|offset| there.contains(offset)) {
            news |= self.withdrawn.insert(*offset);
        }
        Ok(news)
    }

    /// What a new owner learns. `message_id` reads an entry's id, if it can be read.
    ///
    /// # Errors
    /// What `message_id` says.
    pub fn state<E>(
        &self,
        now: UnixTime,
        limits: &Limits,
        mut message_id: impl FnMut(&P) -> Result<Option<String>, E>,
    ) -> Result<MailboxState, E> {
        let mut recent = Vec::new();
        for (offset, mark) in self.numbered().filter(|(_, mark)| mark.is_recent(now, limits)) {
            let id = mark.place.as_ref().map(&mut message_id).transpose()?.flatten();
            recent.extend(id.map(|message_id| Stored { message_id, offset }));
        }
        let behind_gone = |counts: fn(&Self, Offset) -> bool| {
            let is_it = |(offset, mark): &(Offset, &Mark<P>)| {
                self.has_gone(*offset, mark, now) && counts(self, *offset)
            };
            self.numbered().rev().find(is_it).map_or(Offset::default(), |(offset, _)| offset.next())
        };
        let intact_from = self.intact_from.max(behind_gone(|book, offset| !book.is_settled(offset)));
        Ok(MailboxState {
            epoch: self.epoch,
            first: self.first,
            next: self.next(),
            intact_from,
            whole_from: intact_from.max(self.first).max(behind_gone(|_, _| true)),
            positions: self.devices.iter().map(|(id, device)| (id.clone(), device.offset)).collect(),
            recent,
        })
    }

    /// Refuses another numbering.
    ///
    /// # Errors
    /// `Conflict`.
    pub fn check_epoch(&self, epoch: Epoch) -> Result<(), StoreError> {
        if epoch == self.epoch { Ok(()) } else { Err(StoreError::Conflict) }
    }

    /// Refuses an append anywhere but at the end.
    ///
    /// # Errors
    /// `Conflict`.
    pub fn check_end(&self, at: Place) -> Result<(), StoreError> {
        if at == self.end() { Ok(()) } else { Err(StoreError::Conflict) }
    }

    /// Begins another epoch, from which clients learn that they may have missed something. What is there stays.
    pub fn renew(&mut self, epoch: Epoch) {
        self.epoch = epoch;
    }

    /// Whether something that is yet to be removed can be read no more: it has expired or was lost, and nobody has withdrawn it.
    fn has_gone(&self, offset: Offset, mark: &Mark<P>, now: UnixTime) -> bool {
        (mark.place.is_none() || mark.is_expired(now)) && !self.withdrawn.contains(offset)
    }

    fn numbered(&self) -> impl DoubleEndedIterator<Item = (Offset, &Mark<P>)> {
        self.marks.iter().enumerate().map(|(index, mark)| (self.first.plus(index as u64), mark))
    }

    fn bound_devices(&mut self, devices_max: usize) {
        while self.devices.len() > devices_max {
            let silent = self.devices.iter().min_by_key(|(_, device)| device.seen_at);
            let Some(id) = silent.map(|(id, _)| id.clone()) else { return };
            self.devices.remove(&id);
        }
    }
}

impl<P> Mark<P> {
    fn is_expired(&self, now: UnixTime) -> bool {
        self.expires_at <= now
    }

    /// Whether its message's id must still be known.
    fn is_recent(&self, now: UnixTime, limits: &Limits) -> bool {
        now.since(self.stored_at) < limits.idempotency_window
    }
}
