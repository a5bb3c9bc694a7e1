//! The bridge as a process of its own, between a real RabbitMQ and a real cluster.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer};
use ringway_e2e::broker::Broker;
use ringway_e2e::certificates::Authority;
use ringway_e2e::cluster::ringway;
use ringway_e2e::ledger::Note;
use ringway_e2e::listener::{Listener, Way};
use ringway_e2e::server::{Kind, Server};
use ringway_e2e::{Client, Cluster, Fleet, Node, PATIENCE, Process};
use serde_json::{Value, json};

const USERS: usize = 20;
/// Of the test in which messages are stored: in each of its five parts, over so many users.
const STORED_EACH: usize = 10_000;
const STORED_USERS: usize = 50;
/// In each of the three parts: before the bridge is killed, before the broker is, and after that.
const MESSAGES_EACH: usize = 1_500;

/// Everything that the bridge may take at a test: many times what it needs.
const BRIDGE_PATIENCE: Duration = Duration::from_secs(120);

async fn bridge(cluster: &Cluster, broker: &Broker) -> Process {
    bridge_to(&cluster.gateways[0], &cluster.secret_file(), &settings(&broker.url(), "at_most_once")).await
}

/// Both ways, between RabbitMQ there and the cluster.
fn settings(url: &str, guarantee: &str) -> Vec<String> {
    vec![
        format!("bridge.rabbitmq.url={url}"),
        format!("bridge.rabbitmq.in.guarantee={guarantee}"),
        "bridge.rabbitmq.in.queue=ringway.in".to_owned(),
        "bridge.rabbitmq.out.exchange=ringway.events".to_owned(),
        "bridge.rabbitmq.reconnect_pause_max=500ms".to_owned(),
    ]
}

async fn bridge_to(node: &Node, secret_file: &Path, settings: &[String]) -> Process {
    let node = node.url().to_string();
    let secret = secret_file.display().to_string();
    let mut arguments = vec!["bridge", "--node-url", &node, "--secret-file", &secret];
    settings.iter().for_each(|setting| arguments.extend(["--set", setting]));
    let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
    let mut process = start("bridge", &arguments, secret_file);
    process.ready().await;
    process
}

/// A bridge that has messages stored.
async fn stored_bridge(fleet: &Fleet, broker: &Broker) -> Process {
    bridge_to(&fleet.gateways[0], &fleet.secret_file(), &settings(&broker.url(), "at_least_once")).await
}

/// A process with nothing of ours in its environment.
fn start(name: &str, arguments: &[String], secret_file: &Path) -> Process {
    Process::spawn(name, ringway(arguments, secret_file.parent().expect("a file has a directory")))
}

struct BackEnd {
    channel: Channel,
    _connection: Connection,
}

impl BackEnd {
    async fn connect(broker: &Broker) -> Self {
        let url = broker.url();
        let connecting = Connection::connect(&url, ConnectionProperties::default());
        let connection = connecting.await.expect("the broker is there");
        let channel = connection.create_channel().await.expect("a channel");
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
        Self { channel, _connection: connection }
    }

    /// Publishes these numbers, each to a user in turn, and waits until the broker has them all.
    async fn publish(&self, numbers: std::ops::Range<usize>) {
        let message =
            |number| (format!("user.user{}-all", number % USERS), json!({ "number": number }).to_string());
        self.publish_all(numbers.map(|number| (number, message(number)))).await;
    }

    /// Whether a message is taken: just after its start a broker may not know yet who leads its queues, and then ends the channel.
    async fn takes_messages(broker: &Broker) -> bool {
        let properties = BasicProperties::default().with_message_id("for nobody".into());
        let options = BasicPublishOptions::default();
        let back_end = Self::connect(broker).await;
        let published = back_end
            .channel
            .basic_publish("ringway".into(), "user.nobody".into(), options, b"hello", properties)
            .await;
        match published {
            Ok(confirm) => confirm.await.is_ok_and(|confirm| confirm.is_ack()),
            Err(_) => false,
        }
    }

    /// Publishes messages, each with its number, its routing key and its body, and waits until the broker has them all.
    async fn publish_all(&self, messages: impl Iterator<Item = (usize, (String, String))>) {
        let mut confirms = Vec::new();
        for (number, (key, body)) in messages {
            let properties = BasicProperties::default()
                .with_content_type("text/plain".into())
                .with_delivery_mode(2)
                .with_message_id(format!("m{number}").into());
            let options = BasicPublishOptions::default();
            let published = self.channel.basic_publish(
                "ringway".into(),
                key.into(),
                options,
                body.as_bytes(),
                properties,
            );
            confirms.push(published.await.expect("it is published"));
        }
        for confirm in confirms {
            assert!(confirm.await.expect("it is confirmed").is_ack());
        }
    }

    /// Whether the bridge consumes its queue.
    async fn bridge_is_there(broker: &Broker) -> bool {
        Self::bridges(broker).await == 1
    }

    /// How many bridges consume the queue; not those that stand by.
    async fn bridges(broker: &Broker) -> u32 {
        // A queue that is not there closes the channel: each look has one of its own.
        let back_end = Self::connect(broker).await;
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let queue = back_end.channel.queue_declare("ringway.in".into(), options, FieldTable::default()).await;
        queue.map_or(0, |queue| queue.consumer_count())
    }

    /// Whether there is an exchange of events: it is made when there is a first one.
    async fn exchange_is_there(broker: &Broker) -> bool {
        let back_end = Self::connect(broker).await;
        let options = lapin::options::ExchangeDeclareOptions { passive: true, ..Default::default() };
        let (exchange, kind) = ("ringway.events".into(), lapin::ExchangeKind::Topic);
        back_end.channel.exchange_declare(exchange, kind, options, FieldTable::default()).await.is_ok()
    }

    /// What is published to the exchange of events with keys like this one.
    async fn events(&self, key: &str) -> Consumer {
        let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        let queue = self.channel.queue_declare("".into(), options, FieldTable::default()).await;
        let queue = queue.expect("a queue").name().clone();
        let options = QueueBindOptions::default();
        let bound = self.channel.queue_bind(
            queue.clone(),
            "ringway.events".into(),
            key.into(),
            options,
            FieldTable::default(),
        );
        bound.await.expect("the exchange is there");
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let consumer = self.channel.basic_consume(queue, "".into(), options, FieldTable::default());
        consumer.await.expect("a consumer")
    }
}

async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let waiting = async {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        while !is_so().await {
            look.tick().await;
        }
    };
    tokio::time::timeout(BRIDGE_PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what} did not come"));
}

/// Receives until all numbers of a user are there. Gives back the first arrival of each, in order, and how many came again.
async fn receive(mut client: Client, expected: usize) -> (Vec<u64>, usize) {
    let (mut numbers, mut seen, mut again) = (Vec::new(), HashMap::new(), 0);
    while numbers.len() < expected {
        let text = tokio::time::timeout(BRIDGE_PATIENCE, client.text()).await.expect("messages come");
        let message: Value = serde_json::from_str(&text).expect("it is JSON");
        let number = message["number"].as_u64().expect("a number");
        if seen.insert(number, ()).is_none() {
            numbers.push(number);
        } else {
            again += 1;
        }
    }
    (numbers, again)
}

/// Every message that RabbitMQ has taken arrives, in order for each user, whoever is killed in between.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_bridge_or_the_broker_is_killed() {
    let Some(mut broker) = Broker::start().await else { return };
    let cluster = Cluster::start(3).await;
    let mut receiving = Vec::new();
    for user in 0..USERS {
        let client = cluster.client(&format!("user{user}-all")).await;
        receiving.push(tokio::spawn(receive(client, 3 * MESSAGES_EACH / USERS)));
    }
    let mut process = bridge(&cluster, &broker).await;
    until("the bridge", async || BackEnd::bridge_is_there(&broker).await).await;

    let back_end = BackEnd::connect(&broker).await;
    back_end.publish(0..MESSAGES_EACH).await;
    process.kill().await;
    let mut process = bridge(&cluster, &broker).await;
    back_end.publish(MESSAGES_EACH..2 * MESSAGES_EACH).await;
    broker.kill();
    broker.start_again().await;
    // A quorum queue takes nothing before it has a leader again.
    until("the bridge", async || BackEnd::bridge_is_there(&broker).await).await;
    until("a broker that takes messages", async || BackEnd::takes_messages(&broker).await).await;
    let back_end = BackEnd::connect(&broker).await;
    back_end.publish(2 * MESSAGES_EACH..3 * MESSAGES_EACH).await;

    for (user, receiving) in receiving.into_iter().enumerate() {
        let (numbers, again) = receiving.await.expect("it does not panic");
        let expected: Vec<u64> = (0..3 * MESSAGES_EACH)
            .filter(|number| number % USERS == user)
            .map(|number| number as u64)
            .collect();
        assert_eq!(numbers, expected, "user{user}");
        // What was under way when the bridge was killed, once for each lane, and what the broker had not heard of.
        assert!(again <= 2 * MESSAGES_EACH / USERS, "user{user} had {again} twice");
    }
    process.assert_sound();
}

/// The same with messages that are stored, when also workers and Redis are killed: each arrives once, in order.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_stored_is_lost_whoever_is_killed() {
    let (Some(mut broker), Some(mut redis)) = (Broker::start().await, Server::start(Kind::Redis).await)
    else {
        return;
    };
    let settings = redis.settings();
    let settings =
        settings.iter().map(String::as_str).chain(["mailbox.store=redis", "mailbox.entries_max=5000"]);
    let mut fleet = Fleet::gossip(3, 2, &settings.collect::<Vec<_>>()).await;
    let gateways: Vec<_> = fleet.gateways.iter().map(Node::clients).collect();
    let began = Instant::now();
    let listener = |number| {
        let listener = Listener::new(number, Way::V1, gateways.clone(), began, STORED_USERS);
        Arc::new(listener)
    };
    let listeners: Vec<Arc<Listener>> = (0..STORED_USERS).map(listener).collect();
    for listener in listeners.iter().map(Arc::clone) {
        tokio::spawn(async move { listener.listen().await });
    }
    let publish = async |broker: &Broker, part: usize| {
        let back_end = BackEnd::connect(broker).await;
        let numbers = part * STORED_EACH..(part + 1) * STORED_EACH;
        let message = |number: usize| {
            let stream = listeners[number % STORED_USERS].user.as_str();
            let note = Note { stream, number: (number / STORED_USERS) as u32, sent: began.elapsed() };
            (number, (format!("user.{stream}"), note.text()))
        };
        back_end.publish_all(numbers.map(message)).await;
    };
    let mut process = stored_bridge(&fleet, &broker).await;
    until("the bridge", async || BackEnd::bridge_is_there(&broker).await).await;
    publish(&broker, 0).await;
    process.kill().await;
    let mut process = stored_bridge(&fleet, &broker).await;
    publish(&broker, 1).await;
    fleet.workers[1].process.kill().await;
    fleet.settled_without(1, 2).await;
    fleet.workers[1].start_again().await;
    publish(&broker, 2).await;
    redis.stop().await;
    redis.start_again().await;
    publish(&broker, 3).await;
    broker.kill();
    broker.start_again().await;
    until("the bridge", async || BackEnd::bridge_is_there(&broker).await).await;
    until("a broker that takes messages", async || BackEnd::takes_messages(&broker).await).await;
    publish(&broker, 4).await;

    let all: Vec<u32> = (0..(5 * STORED_EACH / STORED_USERS) as u32).collect();
    until("everything", async || listeners.iter().all(|one| one.heard().own.len() >= all.len())).await;
    for listener in &listeners {
        let heard = listener.heard();
        assert_eq!(heard.own, all, "{}: each once and in order", listener.user);
        assert_eq!(heard.ends.len(), 0, "{} was not disconnected: {:?}", listener.user, heard.ends);
    }
    process.assert_sound();
}

/// What happens to sessions and what clients say comes out of RabbitMQ, and out of `ringway events`.
#[tokio::test(flavor = "multi_thread")]
async fn events_come_out() {
    let Some(broker) = Broker::start().await else { return };
    let cluster = Cluster::start(3).await;
    let mut process = bridge(&cluster, &broker).await;
    let node = cluster.gateways[0].url().to_string();
    let secret = cluster.secret_file().display().to_string();
    let arguments = ["events", "--node", &node, "--secret-file", &secret, "--name", "test"];
    let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    let mut watcher = start("events", &arguments, &cluster.secret_file());
    // Nobody knows when all workers are subscribed at: clients come until
    // one was seen by both.
    let number = std::cell::Cell::new(0);
    let seen = async || {
        number.set(number.get() + 1);
        let probe = cluster.client(&format!("probe{}-all", number.get())).await;
        probe.close().await;
        BackEnd::exchange_is_there(&broker).await
    };
    until("the exchange", seen).await;
    let back_end = BackEnd::connect(&broker).await;
    let mut events = back_end.events("#.alice-all").await;

    let mut alice = cluster.client("alice-all").await;
    alice.send("hello").await;
    alice.close().await;
    for expected in ["ringway.connected", "ringway.message", "ringway.disconnected"] {
        let delivery = tokio::time::timeout(PATIENCE, events.next()).await.expect("events come");
        let delivery = delivery.expect("the queue stays").expect("a delivery");
        let event: Value = serde_json::from_slice(&delivery.data).expect("a CloudEvent");
        assert_eq!((&event["type"], &event["subject"]), (&json!(expected), &json!("alice-all")));
        if expected == "ringway.message" {
            assert_eq!(event["data"]["payload"], "hello");
        }
        let line = watcher.line(expected, |line| line.contains(expected) && line.contains("alice-all")).await;
        assert_eq!(serde_json::from_str::<Value>(&line).expect("one JSON object on a line"), event);
    }
    process.terminate();
    assert!(process.exit(PATIENCE).await.success());
}

/// `ringway up` has a bridge in its process, and what reaches nobody goes where its policy says.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_in_one_process_has_its_own_bridge() {
    let Some(broker) = Broker::start().await else { return };
    let home = tempfile::tempdir().expect("a directory");
    let mut arguments = vec!["up", "--workers", "2"];
    ["--listen", "--rpc-listen", "--workers-listen"]
        .iter()
        .for_each(|flag| arguments.extend([flag, "127.0.0.1:0"]));
    let settings = [
        format!("bridge.rabbitmq.url={}", broker.url()),
        "bridge.rabbitmq.in.queue=ringway.in".to_owned(),
        "bridge.rabbitmq.in.on_offline=dead_letter".to_owned(),
        // Without a word it is at least once, since the cluster keeps mailboxes.
        "bridge.rabbitmq.in.guarantee=at_most_once".to_owned(),
    ];
    settings.iter().for_each(|setting| arguments.extend(["--set", setting]));
    let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
    let mut process = Process::spawn("up", ringway(&arguments, home.path()));
    let ready = process.ready().await;
    let url = ready["client"].as_str().expect("where clients connect");
    let clients =
        url.trim_start_matches("ws://").split('/').next().expect("a host").parse().expect("an address");
    until("the bridge", async || BackEnd::bridge_is_there(&broker).await).await;

    let mut client = Client::connect(clients, "user1-all").await;
    let back_end = BackEnd::connect(&broker).await;
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let dead =
        back_end.channel.basic_consume("ringway.dead".into(), "".into(), options, FieldTable::default());
    let mut dead = dead.await.expect("the queue is there");
    // The first one is for a user who is not there, the second one for the client.
    back_end.publish(0..2).await;
    assert_eq!(client.text().await, "{\"number\":1}");
    let letter = tokio::time::timeout(PATIENCE, dead.next()).await.expect("a dead letter");
    let letter = letter.expect("the queue stays").expect("a delivery");
    assert_eq!(letter.data, b"{\"number\":0}");
    let headers = letter.properties.headers().as_ref().expect("headers").inner();
    let reason = headers.get("ringway-reason").and_then(|reason| reason.as_long_string());
    assert_eq!(reason.map(ToString::to_string).as_deref(), Some("no_session"));
    process.terminate();
    assert!(process.exit(PATIENCE).await.success());
}

/// Each worker has a bridge in its process: one of them takes messages in, the other one when that is killed; the events of each
/// go out.
#[tokio::test(flavor = "multi_thread")]
async fn workers_have_bridges_of_their_own() {
    let Some(broker) = Broker::start().await else { return };
    let mut settings = settings(&broker.url(), "at_most_once");
    settings.push("bridge.rabbitmq.in.on_offline=retry".to_owned());
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let mut fleet = Fleet::gossip(2, 1, &settings).await;
    bridges_are_there(&fleet).await;
    let mut clients = Vec::new();
    for user in 0..USERS {
        clients.push(Client::connect(fleet.gateways[0].clients(), &format!("user{user}-all")).await);
    }
    every_client_is_heard(&broker, &mut clients).await;

    let back_end = BackEnd::connect(&broker).await;
    let mut round = 0..;
    let mut publish = async || {
        let first = round.next().expect("it has no end") * USERS;
        back_end.publish(first..first + USERS).await;
        for (user, client) in clients.iter_mut().enumerate() {
            // What the killed one could not acknowledge comes again.
            while number(&client.text().await) != first + user {}
        }
    };
    publish().await;
    // One of them is whom RabbitMQ has chosen.
    for killed in [0, 1] {
        fleet.workers[killed].process.kill().await;
        fleet.settled_without(killed, 1).await;
        publish().await;
        fleet.workers[killed].start_again().await;
        fleet.settled(2).await;
        bridges_are_there(&fleet).await;
        publish().await;
    }
    fleet.workers.iter_mut().for_each(|worker| worker.process.assert_sound());
}

/// Waits until each worker's bridge is connected. (RabbitMQ does not count who stands by.)
async fn bridges_are_there(fleet: &Fleet) {
    for worker in &fleet.workers {
        let connected =
            async || worker.metrics().await.sum("ringway_bridge_rabbitmq_connected", &["side=\"in\""]) == 1.0;
        until("a worker's bridge", connected).await;
    }
}

/// Waits until an event came of what each of these clients says. What it says before its worker's bridge listens is not heard.
async fn every_client_is_heard(broker: &Broker, clients: &mut [Client]) {
    let deadline = Instant::now() + BRIDGE_PATIENCE;
    let mut speak = async |heard: &BTreeSet<String>| {
        assert!(Instant::now() < deadline, "only {heard:?} are heard");
        for client in clients.iter_mut() {
            client.send("hello").await;
        }
    };
    let mut heard = BTreeSet::new();
    while !BackEnd::exchange_is_there(broker).await {
        speak(&heard).await;
    }
    let back_end = BackEnd::connect(broker).await;
    let mut events = back_end.events("message.#").await;
    while heard.len() < USERS {
        speak(&heard).await;
        while let Ok(event) = tokio::time::timeout(Duration::from_secs(1), events.next()).await {
            let event = event.expect("the queue stays").expect("a delivery");
            let event: Value = serde_json::from_slice(&event.data).expect("a CloudEvent");
            heard.insert(event["subject"].to_string());
        }
    }
}

fn number(text: &str) -> usize {
    let message: Value = serde_json::from_str(text).expect("it is JSON");
    message["number"].as_u64().expect("a number") as usize
}

/// With TLS the bridge connects to whom the authority has signed that its file names, and tells why it does not connect to others.
#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_with_tls_connects_to_whom_it_trusts() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let Some(broker) = Broker::start_with_tls(&authority).await else { return };
    let cluster = Cluster::start(1).await;
    let file = cluster.secret_file().with_file_name("ca.pem");
    let mut settings = settings(&broker.tls_url(), "at_most_once");
    settings.push(format!("bridge.rabbitmq.ca_file={}", file.display()));
    let bridge = async |trusted: &Authority| {
        std::fs::write(&file, trusted.pem()).expect("a file");
        bridge_to(&cluster.gateways[0], &cluster.secret_file(), &settings).await
    };
    let mut process = bridge(&stranger).await;
    let refused = "nobody who is trusted has signed the server's certificate; ca_file names whom to trust";
    process.error_line(refused, |line| line.contains(refused)).await;
    assert_eq!(BackEnd::bridges(&broker).await, 0);
    process.kill().await;

    let mut process = bridge(&authority).await;
    until("the bridge", async || BackEnd::bridge_is_there(&broker).await).await;
    let mut client = cluster.client("user0-all").await;
    BackEnd::connect(&broker).await.publish(0..1).await;
    assert_eq!(number(&client.text().await), 0);
    process.terminate();
    assert!(process.exit(PATIENCE).await.success());
}
