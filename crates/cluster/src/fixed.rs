//! A registry whose members are listed beforehand: in the configuration or on the command line.
//!
//! Every process of the cluster has the same list and none of them tells the others anything. So the list alone decides
//! about placement: a listed worker is on the ring whether it runs or not, and neither its state nor its weight can
//! change while the cluster runs. A ring that one process changed for itself would only disagree with all others. What
//! a member says about itself beyond that (incarnation, client URL, zone, labels) shows in its own process.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::board::Board;
use crate::member::Member;
use crate::registry::{Lease, MemberList, Registry, RegistryError};

/// A fixed list of members. Clones are the same registry.
#[derive(Clone)]
pub struct StaticRegistry {
    board: Arc<Board>,
}

impl StaticRegistry {
    /// The registry with exactly these members.
    ///
    /// # Errors
    /// [`RegistryError::Duplicate`] for an id that is listed twice.
    pub fn new(members: impl IntoIterator<Item = Member>) -> Result<Self, RegistryError> {
        Ok(Self { board: Arc::new(Board::new(members.into_iter().collect())?) })
    }

    /// Takes another list, for adapters that read it somewhere. A member that joined and is not listed any more is not
    /// shown until it is listed again.
    ///
    /// # Errors
    /// [`RegistryError::Duplicate`] for an id that is listed twice; the list stays as it was then.
    pub fn relist(&self, members: impl IntoIterator<Item = Member>) -> Result<(), RegistryError> {
        self.board.relist(members.into_iter().collect())
    }

    fn check(&self, member: &Member) -> Result<(), RegistryError> {
        let id = member.id.clone();
        match self.board.reserved(&id) {
            None => Err(RegistryError::NotListed { id, listed: self.listed() }),
            Some(listed) if listed.rpc_url != member.rpc_url => Err(RegistryError::RpcUrlDiffers {
                id,
                listed: listed.rpc_url,
                given: member.rpc_url.clone(),
            }),
            Some(_) => Ok(()),
        }
    }

    fn listed(&self) -> String {
        let members = self.board.watch().borrow().clone();
        let ids: Vec<_> = members.iter().map(|member| member.id.as_str()).collect();
        if ids.is_empty() { "nobody".to_owned() } else { ids.join(", ") }
    }
}

#[async_trait]
impl Registry for StaticRegistry {
    /// Takes the member's place in the list. It must be listed, and at the same URL.
    async fn join(&self, member: Member) -> Result<Box<dyn Lease>, RegistryError> {
        self.check(&member)?;
        Ok(Box::new(self.board.join(member)))
    }

    fn watch(&self) -> watch::Receiver<MemberList> {
        self.board.watch()
    }
}
