//! Our sessions on their way out: paced, by way of their gateways, or directly to their owners where they have none.

use std::sync::Arc;
use std::time::Duration;

use ringway_proto::Reason;
use ringway_proto::Refusal;
use ringway_proto::v1::AdoptRequest;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, info};

use crate::hub::HandOver;
use crate::worker::Shared;

/// How often the pace is measured.
const TICK: Duration = Duration::from_millis(5);
/// The rest before a session is offered again to an owner that did not take it.
const OFFER_PAUSE: Duration = Duration::from_millis(200);

/// Lets sessions leave for as long as the worker works, not faster than it is told.
pub(crate) async fn leave_for_ever(shared: Arc<Shared>) {
    tokio::join!(pace(&shared), hand_over(&shared));
}

async fn pace(shared: &Shared) {
    loop {
        if shared.hub.has_moves() {
            burst(shared).await;
        }
        shared.hub.movable().await;
    }
}

/// One stretch of moves, at the pace that is told.
async fn burst(shared: &Shared) {
    let (began, mut moved) = (Instant::now(), 0);
    loop {
        let allowed = began.elapsed().as_secs_f64() * f64::from(shared.config.moves_per_second);
        let budget = (allowed as usize + 1).saturating_sub(moved);
        moved += shared.hub.begin_moves(budget);
        if !shared.hub.has_moves() {
            info!(
                sessions = moved,
                elapsed_ms = began.elapsed().as_millis() as u64,
                "sessions have begun to move"
            );
            return;
        }
        sleep(TICK).await;
    }
}

/// Brings sessions without a gateway to their owners.
async fn hand_over(shared: &Arc<Shared>) {
    let mut under_way = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            // Both are cancel-safe.
            Some(_) = under_way.join_next() => {}
            next = shared.hub.next_hand_over() => {
                under_way.spawn(offer(Arc::clone(shared), next));
            }
        }
    }
}

async fn offer(shared: Arc<Shared>, hand_over: HandOver) {
    let id = hand_over.state.id;
    match adopt(&shared, &hand_over).await {
        Ok(()) => shared.hub.handed_over(id),
        Err(refusal) => {
            debug!(session = %id, to = %hand_over.to, %refusal, "the owner does not take a session yet");
            sleep(OFFER_PAUSE).await;
            shared.hub.hand_over_failed(hand_over);
        }
    }
}

async fn adopt(shared: &Shared, hand_over: &HandOver) -> Result<(), Refusal> {
    let view = shared.view();
    let unknown = || Refusal::new(Reason::Unreachable, "the owner is no member any more");
    let member = view.member(&hand_over.to).ok_or_else(unknown)?;
    let request = AdoptRequest {
        state: shared.seal.complete(hand_over.state.clone()),
        resumable_for_ms: u64::try_from(hand_over.resumable_for.as_millis()).unwrap_or(u64::MAX),
    };
    let mut peer = shared.pool.node(&member.rpc_url).peer();
    match timeout(shared.config.peer_timeout, peer.adopt(request)).await {
        Ok(answer) => answer.map(drop).map_err(|status| Refusal::from_status(&status)),
        Err(_) => Err(Refusal::new(Reason::DeadlineExceeded, "the owner did not answer in time")),
    }
}
