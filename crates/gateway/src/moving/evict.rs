//! A worker that has left the view while the link to it is up: its sessions are made to move.
//!
//! A worker that leaves in order asks for that itself. One that was cut off from the registry, or stopped, does not. It is
//! given a moment, then the gateway detaches what is left; and a worker that says nothing for too long is given up.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::config::MovingConfig;
use crate::link::Link;

/// How often the link is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Until there is no session on the link any more. Cancel-safe.
pub(crate) async fn evict(link: &Arc<Link>, config: &MovingConfig) {
    let retired = Instant::now();
    while !link.is_empty() && retired.elapsed() < config.retire_wait {
        sleep(LOOK_INTERVAL).await;
    }
    if !link.is_empty() {
        info!(sessions = link.sessions(), "the worker has left the view, its sessions are moved");
    }
    let mut heard = (link.heard(), Instant::now());
    while !link.is_empty() {
        if heard.0 != link.heard() {
            heard = (link.heard(), Instant::now());
        }
        if heard.1.elapsed() < config.detach_timeout {
            link.dismiss(config.opens_max);
        } else {
            let sessions = link.give_up();
            if sessions > 0 {
                warn!(sessions, "the worker says nothing, its sessions are opened elsewhere");
            }
        }
        sleep(LOOK_INTERVAL).await;
    }
}
