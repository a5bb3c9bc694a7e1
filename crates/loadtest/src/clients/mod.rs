//! Many WebSocket clients in one process: who they are, how they connect, and what they do with what comes.

mod connections;
mod crowd;
mod failure;
mod frames;
mod handshake;
mod identity;
mod inbox;
mod listen;
mod socket;
mod source;
mod target;
mod template;

pub(crate) use connections::Connections;
pub(crate) use crowd::{Crowd, Life, Plan};
pub use identity::{Identities, OtherGroup};
pub use listen::Way;
pub(crate) use source::Sources;
pub use target::{Target, TargetError};
pub use template::{Template, TemplateError};
