//! What became of an append whose reply was lost: the end of the stream tells.

use std::time::{Duration, Instant};

use redis::Value;
use ringway_store::{Entry, Epoch};

use crate::error::Failure;
use crate::lane::{Held, Lane, Shared};
use crate::wire;

/// Between two attempts to learn it.
const PAUSE: Duration = Duration::from_millis(50);

/// Entries that were sent, or are to be.
pub(crate) struct Sent<'a> {
    pub(crate) epoch: Epoch,
    pub(crate) entries: &'a [Entry],
}

/// What stands where entries were to be appended.
pub(crate) enum Found {
    All,
    Nothing,
    Others,
}

impl Shared {
    /// Whether Redis has these entries, if that can be learned in time. Knows the mailbox anew afterwards.
    pub(crate) async fn search(
        &self,
        lane: &Lane,
        held: &mut Held,
        sent: &Sent<'_>,
        deadline: Instant,
    ) -> Option<Found> {
        loop {
            if let Ok(found) = self.look(lane, held, sent).await {
                return Some(found);
            }
            if Instant::now() >= deadline {
                held.forget();
                return None;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn look(&self, lane: &Lane, held: &mut Held, sent: &Sent<'_>) -> Result<Found, Failure> {
        let wire = self.link.wire().await?.number;
        self.load(lane, held, wire).await?;
        let known = held.known.as_ref().filter(|known| known.book.epoch() == sent.epoch);
        let ends = sent.entries.first().zip(sent.entries.last());
        let Some((known, (first, last))) = known.zip(ends) else { return Ok(Found::Others) };
        if known.book.next() == first.offset {
            return Ok(Found::Nothing);
        }
        let range = wire::range(&known.log, first.offset, Some(last.offset), sent.entries.len());
        let there = wire::read_entries(&self.link.ask::<Value>(&range).await?);
        let same = there.iter().map(|(_, entry)| entry.as_ref()).eq(sent.entries.iter().map(Some));
        Ok(if same { Found::All } else { Found::Others })
    }
}
