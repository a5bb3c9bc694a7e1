//! Following users' presence: a stream to each owner, kept up as the ring changes, and the news in one place.
//!
//! What is asked and what is news is decided by [`Watching`], which is pure; here its decisions are carried to the owners.
//! News that nobody takes wait as one state for each user, so they are never more than the users that are watched.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use ringway_cluster::View;
use ringway_ring::MemberId;
use ringway_rpc::NodeUrl;
use ringway_session::presence::{News, Scope, Watching};
use ringway_session::{Moment, UserId};
use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, JoinSet};

use super::owner::OwnerStream;
use crate::dispatcher::Dispatcher;

/// For how long a user whose worker has died may come back before it counts as offline, unless told otherwise: the default of
/// `sessions.resume_window`.
pub const PRESENCE_GRACE_DEFAULT: Duration = Duration::from_secs(30);

/// How many users one news tells of at the most.
const NEWS_USERS_MAX: usize = 1_000;

/// What there is to tell of watched users.
pub type PresenceNews = News;

/// Follows users' presence. A cheap handle; when the last one is dropped the streams end.
#[derive(Clone, Debug)]
pub struct PresenceFollower {
    shared: Arc<Shared>,
    _tasks: Arc<JoinSet<()>>,
}

#[derive(Debug)]
pub(super) struct Shared {
    watching: Mutex<Watching>,
    origin: Instant,
    /// There may be news.
    news: Notify,
    /// There may be something to ask, or other owners to ask.
    to_ask: watch::Sender<()>,
}

impl PresenceFollower {
    /// Follows nobody yet but everybody, if the scope says so. `grace` is for how long a user whose worker has died may come back
    /// before it counts as offline: `sessions.resume_window` of the cluster. Needs a tokio runtime.
    pub fn start(dispatcher: Dispatcher, scope: Scope, grace: Duration) -> Self {
        let ring = Arc::clone(dispatcher.views().current().ring());
        let shared = Arc::new(Shared {
            watching: Mutex::new(Watching::new(scope, grace, ring)),
            origin: Instant::now(),
            news: Notify::new(),
            to_ask: watch::Sender::new(()),
        });
        let mut tasks = JoinSet::new();
        let task = FollowerTask { shared: Arc::clone(&shared), dispatcher, scope, running: HashMap::new() };
        tasks.spawn(task.run());
        PresenceFollower { shared, _tasks: Arc::new(tasks) }
    }

    /// Follows these users, too.
    pub fn watch<'a>(&self, users: impl IntoIterator<Item = &'a UserId>) {
        let mut watching = self.shared.watching.lock();
        users.into_iter().for_each(|user| watching.watch(user));
        drop(watching);
        self.shared.to_ask.send_replace(());
    }

    /// Follows these users no more.
    pub fn unwatch<'a>(&self, users: impl IntoIterator<Item = &'a UserId>) {
        let mut watching = self.shared.watching.lock();
        users.into_iter().for_each(|user| watching.unwatch(user));
        drop(watching);
        self.shared.to_ask.send_replace(());
    }

    /// How many users are followed; of everybody, those who are online.
    pub fn users(&self) -> usize {
        self.shared.watching.lock().len()
    }

    /// What is new since the last call; waits until something is. Cancel-safe. One caller at a time gets all of it.
    pub async fn next(&self) -> PresenceNews {
        loop {
            if let Some(news) = self.shared.watching.lock().take_news(NEWS_USERS_MAX) {
                return news;
            }
            self.shared.news.notified().await;
        }
    }
}

impl Shared {
    /// Acts on what is watched. There may be news afterwards.
    pub(super) fn act<R>(&self, act: impl FnOnce(&mut Watching, Moment) -> R) -> R {
        let elapsed = self.origin.elapsed().as_millis();
        let result = act(&mut self.watching.lock(), Moment(u64::try_from(elapsed).unwrap_or(u64::MAX)));
        self.news.notify_one();
        result
    }

    pub(super) fn to_ask(&self) -> watch::Receiver<()> {
        self.to_ask.subscribe()
    }

    /// How long it is until something is to be done without anything being heard.
    fn next_expiry(&self) -> Option<Duration> {
        let at = Duration::from_millis(self.watching.lock().next_expiry()?.0);
        Some(at.saturating_sub(self.origin.elapsed()))
    }
}

/// Keeps a stream to each owner that is needed.
struct FollowerTask {
    shared: Arc<Shared>,
    dispatcher: Dispatcher,
    scope: Scope,
    running: HashMap<MemberId, (NodeUrl, AbortHandle)>,
}

impl FollowerTask {
    async fn run(mut self) {
        let mut streams = JoinSet::new();
        let (mut views, mut to_ask) = (self.dispatcher.views().subscribe(), self.shared.to_ask());
        let mut ring = None;
        loop {
            let view = Arc::clone(&views.borrow_and_update());
            if ring.replace(view.version()) != Some(view.version()) {
                self.shared.act(|watching, _| watching.ring_changed(Arc::clone(view.ring())));
                self.shared.to_ask.send_replace(());
            }
            to_ask.borrow_and_update();
            self.keep_streams(&view, &mut streams);
            while streams.try_join_next().is_some() {}
            let expiry = self.shared.next_expiry();
            tokio::select! {
                biased;
                // All are cancel-safe: what was not taken comes again.
                changed = views.changed() => if changed.is_err() {
                    return;
                },
                _ = to_ask.changed() => {}
                () = sleep_for(expiry) => self.shared.act(Watching::expire),
            }
        }
    }

    /// Starts streams to owners that are needed, and ends the others.
    fn keep_streams(&mut self, view: &View, streams: &mut JoinSet<()>) {
        let owners: Vec<MemberId> = self.shared.watching.lock().owners().cloned().collect();
        self.running.retain(|id, (url, stream)| {
            let stays = owners.contains(id) && view.member(id).is_some_and(|member| member.rpc_url == *url);
            if !stays {
                stream.abort();
            }
            stays
        });
        for member in owners.iter().filter_map(|id| view.member(id)) {
            if !self.running.contains_key(&member.id) {
                let node = self.dispatcher.pool().node(&member.rpc_url);
                let (shared, scope) = (Arc::clone(&self.shared), self.scope);
                let stream = OwnerStream { shared, node, owner: member.id.clone(), scope };
                let handle = streams.spawn(stream.run(self.dispatcher.views().clone()));
                self.running.insert(member.id.clone(), (member.rpc_url.clone(), handle));
            }
        }
    }
}

async fn sleep_for(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}
