//! A registry inside one process: for clusters that live in one process, and for tests of ring changes.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::board::Board;
use crate::member::Member;
use crate::registry::{Lease, MemberList, Registry, RegistryError};

/// Members are those who joined and neither left nor dropped their lease. Clones are the same registry.
#[derive(Clone, Default)]
pub struct MemoryRegistry {
    board: Arc<Board>,
}

impl MemoryRegistry {
    /// A registry that nobody has joined.
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl Registry for MemoryRegistry {
    async fn join(&self, member: Member) -> Result<Box<dyn Lease>, RegistryError> {
        Ok(Box::new(self.board.join(member)))
    }

    fn watch(&self) -> watch::Receiver<MemberList> {
        self.board.watch()
    }
}
