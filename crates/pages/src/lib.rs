//! Pages for people: a chat to try the cluster with, and a dashboard that shows it.
//!
//! A [`Site`] answers HTTP requests below one path: the pages themselves (`assets`), which hold no secret, and what they
//! ask for (`site`), which needs the admin token (`access`). The pages speak to the cluster as any client does, over
//! ringway's own sockets. For these the site gives out passes (`pass`): short-lived tokens that [`Passes`] accepts beside those
//! of the configured authenticator. Numbers are gathered from the workers while somebody watches (`observe`), and sent to the
//! dashboards as messages to a group, by the way of all messages.
//!
//! The laws: nothing is told and nothing done without the admin token, unless the gateway is open to this machine only; no
//! token of anybody else's, and no `join`, leads into the dashboards' group; a page asks nobody but its own gateway for anything.

mod access;
mod answer;
mod assets;
mod demo;
mod lookup;
mod observe;
mod pass;
mod site;
mod stage;
mod trial;

pub use access::{Access, AdminToken, AdminTokenError};
pub use pass::{PassKey, Passes};
pub use site::{Site, SiteConfig, SiteParts};
pub use stage::Stage;
