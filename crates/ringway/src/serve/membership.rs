//! A worker's place on the member list, and the changes that it makes to it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ringway_cluster::{Lease, Member, MemberState, RegistryError};
use ringway_ring::Weight;
use tracing::warn;

use crate::config::RegistryKind;

/// Who writes a list of members, and so what a worker can have changed on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// The workers: each says how it is shown.
    Own,
    /// Others, as in the DNS: a worker that drains waits until they have taken it off.
    OfOthers,
    /// Nobody any more: it is as it was configured for as long as the cluster runs.
    Fixed,
}

impl List {
    /// The list of this registry.
    pub(super) fn of(registry: RegistryKind) -> Self {
        match registry {
            RegistryKind::Static => Self::Fixed,
            RegistryKind::Dns => Self::OfOthers,
            RegistryKind::Gossip | RegistryKind::Etcd | RegistryKind::Nacos => Self::Own,
        }
    }
}

/// A worker's place. One change is made at a time.
pub(super) struct Membership {
    list: List,
    held: tokio::sync::Mutex<Held>,
    /// As it was when it could last be asked.
    valid_until: Mutex<Option<Instant>>,
}

struct Held {
    member: Member,
    /// None when the worker has left.
    lease: Option<Box<dyn Lease>>,
}

impl Membership {
    pub(super) fn new(member: Member, lease: Box<dyn Lease>, list: List) -> Arc<Self> {
        let valid_until = Mutex::new(lease.valid_until());
        Arc::new(Self { list, held: Held { member, lease: Some(lease) }.into(), valid_until })
    }

    /// Until when the place is surely ours. While a change is under way, as it was before.
    pub(super) fn valid_until(&self) -> Option<Instant> {
        let mut valid_until = self.valid_until.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(held) = self.held.try_lock()
            && let Some(lease) = &held.lease
        {
            *valid_until = lease.valid_until();
        }
        *valid_until
    }

    /// Who writes the list.
    pub(super) fn list(&self) -> List {
        self.list
    }

    /// Shows the worker in another state.
    ///
    /// # Errors
    /// Why the registry does not take it.
    pub(super) async fn show(&self, state: MemberState) -> Result<(), RegistryError> {
        self.change(|member| member.state = state).await
    }

    /// Gives the worker another share of the ring.
    ///
    /// # Errors
    /// Why the registry does not take it.
    pub(super) async fn set_weight(&self, weight: Weight) -> Result<(), RegistryError> {
        self.change(|member| member.weight = weight).await
    }

    /// Takes the worker off the list.
    pub(super) async fn leave(&self) {
        let lease = self.held.lock().await.lease.take();
        if let Some(lease) = lease
            && let Err(error) = lease.leave().await
        {
            warn!(%error, "the member list still shows this worker");
        }
    }

    async fn change(&self, change: impl FnOnce(&mut Member)) -> Result<(), RegistryError> {
        let mut held = self.held.lock().await;
        let mut member = held.member.clone();
        change(&mut member);
        if let Some(lease) = &held.lease {
            lease.update(member.clone()).await?;
        }
        held.member = member;
        Ok(())
    }
}
