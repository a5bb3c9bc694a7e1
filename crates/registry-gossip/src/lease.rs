//! A member's place in the gossip.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use ringway_cluster::{Lease, Member, RegistryError};
use ringway_ring::MemberId;

use crate::hub::Hub;
use crate::record::fits;

/// Dropped, the member is off the list with the next round.
pub(crate) struct GossipLease {
    hub: Arc<Hub>,
    id: MemberId,
    join: u64,
}

impl GossipLease {
    /// Joins.
    pub(crate) async fn join(hub: Arc<Hub>, member: Member) -> Result<Self, RegistryError> {
        fits(&member)?;
        let id = member.id.clone();
        let join = hub.take(member).await;
        let lease = Self { hub, id, join };
        lease.announce().await;
        Ok(lease)
    }

    async fn announce(&self) {
        self.hub.refresh().await;
        self.hub.tell().await;
    }
}

#[async_trait]
impl Lease for GossipLease {
    async fn update(&self, member: Member) -> Result<(), RegistryError> {
        if member.id != self.id {
            return Err(RegistryError::OtherMember { held: self.id.clone(), given: member.id });
        }
        fits(&member)?;
        self.hub.seats.lock().update(self.join, member)?;
        self.announce().await;
        Ok(())
    }

    fn valid_until(&self) -> Option<Instant> {
        let now = Instant::now();
        let lost = self.hub.seats.lock().lost(&self.id, self.join, now);
        Some(lost.unwrap_or_else(|| self.hub.pulse.sight(|sight| sight.valid_until())))
    }

    async fn leave(self: Box<Self>) -> Result<(), RegistryError> {
        if !self.hub.seats.lock().leave(&self.id, self.join) {
            return Err(RegistryError::Superseded { id: self.id.clone() });
        }
        self.hub.refresh().await;
        self.hub.tell_surely().await;
        Ok(())
    }
}

impl Drop for GossipLease {
    fn drop(&mut self) {
        if self.hub.seats.lock().leave(&self.id, self.join) {
            self.hub.changed.notify_one();
        }
    }
}
