//! Whether a table that came from elsewhere may be used.
//!
//! To check all of it would be to build it. Its form is checked throughout, so that no entry can point
//! nowhere; its content is checked in slots spread evenly over the table, which finds every table that was
//! made from other members, in another order, or by another specification. It does not find single entries
//! changed on purpose: a snapshot is taken from a node that is trusted.

use crate::error::RingError;
use crate::placement::Placement;
use crate::roster::Roster;
use crate::slot::{SLOT_COUNT, Slot};
use crate::table::{NO_OWNER, Table};

/// How many slots are compared with the specification.
const SAMPLED_SLOTS: usize = 256;

/// Checks a table against the members it is said to be made from.
pub(crate) fn check(table: &Table, placement: &Placement, roster: &Roster) -> Result<(), RingError> {
    check_indexes(table, roster.active().len())?;
    Slot::all().step_by(SLOT_COUNT / SAMPLED_SLOTS).try_for_each(|slot| check_owner(table, placement, slot))
}

fn check_indexes(table: &Table, active: usize) -> Result<(), RingError> {
    let names_a_member = |index: u16| usize::from(index) < active || (active == 0 && index == NO_OWNER);
    match Slot::all().zip(table.entries()).find(|(_, index)| !names_a_member(**index)) {
        Some((slot, index)) => Err(RingError::TableIndex { slot, index: *index, active }),
        None => Ok(()),
    }
}

fn check_owner(table: &Table, placement: &Placement, slot: Slot) -> Result<(), RingError> {
    let found = table.owner(slot);
    let expected = placement.rank(slot).first().copied().unwrap_or(NO_OWNER);
    if found == expected { Ok(()) } else { Err(RingError::TableDisagrees { slot, found, expected }) }
}
