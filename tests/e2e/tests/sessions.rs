//! Sessions: how many a user may have, who closes them, and what is told of them.

use ringway_e2e::{Cluster, metrics};
use ringway_proto::v1;
use ringway_sender::{CloseCode, Reason, SessionFilter, SessionTarget, UserId};

fn user(name: &str) -> UserId {
    UserId::new(name).expect("a good name")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_session_wins_if_so_configured() {
    let config = "[sessions]\nper_user_max = 1\non_conflict = \"replace_oldest\"";
    let cluster = Cluster::builder().workers(2).gateways(2).config(config).start().await;
    let first = ringway_e2e::Client::connect(cluster.gateways[0].clients(), "alice").await;
    let mut second = ringway_e2e::Client::connect(cluster.gateways[1].clients(), "alice").await;
    assert_eq!(first.closed().await.0, 4400);
    let receipt = cluster.sender().await.send_to_user("alice", "to the last").await.expect("it is taken");
    assert_eq!(receipt.sessions, 1);
    assert_eq!(second.text().await, "to the last");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_sessions_stay_if_so_configured() {
    let config = "[sessions]\nper_user_max = 2\non_conflict = \"refuse\"";
    let cluster = Cluster::builder().config(config).start().await;
    let (first, second) = (cluster.client("alice").await, cluster.client("alice").await);
    let refused =
        ringway_e2e::Client::try_connect(cluster.clients(), "alice").await.err().expect("she has two");
    assert_eq!(refused.status, 429, "{}", refused.body);
    let _bob = cluster.client("bob").await;
    first.close().await;
    metrics::until(cluster.workers[0].status(), "ringway_worker_sessions", &[], |sessions| sessions == 2.0)
        .await;
    let _third = cluster.client("alice").await;
    drop(second);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_limit_a_user_has_as_many_sessions_as_it_opens() {
    let cluster = Cluster::builder().workers(3).start().await;
    let mut clients = Vec::new();
    for _ in 0..50 {
        clients.push(cluster.client("alice").await);
    }
    let receipt = cluster.sender().await.send_to_user("alice", "to all of her").await.expect("it is taken");
    assert_eq!(receipt.sessions, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_back_end_closes_sessions_with_a_code_and_a_reason() {
    let cluster = Cluster::builder().workers(3).start().await;
    let sender = cluster.sender().await;
    let (first, second) = (cluster.client("alice").await, cluster.client("alice").await);
    let _bob = cluster.client("bob").await;
    let listed = sender.list_sessions(&SessionFilter::User(user("alice")), 0).await.expect("she is there");
    assert_eq!((listed.total, listed.sessions.len()), (2, 2));

    let all = SessionTarget::User(user("alice"));
    assert_eq!(
        sender.close_sessions(&all, CloseCode::TOKEN_EXPIRED, "get a new token").await.expect("she is there"),
        2
    );
    for client in [first, second] {
        assert_eq!(client.closed().await, (4300, "get a new token".to_owned()));
    }
    // Closed and removed: the answer to the close is the end of the session.
    let gone = SessionTarget::Session(listed.sessions[0].id.parse().expect("a session id"));
    let again = sender.close_sessions(&gone, CloseCode::NORMAL, "").await.expect_err("it is gone");
    assert_eq!(again.reason(), Reason::SessionNotFound);
    let left = sender.list_sessions(&SessionFilter::All, 0).await.expect("they are listed");
    assert_eq!(left.sessions.iter().map(|session| session.user.as_str()).collect::<Vec<_>>(), ["bob"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_session_is_closed_and_the_others_stay() {
    let cluster = Cluster::start(1).await;
    let sender = cluster.sender().await;
    let first = cluster.client("alice").await;
    let listed = sender.list_sessions(&SessionFilter::User(user("alice")), 0).await.expect("she is there");
    let mut second = cluster.client("alice").await;
    let one = SessionTarget::Session(listed.sessions[0].id.parse().expect("a session id"));
    assert_eq!(
        sender.close_sessions(&one, CloseCode::CLOSED_BY_BACKEND, "signed out").await.expect("it is there"),
        1
    );
    assert_eq!(first.closed().await, (4401, "signed out".to_owned()));
    sender.send_to_user("alice", "still here").await.expect("it is taken");
    assert_eq!(second.text().await, "still here");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_with_what_is_known_of_them() {
    let cluster = Cluster::builder().workers(3).gateways(2).start().await;
    let sender = cluster.sender().await;
    let mut clients = Vec::new();
    for number in 0..20 {
        let gateway = &cluster.gateways[number % 2];
        clients.push(ringway_e2e::Client::connect(gateway.clients(), &format!("user{number:02}-room")).await);
    }
    let list = sender.list_sessions(&SessionFilter::All, 7).await.expect("they are listed");
    assert_eq!((list.total, list.sessions.len()), (20, 7));
    assert!(list.workers_unreached.is_empty());
    let users: Vec<_> = list.sessions.iter().map(|session| session.user.clone()).collect();
    assert_eq!(users, (0..7).map(|number| format!("user{number:02}-room")).collect::<Vec<_>>());

    let all = sender.list_sessions(&SessionFilter::All, 0).await.expect("they are listed").sessions;
    for (number, session) in all.iter().enumerate() {
        let v1::Session { groups, worker, gateway, remote_address, .. } = session;
        assert_eq!(groups, &["room"]);
        assert_eq!(gateway, &format!("g{}", number % 2 + 1));
        assert!(["w1", "w2", "w3"].contains(&worker.as_str()), "{worker}");
        assert!(remote_address.starts_with("127."), "{remote_address}");
        assert!(session.opened_at_ms > 1_700_000_000_000);
        assert!(!session.suspended);
    }
}
