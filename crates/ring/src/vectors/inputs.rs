//! What the vectors are computed from: texts, keys and member sets that an implementation can get wrong.

use crate::member::{MemberId, RingMember};
use crate::slot::{SLOT_COUNT, Slot};
use crate::weight::Weight;

/// A member set, and what it is there for.
pub(super) struct MemberSet {
    pub(super) name: &'static str,
    pub(super) members: Vec<RingMember>,
}

/// Long enough for every way that XXH64 takes.
const TEXT: &str =
    "The quick brown fox jumps over the lazy dog, and the ring of workers turns without a sound.";

/// XXH64 works in stripes of 32 bytes, then in words of 8, then of 4, then in bytes.
const TEXT_LENGTHS: [usize; 13] = [0, 1, 3, 4, 7, 8, 12, 31, 32, 33, 63, 64, 91];

/// Prefixes of one text around the lengths at which the hash changes its way.
pub(super) fn texts() -> impl Iterator<Item = &'static str> {
    TEXT_LENGTHS.into_iter().map(|bytes| &TEXT[..bytes])
}

/// Keys: empty, short, long, with spaces and control characters, outside ASCII, and two that only look alike.
pub(super) fn keys() -> Vec<String> {
    let short = [
        "",
        "a",
        "alice",
        "user-1",
        "user-2",
        TIED_KEY,
        "550e8400-e29b-41d4-a716-446655440000",
        "alice@example.org",
        "two words",
        "tab\tand\nnewline",
        "żółw",
        "用户-42",
        "🦀",
        "caf\u{e9}",
        "cafe\u{301}",
    ];
    short.into_iter().map(str::to_owned).chain(["long ".repeat(60)]).collect()
}

/// The first and the last slots, and those in the middle.
pub(super) fn edge_slots() -> impl Iterator<Item = Slot> {
    let last = SLOT_COUNT as u32 - 1;
    [0, 1, last / 2, last / 2 + 1, last].into_iter().map(|index| Slot::new(index).expect("below SLOT_COUNT"))
}

/// The two members whose only tokens score the same in [`TIED_KEY`]'s slot: the lesser id in byte order owns
/// it.
const TIED_MEMBERS: [(&str, u32); 2] = [("worker-4664", 1), ("worker-1", 1)];

/// A key of slot 253,788.
const TIED_KEY: &str = "user-82830";

/// The member sets, from none to 128.
pub(super) fn member_sets() -> Vec<MemberSet> {
    vec![
        set("no members", &[]),
        set("nobody with a weight", &[("worker-1", 0)]),
        set("one member", &[("worker-1", 1)]),
        set("two members that tie in slot 253788", &TIED_MEMBERS),
        set("three members", &[("worker-1", 1), ("worker-2", 1), ("worker-3", 1)]),
        set(
            "the same three, and one of weight 0",
            &[("worker-3", 1), ("worker-2", 1), ("worker-1", 1), ("worker-0", 0)],
        ),
        set("weights from 0 to 100", &[("none", 0), ("one", 1), ("ten", 10), ("half", 50), ("all", 100)]),
        set("ids with number signs", &[("w", 12), ("w#1", 2), ("w#", 1), ("#", 1)]),
        set(
            "ids outside ASCII, whose order differs in UTF-16",
            &[
                ("\u{1f680}", 1),
                ("\u{ff5a}", 2),
                ("节点-1", 1),
                ("węzeł 2", 1),
                ("caf\u{e9}", 1),
                ("cafe\u{301}", 1),
            ],
        ),
        numbered("16 members", 16),
        numbered("128 members", 128),
    ]
}

fn set(name: &'static str, members: &[(&str, u32)]) -> MemberSet {
    MemberSet { name, members: members.iter().map(|(id, weight)| member(id, *weight)).collect() }
}

fn numbered(name: &'static str, count: u32) -> MemberSet {
    MemberSet { name, members: (1..=count).map(|number| member(&format!("worker-{number}"), 1)).collect() }
}

fn member(id: &str, weight: u32) -> RingMember {
    let weight = Weight::new(weight).expect("weights up to 100");
    RingMember::new(MemberId::new(id).expect("short names")).weighing(weight)
}
