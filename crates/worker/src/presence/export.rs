//! The export: who is online at this worker, written where other programs read it.
//!
//! It runs beside everything else: users whose sessions change are noted, each once, and written when the store takes them.
//! So a store that is slow or away holds up nobody, and what waits for it is never more than the users. What was written is
//! written again before it expires.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ringway_session::UserId;
use ringway_session::presence::Standing;
use ringway_store::{Presence, PresenceExport, StoreError, WorkerLife};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tracing::{info, warn};

use super::graves::Graves;
use crate::hub::Exported;
use crate::worker::Shared;

/// How often it is looked at what is to be written.
const TICK: Duration = Duration::from_millis(100);
/// How many users are written again in one go.
const AGAIN_USERS_MAX: usize = 1_000;
/// The bound of the rest after a write that failed; it doubles with each.
const REST_MIN: Duration = Duration::from_millis(200);
/// The bound beyond which it does not grow.
const REST_MAX: Duration = Duration::from_secs(5);
/// At the end: how long the new owners of our users have to write that they are with them, before our life is removed.
const HANDED_ON_WAIT: Duration = Duration::from_millis(500);
/// At the end: how long removing our life may take. What is left expires.
const REMOVE_TIMEOUT: Duration = Duration::from_secs(1);

pub(crate) struct Exporter {
    shared: Arc<Shared>,
    export: Arc<dyn PresenceExport>,
    life: WorkerLife,
    /// Who is written to be online here, and when that was.
    written: HashMap<UserId, Instant>,
    /// The same in the order of time; outdated where the other says otherwise.
    order: VecDeque<(Instant, UserId)>,
    graves: Graves,
    /// After failures: how many there were, and until when it rests.
    failures: u32,
    rest_until: Instant,
}

impl Exporter {
    pub(crate) fn new(shared: Arc<Shared>, export: Arc<dyn PresenceExport>) -> Self {
        let life = WorkerLife { worker: shared.config.id.clone(), incarnation: shared.incarnation };
        let (written, order) = (HashMap::new(), VecDeque::new());
        let (graves, rest_until) = (Graves::default(), Instant::now());
        Exporter { shared, export, life, written, order, graves, failures: 0, rest_until }
    }

    /// Writes until the worker has left; then its life is removed.
    pub(crate) async fn run(mut self) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let has_left = self.shared.has_left.clone();
        let working = async {
            loop {
                ticks.tick().await;
                self.note_dead();
                if Instant::now() >= self.rest_until {
                    let done = self.work().await;
                    self.take_note(done);
                }
            }
        };
        // None when the worker has left.
        _ = has_left.run_until_cancelled(working).await;
        self.finish().await;
    }

    async fn work(&mut self) -> Result<(), StoreError> {
        self.write_changed().await?;
        self.write_again().await?;
        self.remove_dead().await
    }

    /// Writes those whose sessions have changed.
    async fn write_changed(&mut self) -> Result<(), StoreError> {
        let (mut undecided, mut written) = (Vec::new(), Ok(()));
        while written.is_ok() {
            let exports = self.shared.hub.take_exports();
            if exports.is_empty() {
                break;
            }
            let (decided, later): (Vec<_>, Vec<_>) = exports.into_iter().partition(is_decided);
            undecided.extend(later.into_iter().map(|export| export.user));
            written = self.write(decided).await;
        }
        self.shared.hub.export(undecided);
        written
    }

    /// Writes those again whose time is about to be over.
    async fn write_again(&mut self) -> Result<(), StoreError> {
        let Some(oldest) = Instant::now().checked_sub(self.export.time_to_live() / 2) else { return Ok(()) };
        loop {
            let mut users = Vec::new();
            while users.len() < AGAIN_USERS_MAX
                && let Some((_, user)) = self.order.pop_front_if(|(at, _)| *at <= oldest)
            {
                if self.written.get(&user).is_some_and(|at| *at <= oldest) {
                    users.push(user);
                }
            }
            if users.is_empty() {
                return Ok(());
            }
            let standings = self.shared.hub.standings(&users);
            let exports = users.into_iter().zip(standings);
            let exports = exports.map(|(user, standing)| self.shared.hub.exported(user, standing)).collect();
            self.write(exports).await?;
        }
    }

    /// Writes users of whom it is known how many sessions they have. If that fails they are noted again.
    async fn write(&mut self, exports: Vec<Exported>) -> Result<(), StoreError> {
        let mut first = Vec::new();
        let mut users = Vec::new();
        for Exported { user, standing, here } in &exports {
            let Some(sessions) = sessions_of(*standing) else {
                self.let_go(user, *here);
                continue;
            };
            if sessions == 0 && !self.written.contains_key(user) {
                // It came from elsewhere and left at once: only what says this worker can be taken away.
                first.push(Presence { user: user.clone(), sessions: 1 });
            }
            users.push(Presence { user: user.clone(), sessions });
        }
        let written = self.announce(&first, &users).await;
        match &written {
            Ok(()) => users.iter().for_each(|presence| self.note(presence)),
            Err(_) => self.shared.hub.export(users.into_iter().map(|presence| presence.user)),
        }
        written
    }

    async fn announce(&self, first: &[Presence], users: &[Presence]) -> Result<(), StoreError> {
        for some in [first, users].into_iter().filter(|some| !some.is_empty()) {
            self.export.announce(&self.life, some).await?;
        }
        Ok(())
    }

    /// Somebody else's user by now, or a user of whom nothing can be said: as long as sessions are here it is looked at again.
    fn let_go(&mut self, user: &UserId, here: u32) {
        if here > 0 {
            self.note(&Presence { user: user.clone(), sessions: here });
        } else {
            self.written.remove(user);
        }
    }

    fn note(&mut self, presence: &Presence) {
        if presence.sessions == 0 {
            self.written.remove(&presence.user);
            return;
        }
        let now = Instant::now();
        self.written.insert(presence.user.clone(), now);
        self.order.push_back((now, presence.user.clone()));
    }

    fn note_dead(&mut self) {
        let view = self.shared.view();
        self.graves.view_changed(&view, self.shared.config.moves.resume_window);
    }

    /// Removes lives of workers that have died.
    async fn remove_dead(&mut self) -> Result<(), StoreError> {
        while let Some(life) = self.graves.next(&self.shared.view(), self.shared.config.id.as_str()) {
            match self.export.remove(&life).await {
                Ok(users) => {
                    info!(worker = %life.worker, users, "what a dead worker has said of who is online is removed");
                    self.shared.metrics.presence_lives_removed.increment(1);
                }
                Err(error) => {
                    self.graves.again(life, REST_MAX);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn take_note(&mut self, done: Result<(), StoreError>) {
        self.shared.metrics.presence_exported.set(self.written.len() as f64);
        let Err(error) = done else {
            if std::mem::take(&mut self.failures) > 0 {
                info!("who is online is written again");
            }
            return;
        };
        if self.failures == 0 {
            warn!(%error, "who is online cannot be written: it is tried again");
        }
        self.shared.metrics.presence_export_failures.increment(1);
        let rest = (REST_MIN * 2_u32.pow(self.failures.min(16))).min(REST_MAX);
        self.failures = self.failures.saturating_add(1);
        self.rest_until = Instant::now() + rest;
    }

    async fn finish(self) {
        sleep(HANDED_ON_WAIT).await;
        match timeout(REMOVE_TIMEOUT, self.export.remove(&self.life)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                warn!(%error, "what this worker has said of who is online stays until it expires");
            }
            Err(_) => warn!("what this worker has said of who is online stays until it expires: no answer"),
        }
    }
}

/// Whether it is known what is to be written, if anything.
fn is_decided(export: &Exported) -> bool {
    !matches!(export.standing, Standing::InDoubt | Standing::Unsettled)
}

/// How many sessions a user has, if that is known.
fn sessions_of(standing: Standing) -> Option<u32> {
    match standing {
        Standing::Online { here, coming, .. } => Some(here.saturating_add(coming)),
        Standing::Offline => Some(0),
        Standing::InDoubt | Standing::Unsettled | Standing::NotOurs => None,
    }
}
