//! The list of members inside one process: what the static and the in-memory registry have in common.
//!
//! A seat may be reserved (a static list names it) and may be taken (somebody joined). Reserved seats stay when their
//! holder leaves; others go with him. Only the last one to take a seat may change it. On a board of listed members a
//! seat without a reservation is not shown: its holder waits to be listed again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use ringway_ring::MemberId;
use tokio::sync::watch;

use crate::member::Member;
use crate::registry::{Lease, MemberList, RegistryError, show_list};

/// All seats, and the list that follows from them.
pub(crate) struct Board {
    seats: Mutex<Seats>,
    lists: watch::Sender<MemberList>,
}

#[derive(Default)]
struct Seats {
    by_id: BTreeMap<MemberId, Seat>,
    shown: Shown,
    joins: u64,
}

/// Which seats are shown.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
enum Shown {
    /// All of them.
    #[default]
    All,
    /// Those that are reserved.
    Listed,
}

#[derive(Default)]
struct Seat {
    reserved: Option<Member>,
    taken: Option<Taken>,
}

/// Who sits there: which join it was, and how the member shows itself.
struct Taken {
    join: u64,
    member: Member,
}

impl Board {
    /// A board of listed members: with these seats reserved.
    pub(crate) fn new(reserved: Vec<Member>) -> Result<Self, RegistryError> {
        let mut seats = Seats { shown: Shown::Listed, ..Seats::default() };
        seats.reserve(reserved)?;
        let lists = watch::Sender::new(seats.list());
        Ok(Self { seats: Mutex::new(seats), lists })
    }

    /// Reserves these seats instead of those that were reserved before. Whoever has taken a seat keeps it.
    pub(crate) fn relist(&self, reserved: Vec<Member>) -> Result<(), RegistryError> {
        let mut seats = self.lock();
        seats.reserve(reserved)?;
        self.show(&seats);
        Ok(())
    }

    /// The list of this moment, and every later one.
    pub(crate) fn watch(&self) -> watch::Receiver<MemberList> {
        self.lists.subscribe()
    }

    /// The seat that is reserved for a member.
    pub(crate) fn reserved(&self, id: &MemberId) -> Option<Member> {
        self.lock().by_id.get(id)?.reserved.clone()
    }

    /// Takes a member's seat, whoever had it before.
    pub(crate) fn join(self: &Arc<Self>, member: Member) -> BoardLease {
        let mut seats = self.lock();
        seats.joins += 1;
        let (id, join) = (member.id.clone(), seats.joins);
        seats.by_id.entry(id.clone()).or_default().taken = Some(Taken { join, member });
        self.show(&seats);
        BoardLease { board: Arc::clone(self), id, join }
    }

    fn update(&self, lease: &BoardLease, member: Member) -> Result<(), RegistryError> {
        let mut seats = self.lock();
        let seat = seats.by_id.get_mut(&lease.id);
        match seat.and_then(|seat| seat.taken.as_mut()).filter(|taken| taken.join == lease.join) {
            Some(taken) => taken.member = member,
            None => return Err(RegistryError::Superseded { id: lease.id.clone() }),
        }
        self.show(&seats);
        Ok(())
    }

    /// Frees the seat if the lease still holds it.
    fn vacate(&self, lease: &BoardLease) -> bool {
        let mut seats = self.lock();
        let seat = seats.by_id.get_mut(&lease.id);
        let Some(seat) = seat.filter(|seat| seat.taken.as_ref().is_some_and(|t| t.join == lease.join)) else {
            return false;
        };
        seat.taken = None;
        if seat.reserved.is_none() {
            seats.by_id.remove(&lease.id);
        }
        self.show(&seats);
        true
    }

    /// Publishes the list while the seats are locked, so that lists appear in the order in which they came about.
    fn show(&self, seats: &Seats) {
        show_list(&self.lists, seats.list());
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Board {
    fn default() -> Self {
        Self { seats: Mutex::default(), lists: watch::Sender::new(MemberList::from([])) }
    }
}

impl Seats {
    fn list(&self) -> MemberList {
        let shown = |seat: &&Seat| self.shown == Shown::All || seat.reserved.is_some();
        self.by_id.values().filter(shown).filter_map(Seat::member).collect()
    }

    /// All or nothing: nothing changes if an id is there twice.
    fn reserve(&mut self, members: Vec<Member>) -> Result<(), RegistryError> {
        let mut reserved = BTreeMap::new();
        for member in members {
            if let Some(former) = reserved.insert(member.id.clone(), member) {
                return Err(RegistryError::Duplicate { id: former.id });
            }
        }
        self.by_id.values_mut().for_each(|seat| seat.reserved = None);
        self.by_id.retain(|_, seat| seat.taken.is_some());
        for (id, member) in reserved {
            self.by_id.entry(id).or_default().reserved = Some(member);
        }
        Ok(())
    }
}

impl Seat {
    /// The member in this seat. A reserved seat decides about placement: where the member is, its weight and state.
    fn member(&self) -> Option<Member> {
        let taken = self.taken.as_ref().map(|taken| taken.member.clone());
        match (&self.reserved, taken) {
            (None, taken) => taken,
            (Some(reserved), None) => Some(reserved.clone()),
            (Some(Member { id, rpc_url, weight, state, .. }), Some(taken)) => Some(Member {
                id: id.clone(),
                rpc_url: rpc_url.clone(),
                weight: *weight,
                state: *state,
                ..taken
            }),
        }
    }
}

/// A taken seat. Dropped, the seat is free again.
pub(crate) struct BoardLease {
    board: Arc<Board>,
    id: MemberId,
    join: u64,
}

#[async_trait]
impl Lease for BoardLease {
    async fn update(&self, member: Member) -> Result<(), RegistryError> {
        if member.id != self.id {
            return Err(RegistryError::OtherMember { held: self.id.clone(), given: member.id });
        }
        self.board.update(self, member)
    }

    fn valid_until(&self) -> Option<Instant> {
        None
    }

    async fn leave(self: Box<Self>) -> Result<(), RegistryError> {
        if self.board.vacate(&self) { Ok(()) } else { Err(RegistryError::Superseded { id: self.id.clone() }) }
    }
}

impl Drop for BoardLease {
    fn drop(&mut self) {
        self.board.vacate(self);
    }
}
