//! The cluster changes under load, one change after the other, and no client notices.
//!
//! Real processes that gossip, 2,000 clients on two gateways, steady sends to all of them. Each test prints what it saw;
//! they run one at a time, since they measure.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ringway_e2e::crowd::{Account, Case};
use ringway_e2e::scene::Scene;
use ringway_e2e::{Fleet, PATIENCE, procfs};
use ringway_proto::{Reason, Refusal, v1};
use rustix::process::Signal;

const CLIENTS: usize = 2_000;
/// For clusters in which a worker is to be missed soon.
const SOON_MISSED: &[&str] = &["gossip.failure_timeout=2s"];
/// Until when all must be served again after a worker has died: some times what it takes.
const SERVED_AGAIN_MAX: Duration = Duration::from_secs(15);

/// A new connection with a call on it has brought more than this; one without has brought less.
const CALL_BYTES: u64 = 150;

#[tokio::test(flavor = "multi_thread")]
async fn no_client_notices_workers_that_come_drain_restart_and_change_their_weight() {
    // So there are two links to each worker, too.
    let mut scene = Scene::set(4, CLIENTS, &["node.threads=2"]).await;

    let (began, moved) = (Instant::now(), scene.moved().await);
    scene.fleet.add_worker().await;
    scene.calm(5).await;
    scene.tell("a worker joined", began, moved).await;

    let (began, moved) = (Instant::now(), scene.moved().await);
    println!("{}", scene.fleet.operate("drain w2").await.trim_end());
    scene.calm(4).await;
    scene.tell("a worker drained", began, moved).await;

    let (began, moved) = (Instant::now(), scene.moved().await);
    let restarted = &mut scene.fleet.workers[2];
    restarted.process.terminate();
    let status = restarted.process.exit(PATIENCE).await;
    assert!(status.success(), "{status}");
    println!("exit after {:?}", began.elapsed());
    restarted.start_again().await;
    scene.calm(4).await;
    scene.tell("a worker restarted", began, moved).await;

    let (began, moved) = (Instant::now(), scene.moved().await);
    println!("{}", scene.fleet.operate("weigh w4 3").await.trim_end());
    scene.calm(4).await;
    scene.tell("a worker's weight changed", began, moved).await;

    let (account, mut fleet) = scene.end().await;
    account.assert_flawless();
    fleet.assert_sound();
}

/// What a worker's death may cost.
///
/// A best-effort message is in the worker's memory from when it is accepted until the gateway has it: some milliseconds. So
/// what is lost was sent to one of its users (or to a group) within the last second before its death; and what is in doubt
/// was sent then, too, or while the sender had not noticed. Nobody else's messages are concerned.
fn assert_only_its_own(account: &Account, users: &[String], died: Duration, served: Duration) {
    let is_its_own = |case: &Case| case.stream.starts_with("group") || users.contains(&case.stream);
    let before = died.saturating_sub(Duration::from_secs(1));
    for case in &account.lost {
        let missing_are_its_own = case.missing.iter().all(|user| users.contains(user));
        assert!(is_its_own(case) && missing_are_its_own && before < case.at && case.at < died, "{case}");
    }
    for case in &account.doubtful {
        assert!(before < case.at && case.at < served, "{case}");
    }
    for case in &account.short {
        // While they have no session anywhere, members of a group are not counted.
        assert!(case.stream.starts_with("group") && before < case.at && case.at < served, "{case}");
        assert!(case.missing.iter().all(|user| users.contains(user)), "{case}");
    }
    assert!(account.refused.is_empty(), "{account}");
    assert!([account.repeated.len(), account.ends.len(), account.strange.len()] == [0; 3], "{account}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_costs_no_socket_and_only_what_was_in_its_memory() {
    let mut scene = Scene::set(4, CLIENTS, &[SOON_MISSED, &["gateway.links_per_worker=3"]].concat()).await;
    let (users, moved) = (scene.users_of(1).await, scene.moved().await);
    let (began, died) = (Instant::now(), scene.now());
    scene.fleet.workers.remove(1).process.kill().await;
    scene.heard_since(scene.now()).await;
    let served = scene.now();
    println!("kill -9 of a worker with {} sessions: all served again after {:?}", users.len(), served - died);
    assert!(served - died < SERVED_AGAIN_MAX);
    scene.calm(3).await;
    scene.tell("a worker died", began, moved).await;
    let (account, mut fleet) = scene.end().await;
    assert_only_its_own(&account, &users, died, served);
    assert!(account.late.is_empty(), "{account}");
    fleet.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_that_is_back_at_once_is_never_taken_for_one_without_users() {
    let mut scene = Scene::set(4, CLIENTS, SOON_MISSED).await;
    let (users, moved) = (scene.users_of(1).await, scene.moved().await);
    let (began, died) = (Instant::now(), scene.now());
    scene.fleet.workers[1].process.kill().await;
    scene.fleet.workers[1].start_again().await;
    scene.heard_since(scene.now()).await;
    let served = scene.now();
    println!(
        "kill -9 and start of a worker with {} sessions: all served again after {:?}",
        users.len(),
        served - died
    );
    assert!(served - died < SERVED_AGAIN_MAX);
    scene.calm(4).await;
    scene.tell("a worker was killed and started", began, moved).await;
    let (account, mut fleet) = scene.end().await;
    assert_only_its_own(&account, &users, died, served);
    assert!(account.late.is_empty(), "{account}");
    fleet.assert_sound();
}

/// A call as one makes it that takes this worker for the owner.
async fn stale_call(fleet: &Fleet, worker: usize, user: &str) -> Result<v1::Receipt, Refusal> {
    let mut client = fleet.pool().node(&fleet.workers[worker].url()).delivery();
    let message = v1::Message { payload: "stale".into(), ..v1::Message::default() };
    let routing = Some(v1::Routing { hops: 1, ..v1::Routing::default() });
    let request = v1::SendToUserRequest {
        user: user.to_owned(),
        message: Some(message),
        routing,
        ..v1::SendToUserRequest::default()
    };
    let answer = tokio::time::timeout(PATIENCE, client.send_to_user(request)).await;
    let answer = answer.expect("it is answered in time");
    answer.map(tonic::Response::into_inner).map_err(|status| Refusal::from_status(&status))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_was_stopped_serves_nothing_that_is_not_its_own() {
    let scene = Scene::set(4, CLIENTS, SOON_MISSED).await;
    let (users, moved) = (scene.users_of(1).await, scene.moved().await);
    let (began, stopped) = (Instant::now(), scene.now());
    scene.fleet.workers[1].process.signal(Signal::STOP);
    scene.fleet.settled_without(1, 3).await;
    scene.heard_since(scene.now()).await;
    let served = scene.now();
    println!(
        "SIGSTOP of a worker with {} sessions: all served again after {:?}",
        users.len(),
        served - stopped
    );

    // It finds this call when it wakes up, before it has heard of anything else.
    let worker = &scene.fleet.workers[1];
    let before = procfs::unread_of_ours(worker.rpc());
    let wake = async {
        let deadline = Instant::now() + PATIENCE;
        // The call has a connection of its own.
        let is_there =
            |(from, bytes): (&SocketAddr, &u64)| !before.contains_key(from) && *bytes >= CALL_BYTES;
        while !procfs::unread_of_ours(worker.rpc()).iter().any(is_there) {
            assert!(Instant::now() < deadline, "the call does not reach the worker's socket");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        worker.process.signal(Signal::CONT);
    };
    let (refused, ()) = tokio::join!(stale_call(&scene.fleet, 1, &users[0]), wake);
    assert_eq!(refused.map_err(|refusal| refusal.reason), Err(Reason::NotOwner));
    scene.calm(4).await;
    scene.tell("a worker was stopped, and came back", began, moved).await;
    let elsewhere = scene.users_of(0).await;
    let refused = stale_call(&scene.fleet, 1, &elsewhere[0]).await;
    assert_eq!(refused.map_err(|refusal| refusal.reason), Err(Reason::NotOwner));
    let (account, mut fleet) = scene.end().await;
    assert_only_its_own(&account, &users, stopped, served);
    assert!(account.late.is_empty(), "{account}");
    fleet.assert_sound();
}
