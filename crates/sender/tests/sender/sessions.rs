//! The session calls of a sender.

use ringway_sender::{CloseCode, GroupId, Reason, Session, SessionFilter, SessionTarget, UserId};

use crate::connect;
use crate::fake::{FakeCluster, Take, refusal, soon};

#[tokio::test]
async fn session_calls_go_to_the_worker_and_are_made_again_when_that_is_safe() {
    let cluster = FakeCluster::start(3).await;
    let sender = connect(&cluster).await;
    let alice = UserId::new("alice").unwrap();
    let (target, group) = (SessionTarget::User(alice.clone()), GroupId::new("room7").unwrap());
    let script = cluster.script_of("alice");
    let session = Session { id: "0".repeat(32), user: "alice".into(), ..Session::default() };
    script.sessions.lock().push(session.clone());

    let listed = soon("a list", sender.list_sessions(&SessionFilter::User(alice), 0)).await.unwrap();
    assert_eq!((listed.sessions, listed.total), (vec![session.clone()], 1));
    let listed = soon("a list", sender.list_sessions(&SessionFilter::All, 10)).await.unwrap();
    assert_eq!((listed.sessions, listed.workers_unreached.len()), (vec![session], 0));
    script.then(Take::Refuse(refusal(Reason::NotOwner)));
    assert_eq!(soon("an answer", sender.join_group(&target, &group)).await, Ok(2));
    assert_eq!(soon("an answer", sender.leave_group(&target, &group)).await, Ok(3));
    let closed = sender.close_sessions(&target, CloseCode::NORMAL, "bye");
    assert_eq!(soon("an answer", closed).await, Ok(1));
    let methods: Vec<_> = script.seen().iter().map(|seen| seen.method).collect();
    assert_eq!(methods, ["List", "List", "JoinGroup", "JoinGroup", "LeaveGroup", "Close"]);
}

#[tokio::test]
async fn a_session_that_is_not_there_is_an_error_at_once() {
    let cluster = FakeCluster::start(1).await;
    let sender = connect(&cluster).await;
    cluster.workers[0].script.then(Take::Refuse(refusal(Reason::SessionNotFound)));
    let id = "0123456789abcdef0123456789abcdef".parse().unwrap();
    let error = soon("an answer", sender.session(id)).await.unwrap_err();
    assert_eq!((error.reason(), error.attempts, error.maybe_delivered), (Reason::SessionNotFound, 1, false));
    assert_eq!(soon("an answer", sender.session(id)).await.unwrap().id, id.to_string());
}
