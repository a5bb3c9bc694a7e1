//! What a registry under test must say about itself.

use std::time::Duration;

use async_trait::async_trait;
use ringway_cluster::{Member, Registry};

/// Makes handles of one registry, and knows what it can do.
#[async_trait]
pub(crate) trait Fixture: Send + Sync {
    /// A handle as a process of its own would have it. All handles of a fixture are of the same registry.
    async fn handle(&self) -> Box<dyn Registry>;

    /// A member that may join: the same for the same number (0, 1 or 2), other ids for other numbers, sorted alike.
    fn member(&self, number: usize) -> Member;

    /// What the registry can do.
    fn nature(&self) -> Nature;
}

/// What a registry can do, and in which time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nature {
    /// Who can be a member.
    pub(crate) membership: Membership,
    /// Who sees what somebody says about himself.
    pub(crate) reach: Reach,
    /// The time after which a member whose lease was dropped is forgotten.
    pub(crate) time_to_live: Duration,
    /// The time in which every watcher sees a change.
    pub(crate) settles_within: Duration,
}

/// Who can be a member.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Membership {
    /// Whoever joins, for as long as he stays.
    Open,
    /// Those who are listed beforehand, always, with the place, weight and state that the list gives them.
    Listed,
}

/// How far news of a member gets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reach {
    /// To every process.
    Cluster,
    /// Not beyond the process that it comes from.
    Process,
}
