//! Tests of what clients may do and how they behave, across workers and across tokens.

use bytes::Bytes;
use ringway_ring::{RingMember, Strategy};

use super::*;
use crate::conduct::ConductPolicy;
use crate::frame::SUBPROTOCOL;
use crate::permissions::{Patterns, Permissions};
use crate::session::Opening;

const CONDUCT: ConductPolicy = ConductPolicy { frames_per_second: 1, frames_burst: 2, offences_max: 1 };
const FIRST: Address = Address { link: LinkId(1), channel: Channel(1) };
const SECOND: Address = Address { link: LinkId(1), channel: Channel(2) };

fn ring(names: &[&str]) -> Arc<Ring> {
    let members = names.iter().map(|name| RingMember::new(MemberId::new(name).unwrap()));
    Arc::new(Ring::build(Strategy::Slots, members).unwrap())
}

fn may_join(pattern: &str) -> Arc<Permissions> {
    Arc::new(Permissions { join: Patterns::new(&[pattern]).unwrap(), ..Permissions::default() })
}

/// A worker that owns everything.
fn shard(name: &str) -> Shard {
    let policy = Policy { conduct: CONDUCT, ..Policy::default() };
    let me = MemberId::new(name).unwrap();
    let mut shard = Shard::new(me, policy, MovePolicy::default(), ring(&[]));
    shard.adopt(ring(&[name]), [], Moment(0), &mut Vec::new());
    shard
}

fn alice() -> UserId {
    UserId::new("alice").unwrap()
}

fn open(shard: &mut Shard, permissions: Arc<Permissions>) -> SessionId {
    let id = SessionId::new(Slot::of(b"alice"), 1);
    let opening = Opening {
        id,
        user: alice(),
        groups: Vec::new(),
        permissions,
        address: FIRST,
        remote_address: "127.0.0.1:1".into(),
        subprotocol: SUBPROTOCOL.into(),
        opened_at_ms: 0,
        epoch: 0,
        resume_token: "".into(),
        device: "".into(),
        has: None,
    };
    shard.open(opening, Moment(0), &mut Vec::new()).unwrap();
    id
}

fn verdicts(shard: &mut Shard, at: Address, moments: &[u64]) -> Vec<Verdict> {
    moments.iter().map(|now| shard.client_spoke(at, Moment(*now)).unwrap().verdict).collect()
}

#[test]
fn a_client_is_known_by_its_session() {
    let mut shard = shard("w1");
    let session = open(&mut shard, may_join("room-*"));
    let spoke = shard.client_spoke(FIRST, Moment(0)).unwrap();
    let expected =
        Speaker { session, user: alice(), permissions: may_join("room-*"), verdict: Verdict::Fine };
    assert_eq!(spoke, expected);
    assert_eq!(shard.client_spoke(SECOND, Moment(0)), None);
    assert_eq!(shard.offence(SECOND, Moment(0)), None);
    assert_eq!(shard.table().address_of(session), Some(FIRST));
}

#[test]
fn each_session_is_judged_for_itself() {
    use Verdict::{Enough, Fine, Offence};
    let mut shard = shard("w1");
    open(&mut shard, Arc::default());
    assert_eq!(verdicts(&mut shard, FIRST, &[0, 0, 0, 0]), [Fine, Fine, Offence, Enough]);
    assert_eq!(shard.offence(FIRST, Moment(999)), Some(Enough));
    assert_eq!(shard.offence(FIRST, Moment(1_000)), Some(Offence));
}

#[test]
fn permissions_travel_with_the_session_and_the_newest_token_decides() {
    let (mut old, mut new, mut out) = (shard("w1"), shard("w2"), Vec::new());
    let id = open(&mut old, may_join("room-*"));
    old.adopt(ring(&["w2"]), [], Moment(0), &mut out);
    old.begin_moves(1, Moment(0), &mut out);
    old.detach(FIRST, Moment(0), &mut out);
    let state = out.into_iter().find_map(|directive| match directive {
        Directive::Detached { state, .. } => Some(*state),
        _ => None,
    });
    let state = state.expect("the session has left");
    let reopening = Reopening { address: FIRST, state, complete: true, passed_offset: 0, passed_messages: 0 };
    new.reopen(reopening, Moment(0), &mut Vec::new()).unwrap();
    assert_eq!(new.client_spoke(FIRST, Moment(0)).unwrap().permissions, may_join("room-*"));

    new.gone(FIRST, true, Moment(0), &mut Vec::new());
    let resuming = Resuming {
        id,
        user: alice(),
        groups: Vec::new(),
        permissions: may_join("hall"),
        address: SECOND,
        offset: 0,
        attempt: 0,
        resume_token: "".into(),
    };
    new.resume(resuming, Moment(0), &mut Vec::new()).unwrap();
    assert_eq!(new.client_spoke(SECOND, Moment(0)).unwrap().permissions, may_join("hall"));
}

#[test]
fn members_of_a_group_are_told_apart() {
    let mut shard = shard("w1");
    let id = open(&mut shard, Arc::default());
    let room = GroupId::new("room").unwrap();
    assert!(!shard.table().is_member(id, &room));
    shard.join(&Target::Session(id), &room, &mut Vec::new()).unwrap();
    assert!(shard.table().is_member(id, &room));
    assert!(!shard.table().is_member(SessionId::new(Slot::of(b"alice"), 2), &room));
    // An answer of the cluster's own finds the session's client wherever it is.
    let payload = Payload::new(Bytes::from_static(b"{}"), crate::payload::Kind::Text).unwrap();
    let mut out = Vec::new();
    shard.send_aside(shard.table().address_of(id).unwrap(), payload, &mut out);
    assert!(matches!(out[..], [Directive::Deliver { .. }]));
}
