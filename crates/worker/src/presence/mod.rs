//! Who is online: the service, the clients here that watch others, and the export for other programs.

mod export;
mod friends;
mod graves;
mod service;

pub(crate) use export::Exporter;
pub(crate) use friends::follow_friends;
pub(crate) use service::PresenceService;
