//! Strategy `hashring`: the classic ring of virtual points, kept by the crate `hashring`.
//!
//! Positions are hashed by ourselves and only carried through the crate's hasher, because Rust's `Hash`
//! encoding is no format that another language could follow. Points are added in one batch in id order, so
//! that of points at one position the first in id order is found. `HashRing::get` is the only look-up used:
//! `get_with_replicas` clones the whole ring at every call, and counts points, not members.

use std::hash::{BuildHasherDefault, Hash, Hasher};

use hashring::HashRing;

use crate::hash::numbered;
use crate::member::RingMember;
use crate::roster::Roster;
use crate::slot::{SLOT_COUNT, Slot};
use crate::table::{NO_OWNER, Table};

/// How many points a member has for each unit of its weight.
const POINTS_PER_WEIGHT: u32 = 160;

/// All points of all members.
pub(crate) struct Circle {
    points: HashRing<Point, BuildHasherDefault<PassThrough>>,
    active: usize,
}

/// A virtual point of a member.
#[derive(Clone, Copy)]
struct Point {
    position: Position,
    /// The member's table index.
    member: u16,
}

/// A place on the circle of 64-bit hashes.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Position(u64);

impl Circle {
    /// Puts every member's points on the circle.
    pub(crate) fn new(roster: &Roster) -> Self {
        let points_of = |(member, it): (u16, &RingMember)| {
            let numbers = 0..POINTS_PER_WEIGHT * u32::from(it.weight);
            numbered(it.id.as_str(), numbers).map(move |hash| Point { position: Position(hash), member })
        };
        let mut points = HashRing::with_hasher(BuildHasherDefault::default());
        points.batch_add((0..).zip(roster.active()).flat_map(points_of).collect());
        Self { points, active: roster.active().len() }
    }

    /// The owner of each slot: the member of the first point at or after the middle of the slot's interval.
    pub(crate) fn table(&self) -> Table {
        let mut owners = Vec::with_capacity(SLOT_COUNT);
        let mut slots = Slot::all().map(|slot| Position(slot.middle())).peekable();
        while let Some(middle) = slots.next() {
            let point = self.points.get(&middle);
            let owner = point.map_or(NO_OWNER, |point| point.member);
            owners.push(owner);
            // The slots up to that point have the same owner. Beyond the last point there is none to go up
            // to.
            let shares = |next: &Position| point.is_none_or(|point| *next <= point.position);
            while slots.next_if(shares).is_some() {
                owners.push(owner);
            }
        }
        Table::try_from(owners).expect("one entry for each slot")
    }

    /// The table indexes of all active members in the order in which their points follow the slot clockwise.
    pub(crate) fn rank(&self, slot: Slot) -> Vec<u16> {
        let mut seen = vec![false; self.active];
        let mut first_seen = |member: &u16| !std::mem::replace(&mut seen[usize::from(*member)], true);
        let members = self.clockwise(Position(slot.middle())).map(|point| point.member);
        members.filter(|member| first_seen(member)).take(self.active).collect()
    }

    /// All points, once around the circle.
    fn clockwise(&self, from: Position) -> impl Iterator<Item = &Point> {
        let next = |point: &&Point| self.points.get(&Position(point.position.0.wrapping_add(1)));
        std::iter::successors(self.points.get(&from), next).take(self.points.len())
    }
}

impl Hash for Point {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.position.hash(state);
    }
}

/// A hasher that gives back the one number written to it.
#[derive(Default)]
struct PassThrough(u64);

impl Hasher for PassThrough {
    fn write(&mut self, _bytes: &[u8]) {
        unreachable!("a position writes itself as one u64");
    }

    fn write_u64(&mut self, position: u64) {
        self.0 = position;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
