//! The members that this process carries. Only the last one to join under an id may change its record, and none of them
//! once another process has taken the id over. Pure: the time is given.

use std::collections::BTreeMap;
use std::time::Instant;

use ringway_cluster::{Member, RegistryError};
use ringway_ring::MemberId;

use crate::record::Record;

/// One for each member.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    by_id: BTreeMap<MemberId, Seat>,
    joins: u64,
}

#[derive(Debug)]
struct Seat {
    join: u64,
    record: Record,
    /// When it was noticed that another process holds the id.
    lost: Option<Instant>,
}

impl Seats {
    /// Takes the seat of an id, whoever had it before, and returns which join it was.
    pub(crate) fn take(&mut self, member: Member, joined: u64) -> u64 {
        self.joins += 1;
        let (id, join) = (member.id.clone(), self.joins);
        self.by_id.insert(id, Seat { join, record: Record { joined, member }, lost: None });
        join
    }

    /// Shows the member of a join differently.
    pub(crate) fn update(&mut self, join: u64, member: Member) -> Result<(), RegistryError> {
        match self.by_id.get_mut(&member.id).filter(|seat| seat.join == join && seat.lost.is_none()) {
            Some(seat) => seat.record.member = member,
            None => return Err(RegistryError::Superseded { id: member.id }),
        }
        Ok(())
    }

    /// Frees the seat of a join, and tells whether it still had the id.
    pub(crate) fn leave(&mut self, id: &MemberId, join: u64) -> bool {
        if self.by_id.get(id).is_none_or(|seat| seat.join != join) {
            return false;
        }
        self.by_id.remove(id).is_some_and(|seat| seat.lost.is_none())
    }

    /// Since when a join does not hold the id any more, at the latest; nothing while it does.
    pub(crate) fn lost(&self, id: &MemberId, join: u64, now: Instant) -> Option<Instant> {
        match self.by_id.get(id).filter(|seat| seat.join == join) {
            Some(seat) => seat.lost,
            None => Some(now),
        }
    }

    /// Takes note of a record of another process: a later one for the same id takes it away from us. Tells whether it did
    /// so just now.
    pub(crate) fn heed(&mut self, other: &Record, now: Instant) -> bool {
        let seat = self.by_id.get_mut(&other.member.id);
        let held = seat.filter(|seat| seat.lost.is_none() && other.is_after(&seat.record));
        let Some(seat) = held else { return false };
        seat.lost = Some(now);
        true
    }

    /// The records of all members that this process holds.
    pub(crate) fn records(&self) -> impl Iterator<Item = &Record> {
        self.by_id.values().filter(|seat| seat.lost.is_none()).map(|seat| &seat.record)
    }

    /// Frees all seats.
    pub(crate) fn clear(&mut self) {
        self.by_id.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(incarnation: u64) -> Member {
        let member = Member::new("w1".parse().unwrap(), "http://127.0.0.1:7071".parse().unwrap());
        Member { incarnation, ..member }
    }

    fn superseded<T>(result: &Result<T, RegistryError>) -> bool {
        matches!(result, Err(RegistryError::Superseded { .. }))
    }

    #[test]
    fn the_last_to_join_has_the_seat() {
        let (mut seats, id) = (Seats::default(), member(1).id);
        let (former, present) = (seats.take(member(1), 1), seats.take(member(2), 2));
        assert!(superseded(&seats.update(former, member(1))));
        assert!(!seats.leave(&id, former));
        assert_eq!(seats.records().map(|record| record.member.incarnation).collect::<Vec<_>>(), [2]);
        assert!(seats.leave(&id, present));
        assert_eq!(seats.records().count(), 0);
    }

    #[test]
    fn another_process_takes_the_id_over_if_it_joined_later() {
        let (mut seats, id, now) = (Seats::default(), member(1).id, Instant::now());
        let join = seats.take(member(5), 5);
        let record = |joined, incarnation| Record { joined, member: member(incarnation) };
        assert!(!seats.heed(&record(4, 9), now));
        assert!(!seats.heed(&record(5, 5), now), "it is our own");
        assert_eq!(seats.lost(&id, join, now), None);
        assert!(seats.heed(&record(5, 6), now), "of two at one moment the higher incarnation counts");
        assert!(!seats.heed(&record(6, 6), now), "it is lost already");
        assert_eq!(seats.lost(&id, join, now), Some(now));
        assert!(superseded(&seats.update(join, member(5))) && !seats.leave(&id, join));
    }
}
