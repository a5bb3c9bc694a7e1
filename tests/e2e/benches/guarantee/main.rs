//! What it costs to have messages stored: the same messages to connected users through `Publish`, at most once and at least once in
//! turn, in one cluster of real processes with a real Redis.
//!
//! `RINGWAY_BIN=… RINGWAY_REDIS=… cargo bench -p ringway-e2e --bench guarantee` measures; `docs/benchmarks.md` says what the
//! figures mean. It fails when a message does not arrive.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringway_e2e::ledger::Note;
use ringway_e2e::listener::{Listener, Way};
use ringway_e2e::server::{Kind, Server};
use ringway_e2e::{Fleet, Node, procfs, redis};
use ringway_sender::Sender;

const USERS: usize = 200;
const MESSAGES_EACH: u32 = 200;
const ROUNDS: u32 = 5;
/// Long enough for everything that is written late.
const LATE: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guarantee {
    AtMostOnce,
    AtLeastOnce,
}

/// What one round has cost, for each message.
#[derive(Clone, Copy, Debug)]
struct Cost {
    messages_per_second: f64,
    worker_cpu_us: f64,
    redis_cpu_us: f64,
    redis_commands: f64,
}

struct Bench {
    redis: Server,
    fleet: Fleet,
    sender: Sender,
    listeners: Vec<Arc<Listener>>,
    began: Instant,
    /// How many messages each user was sent.
    sent: u32,
}

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        eprintln!("guarantee: measures only as `cargo bench -p ringway-e2e --bench guarantee`");
        return;
    }
    ringway_e2e::raise_file_limit();
    tokio::runtime::Runtime::new().expect("a runtime").block_on(measure());
}

async fn measure() {
    let mut bench = Bench::start().await;
    let mut rounds = Vec::new();
    // The first one warms up.
    for round in 0..=ROUNDS {
        let (most, least) =
            (bench.round(Guarantee::AtMostOnce).await, bench.round(Guarantee::AtLeastOnce).await);
        eprintln!("round {round}: at most once {most:.2?}, at least once {least:.2?}");
        rounds.extend((round > 0).then_some((most, least)));
    }
    let median = |of: &dyn Fn(&(Cost, Cost)) -> f64| {
        let mut figures: Vec<f64> = rounds.iter().map(of).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    println!("| | at most once | at least once |");
    println!("| --- | --- | --- |");
    let row = |what: &str, of: &dyn Fn(&Cost) -> f64| {
        println!(
            "| {what} | {:.1} | {:.1} |",
            median(&|(most, _)| of(most)),
            median(&|(_, least)| of(least))
        );
    };
    row("messages/s", &|cost| cost.messages_per_second);
    row("CPU of the workers, µs/message", &|cost| cost.worker_cpu_us);
    row("CPU of Redis, µs/message", &|cost| cost.redis_cpu_us);
    row("commands of Redis for each message", &|cost| cost.redis_commands);
    let ratio = median(&|(most, least)| most.messages_per_second / least.messages_per_second);
    println!("\nAt most once is {ratio:.2} times as fast as at least once (median of {ROUNDS} pairs).");
}

impl Bench {
    async fn start() -> Self {
        let redis = Server::start(Kind::Redis).await.expect("a Redis");
        let settings = redis.settings();
        let bounds = ["mailbox.store=redis", "mailbox.entries_max=100000", "mailbox.bytes_max=64MiB"];
        let settings: Vec<&str> = settings.iter().map(String::as_str).chain(bounds).collect();
        let fleet = Fleet::gossip(2, 1, &settings).await;
        let (sender, began) = (fleet.sender().await, Instant::now());
        let gateways: Vec<SocketAddr> = fleet.gateways.iter().map(Node::clients).collect();
        let listener = |number| Arc::new(Listener::new(number, Way::V1, gateways.clone(), began, USERS));
        let listeners: Vec<_> = (0..USERS).map(listener).collect();
        for listener in listeners.iter().map(Arc::clone) {
            tokio::spawn(async move { listener.listen().await });
        }
        let bench = Bench { redis, fleet, sender, listeners, began, sent: 0 };
        bench.until(|listener| !listener.heard().connections.is_empty()).await;
        bench
    }

    async fn round(&mut self, guarantee: Guarantee) -> Cost {
        let before = self.used().await;
        let began = Instant::now();
        self.publish(guarantee).await;
        let elapsed = began.elapsed();
        let expected = self.sent as usize;
        self.until(|listener| listener.heard().own.len() == expected).await;
        tokio::time::sleep(LATE).await;
        let after = self.used().await;
        let messages = f64::from(MESSAGES_EACH) * USERS as f64;
        let each = |used: Duration| used.as_secs_f64() * 1e6 / messages;
        Cost {
            messages_per_second: messages / elapsed.as_secs_f64(),
            worker_cpu_us: each(after.0 - before.0),
            redis_cpu_us: each(after.1 - before.1),
            redis_commands: (after.2 - before.2) as f64 / messages,
        }
    }

    /// Publishes to all users in turn, and waits for all receipts.
    async fn publish(&mut self, guarantee: Guarantee) {
        let mut tickets = Vec::new();
        for number in self.sent..self.sent + MESSAGES_EACH {
            for listener in &self.listeners {
                let note = Note { stream: &listener.user, number, sent: self.began.elapsed() };
                let call = self.sender.send_to_user(&listener.user, note.text());
                let call = match guarantee {
                    Guarantee::AtMostOnce => call,
                    Guarantee::AtLeastOnce => call.at_least_once(),
                };
                tickets.push(call.publish().await.expect("it keeps to the rules"));
            }
        }
        for ticket in tickets {
            ticket.await.expect("it is accepted");
        }
        self.sent += MESSAGES_EACH;
    }

    /// The processors' time that workers and Redis have used, and how many commands Redis has carried out.
    async fn used(&self) -> (Duration, Duration, u64) {
        let workers = self.fleet.workers.iter().map(|worker| procfs::cpu_time(worker.process.id())).sum();
        let redis = procfs::cpu_time(self.redis.process.id());
        let stats = redis::ask(self.redis.address(), "INFO commandstats").await.concat();
        let calls = stats
            .lines()
            .filter(|line| !line.contains("_info"))
            .filter_map(|line| line.split_once("calls=")?.1.split(',').next()?.parse::<u64>().ok());
        (workers, redis, calls.sum())
    }

    async fn until(&self, is_so: impl Fn(&Listener) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.listeners.iter().all(|listener| is_so(listener)) {
            assert!(Instant::now() < deadline, "messages have not arrived");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
