//! Who is online, with real processes: told once for each user, without a flicker whatever breaks, and written for others.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use ringway_e2e::server::{Kind, Server};
use ringway_e2e::{Client, Cluster, Fleet, PATIENCE, client, redis};
use ringway_proto::v1::WatchPresenceRequest;
use ringway_sender::{PresenceWatch, UserId};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::http::HeaderValue;

/// Short windows: what must be waited for is over soon.
const SHORT: &[&str] = &[
    "gossip.failure_timeout=2s",
    "sessions.resume_window=4s",
    "handover.orphan_window=2s",
    "client.watch=*",
];
const USERS: usize = 40;

/// A client of `ringway.v1.json`, and its welcome.
async fn framed(gateway: SocketAddr, token: &str) -> (Client, Value) {
    let mut request = client::request(gateway, token);
    let protocol = HeaderValue::from_static("ringway.v1.json");
    request.headers_mut().insert("Sec-WebSocket-Protocol", protocol);
    let mut client = Client::open(gateway, request).await.expect("it is let in");
    let welcome: Value = serde_json::from_str(&client.text().await).expect("JSON");
    assert_eq!(welcome["type"], "welcome");
    (client, welcome)
}

/// The same session over a new socket.
async fn resumed(gateway: SocketAddr, token: &str, welcome: &Value) -> Client {
    let mut request = client::request(gateway, token);
    let protocol = HeaderValue::from_static("ringway.v1.json");
    request.headers_mut().insert("Sec-WebSocket-Protocol", protocol);
    let resume = welcome["resume"].as_str().expect("a token");
    *request.uri_mut() = format!("{}&resume={resume}&offset=0", request.uri()).parse().expect("a good URL");
    let mut client = Client::open(gateway, request).await.expect("it is let in");
    let again: Value = serde_json::from_str(&client.text().await).expect("JSON");
    assert_eq!(again["session"], welcome["session"], "the session goes on");
    client
}

async fn watch_by_frame(client: &mut Client, users: &[String]) {
    client.send(json!({ "type": "watch", "users": users, "ref": "w" }).to_string()).await;
    let reply: Value = serde_json::from_str(&client.text().await).expect("JSON");
    assert_eq!(reply, json!({ "type": "reply", "ref": "w" }));
}

/// Takes frames until so many users were told of.
async fn told(client: &mut Client, users: usize) -> BTreeMap<String, bool> {
    let mut states = BTreeMap::new();
    while states.len() < users {
        let frame: Value = serde_json::from_str(&client.text().await).expect("JSON");
        assert_eq!(frame["type"], "presence", "{frame}");
        for state in frame["users"].as_array().expect("a list") {
            let user = state["user"].as_str().expect("a name").to_owned();
            states.insert(user, state["online"].as_bool().expect("a boolean"));
        }
    }
    states
}

/// Everything that a watcher was told, as it came.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<(String, bool)>>>);

impl Heard {
    fn all(&self) -> Vec<(String, bool)> {
        self.0.lock().expect("nobody panics").clone()
    }

    fn of(&self, user: &str) -> Vec<bool> {
        self.all().into_iter().filter(|(other, _)| other == user).map(|(_, online)| online).collect()
    }

    /// Waits until it has heard this of a user, last.
    async fn until(&self, user: &str, online: bool) -> Instant {
        let deadline = Instant::now() + PATIENCE;
        while self.of(user).last() != Some(&online) {
            assert!(Instant::now() < deadline, "{user} is not told to be {online}: {:?}", self.all());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Instant::now()
    }
}

/// Watches everybody at a node, as a caller in any language does.
async fn watch_everyone(fleet: &Fleet, node: usize) -> Heard {
    let heard = Heard::default();
    let first = WatchPresenceRequest { everyone: true, ..WatchPresenceRequest::default() };
    let requests = stream::iter([first]).chain(stream::pending());
    let mut presence = fleet.pool().node(&fleet.gateways[node].url()).presence();
    let mut changes = presence.watch(requests).await.expect("it is served").into_inner();
    let hears = heard.clone();
    tokio::spawn(async move {
        while let Ok(Some(news)) = changes.message().await {
            let told = news.changes.into_iter().map(|change| (change.user, change.online));
            hears.0.lock().expect("nobody panics").extend(told);
        }
    });
    heard
}

async fn next(watch: &PresenceWatch) -> (String, bool) {
    let change = async {
        loop {
            if let Some((user, online)) = watch.next().await.changes.pop() {
                return (user.to_string(), online);
            }
        }
    };
    tokio::time::timeout(PATIENCE, change).await.expect("a change is told")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_two_devices_comes_and_goes_once() {
    let cluster = Cluster::builder().workers(3).gateways(2).config("[client]\nwatch = [\"*\"]").start().await;
    let sender = cluster.sender().await;
    let alice = UserId::new("alice").expect("a good name");
    let some = sender.presence().watch([&alice]);
    let everybody = sender.presence().watch_everyone();
    assert_eq!(next(&some).await, ("alice".to_owned(), false));
    let (mut bob, _) = framed(cluster.clients(), "bob").await;
    assert_eq!(next(&everybody).await, ("bob".to_owned(), true));
    watch_by_frame(&mut bob, &["alice".to_owned()]).await;
    assert!(!told(&mut bob, 1).await["alice"]);

    let first = Client::connect(cluster.gateways[0].clients(), "alice").await;
    let second = Client::connect(cluster.gateways[1].clients(), "alice").await;
    for watch in [&some, &everybody] {
        assert_eq!(next(watch).await, ("alice".to_owned(), true));
    }
    assert!(told(&mut bob, 1).await["alice"]);
    let report = sender.presence().get(["alice", "bob", "nobody"]).await.expect("it is answered");
    let known: Vec<_> = report.users.iter().map(|it| (it.user.as_str(), it.online, it.sessions)).collect();
    assert_eq!(known, [("alice", true, 2), ("bob", true, 1), ("nobody", false, 0)]);

    first.close().await;
    second.close().await;
    for watch in [&some, &everybody] {
        assert_eq!(next(watch).await, ("alice".to_owned(), false), "once, for both devices");
    }
    assert!(!told(&mut bob, 1).await["alice"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_flickers_while_workers_drain_and_die_and_clients_resume() {
    let mut fleet = Fleet::gossip(3, 2, SHORT).await;
    let gateway = fleet.gateways[0].clients();
    let mut clients = Vec::new();
    for number in 0..USERS {
        clients.push(Client::connect(gateway, &format!("raw{number}")).await);
    }
    let (resuming, welcome) = framed(gateway, "resuming").await;
    let (mut watcher, _) = framed(gateway, "watcher").await;
    let heard = watch_everyone(&fleet, 1).await;
    for number in 0..USERS {
        heard.until(&format!("raw{number}"), true).await;
    }
    let mut friends: Vec<String> = (0..USERS).map(|number| format!("raw{number}")).collect();
    friends.push("resuming".to_owned());
    watch_by_frame(&mut watcher, &friends).await;
    assert!(told(&mut watcher, friends.len()).await.into_values().all(|online| online));

    resuming.kill();
    let resuming = resumed(fleet.gateways[1].clients(), "resuming", &welcome).await;
    fleet.operate("drain w1").await;
    fleet.settled(2).await;
    fleet.workers[1].process.kill().await;
    fleet.settled_without(1, 1).await;
    // Longer than every window: who was not brought back would be offline by then.
    tokio::time::sleep(Duration::from_secs(8)).await;
    clients.remove(0).close().await;
    heard.until("raw0", false).await;

    let told: Vec<_> = heard.all().into_iter().filter(|(user, _)| user != "raw0").collect();
    assert!(told.iter().all(|(_, online)| *online), "{told:?}");
    assert_eq!(told.len(), USERS - 1 + 2, "each was told once: {told:?}");
    // The watcher itself may have moved by a checkpoint: then it was told again, and never that anybody was away.
    loop {
        let frame: Value = serde_json::from_str(&watcher.text().await).expect("JSON");
        let users = frame["users"].as_array().expect("a list");
        let away: Vec<_> = users.iter().filter(|it| it["online"] == false).map(|it| &it["user"]).collect();
        assert!(away.iter().all(|user| **user == "raw0"), "{frame}");
        if !away.is_empty() {
            break;
        }
    }
    drop(resuming);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_users_of_a_dead_worker_who_do_not_come_back_are_told_to_be_offline_and_redis_knows() {
    let Some(server) = Server::start(Kind::Redis).await else { return };
    let settings: Vec<String> = server.settings();
    let export = ["presence.export=redis", "presence.time_to_live=60s"];
    let settings: Vec<&str> =
        SHORT.iter().copied().chain(settings.iter().map(String::as_str)).chain(export).collect();
    let mut fleet = Fleet::gossip(2, 2, &settings).await;
    let view = fleet.sender().await.views().current();
    let of_second = |prefix: &str| {
        let mut names = (0..).map(|number| format!("{prefix}{number}"));
        names.find(|name| view.owner(name).is_some_and(|owner| owner.id.as_str() == "w2")).expect("one")
    };
    let (stays, goes) = (of_second("stays"), of_second("goes"));
    let heard = watch_everyone(&fleet, 0).await;
    let staying = Client::connect(fleet.gateways[0].clients(), &stays).await;
    let going = Client::connect(fleet.gateways[1].clients(), &goes).await;
    for user in [&stays, &goes] {
        heard.until(user, true).await;
        is_written(&server, user, Some("w2")).await;
    }

    // The worker dies, and at the same moment the gateway and the client of one of its users.
    fleet.workers[1].process.kill().await;
    let died = Instant::now();
    fleet.gateways[1].process.kill().await;
    going.kill();
    let told = heard.until(&goes, false).await;
    assert!(told - died >= Duration::from_secs(4), "not before the resume window is over: {:?}", told - died);
    assert_eq!(heard.of(&stays), [true]);
    is_written(&server, &stays, Some("w1")).await;
    is_written(&server, &goes, None).await;
    until(&server, "KEYS ringway:online-at:w2:*", |keys| keys.is_empty()).await;

    // A worker that ends in order takes its own word back.
    staying.close().await;
    is_written(&server, &stays, None).await;
    let last = Client::connect(fleet.gateways[0].clients(), "last").await;
    is_written(&server, "last", Some("w1")).await;
    fleet.workers[0].process.terminate();
    assert!(fleet.workers[0].process.exit(PATIENCE).await.success());
    assert_eq!(redis::ask(server.address(), "KEYS ringway:online*").await, Vec::<String>::new());
    drop(last);
}

/// Waits until Redis says with which worker a user is.
async fn is_written(server: &Server, user: &str, worker: Option<&str>) {
    let worker = worker.map(|worker| json!(worker));
    until(server, &format!("GET ringway:online:{{{user}}}"), |found| {
        let found = found.first().map(|text| serde_json::from_str::<Value>(text).expect("JSON"));
        found.map(|document| document["worker"].clone()) == worker
    })
    .await;
}

async fn until(server: &Server, command: &str, right: impl Fn(&[String]) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = redis::ask(server.address(), command).await;
        if right(&found) {
            return;
        }
        assert!(Instant::now() < deadline, "{command}: {found:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
