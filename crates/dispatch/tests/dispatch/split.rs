//! The split publisher: every message on its owner's stream, in order.

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use ringway_dispatch::{Dispatcher, Hops, SplitPublisher};
use ringway_proto::v1::publish_request::Send;
use ringway_proto::v1::{Message, SendToAllRequest, SendToGroupRequest, SendToUserRequest, Turn};
use ringway_proto::{Reason, Refusal};
use ringway_rpc::{Entered, PublisherConfig};

use crate::fake::{FakeCluster, Take, refusal, soon};

fn publisher(cluster: &FakeCluster) -> SplitPublisher {
    let dispatcher = Dispatcher::new(cluster.views.clone(), cluster.pool());
    dispatcher.publisher(Hops::FromClient, PublisherConfig::default())
}

/// Without regard to what is under way.
async fn publish(publisher: &SplitPublisher, mut send: Send) -> Result<Entered, Refusal> {
    let reserved = soon("room", publisher.reserve(&mut send)).await?;
    Ok(reserved.enter(send, Turn::Unspecified, None).unwrap())
}

fn message(id: &str) -> Option<Message> {
    Some(Message { message_id: id.into(), ..Message::default() })
}

fn to_user(user: &str, id: &str) -> Send {
    Send::ToUser(SendToUserRequest {
        user: user.into(),
        message: message(id),
        ..SendToUserRequest::default()
    })
}

/// A user of worker `w0` that moves to `w1` when that joins.
async fn cluster_about_to_grow() -> (FakeCluster, String) {
    let mut cluster = FakeCluster::start(2).await;
    let user = cluster.user_of(1);
    cluster = FakeCluster::start(1).await;
    cluster.add().await;
    (cluster, user)
}

#[tokio::test]
async fn each_message_goes_on_its_owners_stream_in_the_order_of_the_calls() {
    let cluster = FakeCluster::start(3).await;
    let dispatcher = Dispatcher::new(cluster.views.clone(), cluster.pool());
    let publisher = dispatcher.publisher(Hops::Forwarded, PublisherConfig::default());
    let mut tickets = Vec::new();
    for n in 0..300 {
        let send = to_user(&format!("user{}", n % 20), &format!("{n:03}"));
        tickets.push(publish(&publisher, send).await.unwrap().ticket);
    }
    let group = SendToGroupRequest { group: "room7".into(), message: message("g"), routing: None };
    tickets.push(publish(&publisher, Send::ToGroup(group)).await.unwrap().ticket);
    let all = SendToAllRequest { message: message(""), routing: None };
    tickets.push(publish(&publisher, Send::ToAll(all)).await.unwrap().ticket);
    let receipts = soon("all answers", join_all(tickets)).await;
    assert!(receipts.iter().all(Result::is_ok));
    let all_id = receipts.last().unwrap().as_ref().unwrap().message_id.clone();

    for (n, seen) in cluster.seen() {
        let key = if seen.method == "SendToAll" { &all_id } else { &seen.key };
        assert_eq!(cluster.owner(key), n, "{seen:?}");
        assert_eq!((seen.ring_version, seen.hops), (cluster.version().as_u64(), Hops::Forwarded));
    }
    for worker in &cluster.workers {
        let ids: Vec<_> = worker.script.ids().into_iter().filter(|id| id.len() == 3).collect();
        assert!(ids.is_sorted(), "{ids:?}");
    }
    assert_eq!(cluster.seen().len(), 302);
    assert_eq!(dispatcher.pool().calls(), 3, "one stream to each worker");
}

#[tokio::test]
async fn after_a_ring_change_a_message_is_on_another_stream_and_what_is_under_way_is_answered() {
    let (mut cluster, user) = cluster_about_to_grow().await;
    let publisher = publisher(&cluster);
    cluster.workers[0].script.then(Take::Hold);
    let first = publish(&publisher, to_user(&user, "m1")).await.unwrap();
    cluster.workers[0].script.saw(1).await;
    let mut late = to_user(&user, "m2");
    let reserved = publisher.reserve(&mut late).await.unwrap();
    cluster.join(1).await;
    assert_eq!(cluster.owner(&user), 1);
    let third = publish(&publisher, to_user(&user, "m3")).await.unwrap();
    assert_ne!(third.stream, first.stream);
    // What had its room before the change still enters behind the others on their stream.
    let second = reserved.enter(late, Turn::Follows, Some(first.stream)).unwrap();
    cluster.workers[0].script.release.notify_one();
    for entered in [first, second, third] {
        soon("an answer", entered.ticket).await.unwrap();
    }
    assert_eq!(cluster.workers[0].script.ids(), ["m1", "m2"]);
    assert_eq!(cluster.workers[1].script.ids(), ["m3"]);
}

#[tokio::test]
async fn who_waits_for_room_at_an_owner_that_hangs_finds_it_at_the_next_one() {
    let (mut cluster, user) = cluster_about_to_grow().await;
    let dispatcher = Dispatcher::new(cluster.views.clone(), cluster.pool());
    let narrow = PublisherConfig { in_flight_max: 1, ..PublisherConfig::default() };
    let publisher = dispatcher.publisher(Hops::FromClient, narrow);
    cluster.workers[0].script.then(Take::Hang);
    let _hangs = publish(&publisher, to_user(&user, "m1")).await.unwrap();
    let mut send = to_user(&user, "m2");
    let mut waiting = Box::pin(publisher.reserve(&mut send));
    assert!((&mut waiting).now_or_never().is_none());
    cluster.join(1).await;
    let reserved = soon("room at the next owner", waiting).await.unwrap();
    let entered = reserved.enter(send, Turn::Unspecified, None).unwrap();
    soon("an answer", entered.ticket).await.unwrap();
    assert_eq!(cluster.workers[1].script.ids(), ["m2"]);
}

#[tokio::test]
async fn a_refusal_or_a_lost_stream_concerns_only_its_own_worker() {
    let cluster = FakeCluster::start(2).await;
    let publisher = publisher(&cluster);
    let (here, there) = (cluster.user_of(0), cluster.user_of(1));
    cluster.workers[0].script.then(Take::Refuse(refusal(Reason::NotOwner)));
    cluster.workers[0].script.then(Take::End);
    let cases = [
        (&here, Err(Reason::NotOwner)),
        (&there, Ok(())),
        (&here, Err(Reason::ConnectionLost)),
        (&there, Ok(())),
        (&here, Ok(())),
    ];
    for (user, expected) in cases {
        let ticket = publish(&publisher, to_user(user, "m")).await.unwrap().ticket;
        let answer = soon("an answer", ticket).await;
        assert_eq!(answer.map(drop).map_err(|refusal| refusal.reason), expected);
    }
}

#[tokio::test]
async fn without_workers_nothing_is_published() {
    let cluster = FakeCluster::start(0).await;
    let refused = publish(&publisher(&cluster), to_user("alice", "m1")).await;
    assert_eq!(refused.unwrap_err().reason, Reason::NoWorkers);
}
