//! What clients of `ringway.v1.json` may do, over real workers: groups, sends to others, events, and how far their patience
//! goes.
#![allow(missing_docs, clippy::unwrap_used)]

mod house;

use bytes::Bytes;
use house::{Gateway, House, to_group, to_user, within};
use ringway_proto::v1::gateway_frame::Frame as Up;
use ringway_proto::v1::worker_frame::Frame as Down;
use ringway_proto::v1::{AnswerRequest, ClientMessage, Detach, Open, Permissions};
use ringway_ring::Slot;
use ringway_session::{ConductPolicy, SessionId, frame};
use ringway_worker::WorkerConfig;
use serde_json::{Value, json};

const CHANNEL: u64 = 1;

/// A client of `ringway.v1.json` on a gateway of its own, which the test plays.
struct Client {
    gateway: Gateway,
    channel: u64,
    session: String,
}

fn patterns(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

fn everything() -> Permissions {
    let all = || patterns(&["*"]);
    Permissions {
        join: all(),
        send_users: all(),
        send_groups: all(),
        send_own_groups: true,
        watch: all(),
        events: all(),
    }
}

impl Client {
    async fn open(house: &House, user: &str, permissions: Permissions) -> Client {
        let gateway = Gateway::attach(&house.owner(user).worker).await;
        let id = SessionId::new(Slot::of(user.as_bytes()), rand::random::<u64>().into());
        let open = Open {
            channel: CHANNEL,
            session_id: Bytes::copy_from_slice(&id.to_bytes()),
            user: user.into(),
            subprotocols: vec![frame::SUBPROTOCOL.into()],
            permissions: Some(permissions),
            ..Open::default()
        };
        gateway.say(Up::Open(open)).await;
        let mut client = Client { gateway, channel: CHANNEL, session: id.to_string() };
        assert_eq!(client.hears().await["type"], "welcome");
        client.gateway.opened(CHANNEL).await;
        client
    }

    fn frame(&self, frame: &Value) -> Up {
        let payload = frame.to_string().into();
        Up::Message(ClientMessage { channel: self.channel, payload, kind: 0 })
    }

    async fn says(&self, frame: Value) {
        self.gateway.say(self.frame(&frame)).await;
    }

    /// Several frames of the client, and what the gateway has to say behind them, at once.
    async fn says_all(&self, frames: &[Value], then: Option<Up>) {
        let frames = frames.iter().map(|frame| self.frame(frame));
        self.gateway.say_all(frames.chain(then).collect()).await;
    }

    /// The next frame that the client is sent.
    async fn hears(&mut self) -> Value {
        match self.gateway.next_but_checkpoints().await {
            Down::Deliver(deliver) => {
                let text = std::str::from_utf8(&deliver.payload).unwrap();
                let whole = deliver.offsets.first().map(|offset| frame::numbered(*offset, text));
                serde_json::from_str(whole.as_deref().unwrap_or(text)).unwrap()
            }
            other => panic!("{other:?} came instead of a frame"),
        }
    }

    /// The next frame, without its words: those are for people.
    async fn hears_code(&mut self) -> Value {
        let mut frame = self.hears().await;
        frame.as_object_mut().unwrap().remove("message");
        frame
    }

    async fn asks(&mut self, frame: Value) -> Value {
        self.says(frame).await;
        self.hears_code().await
    }

    async fn is_closed(&mut self) -> u32 {
        match self.gateway.next_but_checkpoints().await {
            Down::Close(close) => close.code,
            other => panic!("{other:?} came instead of the end"),
        }
    }
}

fn send_user(user: &str, data: &str, reference: &str) -> Value {
    json!({ "type": "send", "to": { "user": user }, "data": data, "ref": reference })
}

fn done(reference: &str) -> Value {
    json!({ "type": "reply", "ref": reference })
}

fn refused(reference: &str, code: &str) -> Value {
    json!({ "type": "error", "ref": reference, "code": code })
}

fn conduct(conduct: ConductPolicy) -> impl Fn(&mut WorkerConfig) {
    move |config| config.policy.conduct = conduct
}

fn tireless(config: &mut WorkerConfig) {
    config.policy.conduct =
        ConductPolicy { frames_per_second: 100_000, frames_burst: 100_000, offences_max: 100_000 };
    config.client.sends_under_way_max = 100_000;
}

#[tokio::test]
async fn everything_is_refused_by_default() {
    let house = House::new(1).await;
    let mut client = Client::open(&house, "alice", Permissions::default()).await;
    let frames = [
        json!({ "type": "join", "group": "room", "ref": "a" }),
        json!({ "type": "leave", "group": "room", "ref": "a" }),
        send_user("bob", "hi", "a"),
        send_user("alice", "hi", "a"),
        json!({ "type": "send", "to": { "group": "room" }, "data": 1, "ref": "a" }),
        json!({ "type": "event", "topic": "paid", "data": 1, "ref": "a" }),
    ];
    for frame in frames {
        assert_eq!(client.asks(frame.clone()).await, refused("a", "not_permitted"), "{frame}");
    }
    let unnamed = json!({ "type": "join", "group": "room" });
    assert_eq!(client.asks(unnamed).await, json!({ "type": "error", "code": "not_permitted" }));
}

/// One permission each, what it allows and what it does not.
#[tokio::test]
async fn a_permission_allows_what_it_names() {
    let house = House::new(1).await;
    let none = Permissions::default;
    let join = |group: &str| json!({ "type": "join", "group": group, "ref": "a" });
    let to_group = |group: &str| json!({ "type": "send", "to": { "group": group }, "data": 1, "ref": "a" });
    let event = |topic: &str| json!({ "type": "event", "topic": topic, "data": 1, "ref": "a" });
    let rooms = || patterns(&["room-*"]);
    let cases = [
        (Permissions { join: rooms(), ..none() }, join("room-7"), "reply", join("hall")),
        (
            Permissions { send_users: patterns(&["bob"]), ..none() },
            send_user("bob", "x", "a"),
            "reply",
            send_user("bobby", "x", "a"),
        ),
        (Permissions { send_groups: rooms(), ..none() }, to_group("room-7"), "reply", to_group("hall")),
        (
            Permissions { join: rooms(), send_own_groups: true, ..none() },
            join("room-7"),
            "reply",
            to_group("room-8"),
        ),
        (
            Permissions { events: patterns(&["order.*"]), ..none() },
            event("order.paid"),
            "unavailable",
            event("login"),
        ),
    ];
    for (permissions, allowed, expected, other) in cases {
        let mut client = Client::open(&house, "alice", permissions).await;
        let answer = client.asks(allowed.clone()).await;
        assert!(answer["type"] == expected || answer["code"] == expected, "{allowed}: {answer}");
        assert_eq!(client.asks(other.clone()).await, refused("a", "not_permitted"), "{other}");
    }
}

#[tokio::test]
async fn a_client_joins_and_leaves() {
    let house = House::new(2).await;
    let mut client = Client::open(&house, "alice", everything()).await;
    let home = house.owner("room").node.clone();
    let send = async |text: &str| {
        home.delivery().send_to_group(to_group("room", text)).await.unwrap().into_inner().sessions
    };
    assert_eq!(send("before").await, 0);
    assert_eq!(client.asks(json!({ "type": "join", "group": "room", "ref": "j" })).await, done("j"));
    assert_eq!(send("now").await, 1);
    assert_eq!(client.hears().await["data"], "now");
    assert_eq!(client.asks(json!({ "type": "leave", "group": "room", "ref": "l" })).await, done("l"));
    assert_eq!(send("after").await, 0);
    assert_eq!(client.asks(json!({ "type": "leave", "group": "room", "ref": "m" })).await, done("m"));
}

#[tokio::test]
async fn groups_have_a_bound() {
    let house = House::with(1, |config| config.policy.groups_per_session_max = 1).await;
    let mut client = Client::open(&house, "alice", everything()).await;
    assert_eq!(client.asks(json!({ "type": "join", "group": "a", "ref": "1" })).await, done("1"));
    client.says(json!({ "type": "join", "group": "b", "ref": "2" })).await;
    let error = client.hears().await;
    assert_eq!((&error["code"], &error["ref"]), (&json!("too_many_groups"), &json!("2")));
    assert!(error["message"].as_str().unwrap().contains("in 1 groups already"), "{error}");
}

/// To a user of the same worker and of another one.
#[tokio::test]
async fn a_client_sends_to_a_user_who_sees_from_whom_it_is() {
    let house = House::new(2).await;
    let users = ["w1", "w2"].map(|worker| house.key_of(worker, "user"));
    let mut alice = Client::open(&house, "alice", everything()).await;
    for user in &users {
        let mut receiver = Client::open(&house, user, Permissions::default()).await;
        let mut raw = house.client(user, &[]).await;
        alice
            .says(json!({
                "type": "send", "to": { "user": user }, "id": "m1", "topic": "chat", "from": "mallory",
                "data": { "text": "hi", "from": "mallory" }, "ref": "r",
            }))
            .await;
        let expected = json!({
            "type": "message", "offset": 1, "id": "m1", "topic": "chat", "from": "alice",
            "data": { "text": "hi", "from": "mallory" },
        });
        assert_eq!(receiver.hears().await, expected);
        assert_eq!(raw.message().await.1, "{\"from\":\"mallory\",\"text\":\"hi\"}");
        let receipt =
            json!({ "type": "reply", "ref": "r", "outcome": "delivered", "sessions": 2, "id": "m1" });
        assert_eq!(alice.hears().await, receipt);
    }
    alice.says(send_user("nobody", "hi", "s")).await;
    let mut receipt = alice.hears().await;
    assert_eq!(receipt["id"].take().as_str().unwrap().len(), 32, "one is made");
    let expected = json!({ "type": "reply", "ref": "s", "outcome": "no_session", "sessions": 0, "id": null });
    assert_eq!(receipt, expected);
}

#[tokio::test]
async fn a_client_sends_to_a_group_but_not_to_itself() {
    let house = House::new(2).await;
    let permissions =
        || Permissions { join: patterns(&["*"]), send_own_groups: true, ..Permissions::default() };
    let mut alice = Client::open(&house, "alice", permissions()).await;
    let mut elsewhere = Client::open(&house, "alice", permissions()).await;
    for client in [&mut alice, &mut elsewhere] {
        assert_eq!(client.asks(json!({ "type": "join", "group": "room", "ref": "j" })).await, done("j"));
    }
    let send =
        json!({ "type": "send", "to": { "group": "room" }, "base64": "AAH+/w==", "ref": "s", "id": "m" });
    let receipt = json!({ "type": "reply", "ref": "s", "outcome": "delivered", "sessions": 1, "id": "m" });
    assert_eq!(alice.asks(send.clone()).await, receipt);
    let message = elsewhere.hears().await;
    assert_eq!((&message["base64"], &message["from"]), (&json!("AAH+/w=="), &json!("alice")));
    // In its own group only while it is in it.
    assert_eq!(alice.asks(json!({ "type": "leave", "group": "room", "ref": "l" })).await, done("l"));
    assert_eq!(alice.asks(send).await, refused("s", "not_permitted"));
}

#[tokio::test]
async fn what_is_wrong_with_a_send_is_said() {
    let house = House::with(1, |config| config.limits = ringway_rpc::NodeLimits::new(8)).await;
    let mut client = Client::open(&house, "alice", everything()).await;
    let send = |more: Value| {
        let mut frame = send_user("bob", "hi", "a");
        frame.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        frame
    };
    let cases = [
        (json!({ "data": "123456789" }), "too_large", "has 9 bytes"),
        (json!({ "topic": "x".repeat(256) }), "invalid", "topic has 256 bytes"),
        (json!({ "topic": "a\nb" }), "invalid", "U+000A"),
        (json!({ "id": "x".repeat(129) }), "invalid", "message id has 129 bytes"),
        (json!({ "to": { "user": "" } }), "invalid", "the user is empty"),
        (json!({ "type": "event", "topic": "x".repeat(256) }), "invalid", "topic has 256 bytes"),
        (json!({ "type": "event", "topic": "a\nb" }), "invalid", "U+000A"),
        (json!({ "type": "event", "topic": "paid", "data": "123456789" }), "too_large", "has 9 bytes"),
    ];
    for (more, code, words) in cases {
        client.says(send(more)).await;
        let error = client.hears().await;
        assert_eq!(error["code"], code, "{error}");
        assert!(error["message"].as_str().unwrap().contains(words), "{error}");
    }
}

/// A client's sends to users of both workers, all in a row, arrive in their order.
#[tokio::test]
async fn sends_of_one_client_keep_their_order() {
    const SENDS: usize = 500;
    let house = House::with(2, tireless).await;
    let users = ["w1", "w2"].map(|worker| house.key_of(worker, "user"));
    let mut alice = Client::open(&house, "alice", everything()).await;
    let mut receivers = Vec::new();
    for user in &users {
        receivers.push(Client::open(&house, user, Permissions::default()).await);
    }
    let frames: Vec<_> = (0..SENDS)
        .flat_map(|number| users.iter().map(move |user| send_user(user, &number.to_string(), "r")))
        .collect();
    for some in frames.chunks(50) {
        alice.says_all(some, None).await;
    }
    for receiver in &mut receivers {
        for number in 0..SENDS {
            assert_eq!(receiver.hears().await["data"], number.to_string());
        }
    }
    for _ in &frames {
        assert_eq!(alice.hears().await["outcome"], "delivered");
    }
}

/// Frames of one batch are taken without a pause between them, so the first send cannot have its answer yet.
#[tokio::test]
async fn beyond_the_bound_a_send_is_busy_and_holds_up_nobody() {
    let house = House::with(1, |config| config.client.sends_under_way_max = 2).await;
    let mut client = Client::open(&house, "alice", everything()).await;
    let sends = ["1", "2", "3"].map(|name| send_user("nobody", "hi", name));
    client.says_all(&sends, None).await;
    assert_eq!(client.hears_code().await, refused("3", "busy"));
    for name in ["1", "2"] {
        assert_eq!(client.hears().await["ref"], name);
    }
    assert_eq!(client.asks(send_user("nobody", "hi", "4")).await["outcome"], "no_session");
}

#[tokio::test]
async fn all_clients_together_may_hold_so_many_bytes() {
    let house = House::with(1, |config| config.client.sends_under_way_bytes_max = 10).await;
    let mut alice = Client::open(&house, "alice", everything()).await;
    let sends = [send_user("nobody", "12345", "1"), send_user("nobody", "123456", "2")];
    alice.says_all(&sends, None).await;
    assert_eq!(alice.hears_code().await, refused("2", "busy"));
    assert_eq!(alice.hears().await["ref"], "1");
    // What was answered holds nothing any more.
    let whole = [send_user("nobody", "1234567890", "3")];
    alice.says_all(&whole, None).await;
    assert_eq!(alice.hears().await["outcome"], "no_session");
}

#[tokio::test]
async fn a_client_that_floods_is_told_off_and_closed() {
    let bounds = ConductPolicy { frames_per_second: 1, frames_burst: 3, offences_max: 2 };
    let house = House::with(1, conduct(bounds)).await;
    let mut client = Client::open(&house, "alice", everything()).await;
    let mut other = Client::open(&house, "alice", everything()).await;
    let joins: Vec<_> = (0..6)
        .map(|number| json!({ "type": "join", "group": format!("g{number}"), "ref": number.to_string() }))
        .collect();
    client.says_all(&joins, None).await;
    let mut answers = Vec::new();
    for _ in &joins {
        answers.push(client.hears().await);
    }
    answers.sort_by_key(|answer| answer["ref"].as_str().unwrap().to_owned());
    let told: Vec<_> = answers.iter().map(|answer| answer["code"].as_str().unwrap_or("done")).collect();
    assert_eq!(told, ["done", "done", "done", "rate_limited", "rate_limited", "rate_limited"]);
    assert!(answers[3]["message"].as_str().unwrap().contains("1 a second are allowed"), "{answers:?}");
    assert_eq!(client.is_closed().await, 1008);
    assert_eq!(other.asks(json!({ "type": "join", "group": "g", "ref": "j" })).await, done("j"));
}

#[tokio::test]
async fn a_client_that_acknowledges_what_it_never_got_is_told_off_and_closed() {
    let house = House::with(1, conduct(ConductPolicy { offences_max: 2, ..ConductPolicy::default() })).await;
    let mut client = Client::open(&house, "alice", Permissions::default()).await;
    let mut delivery = house.tenant("w1").node.delivery();
    delivery.send_to_user(to_user("alice", "hi")).await.unwrap();
    assert_eq!(client.hears().await["offset"], 1);
    client.says(json!({ "type": "ack", "offset": 1 })).await;
    let ack = json!({ "type": "ack", "offset": 2, "ref": "a" });
    for _ in 0..3 {
        assert_eq!(client.asks(ack.clone()).await, refused("a", "ack_out_of_range"));
    }
    assert_eq!(client.is_closed().await, 1008);
}

#[tokio::test]
async fn a_client_whose_frames_cannot_be_read_is_closed_at_last() {
    let house = House::with(1, conduct(ConductPolicy { offences_max: 1, ..ConductPolicy::default() })).await;
    let mut client = Client::open(&house, "alice", Permissions::default()).await;
    assert_eq!(client.asks(json!("hello")).await["code"], "unreadable");
    assert_eq!(client.asks(json!({ "type": "dance" })).await["code"], "unknown_type");
    assert_eq!(client.is_closed().await, 1008);
}

/// Two users of w1 who belong to w2 as soon as that is there, with their clients.
async fn two_that_move() -> (House, [String; 2], [Client; 2]) {
    let mut house = House::new(1).await;
    let elsewhere = House::new(2).await;
    let users = [elsewhere.key_of("w2", "alice"), elsewhere.key_of("w2", "bob")];
    let mut clients = Vec::new();
    for user in &users {
        clients.push(Client::open(&house, user, everything()).await);
    }
    house.add("w2", |_| {}).await;
    for client in &mut clients {
        assert_eq!(client.gateway.told_to_move().await, [CHANNEL]);
    }
    let Ok(clients) = clients.try_into() else { panic!("there are two") };
    (house, users, clients)
}

/// The session of a client goes to w2; its gateway is another one from then on.
async fn brought(house: &House, user: &str, client: Client, state: Bytes) -> Client {
    let mut gateway = house.gateway("w2").await;
    let channel = gateway.bring(user, state, 0).await;
    gateway.opened(channel).await;
    Client { gateway, channel, ..client }
}

#[tokio::test]
async fn a_session_that_moves_takes_its_permissions_along_and_its_sends_have_their_answers_before() {
    let (house, [alice, bob], [mut a, b]) = two_that_move().await;
    let sends: Vec<_> = (0..20).map(|number| send_user("nobody", "x", &number.to_string())).collect();
    a.says_all(&sends, Some(Up::Detach(Detach { channel: CHANNEL }))).await;
    for _ in &sends {
        assert_eq!(a.hears().await["outcome"], "no_session");
    }
    let Down::Detached(detached) = a.gateway.next_but_checkpoints().await else { panic!("not detached") };
    let mut a = brought(&house, &alice, a, detached.state).await;
    assert_eq!(a.asks(json!({ "type": "join", "group": "room", "ref": "j" })).await, done("j"));
    let mut b = b;
    let state = b.gateway.detach(CHANNEL).await;
    let mut b = brought(&house, &bob, b, state).await;
    assert_eq!(a.asks(send_user(&bob, "hi", "s")).await["outcome"], "delivered");
    assert_eq!(b.hears().await["from"], alice);
}

/// Alice's send waits for Bob, who is on his way; so she goes without its answer, and it comes after her.
#[tokio::test]
async fn an_answer_that_comes_late_follows_its_session() {
    let (house, [alice, bob], [mut a, mut b]) = two_that_move().await;
    let bobs = b.gateway.detach(CHANNEL).await;
    a.says_all(&[send_user(&bob, "hi", "late")], Some(Up::Detach(Detach { channel: CHANNEL }))).await;
    let Down::Detached(detached) = a.gateway.next_but_checkpoints().await else { panic!("not detached") };
    let mut a = brought(&house, &alice, a, detached.state).await;
    b.gateway = house.gateway("w2").await;
    b.channel = b.gateway.bring(&bob, bobs, 0).await;
    assert_eq!(b.hears().await["data"], "hi");
    let reply = a.hears().await;
    assert_eq!((&reply["ref"], &reply["outcome"]), (&json!("late"), &json!("delivered")));
}

#[tokio::test]
async fn another_workers_answer_is_given_to_the_session_or_to_nobody() {
    let house = House::new(1).await;
    let mut client = Client::open(&house, "alice", Permissions::default()).await;
    let mut peer = house.tenant("w1").node.peer();
    let session: SessionId = client.session.parse().unwrap();
    let answer = |id: SessionId, frame: &'static [u8]| AnswerRequest {
        session_id: Bytes::copy_from_slice(&id.to_bytes()),
        frame: Bytes::from_static(frame),
    };
    peer.answer(answer(session, b"{\"type\":\"reply\",\"ref\":\"a\"}")).await.unwrap();
    assert_eq!(client.hears().await, done("a"));
    let ended = SessionId::new(Slot::of(b"alice"), 7);
    within(peer.answer(answer(ended, b"{}"))).await.unwrap();
    assert!(peer.answer(answer(session, b"\xff")).await.is_err());
    let broken = AnswerRequest { session_id: Bytes::from_static(b"short"), ..AnswerRequest::default() };
    assert!(peer.answer(broken).await.is_err());
}

#[tokio::test]
async fn permissions_that_break_a_rule_open_no_session() {
    let house = House::new(1).await;
    let mut gateway = house.gateway("w1").await;
    let id = SessionId::new(Slot::of(b"alice"), 1);
    let open = Open {
        channel: 1,
        session_id: Bytes::copy_from_slice(&id.to_bytes()),
        user: "alice".into(),
        permissions: Some(Permissions { join: patterns(&["*-room"]), ..Permissions::default() }),
        ..Open::default()
    };
    gateway.say(Up::Open(open)).await;
    let Down::Refused(refused) = gateway.next().await else { panic!("not refused") };
    assert!(refused.message.contains("a `*` before its end"), "{}", refused.message);
    // A raw client's text is no frame, whatever it looks like: nothing happens, and nothing is answered.
    let mut raw = house.client("bob", &[]).await;
    let payload = Bytes::from_static(b"{\"type\":\"join\",\"group\":\"room\",\"ref\":\"a\"}");
    raw.say(Up::Message(ClientMessage { channel: 1, payload, kind: 0 })).await;
    let mut delivery = house.tenant("w1").node.delivery();
    delivery.send_to_user(to_user("bob", "next")).await.unwrap();
    assert_eq!(raw.message().await.1, "next");
}
