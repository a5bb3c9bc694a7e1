//! Tests of what is still to be done after a move, and after a lease has run out.

use bytes::Bytes;
use ringway_ring::{RingMember, Strategy};

use super::*;
use crate::message::Message;
use crate::payload::Kind;
use crate::session::Opening;

const WITHIN: Moment = Moment(5_000);
const LONG_AFTER: Moment = Moment(20_000);

fn ring(names: &[&str]) -> Arc<Ring> {
    let members = names.iter().map(|name| RingMember::new(MemberId::new(name).unwrap()));
    Arc::new(Ring::build(Strategy::Slots, members).unwrap())
}

/// A worker of its own with a session that is in `room`.
fn shard(address: Address) -> Shard {
    let me = MemberId::new("w1").unwrap();
    let (mut shard, mut out) =
        (Shard::new(me, Policy::default(), MovePolicy::default(), ring(&[])), Vec::new());
    shard.adopt(ring(&["w1"]), [], Moment(0), &mut out);
    let opening = Opening {
        id: SessionId::new(Slot::of(b"alice"), 1),
        user: UserId::new("alice").unwrap(),
        groups: vec![GroupId::new("room").unwrap()],
        permissions: Arc::default(),
        address,
        remote_address: "127.0.0.1:1".into(),
        subprotocol: "".into(),
        opened_at_ms: 0,
        epoch: 0,
        resume_token: "".into(),
        device: "".into(),
        has: None,
    };
    shard.open(opening, Moment(0), &mut out).unwrap();
    shard
}

fn vanished(out: &[Directive]) -> bool {
    out.iter().any(|directive| matches!(directive, Directive::GroupVanished(_)))
}

#[test]
fn a_groups_messages_come_until_its_last_member_is_not_followed_any_more() {
    let address = Address { link: LinkId(1), channel: Channel(1) };
    let (mut shard, mut out) = (shard(address), Vec::new());
    let room = GroupId::new("room").unwrap();
    assert!(!shard.lingers(&room), "its member is here");

    shard.adopt(ring(&["w2"]), [], Moment(0), &mut out);
    shard.begin_moves(1, Moment(0), &mut out);
    shard.detach(address, Moment(0), &mut out);
    assert!(vanished(&out) && shard.lingers(&room));
    shard.arrived(address, Moment(0), &mut out);
    out.clear();
    shard.expire(WITHIN, &mut out);
    assert!(!vanished(&out) && shard.lingers(&room), "it has arrived, and is followed");
    shard.expire(LONG_AFTER, &mut out);
    assert!(vanished(&out) && !shard.lingers(&room));
}

#[test]
fn after_its_lease_had_run_out_a_worker_asks_the_others_before_it_acts() {
    let user = UserId::new("alice").unwrap();
    let (mut shard, mut out) = (shard(Address { link: LinkId(1), channel: Channel(1) }), Vec::new());
    // With another worker by which alice stays where she is.
    let stays = |name: &&str| ring(&["w1", name]).owner_of_slot(Slot::of(b"alice")) == Some(&shard.me);
    let name = ["w2", "w3", "w4", "w5", "w6", "w7", "w8"].into_iter().find(stays).unwrap();
    let (other, both) = (MemberId::new(name).unwrap(), ring(&["w1", name]));
    shard.adopt(Arc::clone(&both), [other.clone()], Moment(0), &mut out);
    shard.heard(&other, std::time::Duration::ZERO, Moment(0), &mut out);
    let message = Message::of(Payload::new(Bytes::from_static(b"x"), Kind::Text).unwrap());
    let send =
        |shard: &mut Shard| shard.send_to_user(&user, Sending::of(&message), Moment(0), &mut Vec::new());
    assert!(send(&mut shard).is_ok());

    shard.unsettle();
    assert_eq!(send(&mut shard), Err(NotHere::Unsettled));
    shard.adopt(both, [other.clone()], Moment(0), &mut out);
    assert_eq!(send(&mut shard), Err(NotHere::Unsettled));
    shard.heard(&other, std::time::Duration::ZERO, Moment(0), &mut out);
    assert!(send(&mut shard).is_ok());
}
