//! Watching the members.
//!
//! `List -> Watch`: the list says at which revision it was, the watch begins one after it. `Watch -> List` when the watch
//! breaks, or when etcd has compacted the revisions that it needs. The list that was shown last stays until there is a
//! new one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ringway_cluster::{Backoff, Member, MemberList, RegistryHealth, show_list};
use ringway_ring::MemberId;
use tokio::sync::watch;
use tracing::{debug, info, warn};

use crate::client::{Changes, Client};
use crate::document;
use crate::error::EtcdError;
use crate::registry::Etcd;
use crate::wire::{Event, EventKind, KeyValue, RangeRequest, WatchCreateRequest, WatchResponse};

/// The longest possible pause after the first failure to reach etcd.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
/// The longest possible pause.
const PAUSE_LONGEST: Duration = Duration::from_secs(5);

/// Keeps the list of members.
pub(crate) struct WatchTask {
    etcd: Arc<Etcd>,
    health: RegistryHealth,
    backoff: Backoff,
    client: Client,
    /// The revision of what is shown, as far as it is known.
    revision: i64,
    members: BTreeMap<MemberId, Member>,
    lists: watch::Sender<MemberList>,
}

/// Why a watch ended.
enum Ended {
    /// What it needs is not kept any more.
    Compacted,
    Broken(EtcdError),
}

impl WatchTask {
    /// Takes the first list.
    pub(crate) async fn begin(
        etcd: Arc<Etcd>,
        health: RegistryHealth,
    ) -> Result<(Self, watch::Receiver<MemberList>), EtcdError> {
        let client = etcd.connector.connect().await?;
        let (lists, receiver) = watch::channel(MemberList::from([]));
        let backoff = Backoff::new(PAUSE_FIRST, PAUSE_LONGEST);
        let mut task = Self { etcd, health, backoff, client, revision: 0, members: BTreeMap::new(), lists };
        task.list().await?;
        Ok((task, receiver))
    }

    /// Watches until nobody looks any more.
    pub(crate) async fn run(self) {
        let lists = self.lists.clone();
        tokio::select! {
            biased;
            () = lists.closed() => {}
            () = self.keep() => {}
        }
    }

    async fn keep(mut self) {
        loop {
            match self.watch().await {
                Ended::Compacted => info!(self.revision, "etcd has compacted what was missed: listing again"),
                Ended::Broken(error) => self.lost(&error),
            }
            while let Err(error) = self.list_anew().await {
                self.lost(&error);
            }
        }
    }

    fn lost(&self, error: &EtcdError) {
        debug!(%error, "etcd does not show its members");
        self.health.down(error);
    }

    async fn list_anew(&mut self) -> Result<(), EtcdError> {
        tokio::time::sleep(self.backoff.pause()).await;
        self.client = self.etcd.connector.connect().await?;
        self.list().await
    }

    /// Shows what is there now.
    async fn list(&mut self) -> Result<(), EtcdError> {
        let (key, range_end) = self.etcd.keys.range();
        let answer = self.client.range(RangeRequest { key, range_end }).await?;
        self.revision = answer.header.map_or(0, |header| header.revision);
        self.members.clear();
        for pair in &answer.kvs {
            self.put(pair);
        }
        self.show();
        self.health.up();
        Ok(())
    }

    /// Shows every change until the watch ends.
    async fn watch(&mut self) -> Ended {
        let mut changes = match self.changes().await {
            Ok(changes) => changes,
            Err(error) => return Ended::Broken(error),
        };
        loop {
            match changes.next().await {
                Ok(response) if response.compact_revision > 0 => return Ended::Compacted,
                Ok(WatchResponse { canceled: true, cancel_reason, .. }) => {
                    return Ended::Broken(EtcdError::Unreachable(format!(
                        "it ended the watch: {cancel_reason}"
                    )));
                }
                Ok(response) => self.take(&response.events),
                Err(error) => return Ended::Broken(error),
            }
            self.backoff.reset();
        }
    }

    async fn changes(&self) -> Result<Changes, EtcdError> {
        let (key, range_end) = self.etcd.keys.range();
        self.client.watch(WatchCreateRequest { key, range_end, start_revision: self.revision + 1 }).await
    }

    fn take(&mut self, events: &[Event]) {
        if events.is_empty() {
            return;
        }
        for event in events {
            let Some(pair) = &event.kv else { continue };
            match event.kind() {
                EventKind::Put => self.put(pair),
                EventKind::Delete => self.delete(pair),
            }
        }
        self.show();
    }

    /// Takes a member in, unless it is none: then what was known of it stays.
    fn put(&mut self, pair: &KeyValue) {
        let key = String::from_utf8_lossy(&pair.key);
        let Some(id) = self.etcd.keys.id(&pair.key) else {
            warn!(%key, "a key that names no member is passed over");
            return;
        };
        match document::read(id, &pair.value) {
            Ok(member) => {
                self.members.insert(member.id.clone(), member);
            }
            Err(error) => warn!(%key, %error, "a value that is no member is passed over"),
        }
    }

    fn delete(&mut self, pair: &KeyValue) {
        if let Some(id) = self.etcd.keys.id(&pair.key) {
            self.members.remove(&id);
        }
    }

    fn show(&self) {
        show_list(&self.lists, self.members.values().cloned().collect());
    }
}
