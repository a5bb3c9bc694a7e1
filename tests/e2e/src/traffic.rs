//! Steady sends to everybody: a stream for each user and each group, published or called, while the cluster changes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ringway_sender::Sender;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::PATIENCE;
use crate::crowd::Crowd;
use crate::ledger::Ledger;

/// How often the pump publishes its next few.
const TICK: Duration = Duration::from_millis(20);
/// Messages published in a second: to a few users often, ...
const HOT_RATE: usize = 250;
/// ... to the others now and then, ...
const COLD_RATE: usize = 150;
/// ... and to groups, each of which reaches many.
const GROUP_RATE: usize = 50;
/// How many users are sent to often.
const HOT_USERS: usize = 50;
/// One user in so many is called (awaiting each receipt) instead of published to,
const CALLED_EVERY: usize = 20;
/// at this interval.
const CALL_INTERVAL: Duration = Duration::from_secs(1);

/// Sends under way.
pub struct Traffic {
    ledger: Arc<Ledger>,
    sender: Sender,
    stop: watch::Sender<bool>,
    pumps: JoinSet<()>,
}

/// Streams that are published to in turn.
struct Round {
    streams: Vec<String>,
    per_second: usize,
    next: usize,
    credit: usize,
}

impl Traffic {
    /// Begins to send to all of a crowd.
    pub fn start(sender: Sender, crowd: &Crowd) -> Self {
        let (mut hot, mut cold, mut called) = (Vec::new(), Vec::new(), Vec::new());
        for (number, listener) in crowd.listeners.iter().enumerate() {
            match number {
                _ if number % CALLED_EVERY == 0 => called.push(listener.user.clone()),
                _ if number < HOT_USERS => hot.push(listener.user.clone()),
                _ => cold.push(listener.user.clone()),
            }
        }
        let groups = crowd.groups();
        let streams = [&hot, &cold, &called, &groups].into_iter().flatten().cloned();
        let ledger = Arc::new(Ledger::new(crowd.began, streams));
        let rounds = [(hot, HOT_RATE), (cold, COLD_RATE), (groups, GROUP_RATE)]
            .map(|(streams, per_second)| Round { streams, per_second, next: 0, credit: 0 });
        let (stop, stopped) = watch::channel(false);
        let mut pumps = JoinSet::new();
        pumps.spawn(publish(sender.clone(), Arc::clone(&ledger), rounds.into(), stopped.clone()));
        for (number, user) in called.into_iter().enumerate() {
            let first = Instant::now() + CALL_INTERVAL.mul_f64(number as f64 * 0.618 % 1.0);
            pumps.spawn(call(sender.clone(), Arc::clone(&ledger), user, first, stopped.clone()));
        }
        Self { ledger, sender, stop, pumps }
    }

    /// The book, so far.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Stops sending. Sends one last message to each, and waits until all are answered and the last ones are there: what
    /// was sent before has come by then, or will not come.
    pub async fn finish(mut self, crowd: &Crowd) -> Arc<Ledger> {
        // The pumps may have ended by a panic, which joining them tells.
        self.stop.send_replace(true);
        let joined = async {
            while let Some(pump) = self.pumps.join_next().await {
                pump.expect("sending");
            }
        };
        tokio::time::timeout(PATIENCE, joined).await.expect("everything is answered in time");
        let mut answers = JoinSet::new();
        for stream in self.ledger.streams() {
            publish_one(&self.sender, &self.ledger, stream, &mut answers).await;
        }
        answers.join_all().await;
        let last = |stream: &str| self.ledger.messages(stream).len() as u32 - 1;
        let has_all = |listener: &crate::listener::Listener| {
            let (own, group) = (last(&listener.user), last(&listener.group));
            let heard = listener.heard();
            heard.own.contains(&own) && heard.group.contains(&group)
        };
        crowd.until("has the last messages", has_all).await;
        self.ledger
    }
}

async fn publish(
    sender: Sender,
    ledger: Arc<Ledger>,
    mut rounds: Vec<Round>,
    stopped: watch::Receiver<bool>,
) {
    let (mut ticks, mut answers) = (tokio::time::interval(TICK), JoinSet::new());
    while !*stopped.borrow() {
        ticks.tick().await;
        for round in &mut rounds {
            for stream in round.due() {
                publish_one(&sender, &ledger, &stream, &mut answers).await;
            }
        }
        while answers.try_join_next().is_some() {}
    }
    answers.join_all().await;
}

async fn publish_one(sender: &Sender, ledger: &Arc<Ledger>, stream: &str, answers: &mut JoinSet<()>) {
    let note = ledger.sending(stream);
    let call = match stream.starts_with("group") {
        true => sender.send_to_group(stream, note.text()),
        false => sender.send_to_user(stream, note.text()),
    };
    let ticket = call.publish().await.expect("it breaks no rule");
    let (ledger, stream, number) = (Arc::clone(ledger), stream.to_owned(), note.number);
    answers.spawn(async move { ledger.answered(&stream, number, ticket.await) });
}

async fn call(
    sender: Sender,
    ledger: Arc<Ledger>,
    user: String,
    first: Instant,
    stopped: watch::Receiver<bool>,
) {
    let mut ticks = tokio::time::interval_at(first.into(), CALL_INTERVAL);
    loop {
        ticks.tick().await;
        if *stopped.borrow() {
            return;
        }
        let note = ledger.sending(&user);
        let answer = sender.send_to_user(user.as_str(), note.text()).await;
        ledger.answered(&user, note.number, answer);
    }
}

impl Round {
    /// The streams that are to be published to in this tick.
    fn due(&mut self) -> Vec<String> {
        self.credit += self.per_second * TICK.as_millis() as usize;
        let count = self.credit / 1000;
        self.credit %= 1000;
        let due = (0..count).map(|at| self.streams[(self.next + at) % self.streams.len()].clone()).collect();
        self.next += count;
        due
    }
}
