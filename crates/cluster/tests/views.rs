//! Views follow what a registry shows, change as little as they can, and travel to other nodes unharmed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ringway_cluster::{
    Member, MemberState, MemoryRegistry, Registry as _, SnapshotError, View, Views, views,
};
use ringway_proto::v1;
use ringway_ring::{Ring, RingMember, Slot, Strategy, Weight};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(5);

fn member(id: &str) -> Member {
    Member::new(id.parse().expect("a good id"), format!("http://{id}:7070").parse().expect("a good url"))
}

fn view(members: &[Member]) -> View {
    View::build(Strategy::Slots, members.to_vec()).expect("a good list")
}

fn ids(view: &View) -> Vec<&str> {
    view.workers().iter().map(|member| member.id.as_str()).collect()
}

#[test]
fn only_active_members_with_weight_are_on_the_ring() {
    let weightless = Member { weight: Weight::ZERO, ..member("w0") };
    let joining = Member { state: MemberState::Joining, ..member("w1") };
    let draining = Member { state: MemberState::Draining, ..member("w2") };
    let view = view(&[draining, member("w4"), joining, weightless, member("w3")]);

    assert_eq!(ids(&view), ["w0", "w1", "w2", "w3", "w4"]);
    let ring = ["w3", "w4"].map(|id| RingMember::new(member(id).id));
    let ring = Ring::build(Strategy::Slots, ring).expect("two members");
    assert_eq!(view.version(), ring.version());
    for slot in Slot::all().step_by(1000) {
        assert_eq!(view.owner_of_slot(slot).map(|owner| &owner.id), ring.owner_of_slot(slot));
    }
    assert_eq!(view.owner("alice").map(|owner| &owner.id), ring.owner("alice"));
    assert_eq!(view.member(&member("w2").id).map(|found| found.state), Some(MemberState::Draining));
    assert_eq!(view.member(&member("w9").id), None);
}

#[test]
fn without_active_members_nobody_owns_anything() {
    for view in
        [View::empty(Strategy::Slots), view(&[Member { state: MemberState::Draining, ..member("w1") }])]
    {
        assert_eq!(view.owner("alice"), None);
    }
}

#[test]
fn a_change_beside_placement_keeps_the_ring() {
    let before = view(&[member("w1"), member("w2")]);
    let zoned = Member { zone: Some("a".to_owned()), incarnation: 7, ..member("w1") };
    let after = before.with_members([member("w2"), zoned.clone()]).expect("a good list");
    assert!(Arc::ptr_eq(before.ring(), after.ring()));
    assert_eq!(after.member(&zoned.id), Some(&zoned));
    assert_eq!(after.history().versions().count(), 1);
}

#[test]
fn a_changed_ring_is_the_one_that_would_be_built_and_remembers_the_former() {
    for strategy in Strategy::ALL {
        let before = View::build(strategy, [member("w1"), member("w2")]).expect("a good list");
        let after = before.with_members([member("w2"), member("w3")]).expect("a good list");
        let built = View::build(strategy, [member("w3"), member("w2")]).expect("a good list");
        assert_eq!(after.version(), built.version());
        assert_eq!(after.ring().table(), built.ring().table());
        let remembered: Vec<_> = after.history().versions().collect();
        assert_eq!(remembered, [after.version(), before.version()]);
    }
}

#[test]
fn a_list_with_an_id_twice_is_refused() {
    let drained = Member { state: MemberState::Draining, ..member("w1") };
    assert!(View::build(Strategy::Slots, [member("w1"), drained]).is_err());
}

#[test]
fn a_snapshot_is_the_same_view_elsewhere() {
    let labels = [("rack".to_owned(), "12".to_owned())].into();
    let rich = Member {
        client_url: Some("ws://x/ws".to_owned()),
        zone: Some("a".to_owned()),
        labels,
        ..member("w1")
    };
    let joining = Member { state: MemberState::Joining, incarnation: u64::MAX, ..member("w2") };
    for members in [vec![], vec![rich.clone(), joining.clone()], vec![joining]] {
        for (strategy, with_table) in
            [(Strategy::Slots, true), (Strategy::Slots, false), (Strategy::Hashring, true)]
        {
            let here = View::build(strategy, members.clone()).expect("a good list");
            let there = View::from_snapshot(here.to_snapshot(with_table)).expect("a good snapshot");
            assert_eq!((there.workers(), there.version()), (here.workers(), here.version()));
            assert_eq!(there.ring().table(), here.ring().table());
        }
    }
    let table = view(&[rich]).to_snapshot(true).table;
    assert_eq!(table.len(), 524_288);
    assert_eq!(view(&[member("w1")]).to_snapshot(false).table, Bytes::new());
}

#[test]
fn broken_snapshots_are_refused_with_what_is_wrong() {
    let check = |expected: &str, spoil: &dyn Fn(&mut v1::RingSnapshot)| {
        let mut snapshot = view(&[member("w1"), member("w2")]).to_snapshot(true);
        spoil(&mut snapshot);
        let error = View::from_snapshot(snapshot).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error:?} does not say {expected:?}");
    };
    check("member \"\": id", &|snapshot| snapshot.members[0].id.clear());
    check("member \"w1\": rpc_url is refused", &|snapshot| snapshot.members[0].rpc_url = "w1:80".to_owned());
    check("member \"w1\": weight", &|snapshot| snapshot.members[0].weight = 101);
    check("state 0 is not known", &|snapshot| snapshot.members[1].state = 0);
    check("state 9 is not known", &|snapshot| snapshot.members[1].state = 9);
    check("placement strategy", &|snapshot| snapshot.strategy = "maglev".to_owned());
    check("more than once", &|snapshot| snapshot.members[1] = snapshot.members[0].clone());
    check("has version 0000000000000001", &|snapshot| snapshot.ring_version = 1);
    check("has 3 bytes", &|snapshot| snapshot.table = Bytes::from_static(&[0, 0, 0]));
    check("has 1 entries", &|snapshot| snapshot.table = Bytes::from_static(&[0, 0]));
    check("these members give it to", &|snapshot| snapshot.table = vec![0; 524_288].into());
}

#[test]
fn errors_keep_their_cause() {
    let mut snapshot = view(&[member("w1")]).to_snapshot(false);
    snapshot.members[0].weight = 101;
    assert!(
        matches!(View::from_snapshot(snapshot), Err(SnapshotError::Member(error)) if error.field == "weight")
    );
}

/// Waits for a view that is as it should be.
async fn until(views: &Views, right: impl Fn(&View) -> bool) -> Arc<View> {
    let mut subscription = views.subscribe();
    let waited = tokio::time::timeout(PATIENCE, subscription.wait_for(|view| right(view))).await;
    waited.expect("the view comes in time").expect("the views live").clone()
}

#[tokio::test]
async fn views_follow_the_registry_and_never_lose_the_last_member() {
    let registry = MemoryRegistry::new();
    let views = views(&registry, Strategy::Slots, CancellationToken::new());
    assert_eq!(views.current().workers(), []);

    let first = registry.join(member("w1")).await.expect("it is open");
    until(&views, |view| ids(view) == ["w1"]).await;
    let second =
        registry.join(Member { state: MemberState::Joining, ..member("w2") }).await.expect("it is open");
    let joining = until(&views, |view| ids(view) == ["w1", "w2"]).await;
    assert_eq!(joining.version(), view(&[member("w1")]).version());
    second.update(member("w2")).await.expect("the lease is alive");
    until(&views, |joined| joined.version() == view(&[member("w1"), member("w2")]).version()).await;

    first.leave().await.expect("the lease is alive");
    let last = until(&views, |view| ids(view) == ["w2"]).await;
    second.leave().await.expect("the lease is alive");
    assert!(registry.watch().borrow().is_empty());
    let _third = registry.join(member("w3")).await.expect("it is open");
    let replaced = until(&views, |view| ids(view) == ["w3"]).await;
    let versions: Vec<_> = replaced.history().versions().collect();
    assert_eq!(versions[..2], [replaced.version(), last.version()]);
}

#[tokio::test]
async fn an_empty_list_leaves_the_last_view() {
    let registry = MemoryRegistry::new();
    let lease = registry.join(member("w1")).await.expect("it is open");
    let views = views(&registry, Strategy::Slots, CancellationToken::new());
    lease.leave().await.expect("the lease is alive");
    let mut subscription = views.subscribe();
    let emptied = subscription.wait_for(|view| view.workers().is_empty());
    assert!(tokio::time::timeout(Duration::from_millis(50), emptied).await.is_err());
    assert_eq!(views.current().owner("alice"), Some(&member("w1")));
}

#[tokio::test]
async fn the_last_view_outlives_the_task() {
    let (registry, shutdown) = (MemoryRegistry::new(), CancellationToken::new());
    let _lease = registry.join(member("w1")).await.expect("it is open");
    let views = views(&registry, Strategy::Slots, shutdown.clone());
    shutdown.cancel();
    assert_eq!(ids(&views.current()), ["w1"]);
    assert!(views.subscribe().has_changed().is_ok(), "a subscription must not end while there is a handle");
}
