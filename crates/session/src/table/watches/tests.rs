use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use ringway_ring::{Slot, Strategy as Placement};

use super::*;
use crate::directive::{Channel, LinkId};
use crate::id::SessionId;
use crate::moment::Moment;
use crate::policy::{MovePolicy, Policy};
use crate::session::Opening;
use crate::shard::{Reopening, Shard};

const LINK: LinkId = LinkId(1);

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

fn users(names: &[&str]) -> Vec<UserId> {
    names.iter().map(|name| user(name)).collect()
}

fn at(channel: u64) -> Address {
    Address { link: LINK, channel: Channel(channel) }
}

fn opening(name: &str, channel: u64) -> Opening {
    Opening {
        id: SessionId::new(Slot::of(name.as_bytes()), channel.into()),
        user: user(name),
        groups: vec![],
        permissions: std::sync::Arc::default(),
        address: at(channel),
        remote_address: "127.0.0.1:1".into(),
        subprotocol: frame::SUBPROTOCOL.into(),
        opened_at_ms: 0,
        epoch: 1,
        resume_token: "".into(),
        device: "".into(),
        has: None,
    }
}

fn table(policy: Policy) -> SessionTable {
    let mut table = SessionTable::new(policy);
    table.open(opening("alice", 1), &mut Vec::new()).unwrap();
    table
}

/// What clients are told, by channel.
fn told(out: &[Directive]) -> Vec<(u64, BTreeMap<String, bool>)> {
    let frames = out.iter().filter_map(|directive| match directive {
        Directive::Deliver { channels, payload, .. } => Some((channels[0], payload)),
        _ => None,
    });
    frames.filter_map(|(channel, payload)| Some((channel, presence_in(payload.bytes())?))).collect()
}

fn presence_in(frame: &[u8]) -> Option<BTreeMap<String, bool>> {
    let frame: serde_json::Value = serde_json::from_slice(frame).unwrap();
    (frame["type"] == "presence").then(|| {
        let users = frame["users"].as_array().unwrap().iter();
        users.map(|it| (it["user"].as_str().unwrap().to_owned(), it["online"].as_bool().unwrap())).collect()
    })
}

fn states(states: &[(&str, bool)]) -> BTreeMap<String, bool> {
    states.iter().map(|(name, online)| ((*name).to_owned(), *online)).collect()
}

#[test]
fn a_client_is_told_the_state_and_each_change_once() {
    let (mut table, mut out) = (table(Policy::default()), Vec::new());
    assert_eq!(table.watch(at(1), &users(&["bob", "carol"]), &mut out), Ok(true));
    assert_eq!(told(&out), [], "nothing is known yet");
    out.clear();
    let changes = [(user("bob"), true), (user("carol"), false), (user("dave"), true)];
    table.presence_changed(&changes, &mut out);
    assert_eq!(told(&out), [(1, states(&[("bob", true), ("carol", false)]))]);
    out.clear();
    table.presence_changed(&changes, &mut out);
    assert_eq!(told(&out), [], "it was told");
    table.presence_changed(&[(user("bob"), false)], &mut out);
    assert_eq!(told(&out), [(1, states(&[("bob", false)]))]);
}

#[test]
fn whoever_watches_later_is_told_what_is_known() {
    let (mut table, mut out) = (table(Policy::default()), Vec::new());
    table.watch(at(1), &users(&["bob"]), &mut out).unwrap();
    table.presence_changed(&[(user("bob"), true)], &mut out);
    table.open(opening("carol", 2), &mut out).unwrap();
    out.clear();
    table.watch(at(2), &users(&["bob"]), &mut out).unwrap();
    assert_eq!(told(&out), [(2, states(&[("bob", true)]))]);
}

#[test]
fn the_first_watcher_and_the_last_one_are_noticed() {
    let (mut table, mut out) = (table(Policy::default()), Vec::new());
    table.open(opening("carol", 2), &mut out).unwrap();
    let noticed = |out: &mut Vec<Directive>| {
        let is_watch = |it: &Directive| matches!(it, Directive::WatchBegan(_) | Directive::WatchEnded(_));
        std::mem::take(out).into_iter().filter(is_watch).collect::<Vec<_>>()
    };
    table.watch(at(1), &users(&["bob"]), &mut out).unwrap();
    table.watch(at(2), &users(&["bob"]), &mut out).unwrap();
    assert_eq!(noticed(&mut out), [Directive::WatchBegan(user("bob"))]);
    table.unwatch(at(1), &users(&["bob", "nobody"]), &mut out);
    assert_eq!(noticed(&mut out), []);
    table.gone(at(2), &mut out);
    assert_eq!(noticed(&mut out), [Directive::WatchEnded(user("bob"))]);
    assert_eq!(table.watched(), 0);
}

#[test]
fn a_session_watches_a_bounded_number() {
    let policy = Policy { watches_per_session_max: 2, ..Policy::default() };
    let (mut table, mut out) = (table(policy), Vec::new());
    assert_eq!(table.watch(at(1), &users(&["a", "a", "b"]), &mut out), Ok(true));
    let refused = table.watch(at(1), &users(&["a", "c"]), &mut out);
    assert_eq!(refused, Err(TooManyWatches { users: 3, max: 2 }));
    assert_eq!(table.watched(), 2);
    assert_eq!(table.watch(at(9), &users(&["a"]), &mut out), Ok(false), "there is no such session");
}

#[test]
fn a_client_that_reads_nothing_is_told_the_newest_state_when_it_does() {
    let policy = Policy { window_bytes: 1, ..Policy::default() };
    let (mut table, mut out) = (table(policy), Vec::new());
    table.watch(at(1), &users(&["bob"]), &mut out).unwrap();
    out.clear();
    for online in [true, false, true, false] {
        table.presence_changed(&[(user("bob"), online)], &mut out);
    }
    assert_eq!(told(&out), [(1, states(&[("bob", true)]))], "the window is full");
    out.clear();
    table.written(LINK, [(Channel(1), 1_000)], &mut out);
    table.tell_watchers(&mut out);
    assert_eq!(told(&out), [(1, states(&[("bob", false)]))]);
}

fn shard() -> Shard {
    let me: ringway_ring::MemberId = "w1".parse().unwrap();
    let ring = |members: &[&str]| {
        let members = members.iter().map(|id| ringway_ring::RingMember::new(id.parse().unwrap()));
        Arc::new(ringway_ring::Ring::build(Placement::Slots, members).unwrap())
    };
    let mut shard = Shard::new(me, Policy::default(), MovePolicy::default(), ring(&[]));
    shard.adopt(ring(&["w1"]), [], Moment(0), &mut Vec::new());
    shard
}

/// A shard with alice, who watches bob and was told that he is online.
fn watched() -> Shard {
    let (mut shard, mut out) = (shard(), Vec::new());
    shard.open(opening("alice", 1), Moment(0), &mut out).unwrap();
    shard.watch(at(1), &users(&["bob"]), &mut out).unwrap();
    shard.presence_changed(&[(user("bob"), true)], &mut out);
    assert_eq!(told(&out), [(1, states(&[("bob", true)]))]);
    shard
}

#[test]
fn a_watch_goes_with_its_session_and_what_was_told_is_not_told_again() {
    let (mut old, mut new, mut out) = (watched(), shard(), Vec::new());
    old.detach(at(1), Moment(1), &mut out);
    let state = out.iter().find_map(|directive| match directive {
        Directive::Detached { state, .. } => Some((**state).clone()),
        _ => None,
    });
    let state = state.unwrap();
    assert_eq!(state.watches, [Watch { user: user("bob"), told: Some(true) }]);
    out.clear();
    let reopening = Reopening { address: at(2), state, complete: true, passed_offset: 0, passed_messages: 0 };
    new.reopen(reopening, Moment(1), &mut out).unwrap();
    assert!(out.contains(&Directive::WatchBegan(user("bob"))));
    new.presence_changed(&[(user("bob"), true)], &mut out);
    assert_eq!(told(&out), [], "he has been told that");
    new.presence_changed(&[(user("bob"), false)], &mut out);
    assert_eq!(told(&out), [(2, states(&[("bob", false)]))]);
}

#[test]
fn whoever_begins_with_a_checkpoint_tells_everything_again() {
    let (old, mut new, mut out) = (watched(), shard(), Vec::new());
    let state = old.checkpoint(SessionId::new(Slot::of(b"alice"), 1)).unwrap();
    assert_eq!(state.watches, [Watch { user: user("bob"), told: None }]);
    let reopening =
        Reopening { address: at(2), state, complete: false, passed_offset: 0, passed_messages: 0 };
    new.reopen(reopening, Moment(1), &mut out).unwrap();
    new.presence_changed(&[(user("bob"), true)], &mut out);
    assert_eq!(told(&out), [(2, states(&[("bob", true)]))]);
}

#[test]
fn a_client_that_resumes_is_told_everything_again_after_its_welcome() {
    let (mut shard, mut out) = (watched(), Vec::new());
    shard.gone(at(1), true, Moment(1), &mut out);
    shard.presence_changed(&[(user("bob"), false)], &mut out);
    assert_eq!(told(&out), []);
    let resuming = crate::shard::Resuming {
        attempt: 0,
        id: SessionId::new(Slot::of(b"alice"), 1),
        user: user("alice"),
        groups: vec![],
        address: at(3),
        permissions: std::sync::Arc::default(),
        offset: 0,
        resume_token: "".into(),
    };
    shard.resume(resuming, Moment(2), &mut out).unwrap();
    let frames: Vec<_> =
        out.iter().filter(|directive| matches!(directive, Directive::Deliver { .. })).collect();
    assert_eq!(frames.len(), 2, "the welcome and then the state");
    assert_eq!(told(&out), [(3, states(&[("bob", false)]))]);
}

#[test]
fn a_watch_dies_with_its_session() {
    let (mut shard, mut out) = (watched(), Vec::new());
    shard.gone(at(1), true, Moment(1), &mut out);
    shard.expire(Moment(1) + MovePolicy::default().resume_window + Duration::from_millis(1), &mut out);
    assert!(out.contains(&Directive::WatchEnded(user("bob"))));
    assert_eq!(shard.table().watched(), 0);
}

#[derive(Clone, Debug)]
enum Step {
    Watch(u64, u8),
    Unwatch(u64, u8),
    Change(u8, bool),
    /// The client of a session comes anew, or goes.
    Open(u64),
    Gone(u64),
    /// The link has taken everything and every client has read everything.
    Drain,
}

fn step() -> impl Strategy<Value = Step> {
    let session = || 1..4u64;
    prop_oneof![
        4 => (session(), 0..4u8).prop_map(|(channel, user)| Step::Watch(channel, user)),
        2 => (session(), 0..4u8).prop_map(|(channel, user)| Step::Unwatch(channel, user)),
        6 => (0..4u8, any::<bool>()).prop_map(|(user, online)| Step::Change(user, online)),
        2 => session().prop_map(Step::Open),
        1 => session().prop_map(Step::Gone),
        2 => Just(Step::Drain),
    ]
}

proptest! {
    /// Whatever was sent where: a client that has read everything knows the state of everybody whom it watches, and was told
    /// nothing twice in a row.
    #[test]
    fn clients_know_the_truth_in_the_end(steps in proptest::collection::vec(step(), 1..80)) {
        let policy = Policy { window_bytes: 200, link_bytes_max: 500, ..Policy::default() };
        let mut table = SessionTable::new(policy);
        let mut truth: BTreeMap<UserId, bool> = BTreeMap::new();
        let mut watched: BTreeMap<u64, BTreeSet<UserId>> = BTreeMap::new();
        let mut known: BTreeMap<(u64, String), bool> = BTreeMap::new();
        for step in steps.into_iter().chain([Step::Drain]) {
            let mut out = Vec::new();
            match step {
                Step::Watch(channel, number) => {
                    let name = user(&format!("u{number}"));
                    if table.watch(at(channel), std::slice::from_ref(&name), &mut out).unwrap() {
                        watched.entry(channel).or_default().insert(name);
                    }
                }
                Step::Unwatch(channel, number) => {
                    let name = user(&format!("u{number}"));
                    table.unwatch(at(channel), std::slice::from_ref(&name), &mut out);
                    if watched.get_mut(&channel).is_some_and(|users| users.remove(&name)) {
                        known.remove(&(channel, name.to_string()));
                    }
                }
                Step::Change(number, online) => {
                    let name = user(&format!("u{number}"));
                    truth.insert(name.clone(), online);
                    table.presence_changed(&[(name, online)], &mut out);
                }
                Step::Open(channel) => _ = table.open(opening("alice", channel), &mut out),
                Step::Gone(channel) => {
                    table.gone(at(channel), &mut out);
                    watched.remove(&channel);
                    known.retain(|(other, _), _| *other != channel);
                }
                Step::Drain => for _ in 0..8 {
                    table.taken(LINK, 100_000, &mut out);
                    table.written(LINK, (1..4).map(|channel| (Channel(channel), 100_000)), &mut out);
                    table.tell_watchers(&mut out);
                },
            }
            for directive in out.clone() {
                // Those who follow users tell the state of whoever is watched again.
                if let Directive::WatchBegan(name) = directive
                    && let Some(online) = truth.get(&name)
                {
                    table.presence_changed(&[(name, *online)], &mut out);
                }
            }
            note(&out, &mut known)?;
            let mut later = Vec::new();
            table.tell_watchers(&mut later);
            note(&later, &mut known)?;
        }
        for (channel, users) in watched {
            for name in users.iter().filter(|name| truth.contains_key(*name)) {
                let known = known.get(&(channel, name.to_string()));
                prop_assert_eq!(known, truth.get(name), "{} at {}", name, channel);
            }
        }
    }
}

fn note(out: &[Directive], known: &mut BTreeMap<(u64, String), bool>) -> Result<(), TestCaseError> {
    for (channel, states) in told(out) {
        for (name, online) in states {
            let before = known.insert((channel, name.clone()), online);
            prop_assert_ne!(before, Some(online), "{} was told to {} already", name, channel);
        }
    }
    Ok(())
}
