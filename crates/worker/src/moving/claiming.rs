//! Asking one other worker what it holds of our users, by one ring.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::Either;
use ringway_proto::v1::claim_reply::Reply;
use ringway_proto::v1::claim_request::Request;
use ringway_proto::v1::{ClaimReply, ClaimRequest, Claimant, Holding, SessionIds, Surrendered};
use ringway_proto::{Reason, Refusal};
use ringway_ring::{MemberId, RingVersion};
use ringway_rpc::NodeUrl;
use ringway_session::{HeldSession, SessionId};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tracing::{debug, warn};

use crate::hub::Asking;
use crate::worker::Shared;

/// How often a worker is asked that cannot be reached, before it is given up.
const ATTEMPTS_MAX: u32 = 3;
/// The rest between two attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// One claim to one worker.
pub(super) struct Claim {
    pub(super) shared: Arc<Shared>,
    pub(super) holder: MemberId,
    pub(super) incarnation: u64,
    pub(super) url: NodeUrl,
    pub(super) version: RingVersion,
    pub(super) asking: Arc<Asking>,
}

/// How one attempt ended.
enum End {
    /// Nothing is left to be expected.
    Done,
    /// It has not said what it holds: the claim is to be made again.
    Void,
    /// It cannot be asked.
    Unreachable(Refusal),
    /// It has started again since.
    Dead(Refusal),
    /// It has not said a word in the time that it had.
    Silent,
}

impl Claim {
    /// Asks until nothing is left to be expected, or the worker is given up.
    pub(super) async fn run(self) {
        let mut failures = 0;
        loop {
            match self.attempt(&mut failures).await {
                End::Done => return,
                End::Void => {}
                End::Unreachable(refusal) => {
                    failures += 1;
                    if failures >= ATTEMPTS_MAX {
                        return self.give_up(&refusal);
                    }
                }
                End::Dead(refusal) => return self.give_up(&refusal),
                // The registry says that it is dead, and so it seems: its users have waited long enough.
                End::Silent if self.shared.view().member(&self.holder).is_none() => {
                    return self.give_up(&silent());
                }
                End::Silent => {
                    failures += 1;
                    if failures >= ATTEMPTS_MAX {
                        return self.give_up(&silent());
                    }
                }
            }
            sleep(PAUSE).await;
        }
    }

    fn give_up(&self, refusal: &Refusal) {
        debug!(holder = %self.holder, %refusal, "a worker cannot be asked what it holds: it is given up");
        self.shared.hub.lost(&self.holder, self.version);
    }

    async fn attempt(&self, failures: &mut u32) -> End {
        let (requests, receiver) = mpsc::channel(1);
        let opening = timeout(self.shared.config.claim_timeout, self.open(&requests, receiver));
        let mut replies = match opening.await {
            Ok(Ok(replies)) => replies,
            Ok(Err(refusal)) => return end_of(refusal),
            Err(_) => return End::Silent,
        };
        *failures = 0;
        let mut is_answered = false;
        loop {
            let next = std::pin::pin!(replies.message());
            let hasten = std::pin::pin!(self.asking.next());
            match futures_util::future::select(next, hasten).await {
                Either::Left((Ok(Some(reply)), _)) => {
                    is_answered = true;
                    self.take(reply);
                }
                Either::Left((Ok(None), _)) => return if is_answered { End::Done } else { End::Void },
                Either::Left((Err(status), _)) => return end_of(Refusal::from_status(&status)),
                Either::Right((sessions, _)) => {
                    if requests.send(hasten_request(&sessions)).await.is_err() {
                        return End::Unreachable(silent());
                    }
                }
            }
        }
    }

    /// Opens the stream and waits for the first word.
    async fn open(
        &self,
        requests: &mpsc::Sender<ClaimRequest>,
        receiver: mpsc::Receiver<ClaimRequest>,
    ) -> Result<Streaming<ClaimReply>, Refusal> {
        let claimant = Claimant {
            worker: self.shared.config.id.to_string(),
            holder_incarnation: self.incarnation,
            ring_version: self.version.as_u64(),
            incarnation: self.shared.incarnation,
        };
        let first = ClaimRequest { request: Some(Request::Claimant(claimant)) };
        requests.send(first).await.map_err(|_| silent())?;
        let mut peer = self.shared.pool.node(&self.url).peer();
        let replies = peer.claim(ReceiverStream::new(receiver)).await;
        let mut replies = replies.map_err(|status| Refusal::from_status(&status))?.into_inner();
        let noted = replies.message().await.map_err(|status| Refusal::from_status(&status))?;
        noted.map(|_| replies).ok_or_else(silent)
    }

    fn take(&self, reply: ClaimReply) {
        let hub = &self.shared.hub;
        match reply.reply {
            Some(Reply::Holding(Holding { sessions, last, orphans_for_ms })) => {
                let held = sessions.into_iter().filter_map(|held| {
                    let id = SessionId::from_bytes(&held.id).ok()?;
                    Some(HeldSession { id, user_hash: held.user_hash, term: held.term })
                });
                hub.holding(&self.holder, self.version, &held.collect::<Vec<_>>());
                if last {
                    hub.heard(&self.holder, self.version, Duration::from_millis(orphans_for_ms));
                }
            }
            Some(Reply::Surrendered(surrendered)) => self.take_over(surrendered),
            Some(Reply::Released(SessionIds { ids })) => {
                let ids: Vec<SessionId> =
                    ids.iter().filter_map(|id| SessionId::from_bytes(id).ok()).collect();
                hub.released(&self.holder, &ids);
            }
            Some(Reply::Noted(_)) | None => warn!(holder = %self.holder, "a reply that says nothing here"),
        }
    }
}

impl Claim {
    /// A session that its former worker may not keep.
    fn take_over(&self, Surrendered { state, resumable_for_ms }: Surrendered) {
        let unsealed = self.shared.seal.unseal(&state).map(|unsealed| unsealed.state);
        let taken =
            unsealed.map(|state| self.shared.hub.take_over(state, Duration::from_millis(resumable_for_ms)));
        match taken {
            Ok(Ok(_)) => {}
            Ok(Err(denied)) => {
                warn!(holder = %self.holder, ?denied, "a session that was surrendered is lost");
            }
            Err(error) => {
                warn!(holder = %self.holder, %error, "a session that was surrendered cannot be read");
            }
        }
    }
}

fn end_of(refusal: Refusal) -> End {
    match refusal.reason {
        Reason::NotOwner => End::Void,
        Reason::InvalidArgument => End::Dead(refusal),
        _ => End::Unreachable(refusal),
    }
}

fn hasten_request(sessions: &[SessionId]) -> ClaimRequest {
    let ids = sessions.iter().map(|id| id.to_bytes().to_vec().into()).collect();
    ClaimRequest { request: Some(Request::Hasten(SessionIds { ids })) }
}

fn silent() -> Refusal {
    Refusal::new(Reason::Unreachable, "the worker does not answer")
}
