//! Budgets of allocations: what the state of a worker may ask of the allocator for a message. Counts, so they are the same on every
//! machine.

use std::sync::Arc;

use allocation_counter::{AllocationInfo, measure};
use bytes::Bytes;
use ringway_ring::Slot;
use ringway_session::{
    Address, Channel, Directive, GroupId, Kind, LinkId, Message, Opening, Payload, Policy, SessionId,
    SessionTable, UserId,
};

const MEMBERS: u64 = 1000;

/// As many users on one link, all in one group.
fn table() -> SessionTable {
    let (mut table, mut out) = (SessionTable::new(Policy::default()), Vec::new());
    for number in 0..MEMBERS {
        let name = format!("user{number}");
        let opening = Opening {
            id: SessionId::new(Slot::of(name.as_bytes()), number.into()),
            user: UserId::new(&name).expect("a good name"),
            groups: vec![group()],
            permissions: Arc::default(),
            address: Address { link: LinkId(1), channel: Channel(number) },
            remote_address: "127.0.0.1:1".into(),
            subprotocol: "".into(),
            opened_at_ms: 0,
            epoch: 0,
            resume_token: "".into(),
            device: "".into(),
            has: None,
        };
        table.open(opening, &mut out).expect("there is room");
    }
    table
}

fn group() -> GroupId {
    GroupId::new("room").expect("a good name")
}

fn message() -> Message {
    Message::of(Payload::new(Bytes::from_static(b"hello"), Kind::Text).expect("it is text"))
}

/// What `act` asks of the allocator when it is done for the second time: then everything has the size that it needs.
fn second_time(mut act: impl FnMut(&mut Vec<Directive>)) -> AllocationInfo {
    let mut out = Vec::with_capacity(8);
    act(&mut out);
    out.clear();
    measure(|| act(&mut out))
}

#[test]
fn a_message_to_a_user_allocates_its_list_of_receivers_and_that_of_links() {
    let (mut table, message) = (table(), message());
    let user = UserId::new("user7").expect("a good name");
    let counted = second_time(|out| _ = table.send_to_user(&user, &message, &[], out));
    assert!(counted.count_total <= 2 && counted.bytes_total <= 96, "{counted:?}");
}

#[test]
fn a_message_to_a_group_allocates_for_its_list_of_receivers_and_not_for_each_of_them() {
    let (mut table, message, group) = (table(), message(), group());
    let counted = second_time(|out| _ = table.send_to_group(&group, &message, &[], out));
    assert!(counted.count_total <= 16 && counted.bytes_total <= 32 * MEMBERS, "{counted:?}");
}

#[test]
fn reports_of_what_was_written_allocate_nothing() {
    let (mut table, message, group) = (table(), message(), group());
    let mut out = Vec::new();
    for _ in 0..2 {
        table.send_to_group(&group, &message, &[], &mut out);
        let reports = (0..MEMBERS).map(|number| (Channel(number), 5 + 64));
        let counted = measure(|| table.written(LinkId(1), reports, &mut out));
        assert_eq!(counted.count_total, 0, "{counted:?}");
    }
}
