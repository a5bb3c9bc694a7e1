use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use ringway_ring::Slot;

use super::*;
use crate::directive::Channel;
use crate::message::Message;
use crate::payload::{Kind, Payload};
use crate::policy::OnSlowConsumer;

fn text(content: &str) -> Message {
    Message::of(Payload::new(Bytes::copy_from_slice(content.as_bytes()), Kind::Text).unwrap())
}

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

fn group(name: &str) -> GroupId {
    GroupId::new(name).unwrap()
}

fn at(link: u64, channel: u64) -> Address {
    Address { link: LinkId(link), channel: Channel(channel) }
}

fn id(name: &str, number: u64) -> SessionId {
    SessionId::new(Slot::of(name.as_bytes()), number.into())
}

pub(super) fn opening(name: &str, address: Address, groups: &[&str]) -> Opening {
    Opening {
        id: id(name, address.link.0 << 32 | address.channel.0),
        user: user(name),
        groups: groups.iter().map(|name| group(name)).collect(),
        permissions: Arc::default(),
        address,
        remote_address: "127.0.0.1:1".into(),
        subprotocol: "".into(),
        opened_at_ms: 0,
        epoch: 0,
        resume_token: "".into(),
        device: "".into(),
        has: None,
    }
}

/// A table with three sessions: alice on two links, bob on one; alice's first and bob are in `room`.
fn table(policy: Policy) -> (SessionTable, Vec<Directive>) {
    let (mut table, mut out) = (SessionTable::new(policy), Vec::new());
    table.open(opening("alice", at(1, 1), &["room"]), &mut out).unwrap();
    table.open(opening("alice", at(2, 1), &[]), &mut out).unwrap();
    table.open(opening("bob", at(1, 2), &["room"]), &mut out).unwrap();
    (table, out)
}

fn receivers(out: &[Directive]) -> Vec<(u64, Vec<u64>)> {
    let deliveries = out.iter().filter_map(|directive| match directive {
        Directive::Deliver { link, channels, .. } => {
            let mut channels = channels.clone();
            channels.sort_unstable();
            Some((link.0, channels))
        }
        _ => None,
    });
    let mut all: Vec<_> = deliveries.collect();
    all.sort();
    all
}

fn closed(out: &[Directive]) -> Vec<(Address, CloseCode)> {
    let closes = out.iter().filter_map(|directive| match directive {
        Directive::Close { address, code, .. } => Some((*address, *code)),
        _ => None,
    });
    closes.collect()
}

#[test]
fn a_message_crosses_each_link_once() {
    type Send = fn(&mut SessionTable, &mut Vec<Directive>) -> Reach;
    type Case = (&'static str, Send, &'static [(u64, &'static [u64])]);
    let send: [Case; 4] = [
        ("user", |t, out| t.send_to_user(&user("alice"), &text("x"), &[], out), &[(1, &[1]), (2, &[1])]),
        ("group", |t, out| t.send_to_group(&group("room"), &text("x"), &[], out), &[(1, &[1, 2])]),
        ("all", |t, out| t.send_to_all(&text("x"), &[], out), &[(1, &[1, 2]), (2, &[1])]),
        ("nobody", |t, out| t.send_to_user(&user("carol"), &text("x"), &[], out), &[]),
    ];
    for (name, send, expected) in send {
        let (mut table, mut out) = table(Policy::default());
        out.clear();
        let reach = send(&mut table, &mut out);
        let expected: Vec<_> = expected.iter().map(|(link, channels)| (*link, channels.to_vec())).collect();
        assert_eq!(receivers(&out), expected, "{name}");
        assert_eq!(
            reach.sessions as usize,
            expected.iter().map(|(_, channels)| channels.len()).sum::<usize>(),
            "{name}"
        );
    }
}

#[test]
fn an_excluded_session_is_passed_over() {
    let (mut table, mut out) = table(Policy::default());
    out.clear();
    let exclude = [id("alice", 1 << 32 | 1)];
    assert_eq!(table.send_to_all(&text("x"), &exclude, &mut out).sessions, 2);
    assert_eq!(receivers(&out), [(1, vec![2]), (2, vec![1])]);
}

/// What was told of sessions that ended: whose, and how.
fn ended(out: &[Directive]) -> Vec<(&str, End)> {
    let ends = out.iter().filter_map(|directive| match directive {
        Directive::Ended(session) => Some((session.user.as_str(), session.end)),
        _ => None,
    });
    ends.collect()
}

#[test]
fn each_end_is_told_once_and_a_move_is_none() {
    type Act = fn(&mut SessionTable, &mut Vec<Directive>);
    type Case = (&'static str, Act, &'static [(&'static str, End)]);
    const CODE: CloseCode = CloseCode::NORMAL;
    let suspended = Moment(50);
    let cases: [Case; 6] = [
        ("gone", |t, out| _ = t.gone(at(1, 2), out), &[("bob", End::ClientLeft)]),
        (
            "closed",
            |t, out| _ = t.close(&Target::User(user("alice")), CODE, "", out),
            &[("alice", End::Closed(CODE)), ("alice", End::Closed(CODE))],
        ),
        ("outdated", |t, out| _ = t.close(&Target::User(user("bob")), CloseCode::RESUMED, "", out), &[]),
        ("moved", |t, out| _ = t.take_out(id("bob", 1 << 32 | 2), out), &[]),
        ("suspended", |t, _| _ = t.suspend(at(1, 2), Moment(50)), &[]),
        (
            "expired",
            |t, out| {
                t.suspend(at(1, 2), Moment(50));
                t.expire(Moment(50), out);
                t.expire(Moment(51), out);
            },
            &[("bob", End::Expired)],
        ),
    ];
    for (name, act, expected) in cases {
        let (mut table, mut out) = table(Policy { tell_ends: true, ..Policy::default() });
        act(&mut table, &mut out);
        assert_eq!(ended(&out), expected, "{name}");
    }
    let (mut table, mut out) = table(Policy::default());
    table.suspend(at(1, 1), suspended);
    table.close_all(CODE, "", &mut out);
    assert_eq!(ended(&out), [], "nobody asked");
}

#[test]
fn groups_appear_with_their_first_member_and_vanish_with_their_last() {
    let (mut table, out) = table(Policy::default());
    let appearances = out.iter().filter(|directive| matches!(directive, Directive::GroupAppeared(_))).count();
    assert_eq!(appearances, 1, "two members, one appearance");
    let mut out = Vec::new();
    table.gone(at(1, 1), &mut out);
    assert_eq!(out, [Directive::SessionsChanged(user("alice"))]);
    table.gone(at(1, 2), &mut out);
    assert_eq!(out[1..], [Directive::SessionsChanged(user("bob")), Directive::GroupVanished(group("room"))]);
}

#[test]
fn joining_and_leaving() {
    let (mut table, mut out) = table(Policy { groups_per_session_max: 2, ..Policy::default() });
    let alice = Target::User(user("alice"));
    assert_eq!(table.join(&alice, &group("hall"), &mut out), Ok(2));
    assert_eq!(table.join(&alice, &group("hall"), &mut out), Ok(2), "joining twice is joining once");
    let refused = table.join(&alice, &group("third"), &mut out);
    assert_eq!(refused, Err(OpenError::TooManyGroups { groups: 3, max: 2 }));
    assert_eq!(table.leave(&alice, &group("room"), &mut out), 1);
    assert_eq!(table.join(&Target::User(user("carol")), &group("hall"), &mut out), Ok(0));
    out.clear();
    table.send_to_group(&group("hall"), &text("x"), &[], &mut out);
    assert_eq!(receivers(&out), [(1, vec![1]), (2, vec![1])]);
}

#[test]
fn the_newest_session_takes_the_oldest_ones_place() {
    let policy = Policy { per_user: Some((2, OnConflict::ReplaceOldest)), ..Policy::default() };
    let (mut table, mut out) = table(policy);
    table.open(opening("alice", at(3, 1), &[]), &mut out).unwrap();
    assert_eq!(closed(&out), [(at(1, 1), CloseCode::REPLACED)]);
    assert_eq!(table.list(&Filter::User(user("alice")), 10).1, 2);
}

#[test]
fn refusals_leave_the_table_as_it_was() {
    let check = |policy: Policy, opening: Opening, expected: OpenError| {
        let (mut table, mut out) = table(policy);
        out.clear();
        assert_eq!(table.open(opening, &mut out), Err(expected));
        assert_eq!((table.len(), out), (3, Vec::new()));
    };
    let refuse = Policy { per_user: Some((2, OnConflict::Refuse)), ..Policy::default() };
    check(refuse, opening("alice", at(3, 1), &[]), OpenError::TooManySessions { max: 2 });
    let full = Policy { sessions_max: 3, ..Policy::default() };
    check(full, opening("carol", at(3, 1), &[]), OpenError::Full { max: 3 });
    let few = Policy { groups_per_session_max: 1, ..Policy::default() };
    check(few, opening("carol", at(3, 1), &["a", "b"]), OpenError::TooManyGroups { groups: 2, max: 1 });
    check(Policy::default(), opening("carol", at(1, 1), &[]), OpenError::InUse);
}

#[test]
fn a_full_table_still_lets_a_user_replace_a_session() {
    let policy =
        Policy { sessions_max: 3, per_user: Some((2, OnConflict::ReplaceOldest)), ..Policy::default() };
    let (mut table, mut out) = table(policy);
    assert_eq!(table.open(opening("alice", at(3, 1), &[]), &mut out), Ok(()));
    assert_eq!(table.len(), 3);
}

#[test]
fn a_slow_consumer_is_closed_and_others_are_not() {
    let policy = Policy { window_bytes: 65, queue_bytes_max: 130, ..Policy::default() };
    let (mut table, mut out) = table(policy);
    for _ in 0..2 {
        assert_eq!(table.send_to_user(&user("bob"), &text("x"), &[], &mut out).sessions, 1);
    }
    out.clear();
    let reach = table.send_to_all(&text("x"), &[], &mut out);
    assert_eq!(reach, Reach { sessions: 2, overflowed: 1, suspended: 0, missed: 0 });
    assert_eq!(closed(&out), [(at(1, 2), CloseCode::TRY_AGAIN_LATER)]);
    assert_eq!(table.len(), 2);
}

#[test]
fn with_drop_oldest_the_session_stays() {
    let policy = Policy {
        window_bytes: 65,
        queue_bytes_max: 130,
        on_slow_consumer: OnSlowConsumer::DropOldest,
        ..Policy::default()
    };
    let (mut table, mut out) = table(policy);
    for content in ["1", "2", "3"] {
        assert_eq!(table.send_to_user(&user("bob"), &text(content), &[], &mut out).sessions, 1);
    }
    out.clear();
    table.written(LinkId(1), [(Channel(2), 65)], &mut out);
    let expected = Directive::Deliver {
        link: LinkId(1),
        channels: vec![2],
        offsets: vec![],
        payload: text("3").payload().clone(),
    };
    assert_eq!(out, [expected]);
}

/// What the links' streams would take: each message with its receivers, the costs given back to the table.
fn take_all(table: &mut SessionTable, out: &mut Vec<Directive>) -> Vec<(Vec<u64>, usize)> {
    let mut taken = Vec::new();
    while !out.is_empty() {
        for directive in std::mem::take(out) {
            if let Directive::Deliver { link, channels, payload, .. } = directive {
                let bytes = payload.bytes().len();
                table.taken(link, deliver_cost_bytes(bytes, channels.len()), out);
                taken.push((channels, bytes));
            }
        }
    }
    taken
}

#[test]
fn no_more_is_on_the_way_to_a_link_than_it_may_and_nothing_is_lost() {
    let policy = Policy { link_bytes_max: 1_000, ..Policy::default() };
    let (mut table, mut out) = (SessionTable::new(policy), Vec::new());
    for number in 0..50 {
        table.open(opening(&format!("user{number}"), at(1, number), &[]), &mut out).unwrap();
    }
    out.clear();
    let payload = text(&"x".repeat(400));
    for number in 0..50 {
        let reach = table.send_to_user(&user(&format!("user{number}")), &payload, &[], &mut out);
        assert_eq!(reach, Reach { sessions: 1, overflowed: 0, suspended: 0, missed: 0 });
    }
    assert!(table.is_crowded(LinkId(1)));
    assert_eq!(receivers(&out).len(), 3, "472 bytes each, until 1,000 are reached");
    let taken = take_all(&mut table, &mut out);
    let mut all: Vec<u64> = taken.iter().flat_map(|(channels, _)| channels.clone()).collect();
    all.sort_unstable();
    assert_eq!(all, (0..50).collect::<Vec<_>>());
    assert!(!table.is_crowded(LinkId(1)));
}

#[test]
fn what_waited_at_many_sessions_crosses_the_link_once_and_keeps_its_order() {
    let policy = Policy { window_bytes: 65, ..Policy::default() };
    let (mut table, mut out) = (SessionTable::new(policy), Vec::new());
    for number in 0..20 {
        table.open(opening(&format!("user{number}"), at(1, number), &["room"]), &mut out).unwrap();
    }
    out.clear();
    let mut expected = Vec::new();
    for content in ["a", "b", "c"] {
        table.send_to_group(&group("room"), &text(content), &[], &mut out);
    }
    table.send_to_user(&user("user3"), &text("d"), &[], &mut out);
    expected.push(("a".to_owned(), 20));
    let sizes = |out: &[Directive]| -> Vec<(String, usize)> {
        let deliveries = out.iter().filter_map(|directive| match directive {
            Directive::Deliver { channels, payload, .. } => {
                Some((String::from_utf8(payload.bytes().to_vec()).unwrap(), channels.len()))
            }
            _ => None,
        });
        deliveries.collect()
    };
    assert_eq!(sizes(&out), expected);
    out.clear();
    table.written(LinkId(1), (0..20).map(|number| (Channel(number), 1_000)), &mut out);
    assert_eq!(sizes(&out), [("b".to_owned(), 20)], "a window of one message, one payload for all");
    out.clear();
    table.written(LinkId(1), [(Channel(3), 65)], &mut out);
    table.written(LinkId(1), [(Channel(3), 65)], &mut out);
    assert_eq!(sizes(&out), [("c".to_owned(), 1), ("d".to_owned(), 1)]);
}

#[test]
fn a_link_takes_its_sessions_along() {
    let (mut table, mut out) = table(Policy::default());
    let window = Duration::from_secs(1);
    let link_gone = |table: &mut SessionTable| table.link_gone(LinkId(1), Moment(0), window, window);
    assert_eq!((link_gone(&mut table), link_gone(&mut table)), (2, 0));
    assert_eq!((table.len(), table.users(), table.groups()), (3, 2, 1), "they wait for a moment");
    table.expire(Moment(999), &mut out);
    assert_eq!(table.len(), 3);
    table.expire(Moment(1000), &mut out);
    assert_eq!((table.len(), table.users(), table.groups()), (1, 1, 0));
}

#[test]
fn lists_are_sorted_and_counted() {
    let (table, _) = table(Policy::default());
    let names = |filter: Filter, limit: usize| {
        let (sessions, total) = table.list(&filter, limit);
        (sessions.iter().map(|session| session.user.to_string()).collect::<Vec<_>>().join(" "), total)
    };
    assert_eq!(names(Filter::All, 2), ("alice alice".into(), 3));
    assert_eq!(names(Filter::All, 3), ("alice alice bob".into(), 3));
    assert_eq!(names(Filter::All, 0), (String::new(), 3));
    assert_eq!(names(Filter::Group(group("room")), 9), ("alice bob".into(), 2));
    assert_eq!(names(Filter::User(user("carol")), 9), (String::new(), 0));
}

#[derive(Clone, Debug)]
enum Step {
    Open { user: u8, link: u64, channel: u64, group: u8 },
    Gone { link: u64, channel: u64 },
    LinkGone(u64),
    Close { user: u8 },
    Join { user: u8, group: u8 },
    Leave { user: u8, group: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4u8, 0..3u64, 0..6u64, 0..3u8)
            .prop_map(|(user, link, channel, group)| Step::Open { user, link, channel, group }),
        2 => (0..3u64, 0..6u64).prop_map(|(link, channel)| Step::Gone { link, channel }),
        1 => (0..3u64).prop_map(Step::LinkGone),
        1 => (0..4u8).prop_map(|user| Step::Close { user }),
        2 => (0..4u8, 0..3u8).prop_map(|(user, group)| Step::Join { user, group }),
        2 => (0..4u8, 0..3u8).prop_map(|(user, group)| Step::Leave { user, group }),
    ]
}

/// The table as one would write it without indexes: for each address the user and its groups.
type Model = BTreeMap<Address, (String, std::collections::BTreeSet<String>)>;

fn groups_of(model: &mut Model, number: u8) -> impl Iterator<Item = &mut std::collections::BTreeSet<String>> {
    let user = format!("u{number}");
    model.values_mut().filter(move |(owner, _)| *owner == user).map(|(_, groups)| groups)
}

fn apply(step: &Step, table: &mut SessionTable, model: &mut Model, out: &mut Vec<Directive>) {
    let name = |prefix: char, number: u8| format!("{prefix}{number}");
    match *step {
        Step::Open { user, link, channel, group } => {
            let (user, group) = (name('u', user), name('g', group));
            if table.open(opening(&user, at(link, channel), &[&group]), out).is_ok() {
                assert!(model.insert(at(link, channel), (user, [group].into())).is_none());
            }
        }
        Step::Gone { link, channel } => {
            assert_eq!(
                table.gone(at(link, channel), out).is_some(),
                model.remove(&at(link, channel)).is_some()
            );
        }
        Step::LinkGone(link) => {
            let before = model.len();
            model.retain(|address, _| address.link != LinkId(link));
            let gone = table.link_gone(LinkId(link), Moment(0), Duration::ZERO, Duration::ZERO);
            table.expire(Moment(0), out);
            assert_eq!(gone, before - model.len());
        }
        Step::Close { user: number } => {
            let before = model.len();
            model.retain(|_, (owner, _)| *owner != name('u', number));
            let target = Target::User(user(&name('u', number)));
            assert_eq!(table.close(&target, CloseCode::NORMAL, "", out), before - model.len());
        }
        Step::Join { user: number, group: name_of } => {
            groups_of(model, number).for_each(|groups| _ = groups.insert(name('g', name_of)));
            let target = Target::User(user(&name('u', number)));
            table.join(&target, &group(&name('g', name_of)), out).unwrap();
        }
        Step::Leave { user: number, group: name_of } => {
            groups_of(model, number).for_each(|groups| _ = groups.remove(&name('g', name_of)));
            let target = Target::User(user(&name('u', number)));
            table.leave(&target, &group(&name('g', name_of)), out);
        }
    }
}

proptest! {
    /// Whatever happens, the table's answers are those of the model, and appearances and vanishings of groups balance.
    #[test]
    fn the_indexes_agree(steps in proptest::collection::vec(step(), 1..80)) {
        let (mut table, mut model, mut out) = (SessionTable::new(Policy::default()), Model::new(), Vec::new());
        for step in &steps {
            apply(step, &mut table, &mut model, &mut out);
            prop_assert_eq!(table.len(), model.len());
            for number in 0..4u8 {
                let name = format!("u{number}");
                let expected = model.values().filter(|(owner, _)| *owner == name).count();
                prop_assert_eq!(table.list(&Filter::User(user(&name)), 99).1, expected);
            }
            for number in 0..3u8 {
                let name = format!("g{number}");
                let expected = model.values().filter(|(_, groups)| groups.contains(&name)).count();
                prop_assert_eq!(table.list(&Filter::Group(group(&name)), 99).1, expected);
                let balance: i32 = out.iter().map(|directive| match directive {
                    Directive::GroupAppeared(other) if other.as_str() == name => 1,
                    Directive::GroupVanished(other) if other.as_str() == name => -1,
                    _ => 0,
                }).sum();
                prop_assert_eq!(balance, i32::from(expected > 0));
            }
        }
    }
}
