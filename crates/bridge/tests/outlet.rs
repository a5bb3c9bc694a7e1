//! Events out to a real RabbitMQ, from a worker whose events the test makes up.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use lapin::message::Delivery;
use ringway_bridge::{FeedConfig, OnUnroutable, OutletConfig, Outlets, run_outlets};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use support::broker::Broker;
use support::events::EventSource;
use support::fake::soon;
use support::{BackEnd, rabbit, until};

fn outlet(broker: &Broker, name: &str) -> OutletConfig {
    OutletConfig {
        rabbit: rabbit(broker),
        feed: FeedConfig::new(name),
        exchange: format!("{name}.events"),
        on_unroutable: OnUnroutable::Drop,
        retry_pause_max: Duration::from_millis(200),
    }
}

struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn start(outlet: OutletConfig, source: &EventSource) -> Self {
        let stop = CancellationToken::new();
        let config = Outlets { outlet: Some(outlet), ..Outlets::default() };
        let task = tokio::spawn(run_outlets(config, source.views.clone(), source.pool.clone(), stop.clone()));
        Running { stop, task }
    }

    async fn end(self) {
        self.stop.cancel();
        soon("the end", self.task).await.unwrap();
    }
}

fn id(delivery: &Delivery) -> String {
    let event: Value = serde_json::from_slice(&delivery.data).unwrap();
    event["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn events_go_out_and_are_acknowledged_when_they_are_confirmed() {
    let Some(mut broker) = Broker::start().await else { return };
    events_are_cloudevents_with_kind_and_user_in_the_key(&broker).await;
    what_no_queue_takes_is_dropped_or_tried_again(&broker).await;
    a_broker_without_memory_holds_events_up(&broker).await;
    what_a_killed_broker_had_not_confirmed_is_published_again(&mut broker).await;
}

async fn events_are_cloudevents_with_kind_and_user_in_the_key(broker: &Broker) {
    let source = EventSource::start().await;
    let back_end = BackEnd::connect(broker).await;
    let running = Running::start(outlet(broker, "plain"), &source);
    until("the exchange", async || exists(broker, "plain.events", &source).await).await;
    back_end.bind("plain.queue", "plain.events", "connected.#").await;
    let mut inbox = back_end.consume("plain.queue").await;
    let sequence = source.tell("alice.b");
    let delivery = inbox.next().await;
    assert_eq!(delivery.routing_key.as_str(), "connected.alice.b");
    let properties = &delivery.properties;
    assert_eq!(properties.content_type().as_ref().unwrap().as_str(), "application/cloudevents+json");
    assert_eq!(properties.message_id().as_ref().unwrap().as_str(), id(&delivery));
    let event: Value = serde_json::from_slice(&delivery.data).unwrap();
    assert_eq!((&event["type"], &event["subject"]), (&"ringway.connected".into(), &"alice.b".into()));
    until("the acknowledgement", async || source.acknowledged() >= sequence).await;
    running.end().await;
}

/// The exchange is made when the first event goes out; that it has no queue yet does not matter to this one.
async fn exists(broker: &Broker, exchange: &str, source: &EventSource) -> bool {
    source.tell("nobody");
    let back_end = BackEnd::connect(broker).await;
    let options = lapin::options::ExchangeDeclareOptions { passive: true, ..Default::default() };
    let kind = lapin::ExchangeKind::Topic;
    back_end.channel.exchange_declare(exchange.into(), kind, options, Default::default()).await.is_ok()
}

async fn what_no_queue_takes_is_dropped_or_tried_again(broker: &Broker) {
    let source = EventSource::start().await;
    let running = Running::start(outlet(broker, "dropped"), &source);
    let sequence = source.tell("alice");
    until("the acknowledgement of what was dropped", async || source.acknowledged() >= sequence).await;
    running.end().await;

    let source = EventSource::start().await;
    let retried = OutletConfig { on_unroutable: OnUnroutable::Retry, ..outlet(broker, "retried") };
    let running = Running::start(retried, &source);
    let back_end = BackEnd::connect(broker).await;
    until("the exchange", async || exists(broker, "retried.events", &source).await).await;
    assert_eq!(source.acknowledged(), 0, "nothing was taken yet");
    back_end.bind("retried.queue", "retried.events", "#").await;
    let sequence = source.tell("alice");
    until("the acknowledgement", async || source.acknowledged() >= sequence).await;
    running.end().await;
}

async fn a_broker_without_memory_holds_events_up(broker: &Broker) {
    let source = EventSource::start().await;
    let running = Running::start(outlet(broker, "blocked"), &source);
    let first = source.tell("alice");
    until("the acknowledgement", async || source.acknowledged() >= first).await;
    broker.control(&["set_vm_memory_high_watermark", "absolute", "1"]).await;
    // A connection is told that it is blocked when it publishes.
    let held = source.tell("bob");
    until("the metric", async || support::gauge("ringway_bridge_rabbitmq_blocked").contains(&1.0)).await;
    assert!(source.acknowledged() < held, "it was acknowledged without having been confirmed");
    broker.control(&["set_vm_memory_high_watermark", "0.6"]).await;
    until("the acknowledgement", async || source.acknowledged() >= held).await;
    running.end().await;
}

async fn what_a_killed_broker_had_not_confirmed_is_published_again(broker: &mut Broker) {
    let source = EventSource::start().await;
    let running = Running::start(outlet(broker, "killed"), &source);
    let back_end = BackEnd::connect(broker).await;
    until("the exchange", async || exists(broker, "killed.events", &source).await).await;
    back_end.bind("killed.queue", "killed.events", "connected.alice").await;
    let kept: Vec<u64> = (0..50).map(|_| source.tell("alice")).collect();
    drop(back_end);
    broker.kill();
    let later: Vec<u64> = (0..50).map(|_| source.tell("alice")).collect();
    broker.start_again().await;
    until("the acknowledgements", async || source.acknowledged() >= later[49]).await;
    let back_end = BackEnd::connect(broker).await;
    let mut inbox = back_end.consume("killed.queue").await;
    let mut firsts: Vec<String> = Vec::new();
    while firsts.len() < 100 {
        let id = id(&inbox.next().await);
        if !firsts.contains(&id) {
            firsts.push(id);
        }
    }
    let expected: Vec<String> = kept.iter().chain(&later).map(|sequence| source.id(*sequence)).collect();
    assert_eq!(firsts, expected, "all of them, and in order but for repetitions");
    running.end().await;
}
