//! Messages in, with a real RabbitMQ and a cluster that does what the test says.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use ringway_bridge::{
    DETAIL_HEADER, Guarantee, IntakeConfig, QUEUE_HEADER, REASON_HEADER, TARGET_HEADER, Topology, run_intake,
};
use ringway_proto::{Reason, Refusal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use support::broker::Broker;
use support::fake::{FakeCluster, Take, soon};
use support::{BackEnd, header, intake, sender, until};

/// How long one attempt to send may take.
const ATTEMPT: Duration = Duration::from_secs(1);

/// Messages that come in, until it is ended.
struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    async fn start(config: IntakeConfig, cluster: &FakeCluster) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn(run_intake(config, sender(cluster, ATTEMPT).await, stop.clone()));
        Running { stop, task }
    }

    /// The same, once it has made its queue and consumes it.
    async fn ready(config: IntakeConfig, cluster: &FakeCluster, broker: &Broker) -> Self {
        let queue = config.queue.clone();
        let running = Self::start(config, cluster).await;
        until("a consumer", async || support::is_consumed(broker, &queue).await).await;
        running
    }

    async fn end(self) {
        self.stop.cancel();
        soon("the end", self.task).await.unwrap();
    }
}

fn properties() -> BasicProperties {
    BasicProperties::default().with_content_type("text/plain".into())
}

#[tokio::test]
async fn messages_come_in_and_what_cannot_be_delivered_goes_out_with_the_reason() {
    let Some(broker) = Broker::start().await else { return };
    targets_are_read_and_messages_arrive(&broker).await;
    a_delivery_is_acknowledged_when_it_was_delivered(&broker).await;
    bad_messages_are_dead_letters_with_their_reason(&broker).await;
    what_fails_is_tried_again_and_then_dead(&broker).await;
    what_may_have_been_delivered_is_not_sent_again_at_most_once(&broker).await;
    a_topology_that_is_only_checked_must_be_there(&broker).await;
}

async fn targets_are_read_and_messages_arrive(broker: &Broker) {
    let cluster = FakeCluster::start(1).await;
    let running = Running::ready(intake(broker, "targets"), &cluster, broker).await;
    let back_end = BackEnd::connect(broker).await;
    let named = properties().with_message_id("m1".into());
    back_end.publish("targets.exchange", "user.alice", "hello", named).await;
    back_end.publish("targets.exchange", "group.room7", "hello", properties()).await;
    back_end.publish("targets.exchange", "all", "hello", properties()).await;
    let mut headers = FieldTable::default();
    headers.insert(TARGET_HEADER.into(), AMQPValue::LongString("user.bob".into()));
    back_end.publish("", "targets.in", "hello", properties().with_headers(headers)).await;
    let script = &cluster.workers[0].script;
    script.saw(4).await;
    let mut seen: Vec<_> = script.seen().into_iter().map(|seen| (seen.method, seen.key)).collect();
    seen.sort();
    let expected =
        [("SendToAll", ""), ("SendToGroup", "room7"), ("SendToUser", "alice"), ("SendToUser", "bob")];
    assert_eq!(seen, expected.map(|(method, key)| (method, key.to_owned())));
    assert!(script.ids().contains(&"m1".to_owned()));
    running.end().await;
}

async fn a_delivery_is_acknowledged_when_it_was_delivered(broker: &Broker) {
    let cluster = FakeCluster::start(1).await;
    let script = &cluster.workers[0].script;
    script.then(Take::Hold);
    let running = Running::ready(intake(broker, "held"), &cluster, broker).await;
    let back_end = BackEnd::connect(broker).await;
    back_end.publish("held.exchange", "user.alice", "1", properties().with_message_id("1".into())).await;
    script.saw(1).await;
    running.end().await;
    until("the delivery that was not acknowledged", async || back_end.count("held.in").await.0 == 1).await;
    script.release.notify_one();

    let running = Running::ready(intake(broker, "held"), &cluster, broker).await;
    until("an acknowledgement", async || script.ids().len() >= 2).await;
    assert!(script.ids().iter().all(|id| id == "1"));
    running.end().await;
    assert_eq!(back_end.count("held.in").await.0, 0);
}

async fn bad_messages_are_dead_letters_with_their_reason(broker: &Broker) {
    let cluster = FakeCluster::start(1).await;
    let running = Running::ready(intake(broker, "bad"), &cluster, broker).await;
    let back_end = BackEnd::connect(broker).await;
    let mut dead = back_end.consume("bad.dead").await;
    let json = BasicProperties::default().with_content_type("application/json".into());
    let too_long = properties().with_message_id("x".repeat(129).as_str().into());
    let large = "x".repeat((1 << 20) + 1);
    let cases = [
        ("", "bad.in", "hello", properties(), "no_target", "expected user.NAME, group.NAME or all"),
        ("bad.exchange", "user.alice", "{", json, "invalid_argument", "JSON"),
        ("bad.exchange", "user.alice", "hello", too_long, "invalid_argument", "128"),
        ("bad.exchange", "user.alice", &large, properties(), "message_too_large", "1048576"),
        ("bad.exchange", "user.a\u{7}", "hello", properties(), "invalid_argument", "control character"),
    ];
    for (exchange, key, body, properties, reason, detail) in cases {
        back_end.publish(exchange, key, body, properties).await;
        let letter = dead.next().await;
        assert_eq!(header(&letter, REASON_HEADER).as_deref(), Some(reason), "{key}");
        let told = header(&letter, DETAIL_HEADER).unwrap_or_default();
        assert!(told.contains(detail), "{told}");
        assert_eq!(header(&letter, QUEUE_HEADER).as_deref(), Some("bad.in"));
        assert_eq!((letter.routing_key.as_str(), letter.data.len()), (key, body.len()));
    }
    running.end().await;
    assert_eq!(back_end.count("bad.in").await.0, 0);
    assert_eq!(cluster.workers[0].script.seen(), [], "no worker was asked");
}

async fn what_fails_is_tried_again_and_then_dead(broker: &Broker) {
    let mut cluster = FakeCluster::start(2).await;
    let owned_by = |n: usize| {
        let view = cluster.views.current();
        let id = cluster.workers[n].member.id.clone();
        (0..).map(|n| format!("user{n}")).find(|user| view.owner(user).unwrap().id == id).unwrap()
    };
    let (lost, well) = (owned_by(0), owned_by(1));
    let config = IntakeConfig { attempts_max: 3, ..intake(broker, "again") };
    let running = Running::ready(config, &cluster, broker).await;
    cluster.crash(0).await;
    let back_end = BackEnd::connect(broker).await;
    let mut dead = back_end.consume("again.dead").await;
    for number in ["1", "2"] {
        let key = format!("user.{lost}");
        back_end.publish("again.exchange", &key, number, properties()).await;
    }
    back_end.publish("again.exchange", &format!("user.{well}"), "hello", properties()).await;
    cluster.workers[1].script.saw(1).await;
    for number in ["1", "2"] {
        let letter = dead.next().await;
        assert_eq!(letter.data, number.as_bytes(), "in their order");
        assert_eq!(header(&letter, REASON_HEADER).as_deref(), Some("unreachable"));
        let headers = letter.properties.headers().as_ref().unwrap();
        assert_eq!(headers.inner().get(ringway_bridge::ATTEMPTS_HEADER), Some(&AMQPValue::LongUInt(3)));
    }
    running.end().await;
}

async fn what_may_have_been_delivered_is_not_sent_again_at_most_once(broker: &Broker) {
    let cluster = FakeCluster::start(1).await;
    let script = &cluster.workers[0].script;
    let back_end = BackEnd::connect(broker).await;
    let at_most = Running::ready(intake(broker, "once"), &cluster, broker).await;
    let mut dead = back_end.consume("once.dead").await;
    script.then(Take::End);
    back_end.publish("once.exchange", "user.alice", "1", properties()).await;
    assert_eq!(header(&dead.next().await, REASON_HEADER).as_deref(), Some("maybe_delivered"));
    assert_eq!(script.ids().len(), 1);
    at_most.end().await;

    let config = IntakeConfig { guarantee: Guarantee::AtLeastOnce, ..intake(broker, "once") };
    let at_least = Running::ready(config, &cluster, broker).await;
    script.then(Take::End);
    script.then(Take::Refuse(Refusal::new(Reason::Overloaded, "later")));
    back_end.publish("once.exchange", "user.alice", "2", properties()).await;
    script.saw(4).await;
    let ids = script.ids();
    assert!(ids[1] == ids[2] && ids[2] == ids[3], "each attempt has the same id: {ids:?}");
    at_least.end().await;
    assert_eq!(back_end.count("once.in").await.0, 0);
}

async fn a_topology_that_is_only_checked_must_be_there(broker: &Broker) {
    let cluster = FakeCluster::start(1).await;
    let mut config = intake(broker, "checked");
    config.rabbit.topology = Topology::Check;
    let running = Running::start(config.clone(), &cluster).await;
    let back_end = BackEnd::connect(broker).await;
    // What another bridge declares is found by the one that only looks.
    let declared = intake(broker, "checked");
    let declaring = Running::ready(declared, &cluster, broker).await;
    declaring.end().await;
    until("the consumer of the one that looks", async || back_end.count("checked.in").await.1 == 1).await;
    back_end.publish("checked.exchange", "user.alice", "hello", properties()).await;
    cluster.workers[0].script.saw(1).await;
    running.end().await;
}
