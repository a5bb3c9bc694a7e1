//! The pages of a gateway in this process, if it serves them.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use ringway_auth::{Authenticator, TokenSource};
use ringway_dispatch::Dispatcher;
use ringway_gateway::Pages;
use ringway_pages::{PassKey, Passes, Site, SiteConfig, SiteParts, Stage};

use super::nodes::Shared;
use super::{Process, parts};
use crate::config::{Config, Settings};

/// The pages of the gateway of this name. With a stage they are for playing, too.
pub(super) fn site(
    process: &Process,
    gateway: &str,
    shared: &Shared,
    stage: Option<Arc<dyn Stage>>,
) -> Option<Arc<dyn Pages>> {
    let Config { settings, checked, .. } = &*process.config;
    let config = SiteConfig {
        gateway: gateway.to_owned(),
        path: settings.pages.path.clone(),
        socket: parts::client_path(settings).to_owned(),
        token_in_query: is_token_in_query(settings),
        message_bytes_max: settings.limits.message_bytes_max.0,
        access: checked.pages.clone()?,
        pass_lifetime: settings.pages.pass_lifetime,
    };
    let parts = SiteParts {
        dispatcher: Dispatcher::new(shared.views.clone(), shared.pool.clone()),
        passes: PassKey::new(&shared.secret),
        stage,
        end: process.end.clone(),
    };
    Some(Arc::new(Served(Site::new(config, parts))))
}

/// The gateway's authenticator, which knows the pages' passes, too, if there are pages.
pub(super) fn with_passes(
    process: &Process,
    shared: &Shared,
    others: Arc<dyn Authenticator>,
) -> Arc<dyn Authenticator> {
    match process.config.checked.pages {
        Some(_) => Arc::new(Passes::new(PassKey::new(&shared.secret), others)),
        None => others,
    }
}

/// The library for browsers puts a token into an entry `token.…` of the subprotocols, or into the query.
fn is_token_in_query(settings: &Settings) -> bool {
    let is_entry =
        |source: &TokenSource| matches!(source, TokenSource::Subprotocol { prefix } if prefix == "token.");
    !settings.auth.sources.iter().any(is_entry)
}

struct Served(Site);

#[async_trait]
impl Pages for Served {
    fn has(&self, path: &str) -> bool {
        self.0.has(path)
    }

    fn reads_body(&self, head: &Parts) -> bool {
        self.0.reads_body(head)
    }

    async fn answer(&self, request: Request<Bytes>, peer: SocketAddr) -> Response<Bytes> {
        self.0.answer(request, peer).await
    }
}
