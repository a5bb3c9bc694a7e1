//! Session calls: one RPC where one worker knows, one to each where all are asked.

use std::time::Duration;

use ringway_dispatch::{Dispatcher, Hops};
use ringway_proto::Reason;
use ringway_proto::v1::list_sessions_request::Filter;
use ringway_proto::v1::session_target::Target;
use ringway_proto::v1::{self, ListSessionsRequest, Session, SessionTarget};
use ringway_ring::Slot;
use ringway_session::SessionId;
use tokio::time::Instant;

use crate::fake::{FakeCluster, Take, refusal, soon};

fn in_time() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

fn dispatcher(cluster: &FakeCluster) -> Dispatcher {
    Dispatcher::new(cluster.views.clone(), cluster.pool())
}

fn session(user: &str, n: u128) -> Session {
    let id = SessionId::new(Slot::of(user.as_bytes()), n).to_string();
    Session { id, user: user.into(), ..Session::default() }
}

#[tokio::test]
async fn a_call_on_a_session_or_a_user_is_one_call_to_the_worker_that_holds_it() {
    let cluster = FakeCluster::start(4).await;
    let dispatcher = dispatcher(&cluster);
    let id = session("alice", 5).id;
    let of_session = Some(SessionTarget { target: Some(Target::SessionId(id.clone())) });
    let of_user = Some(SessionTarget { target: Some(Target::User("alice".into())) });
    let hops = Hops::FromClient;

    let request = v1::GetSessionRequest { session_id: id.clone(), routing: None };
    assert_eq!(dispatcher.get_session(request, hops, in_time()).await.unwrap().id, id);
    for target in [&of_session, &of_user] {
        let target = target.clone();
        let close = v1::CloseSessionsRequest { target: target.clone(), ..Default::default() };
        assert_eq!(dispatcher.close_sessions(close, hops, in_time()).await.unwrap().sessions, 1);
        let join = v1::JoinGroupRequest { target: target.clone(), ..Default::default() };
        assert_eq!(dispatcher.join_group(join, hops, in_time()).await.unwrap().sessions, 2);
        let leave = v1::LeaveGroupRequest { target, ..Default::default() };
        assert_eq!(dispatcher.leave_group(leave, hops, in_time()).await.unwrap().sessions, 3);
    }
    let seen = cluster.script_of("alice").seen();
    let asked: Vec<_> = seen.iter().map(|seen| (seen.method, seen.key.as_str())).collect();
    let (id, user) = (id.as_str(), "alice");
    assert_eq!(asked[0], ("Get", id));
    assert_eq!(asked[1..4], [("Close", id), ("JoinGroup", id), ("LeaveGroup", id)]);
    assert_eq!(asked[4..], [("Close", user), ("JoinGroup", user), ("LeaveGroup", user)]);
    assert_eq!((dispatcher.pool().calls(), cluster.seen().len()), (7, 7));
}

#[tokio::test]
async fn a_bad_target_filter_or_limit_is_refused_before_any_call() {
    let cluster = FakeCluster::start(1).await;
    let dispatcher = dispatcher(&cluster);
    let get = v1::GetSessionRequest { session_id: "x".into(), routing: None };
    let close = v1::CloseSessionsRequest::default();
    let limit = ListSessionsRequest { limit: 10_001, ..Default::default() };
    let filter = ListSessionsRequest { filter: Some(Filter::User(String::new())), ..Default::default() };
    let hops = Hops::FromClient;
    let refusals = [
        dispatcher.get_session(get, hops, in_time()).await.map(drop),
        dispatcher.close_sessions(close, hops, in_time()).await.map(drop),
        dispatcher.list_sessions(limit, hops, in_time()).await.map(drop),
        dispatcher.list_sessions(filter, hops, in_time()).await.map(drop),
    ];
    for refused in refusals {
        assert_eq!(refused.unwrap_err().reason, Reason::InvalidArgument);
    }
    assert_eq!(dispatcher.pool().calls(), 0);
}

#[tokio::test]
async fn a_list_of_one_user_asks_the_owner_and_other_lists_ask_every_worker_for_its_own() {
    let cluster = FakeCluster::start(3).await;
    let dispatcher = dispatcher(&cluster);
    let sessions = [session("carol", 1), session("alice", 2), session("bob", 3), session("alice", 1)];
    for (n, session) in sessions.iter().enumerate() {
        cluster.workers[n % 3].script.sessions.lock().push(session.clone());
    }
    let request = ListSessionsRequest { filter: Some(Filter::User("alice".into())), ..Default::default() };
    dispatcher.list_sessions(request, Hops::FromClient, in_time()).await.unwrap();
    assert_eq!(dispatcher.pool().calls(), 1);
    assert_eq!(cluster.script_of("alice").seen()[0].hops, Hops::FromClient);

    for filter in [None, Some(Filter::Group("room7".into()))] {
        let before = dispatcher.pool().calls();
        let request = ListSessionsRequest { filter, limit: 3, routing: None };
        let list = dispatcher.list_sessions(request, Hops::FromClient, in_time()).await.unwrap();
        assert_eq!(dispatcher.pool().calls() - before, 3);
        let listed: Vec<_> = list.sessions.iter().map(|session| session.id.as_str()).collect();
        assert_eq!(listed, [&sessions[3].id, &sessions[1].id, &sessions[2].id]);
        assert_eq!((list.total, list.workers_unreached.len()), (4, 0));
    }
    for worker in &cluster.workers {
        let last = worker.script.seen().pop().unwrap();
        assert_eq!((last.hops, last.key.as_str()), (Hops::Forwarded, "3"));
    }
}

#[tokio::test]
async fn a_list_names_the_workers_that_could_not_be_asked() {
    let mut cluster = FakeCluster::start(3).await;
    let dispatcher = dispatcher(&cluster);
    cluster.workers[0].script.sessions.lock().push(session("alice", 1));
    cluster.workers[1].script.then(Take::Hang);
    cluster.crash(2).await;
    let deadline = Instant::now() + Duration::from_secs(2);
    let list = dispatcher.list_sessions(ListSessionsRequest::default(), Hops::FromClient, deadline);
    let list = soon("the list", list).await.unwrap();
    assert!(Instant::now() < deadline, "there must be time left for the answer's own way");
    assert_eq!(list.workers_unreached, ["w1", "w2"]);
    assert_eq!((list.total, list.sessions.len()), (1, 1));
}

#[tokio::test]
async fn what_every_worker_would_refuse_is_a_refusal_of_the_list() {
    let cluster = FakeCluster::start(2).await;
    let dispatcher = dispatcher(&cluster);
    cluster.workers[0].script.then(Take::Refuse(refusal(Reason::Unauthenticated)));
    let list = dispatcher.list_sessions(ListSessionsRequest::default(), Hops::FromClient, in_time()).await;
    assert_eq!(list.unwrap_err().reason, Reason::Unauthenticated);
}
