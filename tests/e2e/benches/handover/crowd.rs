//! All clients, and the account of the messages for them.

use std::collections::HashSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use crate::listener::Listener;
use crate::stage::{Class, Stage, histogram, micros};
use crate::users::source;

/// How many connect at once.
const CONNECTING_MAX: usize = 128;
/// How long a message that was accepted may take until it counts as lost.
const ARRIVAL_WITHIN: Duration = Duration::from_secs(10);

/// Connected clients. Those of the worker that goes are first.
pub(crate) struct Crowd {
    pub(crate) listeners: Vec<Arc<Listener>>,
    _living: JoinSet<()>,
}

/// Which message for which client: the client's place, the message's number.
pub(crate) type Sent = (usize, u32);

/// What the sender was told, apart from "delivered to one session".
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// Accepted, but for no session.
    pub(crate) short: HashSet<Sent>,
    /// Refused for good, surely not delivered.
    pub(crate) refused: HashSet<Sent>,
    /// Perhaps delivered.
    pub(crate) doubtful: HashSet<Sent>,
}

/// What became of the messages of a passage.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Account {
    pub(crate) sent: u64,
    /// The receipt says that they were delivered, and they were not.
    pub(crate) lost: u64,
    pub(crate) repeated: u64,
    pub(crate) late: u64,
    pub(crate) short: u64,
    pub(crate) refused: u64,
    pub(crate) doubtful: u64,
    /// Clients whose sockets have ended.
    pub(crate) disconnects: u64,
}

impl Crowd {
    pub(crate) async fn gather(listeners: Vec<Listener>, server: SocketAddr, stage: &Arc<Stage>) -> Self {
        let listeners: Vec<_> = listeners.into_iter().map(Arc::new).collect();
        let connecting =
            stream::iter(listeners.iter().cloned().enumerate().map(|(place, listener)| async move {
                let stream = listener.connect(source(place), server).await;
                (listener, stream)
            }));
        let mut connected = connecting.buffer_unordered(CONNECTING_MAX);
        let mut living = JoinSet::new();
        while let Some((listener, stream)) = connected.next().await {
            living.spawn(listener.listen(stream, Arc::clone(stage)));
        }
        drop(connected);
        Self { listeners, _living: living }
    }

    /// Begins a new passage: so many messages were sent to each before.
    pub(crate) fn reset(&self, sent: &[u32]) {
        for (listener, sent) in self.listeners.iter().zip(sent) {
            listener.heard().reset(*sent);
        }
    }

    /// Waits until everything has arrived, or will not.
    pub(crate) async fn arrived(&self, sent: &[u32]) {
        let deadline = Instant::now() + ARRIVAL_WITHIN;
        let is_complete = |(listener, sent): (&Arc<Listener>, &u32)| listener.heard().is_complete(*sent);
        while !self.listeners.iter().zip(sent).all(is_complete) && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What became of the messages since the last reset.
    pub(crate) fn account(&self, before: &[u32], sent: &[u32], answers: &Answers) -> Account {
        let mut account = Account {
            sent: sent.iter().zip(before).map(|(sent, before)| u64::from(sent - before)).sum(),
            short: answers.short.len() as u64,
            refused: answers.refused.len() as u64,
            doubtful: answers.doubtful.len() as u64,
            ..Account::default()
        };
        for (place, listener) in self.listeners.iter().enumerate() {
            let heard = listener.heard();
            account.lost +=
                heard.holes(sent[place]).filter(|number| !answers.tell_of((place, *number))).count() as u64;
            account.repeated += heard.repeated;
            account.late += heard.late;
            account.disconnects += u64::from(heard.has_ended);
        }
        account
    }

    /// What went wrong first for each client, if anything did.
    pub(crate) fn flaws(&self) -> impl Iterator<Item = String> {
        self.listeners.iter().filter_map(|listener| {
            let flaw = listener.heard().flaw.clone()?;
            Some(format!("{}: {flaw}", listener.user))
        })
    }

    /// The longest gaps of so many users that move and get messages often, before and during the change.
    pub(crate) fn gaps(&self, often: usize) -> [Histogram<u64>; 2] {
        let mut gaps = [histogram(), histogram()];
        for listener in self.listeners.iter().take(often) {
            assert_eq!(listener.class, Class::Mover, "those that move are first");
            let heard = listener.heard();
            gaps.iter_mut().zip(heard.gaps).for_each(|(all, gap)| all.saturating_record(micros(gap)));
        }
        gaps
    }
}

impl Answers {
    /// Whether the sender knows that this message may not have arrived.
    fn tell_of(&self, sent: Sent) -> bool {
        [&self.short, &self.refused, &self.doubtful].iter().any(|told| told.contains(&sent))
    }
}

impl Account {
    /// Whether every message was accepted and arrived once and in order, and every socket is open.
    pub(crate) fn is_flawless(&self) -> bool {
        let Self { lost, repeated, late, short, refused, doubtful, disconnects, .. } = *self;
        [lost, repeated, late, short, refused, doubtful, disconnects].iter().all(|flaws| *flaws == 0)
    }

    /// What holds even when a worker dies: no socket ends, and nothing comes twice or out of order.
    pub(crate) fn is_bearable(&self) -> bool {
        self.repeated == 0 && self.late == 0 && self.disconnects == 0
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, lost, repeated, late, short, refused, doubtful, disconnects } = self;
        write!(
            f,
            "{sent} messages: {lost} lost, {repeated} twice, {late} late, {short} for no session, {refused} refused, \
             {doubtful} in doubt; {disconnects} disconnects"
        )
    }
}
