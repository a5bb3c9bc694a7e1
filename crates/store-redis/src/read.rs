//! Reading what stands in a mailbox.

use std::sync::Arc;

use redis::Value;
use ringway_store::book::Reading;
use ringway_store::{Entry, Offset, Page};

use crate::error::Failure;
use crate::lane::Shared;
use crate::wire;

impl Shared {
    /// The page that a book has chosen; none if something of it is not there any more.
    pub(crate) async fn read_page(
        &self,
        log: &str,
        reading: Reading<Arc<str>>,
    ) -> Result<Option<Page>, Failure> {
        let places = &reading.places;
        let mut entries = match places.first().zip(places.last()) {
            Some(((first, _), (last, _))) => self.read_range(log, *first, *last).await?,
            None => Vec::new(),
        };
        // What stands between them is withdrawn or expired.
        entries.retain(|entry| places.binary_search_by_key(&entry.offset, |(offset, _)| *offset).is_ok());
        let is_whole = entries.len() == places.len();
        Ok(is_whole.then(|| reading.page(entries)))
    }

    async fn read_range(&self, log: &str, first: Offset, last: Offset) -> Result<Vec<Entry>, Failure> {
        let count = usize::try_from(last.since(first)).unwrap_or(usize::MAX).saturating_add(1);
        let range = wire::range(log, first, Some(last), count);
        let there = wire::read_entries(&self.link.ask::<Value>(&range).await?);
        Ok(there.into_iter().filter_map(|(_, entry)| entry).collect())
    }
}
