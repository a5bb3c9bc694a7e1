//! Sessions' errands: opening a mailbox has its turn at the user's desk, reading is done beside it.

use std::sync::Arc;
use std::time::Duration;

use ringway_session::{MailboxPage, Message};
use ringway_store::{Advice, Entry, Page, PageBounds, Place, StoreError};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tracing::{debug, warn};

use super::{Office, Order, place, stored};
use crate::hub::{Errand, ReadErrand};
use crate::worker::Shared;

/// How many pages are read at once.
const READS_MAX: usize = 256;
/// How many entries a page has at the most.
const PAGE_ENTRIES_MAX: usize = 256;
/// The rest when the store could not be asked, at first and at last.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(2)];

/// Runs errands for as long as the worker works.
pub(crate) async fn run_errands(shared: Arc<Shared>) {
    let Some(office) = shared.office.clone() else { return std::future::pending().await };
    let reads = Arc::new(Semaphore::new(READS_MAX));
    loop {
        match shared.hub.next_errand().await {
            Errand::Open(wish) => {
                let user = wish.user.clone();
                shared.enter(&office, &user, Order::Open(wish));
            }
            Errand::Read(errand) => {
                // A session has one errand at a time.
                let (shared, office, reads) = (Arc::clone(&shared), Arc::clone(&office), Arc::clone(&reads));
                tokio::spawn(async move { read(&shared, &office, &reads, errand).await });
            }
        }
    }
}

/// Reads a page until the store has given it, or nobody waits for it.
async fn read(shared: &Arc<Shared>, office: &Arc<Office>, reads: &Semaphore, errand: ReadErrand) {
    let Some(after) = place(errand.after) else { return };
    let [mut pause, pause_max] = PAUSES;
    while shared.hub.awaits_page(errand.session, errand.after) {
        let read = {
            let _permit = reads.acquire().await; // It is never closed.
            page(office, &errand, after).await
        };
        match read {
            Ok(page) => return shared.hub.mailbox_read(errand.session, &page),
            Err(error) if error.advice() == Advice::Reopen => {
                // Its history was lost: the desk finds out, and the session begins anew.
                if shared.look(office, &errand.user).await.is_ok() {
                    return;
                }
            }
            Err(error) => warn!(%error, session = %errand.session, "a mailbox cannot be read"),
        }
        sleep(pause).await;
        pause = (pause * 2).min(pause_max);
    }
    debug!(session = %errand.session, "a page is not waited for any more");
}

async fn page(office: &Office, errand: &ReadErrand, after: Place) -> Result<MailboxPage, StoreError> {
    let store = &office.mailboxes.store;
    let bounds = PageBounds { entries_max: PAGE_ENTRIES_MAX, bytes_max: errand.bytes_max };
    let page = store.range(&errand.user, after, bounds).await?;
    let is_stuck = page.read_to <= after.offset;
    let Page { entries, read_to, gone_to, .. } = page;
    // Where nothing is that was to be there, all of it must be found out anew.
    let gone_to = if is_stuck { u64::MAX } else { gone_to.0 };
    let messages = entries.into_iter().map(|entry| message(after, entry)).collect();
    Ok(MailboxPage { after: errand.after, messages, read_to: read_to.0, gone_to })
}

fn message(after: Place, entry: Entry) -> Message {
    let Entry { offset, message_id, topic, from, payload, until_first_ack, .. } = entry;
    let stored = stored(Place { offset, ..after }, until_first_ack);
    Message::new(message_id, topic, payload).from_user(from).stored_at(stored)
}
