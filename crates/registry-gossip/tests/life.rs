//! Nodes that die, stop, return, or should never have been heard.

mod nodes;

use std::time::{Duration, Instant};

use ringway_cluster::{Lease, Member, Registry as _, RegistryError};
use ringway_registry_gossip::{GossipConfig, GossipRegistry, StartError};
use ringway_ring::Weight;
use tokio::net::UdpSocket;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use nodes::{FAILURE_TIMEOUT, SETTLES_WITHIN, config, member, present, sees, shows, start};

/// A node with a runtime of its own, so that it can be stopped and killed like a process.
struct Process {
    runtime: Runtime,
    node: GossipRegistry,
    lease: Box<dyn Lease>,
}

impl Process {
    async fn start(seed: &GossipRegistry, carried: Member) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let (runtime, seed) = (runtime.expect("a runtime"), seed.clone());
        let started = runtime.spawn(async move {
            let node = start(Some(&seed), |_| {}).await;
            let lease = node.join(carried).await.expect("gossip takes everybody");
            (node, lease)
        });
        let (node, lease) = started.await.expect("it starts");
        Self { runtime, node, lease }
    }

    /// Ends it as SIGKILL would.
    fn kill(self) {
        std::mem::forget(self.lease);
        self.runtime.shutdown_background();
    }

    /// Stops it for a while, as SIGSTOP and SIGCONT would.
    fn stop(&self, pause: Duration) {
        self.runtime.spawn(async move { std::thread::sleep(pause) });
    }
}

/// Waits until a lease is valid, or is not.
async fn becomes(lease: &dyn Lease, valid: bool) {
    let poll = async {
        while is_valid(lease) != valid {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = timeout(FAILURE_TIMEOUT * 4 + SETTLES_WITHIN, poll).await;
    assert!(waited.is_ok(), "the lease does not become {}", if valid { "valid" } else { "invalid" });
}

fn is_valid(lease: &dyn Lease) -> bool {
    lease.valid_until().is_some_and(|until| Instant::now() < until)
}

/// Two nodes that stay, each with a member, and how well they see each other is settled.
async fn two_that_stay() -> ([GossipRegistry; 2], [Box<dyn Lease>; 2]) {
    let first = start(None, |_| {}).await;
    let second = start(Some(&first), |_| {}).await;
    let leases =
        [first.join(member(0)).await.expect("it joins"), second.join(member(1)).await.expect("it joins")];
    shows(&first, &["w0", "w1"], SETTLES_WITHIN).await;
    shows(&second, &["w0", "w1"], SETTLES_WITHIN).await;
    ([first, second], leases)
}

#[tokio::test]
async fn one_that_dies_is_missed_in_time_by_all_others() {
    let (stay, leases) = two_that_stay().await;
    let third = Process::start(&stay[0], member(2)).await;
    for node in &stay {
        shows(node, &["w0", "w1", "w2"], SETTLES_WITHIN).await;
    }
    let died = Instant::now();
    third.kill();
    for node in &stay {
        shows(node, &["w0", "w1"], FAILURE_TIMEOUT + SETTLES_WITHIN).await;
    }
    assert!(died.elapsed() > FAILURE_TIMEOUT / 2, "it was given no time");
    for lease in &leases {
        becomes(&**lease, true).await;
    }
}

#[tokio::test]
async fn one_that_leaves_is_off_long_before_it_would_be_missed() {
    let patient = |config: &mut GossipConfig| config.failure_timeout = Duration::from_secs(60);
    let first = start(None, patient).await;
    let second = start(Some(&first), patient).await;
    let lease = second.join(member(1)).await.expect("it joins");
    shows(&first, &["w1"], SETTLES_WITHIN).await;
    lease.leave().await.expect("it has the id");
    shows(&first, &[], SETTLES_WITHIN).await;

    let _lease = second.join(member(2)).await.expect("it joins");
    shows(&first, &["w2"], SETTLES_WITHIN).await;
    second.close().await;
    shows(&first, &[], SETTLES_WITHIN).await;
}

#[tokio::test]
async fn a_change_is_noticed_when_it_is_told_and_not_only_in_the_next_round() {
    let slow_interval = Duration::from_secs(20);
    let slow = |config: &mut GossipConfig| {
        config.interval = slow_interval;
        config.failure_timeout = Duration::from_secs(200);
        config.alone_after = Duration::from_secs(400);
    };
    let first = start(None, slow).await;
    let second = start(Some(&first), slow).await;
    let _lease = first.join(member(0)).await.expect("it joins");
    let lease = second.join(member(1)).await.expect("it joins");
    for node in [&first, &second] {
        shows(node, &["w0", "w1"], 2 * slow_interval).await;
    }
    for number in 2..=6 {
        let weight = Weight::new(number).expect("a weight");
        lease.update(Member { weight, ..member(1) }).await.expect("it has the id");
        let what = format!("weight {number}");
        // Five in turn cannot all have been in time for a round by chance.
        sees(&first, &what, slow_interval / 4, |list| list[1].weight == weight).await;
    }
}

#[tokio::test]
async fn a_fast_restart_is_noticed_and_the_member_never_missing() {
    let (stay, _leases) = two_that_stay().await;
    let lives = |incarnation| Member { incarnation, ..member(2) };
    let former = Process::start(&stay[0], lives(1)).await;
    sees(&stay[1], "the first life", SETTLES_WITHIN, |list| list.contains(&lives(1))).await;
    former.kill();
    let present = Process::start(&stay[0], lives(2)).await;
    sees(&stay[1], "the second life", SETTLES_WITHIN, |list| {
        assert!(list.iter().any(|listed| listed.id == member(2).id), "it was missing");
        list.contains(&lives(2))
    })
    .await;
    present.kill();
}

#[tokio::test]
async fn an_id_that_joins_elsewhere_is_lost_here() {
    let ([first, second], [lease, _]) = two_that_stay().await;
    let elsewhere = Member { incarnation: 9, ..member(0) };
    let _taken = second.join(elsewhere.clone()).await.expect("it joins");
    sees(&first, "the later one", SETTLES_WITHIN, |list| list.contains(&elsewhere)).await;
    becomes(&*lease, false).await;
    assert!(matches!(lease.update(member(0)).await, Err(RegistryError::Superseded { .. })));
    assert!(matches!(lease.leave().await, Err(RegistryError::Superseded { .. })));
    assert!(present(&first).contains(&elsewhere));
}

#[tokio::test]
async fn strangers_are_not_heard() {
    let first = start(None, |_| {}).await;
    let hasty = Duration::from_millis(100);
    let stranger = start(Some(&first), |config| {
        config.secret = nodes::secret("another-secret-of-some-length");
        config.first_contact = hasty;
    });
    let neighbour = start(Some(&first), |config| {
        config.cluster = "other".to_owned();
        config.first_contact = hasty;
    });
    let outside = [stranger.await, neighbour.await];
    let friend = start(Some(&first), |_| {}).await;
    let mut leases = Vec::new();
    for (number, node) in outside.iter().chain([&friend]).enumerate() {
        leases.push(node.join(member(number)).await.expect("it joins"));
    }
    shows(&first, &["w2"], SETTLES_WITHIN).await;
    let mut lists = first.watch();
    let heard = timeout(FAILURE_TIMEOUT, lists.wait_for(|list| list.len() > 1)).await;
    assert!(heard.is_err(), "a stranger is on the list");
    shows(&outside[0], &["w0"], SETTLES_WITHIN).await;
}

#[tokio::test]
async fn a_process_that_was_stopped_has_no_lease_until_it_is_heard_again() {
    let (stay, _leases) = two_that_stay().await;
    let third = Process::start(&stay[0], member(2)).await;
    shows(&stay[0], &["w0", "w1", "w2"], SETTLES_WITHIN).await;
    // It has heard everybody long enough to take silence for death.
    let settles = tokio::time::sleep(FAILURE_TIMEOUT);
    settles.await;
    becomes(&*third.lease, true).await;

    let mut never_emptier = third.node.watch();
    never_emptier.mark_unchanged();
    third.stop(FAILURE_TIMEOUT * 4);
    becomes(&*third.lease, false).await;
    let ended = third.lease.valid_until().expect("it has an end");
    shows(&stay[0], &["w0", "w1"], FAILURE_TIMEOUT * 3).await;
    assert!(ended < Instant::now() - FAILURE_TIMEOUT / 8, "the lease ends before others notice");
    assert!(!is_valid(&*third.lease));
    becomes(&*third.lease, true).await;
    shows(&stay[0], &["w0", "w1", "w2"], SETTLES_WITHIN).await;
    let emptier = timeout(FAILURE_TIMEOUT, never_emptier.wait_for(|list| list.len() < 3)).await;
    assert!(emptier.is_err(), "it took others off the list for its own silence");
    third.kill();
}

#[tokio::test]
async fn one_that_hears_nobody_keeps_the_list_until_it_takes_itself_for_the_last() {
    let alone_after = FAILURE_TIMEOUT * 5;
    let first = start(None, |config| config.alone_after = alone_after).await;
    let lease = first.join(member(0)).await.expect("it joins");
    let second = Process::start(&first, member(1)).await;
    shows(&first, &["w0", "w1"], SETTLES_WITHIN).await;
    second.kill();
    becomes(&*lease, false).await;
    let mut lists = first.watch();
    let emptier = timeout(FAILURE_TIMEOUT * 2, lists.wait_for(|list| list.len() < 2)).await;
    assert!(emptier.is_err(), "it took the other off though it may be blind itself");
    assert!(!is_valid(&*lease));
    shows(&first, &["w0"], alone_after + SETTLES_WITHIN).await;
    becomes(&*lease, true).await;
}

#[tokio::test]
async fn a_node_that_nobody_can_reach_is_told_so() {
    let started = |listen: &'static str, seed: &str| {
        let config = GossipConfig { seeds: vec![seed.to_owned()], ..config() };
        async move {
            let socket = UdpSocket::bind(listen).await.expect("a free port");
            GossipRegistry::start(socket, config).await.err()
        }
    };
    let only_here = started("127.0.0.1:0", "192.0.2.1:7071").await;
    assert!(matches!(only_here, Some(StartError::OnlyHere { .. })), "{only_here:?}");
    let nowhere = started("0.0.0.0:0", "nobody.invalid:7071").await;
    assert!(matches!(nowhere, Some(StartError::NoAddress { .. })), "{nowhere:?}");
    assert!(started("0.0.0.0:0", "127.0.0.1:7071").await.is_none(), "the way to the seed tells");
}
