//! What can be wrong with the input of a placement, in words for the person who wrote that input.

use thiserror::Error;

use crate::member::MemberId;
use crate::roster::MEMBERS_MAX;
use crate::slot::{SLOT_COUNT, Slot};

/// Why an id, a weight, a name, a member set or a received table was refused.
#[derive(Clone, Debug, Eq, PartialEq, Error)]
pub enum RingError {
    /// A member id of zero bytes.
    #[error("a member id is empty; it must have 1 to 255 bytes of UTF-8")]
    EmptyMemberId,
    /// A member id longer than 255 bytes.
    #[error("a member id has {bytes} bytes; it must have 1 to 255 bytes of UTF-8")]
    LongMemberId {
        /// The length of the refused id in bytes.
        bytes: usize,
    },
    /// A member id with a character of Unicode's category Cc (U+0000 to U+001F, U+007F to U+009F).
    #[error("member id {id:?} has a control character at byte {at}; ids are text without control characters")]
    ControlCharacter {
        /// The refused id.
        id: String,
        /// The position of the first control character, in bytes.
        at: usize,
    },
    /// A weight above 100.
    #[error("weight {weight} is too large; a weight is a whole number from 0 (owns nothing) to 100")]
    LargeWeight {
        /// The refused weight.
        weight: u32,
    },
    /// A text that is no weight at all.
    #[error("{text:?} is not a weight; it must be a whole number from 0 (owns nothing) to 100")]
    MalformedWeight {
        /// The refused text.
        text: String,
    },
    /// A strategy's name that is not known.
    #[error("placement strategy {name:?} is not known; it must be \"slots\" or \"hashring\"")]
    UnknownStrategy {
        /// The refused name.
        name: String,
    },
    /// A slot number that is not below [`SLOT_COUNT`].
    #[error("slot {index} does not exist; slots are numbered from 0 to {}", SLOT_COUNT - 1)]
    UnknownSlot {
        /// The refused number.
        index: u32,
    },
    /// A text that is no ring version.
    #[error("{text:?} is not a ring version; it must be 16 lower-case hexadecimal digits")]
    MalformedVersion {
        /// The refused text.
        text: String,
    },
    /// The same id twice in one member set.
    #[error("member {id} is listed more than once; every member of a ring needs an id of its own")]
    DuplicateMember {
        /// The repeated id.
        id: MemberId,
    },
    /// More members than 16-bit indexes can name.
    #[error("{members} members are too many; one ring holds at most {MEMBERS_MAX}")]
    TooManyMembers {
        /// How many members there were.
        members: usize,
    },
    /// A received table that does not have one entry for each slot.
    #[error("the table has {entries} entries; it must have one for each of the {SLOT_COUNT} slots")]
    TableLength {
        /// How many entries there were.
        entries: usize,
    },
    /// A received table with an index that names no member.
    #[error(
        "the table gives slot {slot} to index {index}, but there are {active} members with weight above 0"
    )]
    TableIndex {
        /// The slot with the wrong entry.
        slot: Slot,
        /// The wrong entry.
        index: u16,
        /// How many members an index can name.
        active: usize,
    },
    /// A received table that was not made from these members by this specification.
    #[error("the table gives slot {slot} to index {found}, but these members give it to index {expected}")]
    TableDisagrees {
        /// The first checked slot whose entry is wrong.
        slot: Slot,
        /// The entry in the table.
        found: u16,
        /// The entry that the specification gives.
        expected: u16,
    },
}
