//! A Watch stream of a caller that knows no ring: its node follows the owners for it.

use std::time::Duration;

use futures_util::{Stream, stream};
use ringway_proto::v1::{PresenceChange, PresenceChanges, WatchPresenceRequest};
use ringway_session::UserId;
use ringway_session::presence::Scope;
use tonic::{Status, Streaming};

use super::follower::{PresenceFollower, PresenceNews};
use crate::dispatcher::Dispatcher;
use crate::rules;

/// Serves a stream that was not forwarded, `first` being its first request. It ends with the caller's half.
///
/// # Errors
/// `InvalidArgument` for bad names, or too many.
pub fn serve_presence_watch(
    dispatcher: Dispatcher,
    grace: Duration,
    first: &WatchPresenceRequest,
    requests: Streaming<WatchPresenceRequest>,
) -> Result<impl Stream<Item = Result<PresenceChanges, Status>> + Send + 'static, Status> {
    let scope = if first.everyone { Scope::Everyone } else { Scope::Named };
    let follower = PresenceFollower::start(dispatcher, scope, grace);
    let mut serving = Serving { follower, requests, watched: 0, heard: 0 };
    serving.ask(first)?;
    Ok(stream::try_unfold(serving, |mut serving| async move {
        Ok(serving.next().await?.map(|changes| (changes, serving)))
    }))
}

struct Serving {
    follower: PresenceFollower,
    requests: Streaming<WatchPresenceRequest>,
    /// How many users the caller has named, at the most.
    watched: usize,
    /// How many of its requests named users to watch.
    heard: u64,
}

impl Serving {
    /// The next that is to be said; nothing when the caller says no more.
    async fn next(&mut self) -> Result<Option<PresenceChanges>, Status> {
        loop {
            tokio::select! {
                biased;
                // Both are cancel-safe: what was not taken comes again.
                request = self.requests.message() => match request? {
                    Some(request) => self.ask(&request)?,
                    None => return Ok(None),
                },
                news = self.follower.next() => return Ok(Some(self.to_proto(news))),
            }
        }
    }

    fn ask(&mut self, request: &WatchPresenceRequest) -> Result<(), Status> {
        let (watch, unwatch) =
            (rules::watched_users(&request.watch)?, rules::watched_users(&request.unwatch)?);
        self.watched = (self.watched + watch.len()).saturating_sub(unwatch.len());
        rules::check_watched(self.watched)?;
        self.heard += u64::from(!watch.is_empty());
        self.follower.watch(&watch);
        self.follower.unwatch(&unwatch);
        Ok(())
    }

    fn to_proto(&self, news: PresenceNews) -> PresenceChanges {
        let change = |(user, online): (UserId, bool)| PresenceChange { user: user.to_string(), online };
        PresenceChanges {
            changes: news.changes.into_iter().map(change).collect(),
            complete: news.complete,
            workers_unreached: news.unreached.iter().map(ToString::to_string).collect(),
            heard: self.heard,
        }
    }
}
