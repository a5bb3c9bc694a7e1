//! Telling the worker that owns a user now that something was stored for him by this one, which owned him when it began.

use std::sync::Arc;
use std::time::Duration;

use ringway_proto::v1::PokeRequest;
use ringway_session::UserId;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{debug, warn};

use super::Office;
use crate::worker::Shared;

/// For how long the owner is looked for. Whoever owns the user then finds the message when a session of his begins.
const POKE_DEADLINE: Duration = Duration::from_secs(30);
/// The rest after an attempt in vain, unless there is a new view sooner.
const PAUSE: Duration = Duration::from_millis(200);

/// Tells the owner, whoever it is by then.
pub(super) async fn poke(shared: Arc<Shared>, office: Arc<Office>, user: UserId) {
    let deadline = Instant::now() + POKE_DEADLINE;
    let mut views = shared.views.subscribe();
    while Instant::now() < deadline {
        let view = Arc::clone(&views.borrow_and_update());
        let told = match view.owner(user.as_str()) {
            // One whose lease has run out may have been given up: then another worker owns the user.
            Some(owner) if shared.is_me(&owner.id) => {
                !shared.hub.is_lapsed() && shared.look(&office, &user).await.is_ok()
            }
            Some(owner) => {
                let mut peer = shared.pool.node(&owner.rpc_url).peer();
                let call = peer.poke(PokeRequest { user: user.to_string() });
                matches!(timeout(shared.config.peer_timeout, call).await, Ok(Ok(_)))
            }
            None => false,
        };
        if told {
            debug!("a user's owner was told of a stored message");
            return;
        }
        // Either there is news or the pause is over.
        _ = timeout_at(deadline.min(Instant::now() + PAUSE), views.changed()).await;
    }
    warn!("a user's owner could not be told of a stored message: it is delivered when a session begins");
}
