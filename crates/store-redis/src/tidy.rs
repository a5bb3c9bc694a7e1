//! What is written late, and removed late, of many mailboxes at once.

use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::Pipeline;
use ringway_store::{DeviceId, StoreError};
use tokio::sync::OwnedMutexGuard;
use tokio::time::MissedTickBehavior;

use crate::error::Failure;
use crate::lane::{Held, Known, Lane, Shared};
use crate::lanes::{IDLE_MAX, Lanes};
use crate::mailbox::Inner;
use crate::wire;

/// How many mailboxes are written in one go.
const GO_MAILBOXES: usize = 256;

/// Writes now and then for as long as the store lives.
pub(crate) async fn run(inner: Weak<Inner>, every: Duration) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(inner) = inner.upgrade() else { return };
        if let Err(error) = tidy(&inner.shared, &inner.lanes).await {
            tracing::debug!(%error, "redis does not take what is written late yet");
        }
    }
}

/// Writes and removes what is due of all mailboxes.
///
/// # Errors
/// The first one; the rest is tried all the same.
pub(crate) async fn tidy(shared: &Shared, lanes: &Lanes) -> Result<(), StoreError> {
    let mut done = Ok(());
    let all = lanes.all();
    for some in all.chunks(GO_MAILBOXES) {
        let result = tidy_some(shared, some).await;
        done = done.and(result.map_err(Failure::into_error));
    }
    let idle_max = if all.len() > shared.config.mailboxes_known_max { Duration::ZERO } else { IDLE_MAX };
    all.into_iter().for_each(|lane| close_if_idle(shared, lanes, &lane, idle_max));
    done
}

/// One go. Whoever is at work with a mailbox is not disturbed: its turn comes.
async fn tidy_some(shared: &Shared, lanes: &[Arc<Lane>]) -> Result<(), Failure> {
    let mut pipeline = redis::pipe();
    let mut written: Vec<OwnedMutexGuard<Held>> = Vec::new();
    for lane in lanes {
        let Ok(mut held) = Arc::clone(&lane.held).try_lock_owned() else { continue };
        if held.known.is_none() && held.unwritten.is_some() {
            shared.known(lane, &mut held).await?;
        }
        if let Some(known) = &mut held.known
            && known.is_ours
            && add(shared, lane, known, &mut pipeline)
        {
            written.push(held);
        }
    }
    if written.is_empty() {
        return Ok(());
    }
    shared.link.ask_all::<()>(&pipeline).await?;
    let now = shared.clock.now();
    for known in written.iter_mut().filter_map(|held| held.known.as_mut()) {
        if std::mem::take(&mut known.is_unwritten)
            || known.book.is_refresh_due(known.written_at, &shared.config.limits)
        {
            known.written_at = now;
        }
        known.trimmed_to = known.book.first();
        known.devices = devices(known);
        known.left_fields.clear();
    }
    Ok(())
}

/// Adds what is due of one mailbox; `false` if nothing is.
///
/// That something was removed need not be written down: whoever finds the stream shorter sees by the positions whether
/// anything is missing.
fn add(shared: &Shared, lane: &Lane, known: &mut Known, pipeline: &mut Pipeline) -> bool {
    let (now, limits) = (shared.clock.now(), &shared.config.limits);
    known.book.trim(now, limits);
    let (key, log) = (shared.keys.head(&lane.user), known.log.clone());
    let before = pipeline.len();
    let refresh = known.book.is_refresh_due(known.written_at, limits);
    if known.is_unwritten || refresh {
        wire::write_head(&key, known.tenure, &known.book.head(), pipeline);
    }
    let present = devices(known);
    let gone = known.devices.iter().filter(|id| !present.contains(id));
    let gone = gone.map(|id| wire::device_field(known.tenure, id));
    // What earlier tenures have left is in what was written just now, or was just read.
    let gone: Vec<_> = gone.chain(known.left_fields.iter().cloned()).collect();
    if !gone.is_empty() {
        wire::forget(&key, &gone, pipeline);
    }
    if known.book.first() > known.trimmed_to {
        pipeline.add_command(wire::trim(&log, known.book.first())).ignore();
    }
    if refresh {
        [key, log]
            .iter()
            .for_each(|key| _ = pipeline.cmd("PEXPIRE").arg(key).arg(shared.expiry_ms()).ignore());
    }
    pipeline.len() > before
}

fn devices(known: &Known) -> Vec<DeviceId> {
    known.book.head().devices.into_keys().collect()
}

/// A mailbox is not known any more when nobody uses it, and nothing of it is to be written or removed soon.
fn close_if_idle(shared: &Shared, lanes: &Lanes, lane: &Arc<Lane>, idle_max: Duration) {
    let Ok(held) = lane.held.try_lock() else { return };
    let now = shared.clock.now();
    let is_busy = held
        .known
        .as_ref()
        .is_some_and(|known| known.is_unwritten || known.book.spent_at(now, &shared.config.limits).is_some());
    if !is_busy && now.since(held.used_at) >= idle_max {
        drop(held);
        lanes.close(lane);
    }
}
