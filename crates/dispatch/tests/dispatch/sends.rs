//! Where a send goes, how many calls it costs, and what is read when it fails.

use std::collections::BTreeSet;
use std::time::Duration;

use ringway_dispatch::{Dispatcher, Hops};
use ringway_proto::Reason;
use ringway_proto::v1::{Message, SendToAllRequest, SendToGroupRequest, SendToUserRequest};
use tokio::time::Instant;

use crate::fake::{FakeCluster, Seen, THEIR_RING, Take, refusal, soon};

fn message(id: &str) -> Option<Message> {
    Some(Message { payload: "hello".into(), message_id: id.into(), ..Message::default() })
}

fn to_user(user: &str) -> SendToUserRequest {
    SendToUserRequest { user: user.into(), message: message("m1"), ..SendToUserRequest::default() }
}

fn to_group(group: &str) -> SendToGroupRequest {
    SendToGroupRequest { group: group.into(), message: message("m2"), routing: None }
}

fn in_time() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

fn dispatcher(cluster: &FakeCluster) -> Dispatcher {
    Dispatcher::new(cluster.views.clone(), cluster.pool())
}

#[tokio::test]
async fn a_send_is_exactly_one_call_to_the_owner_whatever_the_number_of_workers() {
    for workers in [1, 16] {
        let cluster = FakeCluster::start(workers).await;
        let dispatcher = dispatcher(&cluster);
        let version = cluster.version().as_u64();
        for (hops, key) in
            [(Hops::FromClient, "alice"), (Hops::Forwarded, "bob"), (Hops::FromClient, "room7")]
        {
            let before = (dispatcher.pool().calls(), cluster.seen().len());
            let (method, message_id, receipt) = if key == "room7" {
                ("SendToGroup", "m2", dispatcher.send_to_group(to_group(key), hops, in_time()).await)
            } else {
                ("SendToUser", "m1", dispatcher.send_to_user(to_user(key), hops, in_time()).await)
            };
            assert_eq!(receipt.unwrap().message_id, message_id);
            assert_eq!(dispatcher.pool().calls() - before.0, 1, "{workers} workers");
            assert_eq!(cluster.seen().len() - before.1, 1, "{workers} workers");
            let expected =
                Seen { method, key: key.into(), message_id: message_id.into(), ring_version: version, hops };
            assert_eq!(cluster.script_of(key).seen().last(), Some(&expected));
        }
    }
}

#[tokio::test]
async fn a_send_to_all_goes_to_the_owner_of_its_id_so_that_the_load_spreads() {
    let cluster = FakeCluster::start(4).await;
    let dispatcher = dispatcher(&cluster);
    let request = SendToAllRequest { message: message("m1"), routing: None };
    dispatcher.send_to_all(request, Hops::FromClient, in_time()).await.unwrap();
    assert_eq!(cluster.script_of("m1").ids(), ["m1"]);

    let mut ids = BTreeSet::new();
    for _ in 0..64 {
        let request = SendToAllRequest { message: message(""), routing: None };
        let receipt = dispatcher.send_to_all(request, Hops::FromClient, in_time()).await.unwrap();
        ids.insert(receipt.message_id);
    }
    assert_eq!(ids.len(), 64);
    assert_eq!(dispatcher.pool().calls(), 65);
    assert!(cluster.workers.iter().all(|worker| !worker.script.seen().is_empty()));
}

#[tokio::test]
async fn an_owner_that_is_gone_is_unreachable_and_the_refusal_carries_our_ring() {
    let mut cluster = FakeCluster::start(2).await;
    let dispatcher = dispatcher(&cluster);
    let user = cluster.user_of(1);
    cluster.crash(1).await;
    let refused = dispatcher.send_to_user(to_user(&user), Hops::FromClient, in_time()).await.unwrap_err();
    assert_eq!(refused.reason, Reason::Unreachable);
    assert_eq!(refused.ring_version, Some(cluster.version()));
    let other = cluster.user_of(0);
    dispatcher.send_to_user(to_user(&other), Hops::FromClient, in_time()).await.unwrap();
}

#[tokio::test]
async fn a_workers_refusal_is_handed_on_as_it_is() {
    let cluster = FakeCluster::start(1).await;
    let dispatcher = dispatcher(&cluster);
    for reason in [Reason::NotOwner, Reason::Overloaded, Reason::MessageTooLarge] {
        cluster.workers[0].script.then(Take::Refuse(refusal(reason)));
        let refused = dispatcher.send_to_user(to_user("alice"), Hops::FromClient, in_time()).await;
        assert_eq!(refused, Err(refusal(reason)));
        assert_eq!(refusal(reason).ring_version, Some(THEIR_RING));
    }
}

#[tokio::test]
async fn the_deadline_ends_a_call_and_a_deadline_that_has_passed_prevents_it() {
    let cluster = FakeCluster::start(1).await;
    let dispatcher = dispatcher(&cluster);
    cluster.workers[0].script.then(Take::Hang);
    let deadline = Instant::now() + Duration::from_millis(100);
    let call = dispatcher.send_to_user(to_user("alice"), Hops::FromClient, deadline);
    let refused = soon("the deadline", call).await.unwrap_err();
    assert_eq!(refused.reason, Reason::DeadlineExceeded);
    assert!(Instant::now() >= deadline);

    let seen = cluster.seen().len();
    let refused = dispatcher.send_to_user(to_user("alice"), Hops::FromClient, deadline).await.unwrap_err();
    assert_eq!(refused.reason, Reason::DeadlineExceeded);
    assert_eq!((dispatcher.pool().calls(), cluster.seen().len()), (1, seen));
}

#[tokio::test]
async fn without_workers_nothing_is_called() {
    let cluster = FakeCluster::start(0).await;
    let dispatcher = dispatcher(&cluster);
    let refused = dispatcher.send_to_user(to_user("alice"), Hops::FromClient, in_time()).await.unwrap_err();
    assert_eq!((refused.reason, refused.ring_version), (Reason::NoWorkers, Some(cluster.version())));
    assert_eq!(dispatcher.pool().calls(), 0);
}
