//! Who is online: asked once, or watched.

use ringway_dispatch::{Hops, PresenceFollower};
use ringway_proto::v1;
use ringway_session::UserId;
use ringway_session::presence::Scope;

use crate::error::SendError;
use crate::sender::Sender;

/// What is known of the users that were asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PresenceReport {
    /// Each user once, by name, but for the undecided ones.
    pub users: Vec<v1::UserPresence>,
    /// Users of whom nothing sure can be said now: their worker could not be asked, has not heard yet what the others hold, or waits
    /// for sessions of one that has died. Ask again; they may be online.
    pub undecided: Vec<String>,
    /// The workers that could not be asked.
    pub workers_unreached: Vec<String>,
}

impl PresenceReport {
    /// Whether a user is online; nothing if that is undecided, or was not asked.
    pub fn online(&self, user: &str) -> Option<bool> {
        let position = self.users.binary_search_by(|presence| presence.user.as_str().cmp(user)).ok()?;
        Some(self.users[position].online)
    }
}

/// What is new of watched users.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PresenceNews {
    /// Users, and whether they are online: of each first its state, and then its changes. What was told is not told again.
    pub changes: Vec<(UserId, bool)>,
    /// Whether all that was asked is told, and nothing can have been missed. It is over when a worker cannot be asked any more; what
    /// has changed meanwhile is told when it, or whoever has its users then, can be asked again.
    pub complete: bool,
    /// The workers that cannot be asked at present.
    pub workers_unreached: Vec<String>,
}

/// Asks who is online.
#[derive(Clone, Copy, Debug)]
pub struct PresenceCalls<'a> {
    sender: &'a Sender,
}

/// Users that are watched. Dropping it ends the watch.
#[derive(Debug)]
pub struct PresenceWatch {
    follower: PresenceFollower,
}

impl Sender {
    /// Who is online.
    pub fn presence(&self) -> PresenceCalls<'_> {
        PresenceCalls { sender: self }
    }
}

impl PresenceCalls<'_> {
    /// Says of up to 10,000 users whether they are online: one RPC to each worker that owns some of them.
    ///
    /// # Errors
    /// The last attempt's refusal. A worker that cannot be asked is no error: its users are undecided.
    pub async fn get<U: AsRef<str>>(
        self,
        users: impl IntoIterator<Item = U>,
    ) -> Result<PresenceReport, SendError> {
        let users = users.into_iter().map(|user| user.as_ref().to_owned()).collect();
        let request = v1::GetPresenceRequest { users, routing: None };
        let dispatcher = &self.sender.shared.dispatcher;
        let answer = self
            .sender
            .call(|deadline| dispatcher.get_presence(&request, Hops::FromClient, deadline))
            .await?;
        let v1::GetPresenceResponse { users, undecided, workers_unreached } = answer;
        Ok(PresenceReport { users, undecided, workers_unreached })
    }

    /// Watches users: [`PresenceWatch::next`] tells the state of each and then its changes.
    pub fn watch<'u>(self, users: impl IntoIterator<Item = &'u UserId>) -> PresenceWatch {
        let watch = self.begin(Scope::Named);
        watch.add(users);
        watch
    }

    /// Watches every user of the cluster: those who are online are told first, and then all changes. It keeps the name of every
    /// user who is online.
    pub fn watch_everyone(self) -> PresenceWatch {
        self.begin(Scope::Everyone)
    }

    fn begin(self, scope: Scope) -> PresenceWatch {
        let (dispatcher, grace) =
            (self.sender.shared.dispatcher.clone(), self.sender.shared.config.presence_grace);
        PresenceWatch { follower: PresenceFollower::start(dispatcher, scope, grace) }
    }
}

impl PresenceWatch {
    /// Watches these users, too.
    pub fn add<'u>(&self, users: impl IntoIterator<Item = &'u UserId>) {
        self.follower.watch(users);
    }

    /// Watches these users no more. What was on its way may be told once more.
    pub fn remove<'u>(&self, users: impl IntoIterator<Item = &'u UserId>) {
        self.follower.unwatch(users);
    }

    /// How many users are watched; of everybody, those who are online.
    pub fn users(&self) -> usize {
        self.follower.users()
    }

    /// What is new since the last call; waits until something is. Of several changes of a user in between the last is told. It may be
    /// dropped while it waits: nothing is lost by that.
    pub async fn next(&self) -> PresenceNews {
        let news = self.follower.next().await;
        PresenceNews {
            changes: news.changes,
            complete: news.complete,
            workers_unreached: news.unreached.iter().map(ToString::to_string).collect(),
        }
    }
}
