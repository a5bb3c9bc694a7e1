//! What workers say to each other.

mod claim;
mod reporter;
mod service;

pub(crate) use reporter::Reporters;
pub(crate) use service::PeerService;
