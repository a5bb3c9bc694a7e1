//! Why RabbitMQ could not be used.

use std::time::Duration;

/// What went wrong with RabbitMQ. What is not acknowledged comes again over the next connection.
#[derive(Debug, thiserror::Error)]
pub enum RabbitError {
    /// The URL cannot be read.
    #[error("the URL of RabbitMQ is wrong: {0}; expected amqp://USER:PASSWORD@HOST:PORT/VHOST or amqps://…")]
    Url(String),
    /// It cannot be reached, refuses us, or has closed the connection or a channel.
    #[error("RabbitMQ: {0}")]
    Amqp(#[from] lapin::Error),
    /// An exchange or a queue is not there, or is there in another form.
    #[error("{what} cannot be used: {source}; make it so (docs/rabbitmq.md), or name another one")]
    Topology {
        /// The exchange or the queue.
        what: String,
        /// Why.
        #[source]
        source: lapin::Error,
    },
    /// It did not answer.
    #[error("RabbitMQ did not {what} within {}", humantime::format_duration(*timeout))]
    Timeout {
        /// What was expected of it.
        what: &'static str,
        /// For how long.
        timeout: Duration,
    },
    /// It does not take a message.
    #[error("RabbitMQ refused a message (basic.nack)")]
    Refused,
    /// It has no queue for a message.
    #[error("no queue is bound for {routing_key:?}: {text}")]
    Unroutable {
        /// The message's routing key.
        routing_key: String,
        /// What it said.
        text: String,
    },
    /// It has cancelled the consumer: the queue was deleted, or its node went.
    #[error("RabbitMQ has ended the consumer: was the queue deleted?")]
    Cancelled,
}
