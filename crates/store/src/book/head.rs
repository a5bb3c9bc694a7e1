//! What must be written down of a mailbox beside its entries, and how a book is made from both.

use std::collections::{BTreeMap, VecDeque};

use super::{Book, Mark, OffsetRanges};
use crate::clock::UnixTime;
use crate::limits::Limits;
use ringway_session::DeviceId;

use crate::names::{Epoch, Offset};

/// How much of the time after which something is forgotten may pass before its use is written down.
const REFRESH_SHARE: u32 = 8;

/// How large a hole in a mailbox may be for what stands before it to be of use.
const HOLE_MAX: u64 = 100_000;

/// What is written down of a mailbox beside its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The numbering.
    pub epoch: Epoch,
    /// Everything before this is of no use, though it may still be there.
    pub first: Offset,
    /// The next offset, as far as was known.
    pub next: Offset,
    /// From here on nothing has gone that a known device has not acknowledged.
    pub intact_from: Offset,
    /// What was withdrawn.
    pub withdrawn: OffsetRanges,
    /// Who has what.
    pub devices: BTreeMap<DeviceId, Device>,
    /// When it was used last, roughly.
    pub used_at: UnixTime,
}

/// One of a user's devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// It has everything up to here.
    pub offset: Offset,
    /// When it was heard of last, roughly.
    pub seen_at: UnixTime,
}

impl Device {
    /// What both say of it: the furthest position, and the last word.
    #[must_use]
    pub fn joined(self, other: Self) -> Self {
        Self { offset: self.offset.max(other.offset), seen_at: self.seen_at.max(other.seen_at) }
    }

    /// It has everything up to there. `true` if that is worth being written down.
    pub(super) fn acknowledge(&mut self, offset: Offset, now: UnixTime, limits: &Limits) -> bool {
        let stale = now.since(self.seen_at) > limits.device_forget_after / REFRESH_SHARE;
        let further = offset > self.offset;
        if further || stale {
            *self = self.joined(Self { offset, seen_at: now });
        }
        further || stale
    }
}

impl Head {
    /// Of a mailbox in which nothing was ever stored.
    pub fn new(epoch: Epoch, now: UnixTime) -> Self {
        Self {
            epoch,
            first: Offset::FIRST,
            next: Offset::FIRST,
            intact_from: Offset::FIRST,
            withdrawn: OffsetRanges::default(),
            devices: BTreeMap::new(),
            used_at: now,
        }
    }
}

impl<P> Book<P> {
    /// The book of a mailbox whose entries are [loaded](Self::load) next, and which is [complete](Self::complete) then.
    pub fn from_head(head: Head) -> Self {
        Self {
            epoch: head.epoch,
            first: head.first,
            intact_from: head.intact_from,
            marks: VecDeque::new(),
            cost_bytes: 0,
            withdrawn: head.withdrawn,
            devices: head.devices,
            used_at: head.used_at,
        }
    }

    /// Takes note of an entry that is there, in the order of offsets. `false` if it is of no use any more.
    pub fn load(&mut self, offset: Offset, mark: Mark<P>) -> bool {
        if offset < self.next() {
            return false;
        }
        self.complete(offset);
        self.push(mark);
        true
    }

    /// Everything that is there before `next` was loaded: what was not has gone.
    pub fn complete(&mut self, next: Offset) {
        let missing = next.since(self.next());
        if missing == 0 {
            return;
        }
        // At the beginning it was removed; elsewhere somebody else has taken it out.
        let (from, is_small) = (self.next().0, missing <= HOLE_MAX);
        if !(is_small && (from..next.0).all(|offset| self.is_settled(Offset(offset)))) {
            self.intact_from = next;
        }
        if self.marks.is_empty() || missing > HOLE_MAX {
            (self.first, self.cost_bytes) = (next, 0);
            self.marks.clear();
            self.withdrawn.forget_before(next);
            return;
        }
        let lost =
            || Mark { stored_at: UnixTime(0), expires_at: UnixTime(u64::MAX), cost_bytes: 0, place: None };
        self.marks.extend((0..missing).map(|_| lost()));
    }

    /// Takes over what another head of the same epoch knows of devices and of what was withdrawn. `true` if there was any.
    pub fn merge(&mut self, head: &Head) -> bool {
        if head.epoch != self.epoch {
            return false;
        }
        let last = Offset(self.next().0 - 1);
        for (id, device) in &head.devices {
            let known = self.devices.entry(id.clone()).or_insert(*device);
            let joined = known.joined(*device);
            *known = Device { offset: joined.offset.min(last), ..joined };
        }
        head.withdrawn.iter().for_each(|offset| _ = self.withdrawn.insert(offset));
        self.withdrawn.forget_before(self.first);
        true
    }

    /// What is to be written down.
    pub fn head(&self) -> Head {
        Head {
            epoch: self.epoch,
            first: self.first,
            next: self.next(),
            intact_from: self.intact_from,
            withdrawn: self.withdrawn.clone(),
            devices: self.devices.clone(),
            used_at: self.used_at,
        }
    }

    /// Whether its use must be written down again, so that it is not forgotten too early.
    pub fn is_refresh_due(&self, written_at: UnixTime, limits: &Limits) -> bool {
        self.used_at.since(written_at) > limits.mailbox_forget_after / REFRESH_SHARE
    }
}
