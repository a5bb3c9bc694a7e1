//! The stream to one owner: asked again from the beginning whenever it breaks.

use std::sync::Arc;
use std::time::Duration;

use ringway_cluster::Views;
use ringway_proto::v1::{PresenceChanges, WatchPresenceRequest};
use ringway_ring::MemberId;
use ringway_rpc::NodeChannel;
use ringway_session::UserId;
use ringway_session::presence::{Answer, Asking, Scope};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tracing::debug;

use super::follower::Shared;
use crate::hops::Hops;

/// How many users one request names at the most.
const ASKED_USERS_MAX: usize = 4_096;
/// The bound of the first pause before a broken stream is opened again; it doubles with each failure.
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// The bound beyond which it does not grow.
const PAUSE_MAX: Duration = Duration::from_secs(2);

pub(super) struct OwnerStream {
    pub(super) shared: Arc<Shared>,
    pub(super) node: NodeChannel,
    pub(super) owner: MemberId,
    pub(super) scope: Scope,
}

impl OwnerStream {
    pub(super) async fn run(self, views: Views) {
        let mut pause = PAUSE_MIN;
        loop {
            let mut has_answered = false;
            if let Err(status) = self.follow(&views, &mut has_answered).await {
                debug!(owner = %self.owner, code = ?status.code(), "the stream of presence has broken");
            }
            self.shared.act(|watching, now| watching.lost(&self.owner, now));
            pause = if has_answered { PAUSE_MIN } else { (pause * 2).min(PAUSE_MAX) };
            tokio::time::sleep(pause.mul_f64(rand::random())).await;
        }
    }

    /// One stream, from the first question to its end.
    async fn follow(&self, views: &Views, has_answered: &mut bool) -> Result<(), Status> {
        let mut to_ask = self.shared.to_ask();
        let (requests, receiver) = mpsc::channel(1);
        let first = WatchPresenceRequest {
            everyone: self.scope == Scope::Everyone,
            routing: Hops::Forwarded.routing(views.current().version()),
            ..WatchPresenceRequest::default()
        };
        requests.send(first).await.map_err(|_| ended())?;
        let mut answers = self.node.presence().watch(ReceiverStream::new(receiver)).await?.into_inner();
        self.shared.act(|watching, _| watching.begin(&self.owner));
        loop {
            while let Some(asking) = self.next_asking() {
                requests.send(to_proto(asking)).await.map_err(|_| ended())?;
            }
            tokio::select! {
                biased;
                // Cancel-safe: an answer stays in the stream until it is taken.
                answer = answers.message() => {
                    self.take(answer?.ok_or_else(ended)?);
                    *has_answered = true;
                }
                // Cancel-safe: a change that was not taken is reported again.
                _ = to_ask.changed() => {}
            }
        }
    }

    fn next_asking(&self) -> Option<Asking> {
        self.shared.act(|watching, _| watching.next_asking(&self.owner, ASKED_USERS_MAX))
    }

    fn take(&self, answer: PresenceChanges) {
        let PresenceChanges { changes, complete, heard, workers_unreached: _ } = answer;
        let named = changes.iter().filter_map(|it| Some((UserId::new(&it.user).ok()?, it.online)));
        let answer = Answer { changes: named.collect(), complete, heard };
        self.shared.act(|watching, now| watching.said(&self.owner, answer, now));
    }
}

fn to_proto(asking: Asking) -> WatchPresenceRequest {
    let names = |users: Vec<UserId>| users.iter().map(ToString::to_string).collect();
    let (watch, unwatch) = (names(asking.watch), names(asking.unwatch));
    WatchPresenceRequest { watch, unwatch, ..WatchPresenceRequest::default() }
}

fn ended() -> Status {
    Status::unavailable("the owner has ended the stream")
}
