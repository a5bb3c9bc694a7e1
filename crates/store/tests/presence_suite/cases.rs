//! The laws of `ringway_store::PresenceExport`, one function each.

use ringway_session::UserId;
use ringway_store::{Online, Presence, PresenceExport, WorkerLife};

use super::fixture::Fixture;

const NAMES: [&str; 3] = ["alice", "b{o}b:*", "ü 😀"];

pub(crate) async fn who_was_announced_is_online(fixture: &dyn Fixture) {
    let handle = fixture.handle().await;
    announce(&*handle, &life(1, 7), &[("alice", 2), ("b{o}b:*", 1)]).await;
    let expected = [Some(online(1, 7, 2)), Some(online(1, 7, 1)), None];
    assert_eq!(look(&*fixture.handle().await).await, expected);
    announce(&*handle, &life(1, 7), &[("alice", 3)]).await;
    assert_eq!(look(&*handle).await[0], Some(online(1, 7, 3)));
}

pub(crate) async fn who_has_no_session_is_offline(fixture: &dyn Fixture) {
    let handle = fixture.handle().await;
    announce(&*handle, &life(1, u64::MAX), &NAMES.map(|name| (name, 1))).await;
    announce(&*handle, &life(1, u64::MAX), &[("alice", 0), ("ü 😀", 0), ("nobody", 0)]).await;
    assert_eq!(look(&*handle).await, [None, Some(online(1, u64::MAX, 1)), None]);
}

pub(crate) async fn a_former_worker_takes_nobody_away(fixture: &dyn Fixture) {
    let handle = fixture.handle().await;
    for former in [life(1, 7), life(2, 6)] {
        announce(&*handle, &former, &[("alice", 1)]).await;
        announce(&*handle, &life(2, 7), &[("alice", 2)]).await;
        announce(&*handle, &former, &[("alice", 0)]).await;
        assert_eq!(look(&*handle).await[0], Some(online(2, 7, 2)));
    }
}

pub(crate) async fn what_is_not_announced_again_expires(fixture: &dyn Fixture) {
    let handle = fixture.handle().await;
    announce(&*handle, &life(1, 7), &[("alice", 1)]).await;
    fixture.pass(handle.time_to_live()).await;
    assert_eq!(look(&*handle).await, [None, None, None]);
}

pub(crate) async fn what_is_announced_again_stays(fixture: &dyn Fixture) {
    let handle = fixture.handle().await;
    announce(&*handle, &life(1, 7), &[("alice", 1), ("ü 😀", 1)]).await;
    for _ in 0..3 {
        fixture.pass(handle.time_to_live() / 2).await;
        announce(&*handle, &life(1, 7), &[("alice", 1)]).await;
    }
    assert_eq!(look(&*handle).await, [Some(online(1, 7, 1)), None, None]);
}

pub(crate) async fn one_life_of_a_worker_can_be_removed(fixture: &dyn Fixture) {
    let (dead, other) = (fixture.handle().await, fixture.handle().await);
    announce(&*dead, &life(1, 7), &NAMES.map(|name| (name, 1))).await;
    announce(&*other, &life(1, 8), &[("alice", 1)]).await;
    assert_eq!(other.remove(&life(1, 7)).await, Ok(2));
    assert_eq!(look(&*other).await, [Some(online(1, 8, 1)), None, None]);
    assert_eq!(other.remove(&life(1, 7)).await, Ok(0));
    assert_eq!(other.remove(&life(1, 8)).await, Ok(1));
    assert_eq!(look(&*other).await, [None, None, None]);
}

pub(crate) async fn many_users_can_be_announced_at_once(fixture: &dyn Fixture) {
    let handle = fixture.handle().await;
    let names: Vec<_> = (0..2500).map(|number| format!("user {number}")).collect();
    let all: Vec<_> = names.iter().map(|name| (name.as_str(), 1)).collect();
    announce(&*handle, &life(1, 7), &all).await;
    let users: Vec<_> = names.iter().map(|name| user(name)).collect();
    let found = handle.online(&users).await.expect("it answers");
    assert!(found.len() == 2500 && found.iter().all(Option::is_some));
    assert_eq!(handle.remove(&life(1, 7)).await, Ok(2500));
}

async fn announce(handle: &dyn PresenceExport, at: &WorkerLife, users: &[(&str, u32)]) {
    let presence = |(name, sessions): &(&str, u32)| Presence { user: user(name), sessions: *sessions };
    let users: Vec<_> = users.iter().map(presence).collect();
    handle.announce(at, &users).await.expect("it is taken");
}

async fn look(handle: &dyn PresenceExport) -> Vec<Option<Online>> {
    handle.online(&NAMES.map(user)).await.expect("it answers")
}

fn user(name: &str) -> UserId {
    UserId::new(name).expect("a good name")
}

fn life(worker: u64, incarnation: u64) -> WorkerLife {
    WorkerLife { worker: format!("w {worker}").parse().expect("a good id"), incarnation }
}

fn online(worker: u64, incarnation: u64, sessions: u32) -> Online {
    Online { at: life(worker, incarnation), sessions }
}
