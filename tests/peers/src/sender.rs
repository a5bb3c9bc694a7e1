//! ringway's sender as a process of its own, so that its processor time can be told from the load's.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use ringway_sender::{ClusterSecret, Outcome, Payload, Receipt, SendCall, Sender, SenderConfig};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::task::JoinSet;

use crate::clock::now_ns;
use crate::crowd::Crowd;
use crate::load::{Call, Due, Pace, Plan, Receivers, Ticks};
use crate::system::{GROUP, user};
use crate::{mark, procs};

/// The variable with the cluster secret.
const SECRET: &str = "RINGWAY_CLUSTER_SECRET";
/// What it says when it waits.
const READY: &str = "ready";
/// How many users are sent to beforehand.
const WARM_UP: u64 = 500;
/// How many sends may be unanswered when they go at a rate: more than ever are.
const IN_FLIGHT: u64 = 100_000;

/// What shall be sent.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Role {
    /// A node
    #[arg(long)]
    node: String,
    /// Unary calls, or a stream
    #[arg(long)]
    call: Call,
    /// How many users there are, to whom messages go in turn; 0: to the group
    #[arg(long)]
    users: u64,
    /// How many messages
    #[arg(long)]
    count: u64,
    /// How many in a second; 0: as fast as it goes
    #[arg(long)]
    rate: u64,
    /// How many may be unanswered
    #[arg(long)]
    in_flight: u32,
    /// Send one for each byte that is read
    #[arg(long)]
    stepwise: bool,
}

/// What became of the messages.
#[derive(Debug, Default)]
struct Tally {
    delivered: AtomicU64,
    failed: AtomicU64,
}

/// A sender that is connected and waits.
pub(crate) struct Waiting {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Waiting {
    /// Starts it, and waits until it has reached every worker once.
    pub(crate) fn start(node: &str, secret: &str, plan: &Plan, clients: usize) -> Result<Self> {
        let users = if plan.to == Receivers::All { 0 } else { clients as u64 };
        let call = if plan.call == Call::Unary { "unary" } else { "publish" };
        // The bound is of deliveries; each answer stands for as many as there are receivers.
        let each = plan.receivers(clients);
        let (rate, in_flight) = match plan.pace {
            Pace::PerSecond(rate) => (rate, IN_FLIGHT),
            Pace::Saturated { outstanding_max } => (0, (outstanding_max / each).max(1)),
        };
        let program = std::env::current_exe().context("our own path")?;
        let mut command = Command::new(program);
        command.args(["send", "--node", node, "--call", call]).env(SECRET, secret);
        let numbers =
            [("--users", users), ("--count", plan.count), ("--rate", rate), ("--in-flight", in_flight)];
        command.args(numbers.iter().flat_map(|(name, number)| [(*name).to_owned(), number.to_string()]));
        if plan.is_stepwise(clients) {
            command.arg("--stepwise");
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("the sender")?;
        let output = BufReader::new(child.stdout.take().context("its output")?);
        let mut waiting = Self { child, output };
        let line = waiting.line()?;
        ensure!(line == READY, "the sender is not ready: {line}");
        Ok(waiting)
    }

    /// Lets it send everything, and hears what it tells. A receipt says that a message is on its way: where it must have arrived
    /// before there is room for others, we say when.
    pub(crate) fn go(mut self, crowd: &Crowd, plan: &Plan) -> Result<Value> {
        // The end of its input is the sign, where there is no other.
        let mut stdin = self.child.stdin.take().context("its input")?;
        if let Pace::Saturated { outstanding_max } = plan.pace
            && plan.is_stepwise(crowd.len())
        {
            let (arrivals, each) = (crowd.arrivals(), crowd.len() as u64);
            let before = arrivals.count();
            for sent in 0..plan.count {
                arrivals.wait_for_room(before + sent * each, outstanding_max)?;
                stdin.write_all(b"+").context("the sender")?;
            }
        }
        drop(stdin);
        let told = serde_json::from_str(&self.line()?).context("what the sender told")?;
        let status = self.child.wait().context("the sender")?;
        ensure!(status.success(), "the sender failed");
        Ok(told)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line).context("the sender")?;
        Ok(line.trim_end().to_owned())
    }
}

/// Sends, and tells what became of it.
pub(crate) fn run(role: &Role) -> Result<()> {
    // One thread, as the publishers of the others have.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("a runtime")?;
    runtime.block_on(send_all(role))
}

async fn send_all(role: &Role) -> Result<()> {
    let secret = std::env::var(SECRET).with_context(|| format!("{SECRET} is not set"))?;
    let mut config = SenderConfig::new([role.node.parse()?], ClusterSecret::new(&secret)?);
    config.publish.in_flight_max = role.in_flight;
    let sender = Sender::connect(config).await.context("the cluster")?;
    warm_up(role, &sender).await?;
    println!("{READY}");
    if !role.stepwise {
        std::io::stdin().read_to_string(&mut String::new()).context("the sign to begin")?;
    }
    let tally = Arc::new(Tally::default());
    let (began, before) = (Instant::now(), procs::cpu(std::process::id()));
    if role.rate == 0 {
        saturate(role, &sender, &tally).await;
    } else {
        pace(role, &sender, &tally).await?;
    }
    let cpu = procs::cpu(std::process::id()).saturating_sub(before);
    let told = json!({
        "delivered": tally.delivered.load(Ordering::Relaxed),
        "failed": tally.failed.load(Ordering::Relaxed),
        "seconds": began.elapsed().as_secs_f64(),
        "cpu_us": u64::try_from(cpu.as_micros()).unwrap_or(u64::MAX),
    });
    println!("{told}");
    Ok(())
}

/// Messages without a mark, to as many users as surely are on every worker: so all connections are there.
async fn warm_up(role: &Role, sender: &Sender) -> Result<()> {
    let targets = if role.users == 0 { 1 } else { role.users.min(WARM_UP) };
    for number in 0..targets {
        let call = call(role, sender, number, Payload::text("warm"));
        match role.call {
            Call::Unary => call.await,
            Call::Publish => call.publish().await.context("warming up")?.await,
        }
        .context("warming up")?;
    }
    Ok(())
}

async fn saturate(role: &Role, sender: &Sender, tally: &Arc<Tally>) {
    let mut calls = JoinSet::new();
    let mut permits = tokio::io::stdin();
    for number in 0..role.count {
        if role.stepwise && permits.read_u8().await.is_err() {
            break;
        }
        start(role, sender, tally, (number, now_ns()), &mut calls).await;
        while calls.try_join_next().is_some() {}
        // A stream waits by itself.
        if role.call == Call::Unary && calls.len() >= role.in_flight as usize {
            calls.join_next().await;
        }
    }
    calls.join_all().await;
}

async fn pace(role: &Role, sender: &Sender, tally: &Arc<Tally>) -> Result<()> {
    let (mut due, ticks, mut calls) = (Due::new(role.count, role.rate), Ticks::start()?, JoinSet::new());
    while !due.is_over() {
        for message in due.take() {
            start(role, sender, tally, message, &mut calls).await;
        }
        while calls.try_join_next().is_some() {}
        ticks.next().await?;
    }
    calls.join_all().await;
    Ok(())
}

/// Sends one message, with the time at which it was due, and lets its answer be counted.
async fn start(role: &Role, sender: &Sender, tally: &Arc<Tally>, due: (u64, u64), calls: &mut JoinSet<()>) {
    let (number, due_ns) = due;
    let call = call(role, sender, number, Payload::text_bytes(mark::payload(due_ns).to_vec()));
    let tally = Arc::clone(tally);
    match role.call {
        Call::Unary => {
            calls.spawn(async move { tally.note(is_delivered(call.await)) });
        }
        Call::Publish => match call.publish().await {
            Err(_) => tally.note(false),
            Ok(ticket) => {
                calls.spawn(async move { tally.note(is_delivered(ticket.await)) });
            }
        },
    }
}

fn call(role: &Role, sender: &Sender, number: u64, payload: Payload) -> SendCall {
    match role.users {
        0 => sender.send_to_group(GROUP, payload),
        users => sender.send_to_user(user(usize::try_from(number % users).unwrap_or_default()), payload),
    }
}

fn is_delivered<E>(answer: Result<Receipt, E>) -> bool {
    answer.is_ok_and(|receipt| receipt.outcome == Outcome::Delivered)
}

impl Tally {
    fn note(&self, is_delivered: bool) {
        let counter = if is_delivered { &self.delivered } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
