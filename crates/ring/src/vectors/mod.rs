//! Golden vectors: what every implementation of the specification must agree on, in any language.
//!
//! `tests/vectors/placement.json` is what [`to_json`] gives. A change of that file is a change of who owns
//! which key in every running cluster, so it happens only with a new version of the specification.

mod inputs;
mod json;

use serde::Serialize;

use crate::hash::xxh64_of;
use crate::member::{MemberId, RingMember};
use crate::ring::Ring;
use crate::slot::Slot;
use crate::strategy::Strategy;
use crate::version::RingVersion;

/// Only the first few successors are listed.
const SUCCESSORS_MAX: usize = 5;

/// All vectors of one version of the specification.
#[derive(Clone, Debug, Serialize)]
pub struct Vectors {
    /// The specification's name and version, as it stands in the text of ring versions.
    pub specification: &'static str,
    /// The hash by itself: texts around the lengths at which XXH64 changes its way.
    pub hashes: Vec<HashVector>,
    /// The slots of keys, which are the same for every ring.
    pub keys: Vec<KeyVector>,
    /// Member sets, each with both strategies.
    pub rings: Vec<RingVector>,
}

/// A text and its hash.
#[derive(Clone, Debug, Serialize)]
pub struct HashVector {
    /// The text, to be hashed as UTF-8.
    pub text: &'static str,
    /// XXH64 with seed 0, as 16 lower-case hexadecimal digits.
    pub xxh64: String,
}

/// A key and its slot.
#[derive(Clone, Debug, Serialize)]
pub struct KeyVector {
    /// The key, to be hashed as UTF-8.
    pub key: String,
    /// Its slot.
    pub slot: Slot,
}

/// What a member set gives.
#[derive(Clone, Debug, Serialize)]
pub struct RingVector {
    /// What this set is there for.
    pub name: &'static str,
    /// How slots are given to members.
    pub strategy: Strategy,
    /// The members, in no particular order.
    pub members: Vec<RingMember>,
    /// The ring version.
    pub version: RingVersion,
    /// XXH64 of the table as little-endian 16-bit numbers, as 16 lower-case hexadecimal digits.
    pub table_digest: String,
    /// Who owns the slots of all keys, and a few slots at the edges.
    pub slots: Vec<SlotVector>,
}

/// A slot, its owner, and who comes after.
#[derive(Clone, Debug, Serialize)]
pub struct SlotVector {
    /// The slot.
    pub slot: Slot,
    /// Its owner; null if the ring is empty.
    pub owner: Option<MemberId>,
    /// The first of its successors: as many as there are, but not more than 5.
    pub successors: Vec<MemberId>,
}

/// Computes all vectors.
pub fn generate() -> Vectors {
    let keys = inputs::keys();
    let sets = inputs::member_sets();
    let rings =
        sets.iter().flat_map(|set| Strategy::ALL.map(|strategy| RingVector::of(set, strategy, &keys)));
    Vectors {
        specification: "ringway/1",
        hashes: inputs::texts().map(HashVector::of).collect(),
        rings: rings.collect(),
        keys: keys.into_iter().map(KeyVector::of).collect(),
    }
}

/// All vectors as the text of `tests/vectors/placement.json`, newline at the end included.
pub fn to_json() -> String {
    json::to_text(&generate())
}

impl HashVector {
    fn of(text: &'static str) -> Self {
        Self { text, xxh64: hex(xxh64_of(text.as_bytes())) }
    }
}

impl KeyVector {
    fn of(key: String) -> Self {
        Self { slot: Slot::of(key.as_bytes()), key }
    }
}

impl RingVector {
    fn of(set: &inputs::MemberSet, strategy: Strategy, keys: &[String]) -> Self {
        let ring = Ring::build(strategy, set.members.iter().cloned()).expect("the sets have distinct names");
        let slots = keys.iter().map(|key| Slot::of(key.as_bytes())).chain(inputs::edge_slots());
        Self {
            name: set.name,
            strategy,
            members: set.members.clone(),
            version: ring.version(),
            table_digest: hex(ring.table_digest()),
            slots: slots.map(|slot| SlotVector::of(&ring, slot)).collect(),
        }
    }
}

impl SlotVector {
    fn of(ring: &Ring, slot: Slot) -> Self {
        let successors = ring.successors(slot).into_iter().take(SUCCESSORS_MAX).cloned();
        Self { slot, owner: ring.owner_of_slot(slot).cloned(), successors: successors.collect() }
    }
}

fn hex(number: u64) -> String {
    format!("{number:016x}")
}
