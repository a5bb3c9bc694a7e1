//! A new owner asks what we hold of its users.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ringway_proto::v1::claim_reply::Reply;
use ringway_proto::v1::claim_request::Request;
use ringway_proto::v1::{
    ClaimReply, ClaimRequest, HeldSession as WireHeldSession, Holding, Noted, SessionIds,
    Surrendered as WireSurrendered,
};
use ringway_proto::{Reason, Refusal};
use ringway_ring::{MemberId, RingVersion};
use ringway_session::{HeldSession, SessionId};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};
use tracing::debug;

use crate::hub::{ClaimHeld, ClaimedBy, Held, HeldNews, Surrendered};
use crate::worker::Shared;

/// How many sessions one frame names at the most (peer.proto).
const SESSIONS_PER_FRAME_MAX: usize = 4_096;

pub(super) type Replies = Pin<Box<dyn Stream<Item = Result<ClaimReply, Status>> + Send>>;

/// Serves one claim in a task of its own.
///
/// # Errors
/// When the stream does not begin with a `Claimant`.
pub(super) async fn serve(
    shared: Arc<Shared>,
    mut requests: Streaming<ClaimRequest>,
) -> Result<Replies, Status> {
    let first = requests.message().await?.and_then(|request| request.request);
    let Some(Request::Claimant(claimant)) = first else {
        return Err(Refusal::new(Reason::InvalidArgument, "a claim begins with a Claimant").into());
    };
    if ![0, shared.incarnation].contains(&claimant.holder_incarnation) {
        let message = "this worker has started again since: what it held before, nobody can say";
        return Err(Refusal::new(Reason::InvalidArgument, message).into());
    }
    let worker = MemberId::new(&claimant.worker);
    let worker = worker.map_err(|error| Refusal::new(Reason::InvalidArgument, error.to_string()))?;
    let ring = RingVersion::from_u64(claimant.ring_version);
    let claimant = ClaimedBy { worker, incarnation: claimant.incarnation, ring };
    let (replies, receiver) = mpsc::channel(4);
    let serving = Serving { shared, claimant, replies };
    tokio::spawn(async move {
        if let Err(Gone) = serving.run(requests).await {
            debug!("a claimant has gone");
        }
    });
    Ok(Box::pin(ReceiverStream::new(receiver)))
}

struct Serving {
    shared: Arc<Shared>,
    claimant: ClaimedBy,
    replies: mpsc::Sender<Result<ClaimReply, Status>>,
}

/// The claimant takes no more replies.
struct Gone;

impl Serving {
    async fn run(self, requests: Streaming<ClaimRequest>) -> Result<(), Gone> {
        let ours = self.shared.hub.ring_version();
        self.say(Reply::Noted(Noted { ring_version: ours.as_u64() })).await?;
        tokio::select! {
            biased;
            // Both only wait.
            () = self.replies.closed() => return Err(Gone),
            () = self.shared.hub.can_answer(&self.claimant) => {}
        }
        let Some((held, claim)) = self.shared.hub.hold_for(&self.claimant) else {
            return self.void().await;
        };
        debug!(claimant = %self.claimant.worker, sessions = held.sessions.len(), "a new owner is told what we hold");
        self.name(&held).await?;
        tokio::select! {
            biased;
            () = self.hear(requests, &claim) => Err(Gone),
            told = self.tell(&claim) => told,
        }
    }

    /// Names all sessions, in frames of a bounded size.
    async fn name(&self, held: &Held) -> Result<(), Gone> {
        let mut rest = &held.sessions[..];
        loop {
            let (now, later) = rest.split_at(rest.len().min(SESSIONS_PER_FRAME_MAX));
            let last = later.is_empty();
            let orphans_for_ms = if last { millis(held.orphans_for) } else { 0 };
            let sessions = now.iter().map(to_proto).collect();
            self.say(Reply::Holding(Holding { sessions, last, orphans_for_ms })).await?;
            if last {
                return Ok(());
            }
            rest = later;
        }
    }

    /// Tells of sessions that have gone, until none is left.
    async fn tell(&self, claim: &ClaimHeld) -> Result<(), Gone> {
        loop {
            match claim.next().await {
                HeldNews::Surrendered(surrendered) => self.surrender(*surrendered).await?,
                HeldNews::Released(ids) => {
                    let ids = ids.into_iter().map(id_bytes).collect();
                    self.say(Reply::Released(SessionIds { ids })).await?;
                }
                HeldNews::Nothing => return Ok(()),
            }
        }
    }

    async fn surrender(&self, Surrendered { state, resumable_for }: Surrendered) -> Result<(), Gone> {
        let (state, resumable_for_ms) = (self.shared.seal.complete(state), millis(resumable_for));
        self.say(Reply::Surrendered(WireSurrendered { state, resumable_for_ms })).await
    }

    /// Hears what is to go first, until the claimant says no more.
    async fn hear(&self, mut requests: Streaming<ClaimRequest>, claim: &ClaimHeld) {
        while let Ok(Some(request)) = requests.message().await {
            if let Some(Request::Hasten(SessionIds { ids })) = request.request {
                let ids: Vec<SessionId> =
                    ids.iter().filter_map(|id| SessionId::from_bytes(id).ok()).collect();
                self.shared.hub.hasten(claim, &ids);
            }
        }
    }

    /// Our ring is another one by now: the claim is to be made again.
    async fn void(&self) -> Result<(), Gone> {
        let refusal = Refusal::new(Reason::NotOwner, "the ring has changed; claim again")
            .with_ring(self.shared.hub.ring_version());
        self.replies.send(Err(refusal.into())).await.map_err(|_| Gone)
    }

    async fn say(&self, reply: Reply) -> Result<(), Gone> {
        self.replies.send(Ok(ClaimReply { reply: Some(reply) })).await.map_err(|_| Gone)
    }
}

fn to_proto(held: &HeldSession) -> WireHeldSession {
    WireHeldSession { id: id_bytes(held.id), user_hash: held.user_hash, term: held.term }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn id_bytes(id: SessionId) -> bytes::Bytes {
    id.to_bytes().to_vec().into()
}
