//! A worker's place on the member list, and the changes that it makes to it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ringway_cluster::{Lease, Member, MemberState, RegistryError};
use ringway_ring::Weight;
use tracing::warn;

/// A worker's place. One change is made at a time.
pub(super) struct Membership {
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
    pub(super) fn new(member: Member, lease: Box<dyn Lease>) -> Arc<Self> {
        let valid_until = Mutex::new(lease.valid_until());
        Arc::new(Self { held: Held { member, lease: Some(lease) }.into(), valid_until })
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
