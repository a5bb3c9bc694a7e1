//! The outside edge of membership: who is in the cluster.
//!
//! A registry keeps a list of members and shows it to every node. It is eventually consistent: two nodes may see
//! different lists for a moment, and nothing may rest on them agreeing. What each implementation promises, and the
//! shared suite in `tests/registry_suite` holds:
//!
//! - A list is complete, sorted by id, and has each id once. Watchers get whole lists, never single events: a slow
//!   watcher misses intermediate lists and sees the last one.
//! - `watch` shows the list of the moment at once. A registry that must ask a server does so when it is made.
//! - A registry that cannot be reached goes on showing the last list that it knew; it never shows an emptier one
//!   because it is blind.
//! - A lease keeps its member in the list, in the background and across outages, until it is left or dropped. Leaving
//!   takes the member off the list at once. Dropping only stops keeping it there: the registry forgets it when its
//!   time to live is over, as it does for a process that died.
//! - A lease says until when it is valid, and never promises more than the registry does: when `valid_until` has passed,
//!   others may have been told that the member is gone, and before that they have not.
//! - An id belongs to the one who joined last, so that a restarted worker need not wait until its former life is
//!   forgotten. The former lease can then do nothing any more.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use ringway_ring::MemberId;
use ringway_rpc::NodeUrl;
use tokio::sync::watch;

use crate::member::Member;

/// All members at one moment, sorted by id, each id once.
pub type MemberList = Arc<[Member]>;

/// Shows a list to all watchers, if it is another one than they know.
pub fn show_list(lists: &watch::Sender<MemberList>, list: MemberList) {
    lists.send_if_modified(|shown| {
        let changes = *shown != list;
        *shown = list;
        changes
    });
}

/// Where members announce themselves and find each other.
#[async_trait]
pub trait Registry: Send + Sync + 'static {
    /// Puts a member on the list and keeps it there for as long as the lease lives.
    ///
    /// # Errors
    /// [`RegistryError`] says why the registry does not take it.
    async fn join(&self, member: Member) -> Result<Box<dyn Lease>, RegistryError>;

    /// The list of this moment, and every later one.
    fn watch(&self) -> watch::Receiver<MemberList>;
}

/// A member's place on the list. Dropped without [`Lease::leave`], it is no longer renewed.
#[async_trait]
pub trait Lease: Send + Sync {
    /// Shows the member differently: another state, weight, or label. Its id must be the same.
    ///
    /// # Errors
    /// [`RegistryError::OtherMember`] for another id, [`RegistryError::Superseded`] when the id was joined again since.
    async fn update(&self, member: Member) -> Result<(), RegistryError>;

    /// Until when every node surely takes the member for present, by this process's own clock; `None` for as long as the
    /// lease lives (a registry that forgets nobody). It moves on with each renewal. A member past it may have been
    /// replaced without knowing (it was stopped, or cut off from the registry), and must act for nobody until the lease is
    /// renewed.
    fn valid_until(&self) -> Option<Instant>;

    /// Takes the member off the list.
    ///
    /// # Errors
    /// [`RegistryError::Superseded`] when the id was joined again since: the list is then as it should be.
    async fn leave(self: Box<Self>) -> Result<(), RegistryError>;
}

/// An error and what it comes from, without those that say the same again: for the reasons of [`RegistryError`].
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

/// Why a registry refuses.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// A member that a fixed list does not have.
    #[error("member {id} is not in the list of members; it has: {listed}")]
    NotListed {
        /// The unknown member.
        id: MemberId,
        /// The ids that are in the list.
        listed: String,
    },
    /// A member that says to be elsewhere than a fixed list says.
    #[error("member {id} serves at {given}, but the list of members has it at {listed}")]
    RpcUrlDiffers {
        /// The member.
        id: MemberId,
        /// Where the list has it.
        listed: NodeUrl,
        /// Where it says to be.
        given: NodeUrl,
    },
    /// The same id twice in a fixed list.
    #[error("member {id} is listed more than once; every member needs an id of its own")]
    Duplicate {
        /// The repeated id.
        id: MemberId,
    },
    /// A lease used for a member that it was not made for.
    #[error("the lease belongs to member {held}, not to {given}")]
    OtherMember {
        /// Whose lease it is.
        held: MemberId,
        /// For whom it was used.
        given: MemberId,
    },
    /// A lease whose member joined again since.
    #[error("member {id} has joined again since: a later process holds its place")]
    Superseded {
        /// The member.
        id: MemberId,
    },
    /// A member that says more about itself than the registry carries.
    #[error(
        "member {id} takes {bytes} bytes in the registry, at most {bytes_max} are allowed: shorten its labels"
    )]
    TooLarge {
        /// The member.
        id: MemberId,
        /// How much it takes.
        bytes: usize,
        /// How much it may take.
        bytes_max: usize,
    },
    /// A registry that cannot be asked now: what is wanted is not shown to anybody yet.
    #[error("the registry {registry} cannot be reached: {reason}")]
    Unreachable {
        /// Which registry.
        registry: &'static str,
        /// What happened.
        reason: String,
    },
    /// A registry that answers, but not to us or not to this.
    #[error("the registry {registry} refuses: {reason}")]
    Refused {
        /// Which registry.
        registry: &'static str,
        /// What it says.
        reason: String,
    },
}
