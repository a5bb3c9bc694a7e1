//! The consumer: takes deliveries from the queue and lets each go when its turn has come, over one connection after the other.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use lapin::message::Delivery;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Consumer};
use ringway_cluster::Backoff;
use ringway_sender::Sender;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::carry::{Carrier, Parcel};
use super::lanes::Lanes;
use super::order::{GUARANTEE_HEADER, Incoming, Order, TARGET_HEADER, TOPIC_HEADER, Target, Unclear};
use crate::amqp::{self, Link, RabbitError, within};
use crate::config::IntakeConfig;
use crate::metrics::{IntakeMetrics, Side};

/// The bound of the first pause after a failure.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
/// The consumer's name on its channel.
const CONSUMER: &str = "ringway";

/// Messages in.
pub(crate) struct Intake {
    config: Arc<IntakeConfig>,
    sender: Sender,
    metrics: IntakeMetrics,
}

impl Intake {
    pub(crate) fn new(config: IntakeConfig, sender: Sender) -> Self {
        Intake { config: Arc::new(config), sender, metrics: IntakeMetrics::new() }
    }

    /// Works until `shutdown`: connects, and connects again whenever the connection breaks.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut backoff = Backoff::new(PAUSE_FIRST, self.config.rabbit.reconnect_pause_max);
        while !shutdown.is_cancelled() {
            let Err(error) = self.consume(&shutdown, &mut backoff).await else { return };
            warn!(%error, "no messages from RabbitMQ for now");
            shutdown.run_until_cancelled(tokio::time::sleep(backoff.pause())).await;
        }
    }

    /// One connection, to its end.
    async fn consume(&self, shutdown: &CancellationToken, backoff: &mut Backoff) -> Result<(), RabbitError> {
        let opening = shutdown.run_until_cancelled(self.open()).await;
        let Some(opened) = opening else { return Ok(()) };
        let Opened { link, letters, consumer } = opened?;
        backoff.reset();
        info!(queue = self.config.queue, prefetch = self.config.prefetch, "messages from RabbitMQ are taken");
        let carrier = Carrier {
            sender: self.sender.clone(),
            channel: link.channel.clone(),
            letters,
            config: Arc::clone(&self.config),
            metrics: self.metrics.clone(),
        };
        let mut consuming = Consuming::new(carrier);
        let consumed = consuming.run(consumer, shutdown).await;
        self.metrics.unacknowledged.set(0.0);
        consumed
    }

    async fn open(&self) -> Result<Opened, RabbitError> {
        let link = Box::pin(amqp::connect(&self.config.rabbit, Side::In)).await?;
        let letters = Box::pin(amqp::connect(&self.config.rabbit, Side::DeadLetters)).await?;
        let declared = amqp::declare_intake(&link.channel, &self.config);
        within(self.config.rabbit.timeout, "declare exchanges and queues", declared).await?;
        let consumer =
            within(self.config.rabbit.timeout, "start a consumer", self.start(&link.channel)).await?;
        Ok(Opened { link, letters, consumer })
    }

    async fn start(&self, channel: &Channel) -> Result<Consumer, RabbitError> {
        channel.basic_qos(self.config.prefetch, BasicQosOptions::default()).await?;
        let (queue, options) = (self.config.queue.as_str().into(), BasicConsumeOptions::default());
        Ok(channel.basic_consume(queue, CONSUMER.into(), options, FieldTable::default()).await?)
    }
}

/// A connection that deliveries come over, and one for dead letters.
struct Opened {
    link: Link,
    letters: Link,
    consumer: Consumer,
}

/// A delivery that has come to its end, and whose lane is free; none if it was in no lane.
type Ended = (Option<Target>, Result<(), RabbitError>);

/// What is under way over one connection. Dropping it lets all of it go: RabbitMQ delivers it again.
struct Consuming {
    carrier: Arc<Carrier>,
    lanes: Lanes<Target, Parcel>,
    working: FuturesUnordered<BoxFuture<'static, Ended>>,
    /// Deliveries without an end, those that wait in lanes included.
    unacknowledged: u32,
}

impl Consuming {
    fn new(carrier: Carrier) -> Self {
        Consuming {
            carrier: Arc::new(carrier),
            lanes: Lanes::new(),
            working: FuturesUnordered::new(),
            unacknowledged: 0,
        }
    }

    async fn run(&mut self, mut consumer: Consumer, shutdown: &CancellationToken) -> Result<(), RabbitError> {
        loop {
            tokio::select! {
                biased;
                // All are cancel-safe: what is not taken stays where it is.
                () = shutdown.cancelled() => return self.drain().await,
                Some(ended) = self.working.next() => self.ended(ended)?,
                delivery = consumer.next() => self.take(delivery.ok_or(RabbitError::Cancelled)??),
            }
            self.carrier.metrics.unacknowledged.set(f64::from(self.unacknowledged));
        }
    }

    fn take(&mut self, delivery: Delivery) {
        self.unacknowledged += 1;
        match order_of(&delivery) {
            Ok(order) => {
                let target = order.target.clone();
                if let Some(parcel) = self.lanes.enter(target.clone(), Parcel { delivery, order }) {
                    self.go(target, parcel);
                }
            }
            Err(unclear) => {
                let carrier = Arc::clone(&self.carrier);
                let burying = async move { (None, carrier.bury(&delivery, unclear.reason(), 0).await) };
                self.working.push(burying.boxed());
            }
        }
    }

    fn go(&self, target: Target, parcel: Parcel) {
        let carrying = Arc::clone(&self.carrier).carry(parcel);
        self.working.push(carrying.map(|result| (Some(target), result)).boxed());
    }

    fn ended(&mut self, (target, result): Ended) -> Result<(), RabbitError> {
        result?;
        self.unacknowledged = self.unacknowledged.saturating_sub(1);
        if let Some(target) = target
            && let Some(next) = self.lanes.next(&target)
        {
            self.go(target, next);
        }
        Ok(())
    }

    /// Takes no more, and waits for what is under way. What waits in lanes is not begun.
    async fn drain(&mut self) -> Result<(), RabbitError> {
        let options = BasicCancelOptions::default();
        let under_way = async {
            self.carrier.channel.basic_cancel(CONSUMER.into(), options).await?;
            while let Some((_, result)) = self.working.next().await {
                result?;
            }
            Ok(())
        };
        let timeout = self.carrier.config.drain_timeout;
        if let Err(error) = within(timeout, "let the last deliveries end", under_way).await {
            info!(%error, "deliveries under way come again");
        }
        Ok(())
    }
}

fn order_of(delivery: &Delivery) -> Result<Order, Unclear> {
    let properties = &delivery.properties;
    let header = |name: &str| text_of(properties.headers().as_ref()?.inner().get(name)?);
    let (target, topic, guarantee) = (header(TARGET_HEADER), header(TOPIC_HEADER), header(GUARANTEE_HEADER));
    Incoming {
        routing_key: delivery.routing_key.as_str(),
        target: target.as_deref(),
        topic: topic.as_deref(),
        guarantee: guarantee.as_deref(),
        content_type: properties.content_type().as_ref().map(ShortString::as_str),
        message_id: properties.message_id().as_ref().map(ShortString::as_str),
        body: Bytes::copy_from_slice(&delivery.data),
    }
    .read()
}

/// A header's text, however the client wrote it; what is no text is shown as it is, and is no target then.
fn text_of(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => Some(text.to_string()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        AMQPValue::Void => None,
        other => Some(format!("{other:?}")),
    }
}
