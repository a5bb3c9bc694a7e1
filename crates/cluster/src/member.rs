//! A member: one worker as the cluster knows it.
//!
//! Placement sees only its id and weight, and those only while it is active; everything else is for those who call it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use ringway_ring::{MemberId, RingMember, Weight};
use ringway_rpc::NodeUrl;

/// What a member is doing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash)]
pub enum MemberState {
    /// It starts: reachable, but not on the ring yet.
    Joining,
    /// It serves, and is on the ring if its weight is above 0.
    #[default]
    Active,
    /// It leaves: reachable, but no longer on the ring.
    Draining,
}

impl MemberState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Joining, Self::Active, Self::Draining];

    /// The name used in logs, metrics and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Joining => "joining",
            Self::Active => "active",
            Self::Draining => "draining",
        }
    }
}

/// A text names no state.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is none of joining, active and draining")]
pub struct UnknownState(String);

impl FromStr for MemberState {
    type Err = UnknownState;

    fn from_str(name: &str) -> Result<Self, UnknownState> {
        let known = Self::ALL.into_iter().find(|state| state.as_str() == name);
        known.ok_or_else(|| UnknownState(name.to_owned()))
    }
}

impl fmt::Display for MemberState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One worker of the cluster.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Member {
    /// Its stable name.
    pub id: MemberId,
    /// Another number at each start of the process, so that a fast restart is noticed; 0 where nobody knows it.
    pub incarnation: u64,
    /// Where its gRPC server is.
    pub rpc_url: NodeUrl,
    /// Its share of the ring, relative to the others.
    pub weight: Weight,
    /// What it is doing.
    pub state: MemberState,
    /// Where clients can connect to it directly (a ws or wss URL), if they can.
    pub client_url: Option<String>,
    /// The failure domain it runs in, if told.
    pub zone: Option<String>,
    /// Free words of the operator.
    pub labels: BTreeMap<String, String>,
}

impl Member {
    /// An active member of weight 1 of which nothing else is known.
    pub fn new(id: MemberId, rpc_url: NodeUrl) -> Self {
        Self {
            id,
            incarnation: 0,
            rpc_url,
            weight: Weight::default(),
            state: MemberState::Active,
            client_url: None,
            zone: None,
            labels: BTreeMap::new(),
        }
    }

    /// What placement sees of it: nothing unless it is active with a weight above 0.
    pub fn on_ring(&self) -> Option<RingMember> {
        let serves = self.state == MemberState::Active && self.weight > Weight::ZERO;
        serves.then(|| RingMember::new(self.id.clone()).weighing(self.weight))
    }
}
