//! What the tests of the bridge need: a broker, a client of it, and a cluster that does what the test says.

#![allow(dead_code, unreachable_pub, reason = "not every test needs all of it")]

pub(crate) mod broker;
pub(crate) mod certificates;
pub(crate) mod events;
#[path = "../../../dispatch/tests/dispatch/fake.rs"]
pub(crate) mod fake;

use std::sync::OnceLock;
use std::time::Duration;

use futures_util::StreamExt as _;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use ringway_bridge::{IntakeConfig, RabbitConfig, Topology, Trust};
use ringway_sender::{RetryConfig, Sender, SenderConfig};

use broker::Broker;
use fake::{FakeCluster, soon};

/// A back end at RabbitMQ.
pub(crate) struct BackEnd {
    pub(crate) channel: Channel,
    _connection: Connection,
}

impl BackEnd {
    pub(crate) async fn connect(broker: &Broker) -> Self {
        let url = broker.url();
        let connecting = Connection::connect(&url, ConnectionProperties::default());
        let connection = soon("a connection", connecting).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        BackEnd { channel, _connection: connection }
    }

    /// Publishes a text and waits until the broker has it.
    pub(crate) async fn publish(&self, exchange: &str, key: &str, body: &str, properties: BasicProperties) {
        let options = BasicPublishOptions::default();
        let published =
            self.channel.basic_publish(exchange.into(), key.into(), options, body.as_bytes(), properties);
        let confirmed = soon("a confirm", published.await.unwrap()).await.unwrap();
        assert!(confirmed.is_ack());
    }

    pub(crate) async fn consume(&self, queue: &str) -> Inbox {
        let options = BasicConsumeOptions::default();
        let consumer = self.channel.basic_consume(queue.into(), "".into(), options, FieldTable::default());
        Inbox(consumer.await.unwrap())
    }

    /// A queue of its own that is bound to an exchange.
    pub(crate) async fn bind(&self, queue: &str, exchange: &str, key: &str) {
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        self.channel.queue_declare(queue.into(), options, FieldTable::default()).await.unwrap();
        let options = QueueBindOptions::default();
        let bound = self.channel.queue_bind(
            queue.into(),
            exchange.into(),
            key.into(),
            options,
            FieldTable::default(),
        );
        bound.await.unwrap();
    }

    /// How many messages of a queue are with nobody, and how many consumers it has.
    pub(crate) async fn count(&self, queue: &str) -> (u32, u32) {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let queue = self.channel.queue_declare(queue.into(), options, FieldTable::default()).await.unwrap();
        (queue.message_count(), queue.consumer_count())
    }
}

/// What comes out of a queue.
pub(crate) struct Inbox(Consumer);

impl Inbox {
    pub(crate) async fn next(&mut self) -> Delivery {
        let delivery = soon("a message in a queue", self.0.next()).await;
        let delivery = delivery.expect("the queue stays").unwrap();
        delivery.ack(BasicAckOptions::default()).await.unwrap();
        delivery
    }
}

/// The text of a header.
pub(crate) fn header(delivery: &Delivery, name: &str) -> Option<String> {
    let headers = delivery.properties.headers().as_ref()?;
    headers.inner().get(name)?.as_long_string().map(ToString::to_string)
}

pub(crate) fn rabbit(broker: &Broker) -> RabbitConfig {
    RabbitConfig {
        url: broker.url(),
        trust: Trust::System,
        timeout: Duration::from_secs(30),
        reconnect_pause_max: Duration::from_millis(500),
        topology: Topology::Declare,
    }
}

/// Messages in, with exchanges and queues that begin with this name.
pub(crate) fn intake(broker: &Broker, name: &str) -> IntakeConfig {
    IntakeConfig {
        exchange: format!("{name}.exchange"),
        queue: format!("{name}.in"),
        dead_letter_exchange: format!("{name}.dead"),
        dead_letter_queue: format!("{name}.dead"),
        retry_pause_first: Duration::from_millis(1),
        retry_pause_max: Duration::from_millis(10),
        drain_timeout: Duration::from_millis(50),
        ..IntakeConfig::new(rabbit(broker))
    }
}

/// A sender that gives each attempt so long.
pub(crate) async fn sender(cluster: &FakeCluster, deadline: Duration) -> Sender {
    let nodes = cluster.workers.iter().map(|worker| worker.member.rpc_url.clone());
    let mut config = SenderConfig::new(nodes, fake::secret());
    config.deadline = deadline;
    config.retry = RetryConfig { first_pause_max: Duration::from_millis(1), ..RetryConfig::default() };
    soon("a sender", Sender::connect(config)).await.unwrap()
}

/// Whether somebody consumes a queue. What is published before its consumer is there may be lost: the queue may not be bound yet.
pub(crate) async fn is_consumed(broker: &Broker, queue: &str) -> bool {
    // A queue that is not there closes the channel: each look has one of its own.
    let back_end = BackEnd::connect(broker).await;
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let queue = back_end.channel.queue_declare(queue.into(), options, FieldTable::default()).await;
    queue.is_ok_and(|queue| queue.consumer_count() == 1)
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let waiting = async {
        let mut look = tokio::time::interval(Duration::from_millis(10));
        while !is_so().await {
            look.tick().await;
        }
    };
    soon(what, waiting).await;
}

/// The values of a gauge, whatever its labels.
pub(crate) fn gauge(name: &str) -> Vec<f64> {
    let rendered = recorder().render();
    let of_it = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
    let values = rendered.lines().filter(of_it).filter_map(|line| line.rsplit(' ').next()?.parse().ok());
    values.collect()
}

/// The sum of a counter, whatever its labels.
pub(crate) fn counter(name: &str) -> u64 {
    gauge(name).into_iter().sum::<f64>() as u64
}

/// What this process counts from the first call on.
fn recorder() -> &'static PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER.get_or_init(|| PrometheusBuilder::new().install_recorder().unwrap())
}
