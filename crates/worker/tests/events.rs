//! Events of sessions, over the Events service and within the process.
#![allow(missing_docs, clippy::unwrap_used)]

mod house;

use bytes::Bytes;
use house::{Gateway, House, within};
use ringway_proto::v1::event::What;
use ringway_proto::v1::gateway_frame::Frame as Up;
use ringway_proto::v1::subscribe_request::Request;
use ringway_proto::v1::{
    ClientMessage, DisconnectReason, Event, Gone, PayloadKind, SubscribeAck, SubscribeRequest,
    SubscribeResponse, SubscribeStart,
};
use ringway_proto::{Reason, Refusal};
use ringway_rpc::NodeChannel;
use ringway_worker::Subscribe;
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

struct Subscriber {
    says: mpsc::Sender<SubscribeRequest>,
    hears: Streaming<SubscribeResponse>,
}

impl Subscriber {
    async fn start(node: &NodeChannel, start: SubscribeStart) -> Result<Self, Status> {
        let (says, said) = mpsc::channel(16);
        says.send(SubscribeRequest { request: Some(Request::Start(start)) }).await.unwrap();
        let hears = within(node.events().subscribe(ReceiverStream::new(said))).await?.into_inner();
        Ok(Subscriber { says, hears })
    }

    async fn named(node: &NodeChannel, name: &str) -> Self {
        Self::start(node, SubscribeStart { name: name.into(), ..Default::default() }).await.unwrap()
    }

    /// So many events, none of which is missing.
    async fn events(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::new();
        while events.len() < count {
            let batch = within(self.hears.next()).await.expect("the stream goes on").unwrap();
            assert_eq!(batch.missed, 0);
            events.extend(batch.events);
        }
        assert_eq!(events.len(), count, "{events:?}");
        events
    }

    /// Says nothing more, and waits until the worker has heard everything.
    async fn end(mut self) {
        drop(self.says);
        while within(self.hears.next()).await.is_some() {}
    }

    async fn acknowledge(&self, upto: u64) {
        let request = Some(Request::Ack(SubscribeAck { upto }));
        self.says.send(SubscribeRequest { request }).await.unwrap();
    }
}

/// What happened in a word, with what matters of it.
fn told(event: &Event) -> String {
    let what = match event.what.as_ref().unwrap() {
        What::Connected(_) => "connected".to_owned(),
        What::Disconnected(gone) => format!("{} {}", gone.reason().as_str_name(), gone.code),
        What::Message(sent) => format!("{:?} {}", sent.kind(), String::from_utf8_lossy(&sent.payload)),
    };
    format!("{} {what}", event.user)
}

async fn say(gateway: &Gateway, channel: u64, text: &'static str) {
    let payload = Bytes::from_static(text.as_bytes());
    gateway.say(Up::Message(ClientMessage { channel, payload, kind: PayloadKind::Text.into() })).await;
}

async fn leave(gateway: &Gateway, channel: u64, code: u32) {
    gateway.say(Up::Gone(Gone { channel, code, may_resume: false })).await;
}

#[tokio::test]
async fn sessions_and_what_clients_say_are_told_in_order() {
    let house = House::new(1).await;
    let mut subscriber = Subscriber::named(&house.tenant("w1").node, "test").await;
    let mut gateway = house.gateway("w1").await;
    let channel = gateway.open_ok("alice", &["room"]).await;
    say(&gateway, channel, "hello").await;
    say(&gateway, channel, "world").await;
    leave(&gateway, channel, 1000).await;
    let events = subscriber.events(4).await;
    let expected = [
        "alice connected",
        "alice Text hello",
        "alice Text world",
        "alice DISCONNECT_REASON_CLIENT_LEFT 1000",
    ];
    assert_eq!(events.iter().map(told).collect::<Vec<_>>(), expected);
    for event in &events {
        assert_eq!((&*event.worker, &*event.remote_address), ("w1", "127.0.0.1:1"));
        assert_eq!(event.groups, ["room"]);
        assert_eq!(event.session_id, gateway.sessions[&channel].to_string());
    }
    assert_eq!(events[0].gateway, "g1");
}

#[tokio::test]
async fn what_was_not_acknowledged_comes_again() {
    let house = House::new(1).await;
    let node = &house.tenant("w1").node;
    let mut subscriber = Subscriber::named(node, "test").await;
    let mut gateway = house.gateway("w1").await;
    gateway.open_ok("alice", &[]).await;
    gateway.open_ok("bob", &[]).await;
    let first = subscriber.events(2).await;
    subscriber.acknowledge(first[0].sequence).await;
    subscriber.end().await;
    gateway.open_ok("carol", &[]).await;
    let again = Subscriber::named(node, "test").await.events(2).await;
    assert_eq!(again[0].id, first[1].id);
    assert_eq!(again.iter().map(told).collect::<Vec<_>>(), ["bob connected", "carol connected"]);
}

#[tokio::test]
async fn a_session_that_moves_has_neither_ended_nor_begun() {
    // Of two workers, the second one owns `moving`.
    let both = House::new(2).await;
    let (moving, staying) = (both.key_of("w2", "user"), both.key_of("w1", "user"));
    let mut house = House::new(1).await;
    let old = house.tenant("w1").worker.subscribe(Subscribe::default()).unwrap();
    let mut gateway = house.gateway("w1").await;
    let channel = gateway.open_ok(&moving, &[]).await;
    house.add("w2", |_| {}).await;
    let new = house.tenant("w2").worker.subscribe(Subscribe::default()).unwrap();
    assert_eq!(gateway.told_to_move().await, [channel]);
    let state = gateway.detach(channel).await;
    let mut other = house.gateway("w2").await;
    let brought = other.bring(&moving, state, 0).await;
    other.opened(brought).await;
    gateway.say(Up::Arrived(ringway_proto::v1::Arrived { channel })).await;
    leave(&other, brought, 1001).await;
    gateway.open_ok(&staying, &[]).await;

    let at_old = within(old.next()).await.unwrap().events;
    let mut told_at_old: Vec<_> = at_old.iter().map(told).collect();
    while told_at_old.len() < 2 {
        told_at_old.extend(within(old.next()).await.unwrap().events.iter().map(told));
    }
    assert_eq!(told_at_old, [format!("{moving} connected"), format!("{staying} connected")]);
    let at_new = within(new.next()).await.unwrap().events;
    assert_eq!(
        at_new.iter().map(told).collect::<Vec<_>>(),
        [format!("{moving} DISCONNECT_REASON_CLIENT_LEFT 1001")]
    );
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_a_move_is_told() {
    let moving = House::new(2).await.key_of("w2", "user");
    let mut house = House::new(1).await;
    let subscription = house.tenant("w1").worker.subscribe(Subscribe::default()).unwrap();
    let mut gateway = house.gateway("w1").await;
    let channel = gateway.open_ok(&moving, &[]).await;
    house.add("w2", |_| {}).await;
    assert_eq!(gateway.told_to_move().await, [channel]);
    gateway.detach(channel).await;
    leave(&gateway, channel, 1000).await;
    let mut events = Vec::new();
    while events.len() < 2 {
        events.extend(within(subscription.next()).await.unwrap().events);
    }
    let Some(What::Disconnected(gone)) = &events[1].what else { panic!("{:?}", events[1]) };
    assert_eq!(gone.reason(), DisconnectReason::ClientLeft);
    assert_eq!(events[1].session_id, gateway.sessions[&channel].to_string());
}

#[tokio::test]
async fn a_subscription_that_breaks_a_rule_is_refused() {
    let house = House::new(1).await;
    let node = &house.tenant("w1").node;
    let _held = Subscriber::named(node, "taken").await;
    let start = |name: &str| SubscribeStart { name: name.into(), ..Default::default() };
    let cases = [
        (start("taken"), Reason::Overloaded, "has a subscriber already"),
        (start("with space"), Reason::InvalidArgument, "must be empty or 1 to 64 bytes"),
        (SubscribeStart { kinds: vec![9], ..start("a") }, Reason::InvalidArgument, "kind 9 is not"),
        (SubscribeStart { window: 20_000, ..start("a") }, Reason::InvalidArgument, "at most 10000"),
    ];
    for (start, reason, part) in cases {
        let refusal = Refusal::from_status(&Subscriber::start(node, start).await.err().unwrap());
        assert_eq!(refusal.reason, reason);
        assert!(refusal.message.contains(part), "{}", refusal.message);
    }
}
