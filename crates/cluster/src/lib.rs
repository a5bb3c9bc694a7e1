//! Membership: registries of members, and the views that follow from them.
//!
//! A [`Registry`] shows who is in the cluster; [`views`] turns what it shows into [`View`]s, each an immutable snapshot
//! of members and ring. Those outside the registry [`follow`] any node, which serves its views as a [`RingService`].
//!
//! Views are eventually consistent. No caller may assume that another process has the same one: the fence at the worker
//! that answers a call is what keeps placement right, not agreement between registries.

mod backoff;
mod board;
mod changes;
mod convert;
mod fixed;
mod follow;
mod health;
mod keeper;
mod member;
mod memory;
mod registry;
mod service;
mod text;
mod view;
mod views;

pub use backoff::Backoff;
pub use changes::Changes;
pub use convert::{MemberError, SnapshotError};
pub use fixed::StaticRegistry;
pub use follow::{FollowError, NodeError, follow};
pub use health::RegistryHealth;
pub use keeper::{Place, keep};
pub use member::{Member, MemberState, UnknownState};
pub use memory::MemoryRegistry;
pub use registry::{Lease, MemberList, Registry, RegistryError, show_list, with_causes};
pub use service::RingService;
pub use text::{MemberText, MemberTextError};
pub use view::View;
pub use views::{Views, views};
