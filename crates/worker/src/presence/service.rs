//! The gRPC service `ringway.v1.Presence` of a worker: its own users, and for callers that know no ring everybody's.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use ringway_dispatch::{Hops, serve_presence_watch};
use ringway_proto::v1::presence_server::Presence;
use ringway_proto::v1::{
    GetPresenceRequest, GetPresenceResponse, PresenceChange, PresenceChanges, UserPresence,
    WatchPresenceRequest,
};
use ringway_proto::{Reason, Refusal};
use ringway_session::UserId;
use ringway_session::presence::{Said, Scope, Standing};
use tokio::time::timeout_at;
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use crate::hub::PresenceStream;
use crate::worker::Shared;

pub(crate) struct PresenceService(pub(crate) Arc<Shared>);

type Changes = Pin<Box<dyn Stream<Item = Result<PresenceChanges, Status>> + Send>>;

#[tonic::async_trait]
impl Presence for PresenceService {
    async fn get(
        &self,
        request: Request<GetPresenceRequest>,
    ) -> Result<Response<GetPresenceResponse>, Status> {
        let Self(shared) = self;
        let GetPresenceRequest { users, routing } = request.into_inner();
        let users = shared.rules().presence_users(&users)?;
        let view = shared.view();
        let is_own = |user: &UserId| view.owner(user.as_str()).is_some_and(|owner| shared.is_me(&owner.id));
        let (own, others): (Vec<UserId>, Vec<UserId>) = match Hops::of(routing.as_ref()) {
            Hops::FromClient => users.into_iter().partition(is_own),
            Hops::Forwarded => (users.into_iter().collect(), Vec::new()),
        };
        let (own, others) = tokio::join!(shared.own_presence(&own), shared.others_presence(&others));
        let (mut answer, others) = (own, others?);
        answer.users.extend(others.users);
        answer.users.sort_by(|a, b| a.user.cmp(&b.user));
        answer.undecided.extend(others.undecided);
        answer.undecided.sort_unstable();
        answer.workers_unreached = others.workers_unreached;
        Ok(Response::new(answer))
    }

    type WatchStream = Changes;

    async fn watch(
        &self,
        request: Request<Streaming<WatchPresenceRequest>>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let Self(shared) = self;
        let mut requests = request.into_inner();
        let first = requests.message().await?;
        let first =
            first.ok_or_else(|| Refusal::new(Reason::InvalidArgument, "the stream has no first request"))?;
        let changes: Changes = match Hops::of(first.routing.as_ref()) {
            Hops::FromClient => {
                let (dispatcher, grace) = (shared.dispatcher.clone(), shared.config.moves.resume_window);
                Box::pin(serve_presence_watch(dispatcher, grace, &first, requests)?)
            }
            Hops::Forwarded => Box::pin(Serving::begin(shared, &first, requests)?.into_stream()),
        };
        Ok(Response::new(Box::pin(changes.take_until(shared.has_left.clone().cancelled_owned()))))
    }
}

impl Shared {
    /// What is known of our own users. Waits, for a bounded time, for what others hold.
    async fn own_presence(&self, users: &[UserId]) -> GetPresenceResponse {
        let (deadline, mut changes) = (self.arrival_deadline(), self.hub.changes());
        loop {
            let standings = self.hub.standings(users);
            let is_decided =
                |standing: &Standing| !matches!(standing, Standing::Unsettled | Standing::NotOurs);
            if standings.iter().all(is_decided)
                || self.hub.is_lapsed()
                || timeout_at(deadline, changes.changed()).await.is_err()
            {
                return self.answer(users, &standings);
            }
        }
    }

    async fn others_presence(&self, users: &[UserId]) -> Result<GetPresenceResponse, Refusal> {
        if users.is_empty() {
            return Ok(GetPresenceResponse::default());
        }
        let users = users.iter().map(ToString::to_string).collect();
        let request = GetPresenceRequest { users, routing: None };
        self.dispatcher.get_presence(&request, Hops::Forwarded, self.peer_deadline()).await
    }

    fn answer(&self, users: &[UserId], standings: &[Standing]) -> GetPresenceResponse {
        let mut answer = GetPresenceResponse::default();
        for (user, standing) in users.iter().zip(standings) {
            let user = user.to_string();
            match *standing {
                Standing::Online { here, coming, since_ms } => answer.users.push(UserPresence {
                    user,
                    online: true,
                    sessions: here.saturating_add(coming),
                    worker: self.config.id.to_string(),
                    since_ms,
                }),
                Standing::Offline => answer.users.push(UserPresence { user, ..UserPresence::default() }),
                Standing::InDoubt | Standing::Unsettled | Standing::NotOurs => answer.undecided.push(user),
            }
        }
        answer
    }
}

/// One stream of somebody who watches our users.
struct Serving {
    shared: Arc<Shared>,
    stream: PresenceStream,
    requests: Streaming<WatchPresenceRequest>,
    /// Whether it was said that everything was said.
    complete: bool,
}

impl Serving {
    fn begin(
        shared: &Arc<Shared>,
        first: &WatchPresenceRequest,
        requests: Streaming<WatchPresenceRequest>,
    ) -> Result<Self, Refusal> {
        let scope = if first.everyone { Scope::Everyone } else { Scope::Named };
        let stream = PresenceStream::begin(shared, scope);
        let mut serving = Serving { shared: Arc::clone(shared), stream, requests, complete: false };
        serving.ask(first)?;
        Ok(serving)
    }

    fn into_stream(self) -> impl Stream<Item = Result<PresenceChanges, Status>> + Send {
        stream::try_unfold(self, |mut serving| async move {
            Ok(serving.next().await?.map(|changes| (changes, serving)))
        })
    }

    /// The next that is to be said; nothing when the watcher says no more.
    async fn next(&mut self) -> Result<Option<PresenceChanges>, Status> {
        loop {
            if let Some(changes) = self.take() {
                return changes.map(Some);
            }
            tokio::select! {
                biased;
                // Both are cancel-safe: what was not taken comes again.
                request = self.requests.message() => match request? {
                    Some(request) => self.ask(&request)?,
                    None => return Ok(None),
                },
                () = self.stream.due() => {}
            }
        }
    }

    fn ask(&mut self, request: &WatchPresenceRequest) -> Result<(), Refusal> {
        let rules = self.shared.rules();
        let (watch, unwatch) = (rules.watched_users(&request.watch)?, rules.watched_users(&request.unwatch)?);
        if !watch.is_empty() {
            self.complete = false;
        }
        self.stream.ask(watch, &unwatch);
        Ok(())
    }

    /// What is to be said now, if anything.
    fn take(&mut self) -> Option<Result<PresenceChanges, Status>> {
        loop {
            let Said { changes, complete, heard, is_drained, is_void } = self.stream.said();
            if is_void {
                return Some(Err(Status::unavailable("too many users have moved: begin again")));
            }
            let was_complete = std::mem::replace(&mut self.complete, complete);
            if !changes.is_empty() || was_complete != complete {
                return Some(Ok(to_proto(changes, complete, heard)));
            }
            if is_drained {
                return None;
            }
        }
    }
}

fn to_proto(changes: Vec<(UserId, bool)>, complete: bool, heard: u64) -> PresenceChanges {
    let change = |(user, online): (UserId, bool)| PresenceChange { user: user.to_string(), online };
    let changes = changes.into_iter().map(change).collect();
    PresenceChanges { changes, complete, heard, workers_unreached: Vec::new() }
}
