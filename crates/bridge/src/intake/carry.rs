//! One delivery to its end: sent, sent again, acknowledged, or put among the dead letters.

use std::sync::Arc;

use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicPublishOptions};
use lapin::{Channel, Confirmation};
use ringway_cluster::Backoff;
use ringway_sender::{Receipt, SendCall, SendError, Sender};
use tracing::{debug, warn};

use super::dead;
use super::order::{Order, Target};
use super::verdict::{DeadReason, Guarantee, Rules, Verdict};
use crate::amqp::{Link, RabbitError};
use crate::config::IntakeConfig;
use crate::metrics::IntakeMetrics;

/// What all deliveries of one connection share.
pub(super) struct Carrier {
    pub(super) sender: Sender,
    /// Where deliveries come from, and are acknowledged.
    pub(super) channel: Channel,
    /// Where dead letters go. A broker that takes nothing more does not read from a connection that has published, and so would not
    /// hear its acknowledgements either.
    pub(super) letters: Link,
    pub(super) config: Arc<IntakeConfig>,
    pub(super) metrics: IntakeMetrics,
}

/// A delivery with what it asks for.
pub(super) struct Parcel {
    pub(super) delivery: Delivery,
    pub(super) order: Order,
}

impl Carrier {
    /// Sends a delivery until it has come to its end, and acknowledges it then.
    pub(super) async fn carry(self: Arc<Self>, parcel: Parcel) -> Result<(), RabbitError> {
        let rules = self.rules(&parcel.order);
        let mut backoff = Backoff::new(self.config.retry_pause_first, self.config.retry_pause_max);
        let message_id = parcel.order.message_id.clone().unwrap_or_else(new_message_id);
        let mut attempt = 0;
        loop {
            attempt += 1;
            let result = self.send(&parcel.order, &message_id, rules.guarantee).await;
            match rules.judge(&result, attempt) {
                Verdict::Done(word) => return self.done(&parcel.delivery, word).await,
                Verdict::Dead(reason) => return self.bury(&parcel.delivery, reason, attempt).await,
                Verdict::Again(reason) => {
                    debug!(message_id, reason, attempt, "a message is sent again later");
                    self.metrics.again(reason);
                    tokio::time::sleep(backoff.pause()).await;
                }
            }
        }
    }

    /// Puts a delivery into the dead-letter exchange, and acknowledges it when that has it.
    pub(super) async fn bury(
        &self,
        delivery: &Delivery,
        reason: DeadReason,
        attempts: u32,
    ) -> Result<(), RabbitError> {
        warn!(
            routing_key = %delivery.routing_key,
            reason = reason.word,
            detail = reason.detail,
            attempts,
            "a message cannot be delivered: it goes to the dead-letter exchange"
        );
        let properties = dead::properties(&delivery.properties, &reason, attempts, &self.config.queue);
        let publishing = async {
            let exchange = self.config.dead_letter_exchange.as_str().into();
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            let key = delivery.routing_key.clone();
            let confirm = self
                .letters
                .channel
                .basic_publish(exchange, key, options, &delivery.data, properties)
                .await?;
            buried(&confirm.await?, delivery)
        };
        self.letters.within(self.config.rabbit.timeout, "confirm a dead letter", publishing).await?;
        self.done(delivery, "dead_letter").await
    }

    async fn done(&self, delivery: &Delivery, word: &'static str) -> Result<(), RabbitError> {
        delivery.ack(BasicAckOptions::default()).await?;
        self.metrics.ended(word);
        Ok(())
    }

    async fn send(
        &self,
        order: &Order,
        message_id: &str,
        guarantee: Guarantee,
    ) -> Result<Receipt, SendError> {
        let payload = order.payload.clone();
        let call = match &order.target {
            Target::User(user) => self.sender.send_to_user(user, payload),
            Target::Group(group) => self.sender.send_to_group(group, payload),
            Target::All => self.sender.send_to_all(payload),
        };
        let call = guaranteed(call, &order.target, guarantee).message_id(message_id).topic(&order.topic);
        call.publish().await?.await
    }

    fn rules(&self, order: &Order) -> Rules {
        let IntakeConfig { attempts_max, on_offline, guarantee, .. } = *self.config;
        Rules { attempts_max, on_offline, guarantee: order.guarantee.unwrap_or(guarantee) }
    }
}

/// The one place where the guarantee becomes part of a message.
fn guaranteed(call: SendCall, target: &Target, guarantee: Guarantee) -> SendCall {
    match (guarantee, target) {
        (Guarantee::AtMostOnce, _) => call,
        (Guarantee::AtLeastOnce, Target::User(_)) => call.at_least_once(),
        // Groups have no mailboxes.
        (Guarantee::AtLeastOnce, Target::Group(_) | Target::All) => call.retry_ambiguous(),
    }
}

/// Whether a dead letter is in a queue.
fn buried(confirmation: &Confirmation, delivery: &Delivery) -> Result<(), RabbitError> {
    match confirmation {
        Confirmation::Ack(None) | Confirmation::NotRequested => Ok(()),
        Confirmation::Ack(Some(returned)) => Err(RabbitError::Unroutable {
            routing_key: delivery.routing_key.to_string(),
            text: returned.reply_text.to_string(),
        }),
        Confirmation::Nack(_) => Err(RabbitError::Refused),
    }
}

/// For a delivery that has none. It is the same for all attempts, but another one if the delivery comes again.
fn new_message_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}
