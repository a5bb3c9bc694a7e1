//! What clients do themselves, with the real binary: join, send to each other, go too far, and type at a terminal.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{SystemTime, UNIX_EPOCH};

use ringway_e2e::{Client, Cluster, Fleet, PATIENCE, client, required};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::http::HeaderValue;

const SECRET: &str = "a secret of at least thirty-two bytes";

/// A client of `ringway.v1.json`.
struct Talker(Client);

impl Talker {
    async fn connect(gateway: SocketAddr, token: &str) -> Self {
        let mut request = client::request(gateway, token);
        let ours = HeaderValue::from_static("ringway.v1.json");
        request.headers_mut().insert("sec-websocket-protocol", ours);
        let opened = Client::open(gateway, request).await;
        let mut talker = Self(opened.unwrap_or_else(|refused| panic!("{token:?} was refused: {refused:?}")));
        assert_eq!(talker.hears().await["type"], "welcome");
        talker
    }

    async fn says(&mut self, frame: &Value) {
        self.0.send(frame.to_string()).await;
    }

    async fn hears(&mut self) -> Value {
        serde_json::from_str(&self.0.text().await).expect("a frame")
    }

    async fn asks(&mut self, frame: Value) -> Value {
        self.says(&frame).await;
        self.hears().await
    }
}

fn join(group: &str) -> Value {
    json!({ "type": "join", "group": group, "ref": "j" })
}

fn send(user: &str, number: usize) -> Value {
    json!({ "type": "send", "to": { "user": user }, "data": number, "ref": number.to_string() })
}

fn token(user: &str, permissions: &Value) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
    let claims = json!({ "sub": user, "exp": now + 600, "ringway": permissions });
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).expect("it is signed")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_does_what_its_token_permits_and_nothing_else() {
    let config = format!(
        "[auth]\nmode = 'jwt'\n[auth.jwt]\nsecret = '{SECRET}'\n[client]\njoin = ['room-*']\nsend_own_groups = true"
    );
    let mut cluster = Cluster::builder().workers(3).gateways(2).config(&config).start().await;
    let [first, second] = [0, 1].map(|at| cluster.gateways[at].clients());
    let mut alice = Talker::connect(first, &token("alice", &json!({ "send_users": ["bob"] }))).await;
    let mut bob = Talker::connect(second, &token("bob", &json!(null))).await;
    let mut carol = Talker::connect(first, &token("carol", &json!({ "join": [] }))).await;

    for talker in [&mut alice, &mut bob] {
        assert_eq!(talker.asks(join("room-7")).await, json!({ "type": "reply", "ref": "j" }));
    }
    assert_eq!(carol.asks(join("room-7")).await["code"], "not_permitted");
    assert_eq!(alice.asks(join("hall")).await["code"], "not_permitted");

    alice
        .says(&json!({ "type": "send", "to": { "user": "bob" }, "data": "hi", "id": "m1", "ref": "s" }))
        .await;
    let reply = json!({ "type": "reply", "ref": "s", "outcome": "delivered", "sessions": 1, "id": "m1" });
    assert_eq!(alice.hears().await, reply);
    let message = json!({ "type": "message", "offset": 1, "id": "m1", "from": "alice", "data": "hi" });
    assert_eq!(bob.hears().await, message);
    assert_eq!(bob.asks(send("alice", 1)).await["code"], "not_permitted");

    let to_room = json!({ "type": "send", "to": { "group": "room-7" }, "data": { "n": 1 }, "ref": "g" });
    let reply = bob.asks(to_room.clone()).await;
    assert_eq!((&reply["outcome"], &reply["sessions"]), (&json!("delivered"), &json!(1)));
    let message = alice.hears().await;
    assert_eq!((&message["from"], &message["data"]), (&json!("bob"), &json!({ "n": 1 })));
    assert_eq!(carol.asks(to_room).await["code"], "not_permitted");

    let refused = Client::try_connect(first, &token("dave", &json!({ "jion": ["*"] }))).await;
    let refused = refused.err().expect("the claim is misspelled");
    assert_eq!(refused.status, 401);
    assert!(refused.body.contains("permissions_claim_invalid"), "{}", refused.body);
    cluster.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_too_far_is_told_off_and_closed() {
    let config = "[client]\njoin = ['*']\nframes_burst = 10\nframes_per_second = 1\noffences_max = 5";
    let mut cluster = Cluster::builder().config(config).start().await;
    let mut flooder = Talker::connect(cluster.clients(), "flooder").await;
    let mut liar = Talker::connect(cluster.clients(), "liar").await;
    let mut bystander = Talker::connect(cluster.clients(), "bystander").await;
    for number in 0..100 {
        // It may have been closed already.
        let _ = flooder.0.try_send(join(&format!("g{number}")).to_string()).await;
    }
    let mut told_off = 0;
    let end = loop {
        match tokio::time::timeout(PATIENCE, flooder.0.next()).await.expect("it is closed") {
            Ok(text) => told_off += usize::from(text.to_text().expect("text").contains("rate_limited")),
            Err(end) => break end,
        }
    };
    assert_eq!(end.0, 1008, "{}", end.1);
    assert!(told_off >= 5, "it was told off {told_off} times");
    for _ in 0..6 {
        let answer = liar.asks(json!({ "type": "ack", "offset": 99 })).await;
        assert_eq!(answer["code"], "ack_out_of_range");
    }
    assert_eq!(liar.0.closed().await.0, 1008);
    assert_eq!(bystander.asks(join("room")).await, json!({ "type": "reply", "ref": "j" }));
    cluster.assert_sound();
}

/// How far a talker goes on: so many sends, or until it is told that it is enough.
#[derive(Clone)]
struct Extent {
    sends_max: usize,
    enough: watch::Receiver<bool>,
}

/// Sends one after the other, with a window, and a last word. Gives back how many it sent, and what it heard before the last
/// word of the other.
async fn converse_with(mut talker: Talker, to: String, extent: Extent) -> (usize, Vec<u64>) {
    let (mut sent, mut answered, mut heard) = (0, BTreeSet::new(), Vec::new());
    let (mut has_ended, mut other_has_ended) = (false, false);
    while !(has_ended && other_has_ended && answered.len() == sent) {
        while !has_ended && sent - answered.len() < 8 {
            has_ended = sent == extent.sends_max || *extent.enough.borrow();
            let mut frame = send(&to, sent);
            if has_ended {
                frame["data"] = json!("the end");
            }
            talker.says(&frame).await;
            sent += 1;
        }
        let frame = talker.hears().await;
        if frame["type"] == "message" {
            talker.says(&json!({ "type": "ack", "offset": frame["offset"] })).await;
            assert!(!other_has_ended, "nothing comes after the last word: {frame}");
            heard.extend(frame["data"].as_u64());
            other_has_ended = frame["data"] == "the end";
        } else {
            assert_eq!(frame["outcome"], "delivered", "{frame}");
            assert!(answered.insert(frame["ref"].to_string()), "answered twice: {frame}");
        }
    }
    (sent - 1, heard)
}

/// Pairs who send to each other, as fast as their windows let them. Gives back how many messages there were.
async fn converse(gateways: &[SocketAddr], pairs: usize, extent: Extent) -> usize {
    let mut conversations = JoinSet::new();
    for number in 0..pairs {
        let [a, b] = ["a", "b"].map(|side| format!("{side}{number}"));
        let first = Talker::connect(gateways[number % gateways.len()], &a).await;
        let second = Talker::connect(gateways[(number + 1) % gateways.len()], &b).await;
        let (one, other) = (extent.clone(), extent.clone());
        conversations.spawn(async move {
            tokio::join!(converse_with(first, b, one), converse_with(second, a, other))
        });
    }
    let mut messages = 0;
    while let Some(ended) = conversations.join_next().await {
        let ((sent, heard), (other_sent, other_heard)) = ended.expect("a conversation goes to its end");
        assert_eq!(heard, (0..other_sent as u64).collect::<Vec<_>>(), "each came once, in its order");
        assert_eq!(other_heard, (0..sent as u64).collect::<Vec<_>>(), "each came once, in its order");
        messages += sent + other_sent;
    }
    messages
}

const FAST: [&str; 4] = [
    "client.send_users=*",
    "client.frames_per_second=1000000",
    "client.frames_burst=1000000",
    "auth.plain.group_suffix=false",
];

#[tokio::test(flavor = "multi_thread")]
async fn clients_on_several_workers_send_to_each_other_in_order() {
    let mut fleet = Fleet::gossip(3, 2, &FAST).await;
    let gateways: Vec<_> = fleet.gateways.iter().map(ringway_e2e::Node::clients).collect();
    let (_never, enough) = watch::channel(false);
    let messages = converse(&gateways, 20, Extent { sends_max: 200, enough }).await;
    assert_eq!(messages, 20 * 2 * 200);
    fleet.assert_sound();
}

/// Nobody of those who send to each other notices that a worker comes and another one goes.
#[tokio::test(flavor = "multi_thread")]
async fn conversations_survive_a_change_of_the_ring() {
    let mut fleet = Fleet::gossip(2, 2, &FAST).await;
    let gateways: Vec<_> = fleet.gateways.iter().map(ringway_e2e::Node::clients).collect();
    let (end, enough) = watch::channel(false);
    let extent = Extent { sends_max: usize::MAX, enough };
    let conversations = tokio::spawn(async move { converse(&gateways, 30, extent).await });
    for worker in &fleet.workers {
        // Some of them are everywhere before the ring changes.
        let sessions = |sessions| sessions >= 10.0;
        ringway_e2e::metrics::until(worker.status(), "ringway_worker_sessions", &[], sessions).await;
    }
    fleet.add_worker().await;
    fleet.settled(3).await;
    fleet.workers[0].process.terminate();
    let status = fleet.workers[0].process.exit(PATIENCE).await;
    assert!(status.success(), "{status}");
    fleet.workers.remove(0);
    end.send_replace(true);
    let ended = tokio::time::timeout(2 * PATIENCE, conversations).await.expect("they end");
    println!("{} messages", ended.expect("in order"));
    let moved = fleet.over_gateways("ringway_gateway_moves_total", &["result=\"moved\""]).await;
    assert!(moved >= 10.0, "sessions moved meanwhile: {moved}");
    fleet.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_typed_at_a_terminal() {
    let config = "[client]\njoin = ['room-*']\nsend_users = ['*']\nsend_own_groups = true\nevents = ['*']\nwatch = ['b*', 'z*']";
    let cluster = Cluster::builder().config(config).start().await;
    let mut bob = Talker::connect(cluster.clients(), "bob").await;
    let url = format!("ws://{}/ws", cluster.clients());
    let mut command = Command::new(required::binary());
    command.args(["connect", "--token", "alice", "--protocol", "v1", "--json", "--url", &url]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut process = command.spawn().expect("the binary runs");
    let mut keyboard = process.stdin.take().expect("stdin is piped");
    let mut screen = BufReader::new(process.stdout.take().expect("stdout is piped")).lines();
    let mut shown = async || -> Value {
        let line = tokio::time::timeout(PATIENCE, screen.next_line()).await.expect("something is shown");
        serde_json::from_str(&line.expect("it can be read").expect("it goes on")).expect("JSON")
    };
    let mut typed =
        async |line: &str| keyboard.write_all(format!("{line}\n").as_bytes()).await.expect("typed");
    assert_eq!(shown().await["event"], "welcome");
    typed("/join room-7").await;
    assert_eq!(shown().await, json!({ "event": "reply", "ref": "#1" }));
    typed("/join hall").await;
    let refused = shown().await;
    assert_eq!((&refused["event"], &refused["code"]), (&json!("error"), &json!("not_permitted")));
    typed("/send bob hello").await;
    let receipt = shown().await;
    assert_eq!((&receipt["ref"], &receipt["outcome"]), (&json!("#3"), &json!("delivered")));
    let message = bob.hears().await;
    assert_eq!((&message["from"], &message["data"]), (&json!("alice"), &json!("hello")));
    typed("/event order.paid {\"order\":7}").await;
    assert_eq!(shown().await["code"], "unavailable");
    typed("/watch bob zoe").await;
    assert_eq!(shown().await, json!({ "event": "reply", "ref": "#5" }));
    let mut online = BTreeMap::new();
    while online.len() < 2 {
        let presence = shown().await;
        assert_eq!(presence["event"], "presence", "{presence}");
        for user in presence["users"].as_array().expect("a list") {
            online.insert(user["user"].to_string(), user["online"] == true);
        }
    }
    assert_eq!(online, BTreeMap::from([("\"bob\"".to_owned(), true), ("\"zoe\"".to_owned(), false)]));
    typed("/watch carol").await;
    assert_eq!(shown().await["code"], "not_permitted");
    typed("/unwatch bob").await;
    assert_eq!(shown().await, json!({ "event": "reply", "ref": "#7" }));
    typed("/dance").await;
    assert_eq!(shown().await["event"], "not_sent");
    typed(r#"{"type":"leave","group":"room-7","ref":"mine"}"#).await;
    assert_eq!(shown().await, json!({ "event": "reply", "ref": "mine" }));
}
