//! Members and views as they travel in gRPC.
//!
//! What comes from another node is checked field by field before it is believed, and the ring that this process makes
//! of the members must have the version that the other one named: otherwise the two would place keys differently.

use bytes::Bytes;
use ringway_proto::v1;
use ringway_ring::{Ring, RingError, RingVersion, Strategy};

use crate::member::{Member, MemberState};
use crate::view::View;

/// A member from another node that breaks a rule.
#[derive(Debug, thiserror::Error)]
#[error("member {id:?}: {field} {problem}")]
pub struct MemberError {
    /// The id as it came.
    pub id: String,
    /// Which field of the member is wrong.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

/// A ring snapshot that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// One of its members breaks a rule.
    #[error(transparent)]
    Member(#[from] MemberError),
    /// Its members or its table give no ring, or its strategy is not known.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// Its table is not made of 16-bit numbers.
    #[error("the table has {bytes} bytes; it must have two for each slot")]
    TableBytes {
        /// How many bytes there were.
        bytes: usize,
    },
    /// Its members give another ring here than there.
    #[error("the snapshot's ring has version {named}, but its members give {computed} here")]
    VersionDiffers {
        /// The version that the snapshot names.
        named: RingVersion,
        /// The version of the ring that this process made of its members.
        computed: RingVersion,
    },
}

impl From<MemberState> for v1::MemberState {
    fn from(state: MemberState) -> Self {
        match state {
            MemberState::Joining => Self::Joining,
            MemberState::Active => Self::Active,
            MemberState::Draining => Self::Draining,
        }
    }
}

impl From<&Member> for v1::Member {
    fn from(member: &Member) -> Self {
        Self {
            id: member.id.to_string(),
            incarnation: member.incarnation,
            rpc_url: member.rpc_url.to_string(),
            weight: u32::from(member.weight),
            state: v1::MemberState::from(member.state).into(),
            client_url: member.client_url.clone().unwrap_or_default(),
            zone: member.zone.clone().unwrap_or_default(),
            labels: member.labels.clone().into_iter().collect(),
        }
    }
}

impl TryFrom<v1::Member> for Member {
    type Error = MemberError;

    fn try_from(member: v1::Member) -> Result<Self, MemberError> {
        let broken = |field, problem: String| MemberError { id: member.id.clone(), field, problem };
        Ok(Self {
            id: member.id.parse().map_err(|error: RingError| broken("id", error.to_string()))?,
            incarnation: member.incarnation,
            rpc_url: member
                .rpc_url
                .parse()
                .map_err(|error| broken("rpc_url", format!("is refused: {error}")))?,
            weight: member
                .weight
                .try_into()
                .map_err(|error: RingError| broken("weight", error.to_string()))?,
            state: state(member.state).ok_or_else(|| {
                broken(
                    "state",
                    format!(
                        "{} is not known; it must be joining (1), active (2) or draining (3)",
                        member.state
                    ),
                )
            })?,
            client_url: Some(member.client_url.clone()).filter(|url| !url.is_empty()),
            zone: Some(member.zone.clone()).filter(|zone| !zone.is_empty()),
            labels: member.labels.clone().into_iter().collect(),
        })
    }
}

impl View {
    /// The view as it travels. The table (512 KiB) goes along only if it is wanted.
    pub fn to_snapshot(&self, with_table: bool) -> v1::RingSnapshot {
        let table = self.table();
        v1::RingSnapshot {
            ring_version: self.version().as_u64(),
            strategy: self.ring().strategy().to_string(),
            members: self.workers().iter().map(v1::Member::from).collect(),
            table: if with_table && !self.ring().active_members().is_empty() {
                table.bytes.clone()
            } else {
                Bytes::new()
            },
            table_digest: table.digest,
        }
    }

    /// The view that another node has. A table that came along is used; otherwise the ring is built.
    ///
    /// # Errors
    /// [`SnapshotError`] says what is wrong with the snapshot.
    pub fn from_snapshot(snapshot: v1::RingSnapshot) -> Result<Self, SnapshotError> {
        let (named, table) = (RingVersion::from_u64(snapshot.ring_version), snapshot.table.clone());
        let (strategy, members) = read(snapshot)?;
        if table.is_empty() {
            return agreeing(Self::build(strategy, members)?, named);
        }
        let table = entries(&table)?;
        agreeing(Self::of_ring(members, |on_ring| Ring::from_snapshot(strategy, on_ring, table))?, named)
    }

    /// The view that follows this one when another node shows this snapshot.
    pub(crate) fn with_snapshot(&self, snapshot: v1::RingSnapshot) -> Result<Self, SnapshotError> {
        let named = RingVersion::from_u64(snapshot.ring_version);
        let (strategy, members) = read(snapshot)?;
        if strategy != self.ring().strategy() {
            return agreeing(Self::build(strategy, members)?, named);
        }
        agreeing(self.with_members(members)?, named)
    }
}

fn state(number: i32) -> Option<MemberState> {
    match v1::MemberState::try_from(number).ok()? {
        v1::MemberState::Unspecified => None,
        v1::MemberState::Joining => Some(MemberState::Joining),
        v1::MemberState::Active => Some(MemberState::Active),
        v1::MemberState::Draining => Some(MemberState::Draining),
    }
}

fn read(snapshot: v1::RingSnapshot) -> Result<(Strategy, Vec<Member>), SnapshotError> {
    let members: Result<_, MemberError> = snapshot.members.into_iter().map(Member::try_from).collect();
    Ok((snapshot.strategy.parse()?, members?))
}

fn entries(table: &Bytes) -> Result<Vec<u16>, SnapshotError> {
    let (pairs, rest) = table.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(SnapshotError::TableBytes { bytes: table.len() });
    }
    Ok(pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect())
}

fn agreeing(view: View, named: RingVersion) -> Result<View, SnapshotError> {
    let computed = view.version();
    if computed == named { Ok(view) } else { Err(SnapshotError::VersionDiffers { named, computed }) }
}
