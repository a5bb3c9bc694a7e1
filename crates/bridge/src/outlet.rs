//! Events out, to RabbitMQ: a batch is published at once, and is done when every event of it is confirmed.

use std::time::Duration;

use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Confirmation, PublisherConfirm};
use ringway_proto::v1::Event;

use crate::amqp::{self, Link, RabbitError, within};
use crate::cloudevent;
use crate::config::{OnUnroutable, OutletConfig};
use crate::metrics::{Side, SinkMetrics};
use crate::pump::Sink;

/// A CloudEvent in structured JSON (CloudEvents JSON format 1.0 section 3).
const CONTENT_TYPE: &str = "application/cloudevents+json";
/// Kept on disk (AMQP 0-9-1, basic properties).
const PERSISTENT: u8 = 2;

/// The sink.
pub(crate) struct Outlet {
    config: OutletConfig,
    /// None when there is no connection, or its last use failed.
    link: Option<Link>,
}

impl Outlet {
    pub(crate) fn new(config: OutletConfig) -> Self {
        Outlet { config, link: None }
    }

    /// The longest pause between attempts.
    pub(crate) fn pause_max(&self) -> Duration {
        self.config.retry_pause_max
    }

    async fn open(&self) -> Result<Link, RabbitError> {
        let link = amqp::connect(&self.config.rabbit, Side::Out).await?;
        let declared = amqp::declare_outlet(&link.channel, &self.config);
        within(self.config.rabbit.timeout, "declare an exchange", declared).await?;
        Ok(link)
    }

    async fn publish(&self, link: &Link, events: &[Event], metrics: &SinkMetrics) -> Result<(), RabbitError> {
        let mut confirms = Vec::with_capacity(events.len());
        for event in events {
            confirms.push((cloudevent::routing_key(event), self.publish_one(link, event).await?));
        }
        for (routing_key, confirm) in confirms {
            self.check(routing_key, confirm.await?, metrics)?;
        }
        Ok(())
    }

    async fn publish_one(&self, link: &Link, event: &Event) -> Result<PublisherConfirm, RabbitError> {
        let properties = BasicProperties::default()
            .with_content_type(CONTENT_TYPE.into())
            .with_delivery_mode(PERSISTENT)
            .with_message_id(event.id.as_str().into())
            .with_timestamp(event.time_ms / 1_000)
            .with_type(format!("ringway.{}", cloudevent::kind(event)).into());
        let (exchange, key) = (self.config.exchange.as_str().into(), cloudevent::routing_key(event).into());
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let body = cloudevent::json(event).to_string();
        Ok(link.channel.basic_publish(exchange, key, options, body.as_bytes(), properties).await?)
    }

    fn check(
        &self,
        routing_key: String,
        confirmation: Confirmation,
        metrics: &SinkMetrics,
    ) -> Result<(), RabbitError> {
        match confirmation {
            Confirmation::Ack(None) | Confirmation::NotRequested => metrics.taken.increment(1),
            Confirmation::Ack(Some(returned)) => {
                metrics.returned.increment(1);
                if self.config.on_unroutable == OnUnroutable::Retry {
                    let text = returned.reply_text.to_string();
                    return Err(RabbitError::Unroutable { routing_key, text });
                }
            }
            Confirmation::Nack(_) => return Err(RabbitError::Refused),
        }
        Ok(())
    }
}

impl Sink for Outlet {
    const NAME: &'static str = "rabbitmq";

    type Error = RabbitError;

    async fn take(&mut self, events: &[Event], metrics: &SinkMetrics) -> Result<(), RabbitError> {
        let link = match self.link.take() {
            Some(link) if link.channel.status().connected() => link,
            _ => self.open().await?,
        };
        let publishing = self.publish(&link, events, metrics);
        link.within(self.config.rabbit.timeout, "confirm events", publishing).await?;
        self.link = Some(link);
        Ok(())
    }
}
