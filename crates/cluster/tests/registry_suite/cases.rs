//! The laws of `ringway_cluster::Registry`, one function each.

use ringway_cluster::{Lease, Member, MemberState, Registry, RegistryError};
use ringway_ring::{MemberId, Weight};

use super::fixture::{Fixture, Membership};
use super::watcher::{Watcher, find, watchers};

pub(crate) async fn the_first_list_is_the_present_one(fixture: &dyn Fixture) {
    let (handle, member) = (fixture.handle().await, started(fixture.member(0), 1));
    let _lease = join(&*handle, &member).await;
    watcher(fixture, &*handle).until("the member is listed", |list| find(list, &member).is_some()).await;
    let late = Watcher::new(&*handle, fixture.nature().settles_within);
    assert!(find(&late.present(), &member).is_some(), "a later watcher does not begin with the present list");
}

pub(crate) async fn every_watcher_sees_a_join(fixture: &dyn Fixture) {
    let handle = fixture.handle().await;
    let watchers = watchers(fixture, &*handle).await;
    let members = [started(fixture.member(0), 1), started(fixture.member(1), 1)];
    let _leases = (join(&*handle, &members[0]).await, join(&*handle, &members[1]).await);
    for mut watcher in watchers {
        let both = |list: &[Member]| members.iter().all(|member| is_started(list, member));
        watcher.until("both members are there", both).await;
    }
}

pub(crate) async fn a_member_arrives_whole(fixture: &dyn Fixture) {
    let handle = fixture.handle().await;
    let watchers = watchers(fixture, &*handle).await;
    let told = described(started(fixture.member(0), u64::MAX));
    let _lease = join(&*handle, &told).await;
    let expected = shown(fixture, told);
    for mut watcher in watchers {
        watcher
            .until("every field is as it was given", |list| find(list, &expected) == Some(&expected))
            .await;
    }
}

pub(crate) async fn every_watcher_sees_an_update(fixture: &dyn Fixture) {
    let (handle, member) = (fixture.handle().await, started(fixture.member(0), 1));
    let watchers = watchers(fixture, &*handle).await;
    let lease = join(&*handle, &member).await;
    let draining = Member { state: MemberState::Draining, ..described(member) };
    lease.update(draining.clone()).await.expect("the lease is alive");
    let expected = shown(fixture, draining);
    for mut watcher in watchers {
        watcher.until("the update is seen", |list| find(list, &expected) == Some(&expected)).await;
    }
}

pub(crate) async fn every_watcher_sees_a_member_leave(fixture: &dyn Fixture) {
    let handle = fixture.handle().await;
    let mut watchers = watchers(fixture, &*handle).await;
    let (leaver, stayer) = (started(fixture.member(0), 1), started(fixture.member(1), 1));
    let (leaving, _staying) = (join(&*handle, &leaver).await, join(&*handle, &stayer).await);
    for watcher in &mut watchers {
        watcher.until("both are there", |list| is_started(list, &leaver) && is_started(list, &stayer)).await;
    }
    leaving.leave().await.expect("the lease is alive");
    for mut watcher in watchers {
        let list = watcher.until("one left", |list| is_gone(fixture, list, &leaver)).await;
        assert!(is_started(&list, &stayer), "the other one was lost");
    }
}

pub(crate) async fn lists_are_sorted_and_have_each_id_once(fixture: &dyn Fixture) {
    let handle = fixture.handle().await;
    let members = [2, 0, 1].map(|number| started(fixture.member(number), 1));
    let mut leases = Vec::new();
    for member in members.iter().chain(&members) {
        leases.push(join(&*handle, member).await);
    }
    let list = watcher(fixture, &*handle).until("all are there", |list| list.len() >= members.len()).await;
    assert!(list.is_sorted_by(|one, next| one.id < next.id), "{list:#?}");
}

pub(crate) async fn a_dropped_lease_is_no_longer_renewed(fixture: &dyn Fixture) {
    let (handle, member) = (fixture.handle().await, started(fixture.member(0), 1));
    let mut watcher = watcher(fixture, &*handle);
    let lease = join(&*handle, &member).await;
    watcher.until("the member is there", |list| is_started(list, &member)).await;
    drop(lease);
    let mut patient = Watcher::new(&*handle, fixture.nature().time_to_live + fixture.nature().settles_within);
    patient.until("the member is forgotten", |list| is_gone(fixture, list, &member)).await;
}

pub(crate) async fn a_kept_lease_is_renewed(fixture: &dyn Fixture) {
    let (handle, member) = (fixture.handle().await, started(fixture.member(0), 1));
    let mut watcher = watcher(fixture, &*handle);
    let _lease = join(&*handle, &member).await;
    watcher.until("the member is there", |list| is_started(list, &member)).await;
    let during = fixture.nature().time_to_live * 2;
    watcher
        .never("a member with a lease was forgotten", during, |list| is_gone(fixture, list, &member))
        .await;
}

pub(crate) async fn an_id_belongs_to_the_one_who_joined_last(fixture: &dyn Fixture) {
    let handle = fixture.handle().await;
    let watchers = watchers(fixture, &*handle).await;
    let (former, present) = (started(fixture.member(0), 1), started(fixture.member(0), 2));
    let (_former, _present) = (join(&*handle, &former).await, join(&*handle, &present).await);
    for mut watcher in watchers {
        watcher.until("the restarted member is there", |list| is_started(list, &present)).await;
    }
}

pub(crate) async fn a_superseded_lease_can_do_nothing(fixture: &dyn Fixture) {
    let handle = fixture.handle().await;
    let (former, present) = (started(fixture.member(0), 1), started(fixture.member(0), 2));
    let (old, dropped) = (join(&*handle, &former).await, join(&*handle, &former).await);
    let _new = join(&*handle, &present).await;
    let mut watcher = watcher(fixture, &*handle);
    watcher.until("the restarted member is there", |list| is_started(list, &present)).await;
    let refused = |result| matches!(result, Err(RegistryError::Superseded { id }) if id == former.id);
    assert!(refused(old.update(former.clone()).await), "a superseded lease could update");
    assert!(refused(old.leave().await), "a superseded lease could leave");
    drop(dropped);
    let during = fixture.nature().time_to_live;
    watcher
        .never("a superseded lease took the member away", during, |list| !is_started(list, &present))
        .await;
}

pub(crate) async fn a_lease_is_for_one_member(fixture: &dyn Fixture) {
    let (handle, member) = (fixture.handle().await, fixture.member(0));
    let lease = join(&*handle, &member).await;
    let other = fixture.member(1);
    match lease.update(other.clone()).await {
        Err(RegistryError::OtherMember { held, given }) => assert_eq!((held, given), (member.id, other.id)),
        result => panic!("a lease was used for another member: {result:?}"),
    }
}

pub(crate) async fn strangers_are_taken_or_refused_by_nature(fixture: &dyn Fixture) {
    let handle = fixture.handle().await;
    let id = MemberId::new("a-stranger").expect("a good name");
    let stranger = Member { id: id.clone(), ..fixture.member(0) };
    match (fixture.nature().membership, handle.join(stranger.clone()).await) {
        (Membership::Open, Ok(_lease)) => {
            watcher(fixture, &*handle).until("he is there", |list| find(list, &stranger).is_some()).await;
        }
        (Membership::Listed, Err(RegistryError::NotListed { id: refused, .. })) => assert_eq!(refused, id),
        (membership, result) => panic!("{membership:?}: {:?}", result.err()),
    }
}

async fn join(handle: &dyn Registry, member: &Member) -> Box<dyn Lease> {
    handle.join(member.clone()).await.expect("the registry takes the member")
}

fn watcher(fixture: &dyn Fixture, handle: &dyn Registry) -> Watcher {
    Watcher::new(handle, fixture.nature().settles_within)
}

fn started(member: Member, incarnation: u64) -> Member {
    Member { incarnation, ..member }
}

/// A member with something in every field.
fn described(member: Member) -> Member {
    let labels = [("rack", "12"), ("umlaut", "ü = ?&,\n")];
    Member {
        weight: Weight::new(7).expect("a good weight"),
        state: MemberState::Joining,
        client_url: Some("wss://example.org/ws".to_owned()),
        zone: Some("zone-a".to_owned()),
        labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        ..member
    }
}

/// How the registry shows a member that says this about itself.
fn shown(fixture: &dyn Fixture, told: Member) -> Member {
    match fixture.nature().membership {
        Membership::Open => told,
        Membership::Listed => {
            let listed = (0..3).map(|number| fixture.member(number)).find(|member| member.id == told.id);
            let listed = listed.expect("a listed member");
            Member { rpc_url: listed.rpc_url, weight: listed.weight, state: listed.state, ..told }
        }
    }
}

fn is_started(list: &[Member], member: &Member) -> bool {
    find(list, member).is_some_and(|listed| listed.incarnation == member.incarnation)
}

/// Whether a member is gone: from an open registry altogether, from a list as far as he said anything himself.
fn is_gone(fixture: &dyn Fixture, list: &[Member], member: &Member) -> bool {
    match fixture.nature().membership {
        Membership::Open => find(list, member).is_none(),
        Membership::Listed => find(list, member).is_some_and(|listed| listed.incarnation == 0),
    }
}
