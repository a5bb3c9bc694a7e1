//! Watching the members.
//!
//! Nacos tells that something changed; what there is now is always asked for, because what it tells may come late or
//! twice. It is also asked now and then without being told, which shows whether it still answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ringway_cluster::{Backoff, MemberList, RegistryHealth, show_list};
use tokio::sync::watch;
use tracing::{debug, warn};

use crate::connection::Connection;
use crate::error::NacosError;
use crate::registry::Nacos;
use crate::roster::{Roster, Shown};

/// How often the members are asked for without being told of a change.
const ASK_INTERVAL: Duration = Duration::from_secs(3);
/// The longest possible pause after the first failure to reach Nacos.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
/// The longest possible pause.
const PAUSE_LONGEST: Duration = Duration::from_secs(5);

/// Keeps the list of members.
pub(crate) struct WatchTask {
    nacos: Arc<Nacos>,
    health: RegistryHealth,
    backoff: Backoff,
    shown: Shown,
    lists: watch::Sender<MemberList>,
    connection: Connection,
}

impl WatchTask {
    /// Takes the first list.
    pub(crate) async fn begin(
        nacos: Arc<Nacos>,
        health: RegistryHealth,
    ) -> Result<(Self, watch::Receiver<MemberList>), NacosError> {
        let connection = nacos.connect().await?;
        let (lists, receiver) = watch::channel(MemberList::from([]));
        let backoff = Backoff::new(PAUSE_FIRST, PAUSE_LONGEST);
        let mut task = Self { nacos, health, backoff, shown: Shown::default(), lists, connection };
        task.nacos.subscribe(&task.connection).await?;
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
            let error = self.follow().await;
            self.lost(&error);
            while let Err(error) = self.connect_again().await {
                self.lost(&error);
            }
        }
    }

    fn lost(&self, error: &NacosError) {
        debug!(%error, "nacos does not show its members");
        self.health.down(error);
    }

    /// Shows every change until the connection is lost.
    async fn follow(&mut self) -> NacosError {
        loop {
            // What was asked for may be a moment old when it comes: a change meanwhile is told again.
            self.connection.changed_within(ASK_INTERVAL).await;
            if let Err(error) = self.list().await {
                return error;
            }
        }
    }

    async fn connect_again(&mut self) -> Result<(), NacosError> {
        tokio::time::sleep(self.backoff.pause()).await;
        self.connection = self.nacos.connect().await?;
        self.nacos.subscribe(&self.connection).await?;
        self.shown.regain_until(Instant::now() + self.nacos.config.removal_after);
        self.list().await
    }

    /// Shows what is there now.
    async fn list(&mut self) -> Result<(), NacosError> {
        let instances = self.nacos.query(&self.connection).await?;
        let roster = Roster::of(&instances, &self.nacos.config.cluster);
        let (list, strangers) = self.shown.show(roster, Instant::now());
        for (address, error) in strangers {
            warn!(address, error, "an instance that is no member is passed over");
        }
        show_list(&self.lists, list);
        self.health.up();
        self.backoff.reset();
        Ok(())
    }
}
