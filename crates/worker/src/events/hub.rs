//! The hub: takes events in, keeps them for each subscription, and lets subscribers have them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use ringway_proto::v1::{Event, EventKind, SubscribeResponse};
use ringway_ring::MemberId;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

use super::buffer::{Batch, Bounds, Buffer, Kept};
use super::config::EventsConfig;
use super::metrics::EventMetrics;
use super::offer::{Offered, Receipt};
use super::subscription::Subscription;

/// The longest name of a subscription, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// How many events may be sent and not acknowledged, where the subscriber does not say.
const WINDOW_DEFAULT: u32 = 1_000;
/// The most that a subscriber may ask for.
const WINDOW_MAX: u32 = 10_000;

/// What a subscriber wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscribe {
    /// Its name; empty: nothing is kept when it goes.
    pub name: String,
    /// Which kinds of events; none means all.
    pub kinds: Vec<EventKind>,
    /// How many events may be sent and not acknowledged; 0 means 1,000.
    pub window: u32,
    /// Whether clients are slowed down rather than lose messages.
    pub reliable: bool,
}

/// Why there is no subscription.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    /// The name breaks the rule.
    #[error(
        "the subscription's name is {0:?}; it must be empty or 1 to 64 bytes of a-z, A-Z, 0-9, `-`, `_` and `.`"
    )]
    Name(String),
    /// The window is too large.
    #[error("the window is {0} events; at most 10000 are allowed")]
    Window(u32),
    /// A kind is not known.
    #[error("kind 0 is not a kind of events; name kinds, or none for all")]
    Kind,
    /// Somebody else has it.
    #[error(
        "the subscription {0:?} has a subscriber already; take another name, or come back when that one has gone"
    )]
    Taken(String),
    /// There are as many as may be.
    #[error("there are {0} subscriptions, as many as allowed (events.subscriptions_max)")]
    TooMany(usize),
    /// The worker is about to leave.
    #[error("this worker is about to leave")]
    Leaving,
}

/// A set of kinds, one bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Kinds(u8);

impl Kinds {
    fn of(kinds: &[EventKind]) -> Result<Self, SubscribeError> {
        match kinds {
            [] => Ok(Kinds(u8::MAX)),
            _ if kinds.contains(&EventKind::Unspecified) => Err(SubscribeError::Kind),
            _ => Ok(Kinds(kinds.iter().fold(0, |bits, kind| bits | bit(*kind)))),
        }
    }

    fn has(self, kind: EventKind) -> bool {
        self.0 & bit(kind) != 0
    }
}

fn bit(kind: EventKind) -> u8 {
    1 << (kind as u8)
}

/// A worker's events. A cheap handle: clones are the same hub.
#[derive(Clone)]
pub(crate) struct EventHub(Arc<Shared>);

struct Shared {
    worker: String,
    incarnation: u64,
    config: EventsConfig,
    metrics: EventMetrics,
    /// The kinds that anybody wants: read before anything else is done.
    wanted: AtomicU8,
    state: Mutex<State>,
    /// Fires when a subscription has room again, is done with everything, or is gone.
    room: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    sequence: u64,
    subscriptions: HashMap<String, Entry>,
    subscribers: u64,
    leaving: bool,
}

/// One subscription.
struct Entry {
    buffer: Buffer,
    kinds: Kinds,
    window: usize,
    reliable: bool,
    /// Whether it is forgotten when its subscriber goes.
    fleeting: bool,
    place: Place,
    /// Somebody waited for room for too long: nobody waits again until there is room.
    given_up: bool,
    wake: Arc<Notify>,
}

/// Where a subscription's subscriber is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Here, as the n-th subscriber.
    Here(u64),
    /// Away since then.
    Away(Instant),
}

/// Everything that is told of an event but its number and its place.
struct Told {
    kind: EventKind,
    event: Event,
}

impl EventHub {
    pub(crate) fn new(worker: &MemberId, incarnation: u64, config: EventsConfig) -> Self {
        EventHub(Arc::new(Shared {
            worker: worker.to_string(),
            incarnation,
            config,
            metrics: EventMetrics::new(worker),
            wanted: AtomicU8::new(0),
            state: Mutex::default(),
            room: watch::Sender::new(()),
        }))
    }

    /// Whether anybody subscribes to events of this kind.
    pub(crate) fn wants(&self, kind: EventKind) -> bool {
        Kinds(self.0.wanted.load(Ordering::Relaxed)).has(kind)
    }

    /// Keeps an event for all who want it. It is made only if there are some. Never waits.
    pub(super) fn tell(&self, kind: EventKind, make: impl FnOnce() -> Event) {
        if self.wants(kind) {
            self.keep(&mut self.0.state.lock(), Told { kind, event: make() }, None);
        }
    }

    /// Offers a client's message to subscribers. Where a reliable subscription has no room, it is not taken.
    pub(super) fn offer(&self, make: impl FnOnce() -> Event) -> Offered {
        if !self.wants(EventKind::Message) {
            return Offered::Nobody;
        }
        let mut state = self.0.state.lock();
        if state.subscriptions.values().any(|entry| entry.holds_up(self.bounds())) {
            return Offered::Full;
        }
        let (settle, receipt) = Receipt::new();
        let told = Told { kind: EventKind::Message, event: make() };
        match self.keep(&mut state, told, Some(settle)) {
            0 => Offered::Nobody,
            _ => Offered::Taken(receipt),
        }
    }

    /// Waits until every reliable subscription to clients' messages whose subscriber is here has room, for a bounded time. After a
    /// wait in vain nobody waits for that subscription again until it has room.
    pub(crate) async fn room(&self) {
        if !self.wants(EventKind::Message) || !self.must_wait() {
            return;
        }
        self.0.metrics.room_waits.increment(1);
        let deadline = Instant::now() + self.0.config.room_wait_max;
        let mut room = self.0.room.subscribe();
        while self.must_wait() {
            if timeout_at(deadline, room.changed()).await.is_err() {
                return self.give_up();
            }
        }
    }

    /// Makes a subscription, or goes on with one whose subscriber is away.
    ///
    /// # Errors
    /// [`SubscribeError`].
    pub(crate) fn subscribe(&self, wish: Subscribe) -> Result<Subscription, SubscribeError> {
        let (kinds, window) = check(&wish)?;
        let mut state = self.0.state.lock();
        if state.leaving {
            return Err(SubscribeError::Leaving);
        }
        state.subscribers += 1;
        let number = state.subscribers;
        let fleeting = wish.name.is_empty();
        // A name that nobody may choose.
        let name = if fleeting { format!("#{number}") } else { wish.name };
        let is_new = !state.subscriptions.contains_key(&name);
        let max = self.0.config.subscriptions_max;
        if is_new && state.subscriptions.len() >= max {
            return Err(SubscribeError::TooMany(max));
        }
        let entry = state.subscriptions.entry(name.clone()).or_insert_with(|| Entry::new(fleeting));
        if matches!(entry.place, Place::Here(_)) {
            return Err(SubscribeError::Taken(name));
        }
        (entry.kinds, entry.window, entry.reliable) = (kinds, window, wish.reliable);
        entry.place = Place::Here(number);
        entry.buffer.rewind();
        let wake = Arc::clone(&entry.wake);
        self.changed(&state);
        info!(subscription = name, is_new, "a subscriber to events has come");
        Ok(Subscription::new(self.clone(), name, number, wake))
    }

    /// Forgets subscriptions whose subscribers have been away for too long.
    pub(crate) fn expire(&self) {
        let mut state = self.0.state.lock();
        let (now, away_max) = (Instant::now(), self.0.config.away_max);
        state.subscriptions.retain(|name, entry| {
            let over = matches!(entry.place, Place::Away(since) if now.duration_since(since) > away_max);
            if over {
                warn!(
                    subscription = name,
                    "a subscription is forgotten: its subscriber was away for too long"
                );
            }
            !over
        });
        self.changed(&state);
    }

    /// Takes no new subscribers from now on, and waits until those that are here have acknowledged everything. Cancel-safe.
    pub(crate) async fn flush(&self) {
        self.0.state.lock().leaving = true;
        let mut room = self.0.room.subscribe();
        while self.0.state.lock().subscriptions.values().any(Entry::is_owed) {
            // The sender lives as long as the hub.
            if room.changed().await.is_err() {
                return;
            }
        }
    }

    /// Ends all subscriptions.
    pub(crate) fn close(&self) {
        let mut state = self.0.state.lock();
        state.leaving = true;
        for (_, entry) in state.subscriptions.drain() {
            entry.wake.notify_one();
        }
        self.changed(&state);
    }

    /// What the n-th subscriber gets next.
    pub(super) fn take(&self, name: &str, number: u64) -> Next {
        let mut state = self.0.state.lock();
        let Some(entry) = state.of(name, number) else { return Next::Over };
        match entry.buffer.take(entry.window) {
            Some(batch) => Next::Batch(self.response(&batch)),
            None => Next::Later,
        }
    }

    /// The n-th subscriber is done with everything up to this sequence.
    pub(super) fn acknowledge(&self, name: &str, number: u64, upto: u64) {
        let mut state = self.0.state.lock();
        let bounds = self.bounds();
        let Some(entry) = state.of(name, number) else { return };
        entry.buffer.acknowledge(upto);
        entry.given_up &= entry.buffer.is_full(bounds);
        entry.wake.notify_one();
        self.0.room.send_replace(());
    }

    /// The n-th subscriber has gone.
    pub(super) fn detach(&self, name: &str, number: u64) {
        let mut state = self.0.state.lock();
        let Some(entry) = state.of(name, number) else { return };
        entry.place = Place::Away(Instant::now());
        if entry.fleeting {
            state.subscriptions.remove(name);
        }
        self.changed(&state);
        info!(subscription = name, "a subscriber to events has gone");
    }

    /// Numbers an event and keeps it. Gives back for how many subscriptions.
    fn keep(&self, state: &mut State, told: Told, settle: Option<oneshot::Sender<()>>) -> usize {
        state.sequence += 1;
        let kept = Kept::new(self.numbered(told.event, state.sequence), settle);
        let bounds = self.bounds();
        let (mut keepers, mut lost) = (0, 0);
        for entry in state.subscriptions.values_mut().filter(|entry| entry.kinds.has(told.kind)) {
            lost += entry.buffer.push(Arc::clone(&kept), bounds);
            entry.wake.notify_one();
            keepers += 1;
        }
        self.0.metrics.told(told.kind);
        self.0.metrics.missed.increment(lost);
        keepers
    }

    fn numbered(&self, event: Event, sequence: u64) -> Event {
        let (worker, incarnation) = (self.0.worker.clone(), self.0.incarnation);
        Event {
            id: format!("{worker}-{incarnation:016x}-{sequence}"),
            sequence,
            time_ms: now_ms(),
            worker,
            ..event
        }
    }

    fn response(&self, batch: &Batch) -> SubscribeResponse {
        SubscribeResponse {
            worker: self.0.worker.clone(),
            incarnation: self.0.incarnation,
            events: batch.events.iter().map(|kept| kept.event.clone()).collect(),
            missed: batch.missed,
        }
    }

    fn must_wait(&self) -> bool {
        let (state, bounds) = (self.0.state.lock(), self.bounds());
        state.subscriptions.values().any(|entry| entry.holds_up(bounds) && !entry.given_up)
    }

    fn give_up(&self) {
        let (mut state, bounds) = (self.0.state.lock(), self.bounds());
        for (name, entry) in &mut state.subscriptions {
            if entry.holds_up(bounds) && !entry.given_up {
                warn!(
                    subscription = name,
                    "a reliable subscription has no room for too long: its oldest events go"
                );
                entry.given_up = true;
            }
        }
    }

    fn bounds(&self) -> Bounds {
        Bounds { events_max: self.0.config.events_max, bytes_max: self.0.config.bytes_max }
    }

    /// Who there is has changed: what is wanted follows from it.
    fn changed(&self, state: &State) {
        let wanted = state.subscriptions.values().fold(0, |bits, entry| bits | entry.kinds.0);
        self.0.wanted.store(wanted, Ordering::Relaxed);
        self.0.room.send_replace(());
        let attached = state.subscriptions.values().filter(|entry| entry.is_here()).count();
        let bytes: usize = state.subscriptions.values().map(|entry| entry.buffer.bytes()).sum();
        self.0.metrics.attached.set(attached as f64);
        self.0.metrics.away.set((state.subscriptions.len() - attached) as f64);
        self.0.metrics.queue_bytes.set(bytes as f64);
    }
}

/// What a subscriber gets.
pub(super) enum Next {
    Batch(SubscribeResponse),
    /// Nothing now; it is woken.
    Later,
    /// Nothing any more.
    Over,
}

impl State {
    fn of(&mut self, name: &str, number: u64) -> Option<&mut Entry> {
        self.subscriptions.get_mut(name).filter(|entry| entry.place == Place::Here(number))
    }
}

impl Entry {
    fn new(fleeting: bool) -> Self {
        Entry {
            buffer: Buffer::default(),
            kinds: Kinds::default(),
            window: 0,
            reliable: false,
            fleeting,
            place: Place::Away(Instant::now()),
            given_up: false,
            wake: Arc::default(),
        }
    }

    fn is_here(&self) -> bool {
        matches!(self.place, Place::Here(_))
    }

    /// Whether a client's message must not push out its oldest event. Nobody waits for a subscriber that is away: it may stay
    /// away for minutes.
    fn holds_up(&self, bounds: Bounds) -> bool {
        self.reliable && self.is_here() && self.kinds.has(EventKind::Message) && self.buffer.is_full(bounds)
    }

    /// Whether its subscriber is here and has not acknowledged everything.
    fn is_owed(&self) -> bool {
        self.is_here() && !self.buffer.is_empty()
    }
}

fn check(wish: &Subscribe) -> Result<(Kinds, usize), SubscribeError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if wish.name.len() > NAME_BYTES_MAX || !wish.name.bytes().all(allowed) {
        return Err(SubscribeError::Name(wish.name.chars().take(NAME_BYTES_MAX).collect()));
    }
    let window = if wish.window == 0 { WINDOW_DEFAULT } else { wish.window };
    if window > WINDOW_MAX {
        return Err(SubscribeError::Window(window));
    }
    Ok((Kinds::of(&wish.kinds)?, window as usize))
}

pub(super) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests;
