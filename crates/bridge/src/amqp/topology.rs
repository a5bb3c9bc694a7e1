//! Exchanges and queues: made as they should be, or looked for.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};

use super::error::RabbitError;
use crate::config::{IntakeConfig, OutletConfig, Topology};

/// What is routed into the queue of messages.
const BINDINGS: [&str; 3] = ["user.#", "group.#", "all"];

/// What messages come in by: an exchange with a queue, and the same for dead letters.
pub(crate) async fn declare_intake(channel: &Channel, config: &IntakeConfig) -> Result<(), RabbitError> {
    let topology = config.rabbit.topology;
    exchange(channel, &config.exchange, ExchangeKind::Topic, topology).await?;
    queue(channel, &config.queue, ConsumedBy::One, topology).await?;
    exchange(channel, &config.dead_letter_exchange, ExchangeKind::Fanout, topology).await?;
    queue(channel, &config.dead_letter_queue, ConsumedBy::Many, topology).await?;
    if topology == Topology::Declare {
        for key in BINDINGS {
            bind(channel, &config.queue, &config.exchange, key).await?;
        }
        bind(channel, &config.dead_letter_queue, &config.dead_letter_exchange, "").await?;
    }
    Ok(())
}

/// What events go out by: an exchange. Its queues are the back ends' own.
pub(crate) async fn declare_outlet(channel: &Channel, config: &OutletConfig) -> Result<(), RabbitError> {
    exchange(channel, &config.exchange, ExchangeKind::Topic, config.rabbit.topology).await
}

/// Who consumes a queue at a time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ConsumedBy {
    /// One consumer, whoever came first; the others stand by. So order is kept.
    One,
    Many,
}

async fn exchange(
    channel: &Channel,
    name: &str,
    kind: ExchangeKind,
    topology: Topology,
) -> Result<(), RabbitError> {
    let passive = topology == Topology::Check;
    let options = ExchangeDeclareOptions { passive, durable: true, ..ExchangeDeclareOptions::default() };
    let declared = channel.exchange_declare(name.into(), kind, options, FieldTable::default()).await;
    declared.map_err(|source| RabbitError::Topology { what: format!("the exchange {name:?}"), source })
}

/// A quorum queue: it outlasts a node of RabbitMQ, and what was not acknowledged goes back to its place.
async fn queue(
    channel: &Channel,
    name: &str,
    consumed_by: ConsumedBy,
    topology: Topology,
) -> Result<(), RabbitError> {
    let passive = topology == Topology::Check;
    let options = QueueDeclareOptions { passive, durable: true, ..QueueDeclareOptions::default() };
    let mut arguments = FieldTable::default();
    if !passive {
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        if consumed_by == ConsumedBy::One {
            arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
        }
    }
    let declared = channel.queue_declare(name.into(), options, arguments).await;
    declared.map(drop).map_err(|source| RabbitError::Topology { what: format!("the queue {name:?}"), source })
}

async fn bind(channel: &Channel, queue: &str, exchange: &str, key: &str) -> Result<(), RabbitError> {
    let options = QueueBindOptions::default();
    let bound =
        channel.queue_bind(queue.into(), exchange.into(), key.into(), options, FieldTable::default()).await;
    bound.map_err(|source| RabbitError::Topology { what: format!("the binding of {queue:?}"), source })
}
