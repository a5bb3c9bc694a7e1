//! The settings of events and of the bridge, and what they become.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use ringway_bridge::{
    FeedConfig, Guarantee, IntakeConfig, OnOffline, OnRefused, OnUnroutable, OutletConfig, RabbitConfig,
    Topology, Trust, WebhookConfig, check_rabbit_url, check_webhook_url, is_rabbit_url_tls,
};
use ringway_proto::v1::EventKind;

use super::Settings;
use super::check::{Role, set_too};
use super::reader::Reader;
use super::section::section;
use super::setting::Hidden;
use super::words::{MailboxStore, choice};

choice! {
    /// A kind of events.
    EventWord: "\"connected\", \"disconnected\" or \"message\"" {
        /// A session was opened.
        Connected = "connected",
        /// A session has ended.
        Disconnected = "disconnected",
        /// A client has sent something.
        Message = "message",
    }
}

choice! {
    /// What is done about exchanges and queues.
    TopologyWord: "\"declare\" or \"check\"" {
        /// They are made.
        Declare = "declare",
        /// They must be there.
        Check = "check",
    }
}

choice! {
    /// What is promised of messages.
    GuaranteeWord: "\"at_most_once\" or \"at_least_once\"" {
        /// Not sent again when it may have been delivered.
        AtMostOnce = "at_most_once",
        /// Sent again until the cluster has said that it has it.
        AtLeastOnce = "at_least_once",
    }
}

choice! {
    /// What happens to messages for those who are not connected.
    OfflineWord: "\"drop\", \"retry\" or \"dead_letter\"" {
        /// Gone.
        Drop = "drop",
        /// Tried again.
        Retry = "retry",
        /// To the dead-letter exchange.
        DeadLetter = "dead_letter",
    }
}

choice! {
    /// What happens to what nobody takes.
    UntakenWord: "\"drop\" or \"retry\"" {
        /// Counted and gone.
        Drop = "drop",
        /// Tried again, and what is behind it waits.
        Retry = "retry",
    }
}

section! {
    /// Events that workers keep for back ends (docs/events.md).
    EventsSection("events") {
        /// How many subscriptions a worker has at the most.
        subscriptions_max: usize = "16", "1" to "1000";
        /// How many events a worker keeps for one subscription that were not acknowledged. Beyond it the oldest go, and the
        /// subscriber is told how many.
        kept_max: usize = "100000", "1" to "100000000";
        /// How many bytes they have together at the most.
        kept_bytes_max: super::setting::Bytes = "64MiB", "64KiB" to "64GiB";
        /// For how long a worker keeps them while the subscriber is away.
        away_max: Duration = "5m", "0s" to "7d";
        /// How long a client's message waits at the most while a reliable subscription has no room.
        room_wait_max: Duration = "5s", "0s" to "1m";
    }
}

section! {
    /// RabbitMQ, for messages in and events out (docs/rabbitmq.md). In `ringway bridge`, `up` and `worker`.
    RabbitmqSection("bridge.rabbitmq") {
        /// Where RabbitMQ is, and who we are there: `amqp://user:password@host:5672/vhost`, or `amqps://…`.
        url: Option<Hidden> = "";
        /// A file that holds the URL instead.
        url_file: Option<PathBuf> = "";
        /// The certificates (PEM) that signed RabbitMQ's, for `amqps`. Not set: those that the system trusts.
        ca_file: Option<PathBuf> = "";
        /// Whether exchanges and queues are made (`declare`) or must be there (`check`).
        topology: TopologyWord = "declare";
        /// How long RabbitMQ may take to answer and to confirm.
        timeout: Duration = "30s", "100ms" to "10m";
        /// The longest pause between attempts to connect.
        reconnect_pause_max: Duration = "10s", "10ms" to "10m";
    }
}

section! {
    /// Messages in, from RabbitMQ.
    RabbitmqInSection("bridge.rabbitmq.in") {
        /// The queue that is consumed. Not set: no messages come in.
        queue: Option<String> = "";
        /// The topic exchange to which back ends publish. The queue is bound to it with `user.#`, `group.#` and `all`.
        exchange: String = "ringway";
        /// The fanout exchange for what cannot be delivered, and the queue bound to it.
        dead_letter_exchange: String = "ringway.dead";
        /// That queue.
        dead_letter_queue: String = "ringway.dead";
        /// How many deliveries may be unacknowledged.
        prefetch: u16 = "200", "1" to "65535";
        /// What is promised of messages without the header `ringway-guarantee`: `at_most_once`, or `at_least_once`. Not set: at least
        /// once if this configuration has mailboxes (`mailbox.store`), at most once otherwise.
        guarantee: Option<GuaranteeWord> = "";
        /// What happens to a message for somebody who is not connected, if it is not stored: `drop`, `retry` or `dead_letter`.
        on_offline: OfflineWord = "drop";
        /// How often a message is tried before it goes to the dead-letter exchange.
        attempts_max: u32 = "20", "1" to "1000";
        /// The longest pause before the first retry; it doubles with each.
        retry_pause_first: Duration = "200ms", "1ms" to "1m";
        /// The longest pause between two attempts.
        retry_pause_max: Duration = "30s", "1ms" to "10m";
        /// At shutdown: how long messages under way may take; the others come again.
        drain_timeout: Duration = "10s", "0s" to "10m";
    }
}

section! {
    /// Events out, to RabbitMQ.
    RabbitmqOutSection("bridge.rabbitmq.out") {
        /// The topic exchange to which events are published. Not set: none are.
        exchange: Option<String> = "";
        /// The name of the subscription at the workers.
        name: String = "rabbitmq";
        /// Which events. Empty: all.
        events: Vec<EventWord> = "";
        /// What happens to an event that no queue is bound for: `drop`, or `retry`.
        on_unroutable: UntakenWord = "drop";
        /// How many events of one worker may be on their way.
        window: u32 = "1000", "1" to "10000";
        /// Whether clients are slowed down rather than lose messages when RabbitMQ does not take them.
        reliable: bool = "true";
        /// The longest pause between attempts to publish.
        retry_pause_max: Duration = "10s", "10ms" to "10m";
    }
}

section! {
    /// Events out, by HTTP (docs/events.md).
    WebhookSection("bridge.webhook") {
        /// Where events are posted: an http or https URL. Not set: nowhere.
        url: Option<String> = "";
        /// The certificates (PEM) that signed the receiver's, for `https`. Not set: those that the system trusts.
        ca_file: Option<PathBuf> = "";
        /// What requests are signed with. Not set: they are not signed.
        secret: Option<Hidden> = "";
        /// A file that holds the secret instead. White space around it does not count.
        secret_file: Option<PathBuf> = "";
        /// The name of the subscription at the workers.
        name: String = "webhook";
        /// Which events. Empty: all.
        events: Vec<EventWord> = "";
        /// How many events one request carries at the most.
        batch_max: usize = "100", "1" to "10000";
        /// How long a request may take.
        timeout: Duration = "10s", "10ms" to "10m";
        /// The longest pause between attempts.
        retry_pause_max: Duration = "1m", "10ms" to "1h";
        /// What happens to events that the receiver refuses with a status that does not pass: `drop`, or `retry`.
        on_refused: UntakenWord = "drop";
        /// How many events of one worker may be on their way.
        window: u32 = "1000", "1" to "10000";
        /// Whether clients are slowed down rather than lose messages when the receiver does not take them.
        reliable: bool = "true";
    }
}

/// The doors that are configured.
#[derive(Debug, Default)]
pub(crate) struct Doors {
    /// Messages in, from RabbitMQ.
    pub(crate) intake: Option<IntakeConfig>,
    /// Events out, to RabbitMQ.
    pub(crate) outlet: Option<OutletConfig>,
    /// Events out, by HTTP.
    pub(crate) webhook: Option<WebhookConfig>,
}

/// Which doors there shall be.
pub(super) fn doors(settings: &Settings, role: Role, reader: &mut Reader) -> Doors {
    let rabbit = rabbit(settings, reader);
    let doors = Doors {
        intake: rabbit.clone().and_then(|rabbit| intake(settings, rabbit)),
        outlet: rabbit.and_then(|rabbit| outlet(settings, rabbit)),
        webhook: webhook(settings, reader),
    };
    let (way_in, way_out) = (&settings.rabbitmq_in.queue, &settings.rabbitmq_out.exchange);
    let nothing = way_in.is_none() && way_out.is_none() && settings.webhook.url.is_none();
    if role == Role::Bridge && nothing {
        reader.demand(
            "there is nothing to do: set bridge.rabbitmq.in.queue (messages in), bridge.rabbitmq.out.exchange or \
             bridge.webhook.url (events out)",
        );
    }
    doors
}

fn rabbit(settings: &Settings, reader: &mut Reader) -> Option<RabbitConfig> {
    let rabbit = &settings.rabbitmq;
    let (key, url) = match (&rabbit.url, &rabbit.url_file) {
        (Some(_), Some(_)) => {
            reader.object("bridge.rabbitmq.url_file", set_too("bridge.rabbitmq.url", reader));
            return None;
        }
        (Some(url), None) => ("bridge.rabbitmq.url", url.expose().to_owned()),
        (None, Some(path)) => {
            ("bridge.rabbitmq.url_file", reader.file_text("bridge.rabbitmq.url_file", path)?)
        }
        (None, None) => {
            let wanted = [
                ("bridge.rabbitmq.in.queue", settings.rabbitmq_in.queue.is_some()),
                ("bridge.rabbitmq.out.exchange", settings.rabbitmq_out.exchange.is_some()),
            ];
            if let Some((key, _)) = wanted.into_iter().find(|(_, is_set)| *is_set) {
                reader.contradict(key, &["bridge.rabbitmq.url"], "bridge.rabbitmq.url is missing");
            }
            return None;
        }
    };
    if let Err(error) = check_rabbit_url(&url) {
        reader.object(key, error);
        return None;
    }
    let tls = if is_rabbit_url_tls(&url) { Tls::Used } else { Tls::Without("amqps://") };
    Some(RabbitConfig {
        trust: trust("bridge.rabbitmq.ca_file", rabbit.ca_file.as_deref(), tls, reader),
        url,
        timeout: rabbit.timeout,
        reconnect_pause_max: rabbit.reconnect_pause_max,
        topology: match rabbit.topology {
            TopologyWord::Declare => Topology::Declare,
            TopologyWord::Check => Topology::Check,
        },
    })
}

fn intake(settings: &Settings, rabbit: RabbitConfig) -> Option<IntakeConfig> {
    let way_in = &settings.rabbitmq_in;
    Some(IntakeConfig {
        queue: way_in.queue.clone()?,
        exchange: way_in.exchange.clone(),
        dead_letter_exchange: way_in.dead_letter_exchange.clone(),
        dead_letter_queue: way_in.dead_letter_queue.clone(),
        prefetch: way_in.prefetch,
        guarantee: guarantee(settings),
        on_offline: match way_in.on_offline {
            OfflineWord::Drop => OnOffline::Drop,
            OfflineWord::Retry => OnOffline::Retry,
            OfflineWord::DeadLetter => OnOffline::DeadLetter,
        },
        attempts_max: way_in.attempts_max,
        retry_pause_first: way_in.retry_pause_first,
        retry_pause_max: way_in.retry_pause_max,
        drain_timeout: way_in.drain_timeout,
        ..IntakeConfig::new(rabbit)
    })
}

/// Who has mailboxes expects that a message out of a queue is kept for somebody who is away.
fn guarantee(settings: &Settings) -> Guarantee {
    match (settings.rabbitmq_in.guarantee, settings.mailbox.store) {
        (Some(GuaranteeWord::AtMostOnce), _) | (None, MailboxStore::Nowhere) => Guarantee::AtMostOnce,
        (Some(GuaranteeWord::AtLeastOnce), _)
        | (None, MailboxStore::Memory | MailboxStore::File | MailboxStore::Redis) => Guarantee::AtLeastOnce,
    }
}

fn outlet(settings: &Settings, rabbit: RabbitConfig) -> Option<OutletConfig> {
    let out = &settings.rabbitmq_out;
    Some(OutletConfig {
        rabbit,
        exchange: out.exchange.clone()?,
        feed: FeedConfig {
            kinds: kinds(&out.events),
            window: out.window,
            reliable: out.reliable,
            ..FeedConfig::new(&out.name)
        },
        on_unroutable: match out.on_unroutable {
            UntakenWord::Drop => OnUnroutable::Drop,
            UntakenWord::Retry => OnUnroutable::Retry,
        },
        retry_pause_max: out.retry_pause_max,
    })
}

fn webhook(settings: &Settings, reader: &mut Reader) -> Option<WebhookConfig> {
    let webhook = &settings.webhook;
    let secret = match (&webhook.secret, &webhook.secret_file) {
        (Some(_), Some(_)) => {
            reader.object("bridge.webhook.secret_file", set_too("bridge.webhook.secret", reader));
            None
        }
        (Some(secret), None) => Some(secret.expose().to_owned()),
        (None, Some(path)) => reader.file_text("bridge.webhook.secret_file", path),
        (None, None) => None,
    };
    let url = webhook.url.as_ref()?;
    let checked = url.parse::<Uri>().map_err(|error| format!("{error}: expected an http or https URL"));
    let checked = checked.and_then(|url| check_webhook_url(&url).map(|()| url));
    let url = checked.map_err(|problem| reader.object("bridge.webhook.url", problem)).ok()?;
    let tls = if url.scheme() == Some(&Scheme::HTTPS) { Tls::Used } else { Tls::Without("https://") };
    Some(WebhookConfig {
        trust: trust("bridge.webhook.ca_file", webhook.ca_file.as_deref(), tls, reader),
        url,
        secret,
        feed: FeedConfig {
            kinds: kinds(&webhook.events),
            window: webhook.window,
            reliable: webhook.reliable,
            ..FeedConfig::new(&webhook.name)
        },
        batch_events_max: webhook.batch_max,
        timeout: webhook.timeout,
        retry_pause_max: webhook.retry_pause_max,
        on_refused: match webhook.on_refused {
            UntakenWord::Drop => OnRefused::Drop,
            UntakenWord::Retry => OnRefused::Retry,
        },
    })
}

/// Whether a URL asks for TLS.
#[derive(Clone, Copy)]
enum Tls {
    Used,
    /// It does not: how one begins that does.
    Without(&'static str),
}

/// Whom TLS trusts: the certificates of a file, if one is named.
fn trust(key: &'static str, file: Option<&Path>, tls: Tls, reader: &mut Reader) -> Trust {
    let Some(file) = file else { return Trust::System };
    if let Tls::Without(beginning) = tls {
        reader.object(key, format!("the URL asks for no TLS: expected one that begins with {beginning}"));
        return Trust::System;
    }
    let Some(pem) = reader.file_text(key, file) else { return Trust::System };
    Trust::only(&pem).map_err(|error| reader.object(key, error)).unwrap_or_default()
}

fn kinds(words: &[EventWord]) -> Vec<EventKind> {
    let kind = |word: &EventWord| match word {
        EventWord::Connected => EventKind::Connected,
        EventWord::Disconnected => EventKind::Disconnected,
        EventWord::Message => EventKind::Message,
    };
    words.iter().map(kind).collect()
}
