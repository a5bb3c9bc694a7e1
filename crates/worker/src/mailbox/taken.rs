//! What clients have taken: told to the store, and to the senders that wait for it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use ringway_store::{Advice, Mailbox, Offset, StoreError};
use tokio::time::sleep;
use tracing::debug;

use super::{Office, device, place};
use crate::hub::TakenBy;
use crate::worker::Shared;

/// How many devices' positions are told at once.
const AT_ONCE_MAX: usize = 256;
/// The rest when the store cannot be told.
const PAUSE: Duration = Duration::from_millis(500);

/// Tells the store for as long as the worker works.
pub(crate) async fn tell_taken(shared: Arc<Shared>) {
    let Some(office) = shared.office.clone() else { return std::future::pending().await };
    loop {
        shared.hub.some_taken().await;
        // A task of its own: what it has begun with it tells also when the worker ends.
        let telling = tokio::spawn(tell_all(Arc::clone(&shared), Arc::clone(&office)));
        if !matches!(telling.await, Ok(true)) {
            sleep(PAUSE).await;
        }
    }
}

/// Tells the store all that waits for that, behind whoever tells it already. Gives back whether the store has taken it.
pub(super) async fn tell_all(shared: Arc<Shared>, office: Arc<Office>) -> bool {
    let _turn = office.telling.lock().await;
    let taken = futures_util::stream::iter(shared.hub.take_taken());
    let told = taken.map(|by| tell(&shared, &office, by)).buffer_unordered(AT_ONCE_MAX);
    told.fold(true, |all, one| std::future::ready(all && one)).await
}

/// Gives back whether it need not be told again.
async fn tell(shared: &Shared, office: &Office, by: TakenBy) -> bool {
    office.waits.taken(&by.user, by.taken.upto);
    match store(&*office.mailboxes.store, &by).await {
        Ok(()) => true,
        Err(error) if error.advice() == Advice::Later => {
            shared.hub.taken_again(by);
            false
        }
        Err(error) => {
            // Of an epoch that is over, most likely: what the client has does not matter any more.
            debug!(%error, "what a client has taken could not be noted");
            true
        }
    }
}

async fn store(store: &dyn Mailbox, by: &TakenBy) -> Result<(), StoreError> {
    let (Some(device), Some(upto)) = (device(&by.device), place(by.taken.upto)) else { return Ok(()) };
    store.acknowledge(&by.user, &device, upto).await?;
    if by.taken.withdrawn.is_empty() {
        return Ok(());
    }
    let withdrawn: Vec<_> = by.taken.withdrawn.iter().copied().map(Offset).collect();
    store.withdraw(&by.user, upto.epoch, &withdrawn).await
}
