//! What is at which path, and who may ask for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{ALLOW, LOCATION};
use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode};
use percent_encoding::percent_decode_str;
use ringway_dispatch::Dispatcher;
use ringway_proto::v1::{DrainRequest, UndrainRequest};
use ringway_ring::MemberId;
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::access::Access;
use crate::answer::{self, Answer};
use crate::observe::Observer;
use crate::pass::{PassKey, Purpose, Viewer};
use crate::stage::Stage;
use crate::{assets, demo, lookup, trial};

/// How long the cluster may take for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How a site is to be.
#[derive(Clone, Debug)]
pub struct SiteConfig {
    /// The gateway's name.
    pub gateway: String,
    /// Where the pages are: begins with a slash, and does not end with one.
    pub path: String,
    /// The path at which clients open their sockets.
    pub socket: String,
    /// Whether sockets are opened with the token in the URL, since the gateway looks for it nowhere else where a browser could
    /// put it.
    pub token_in_query: bool,
    /// The longest message of the cluster, in bytes of payload.
    pub message_bytes_max: usize,
    /// Who may use the pages.
    pub access: Access,
    /// For how long a pass is good. The pages get a new one in time.
    pub pass_lifetime: Duration,
}

/// What a site needs of others.
pub struct SiteParts {
    /// The way into the cluster.
    pub dispatcher: Dispatcher,
    /// Signs passes.
    pub passes: PassKey,
    /// The workers to play with, if the cluster is one to play with.
    pub stage: Option<Arc<dyn Stage>>,
    /// Ends what runs in the background.
    pub end: CancellationToken,
}

/// The pages of one gateway.
pub struct Site {
    config: SiteConfig,
    parts: SiteParts,
    observer: Observer,
}

/// Which dashboard a pass is for.
#[derive(Deserialize)]
struct Looking {
    viewer: Viewer,
}

/// Who a pass of the demonstration is for.
#[derive(Deserialize)]
struct Person {
    person: String,
}

impl Site {
    /// A site that nobody has asked for anything yet.
    pub fn new(config: SiteConfig, parts: SiteParts) -> Self {
        let observer = Observer::new(
            config.gateway.clone(),
            config.message_bytes_max,
            parts.dispatcher.clone(),
            parts.end.clone(),
        );
        Self { config, parts, observer }
    }

    /// Whether a path belongs to the site.
    pub fn has(&self, path: &str) -> bool {
        self.below(path).is_some()
    }

    /// Whether a request's body matters: if it is a question, and of one who may ask.
    pub fn reads_body(&self, head: &Parts) -> bool {
        let is_question = self.below(head.uri.path()).is_some_and(|name| name.starts_with("api/"));
        is_question && head.method == Method::POST && self.config.access.check(&head.headers).is_ok()
    }

    /// Answers a request for such a path.
    pub async fn answer(&self, request: Request<Bytes>, peer: SocketAddr) -> Answer {
        let Some(name) = self.below(request.uri().path()) else { return answer::not_found() };
        if let Some(question) = name.strip_prefix("api/") {
            return self.ask(question, &request, peer).await;
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return not_allowed("GET, HEAD");
        }
        match name {
            "" => self.redirect(if self.parts.stage.is_some() { "chat" } else { "dashboard" }),
            name => assets::find(name, request.headers()).unwrap_or_else(answer::not_found),
        }
    }

    /// What is behind the site's own path and a slash.
    fn below<'a>(&self, path: &'a str) -> Option<&'a str> {
        match path.strip_prefix(self.config.path.as_str())? {
            "" => Some(""),
            rest => rest.strip_prefix('/'),
        }
    }

    fn redirect(&self, name: &str) -> Answer {
        let mut answer = answer::content("text/plain", Bytes::new());
        *answer.status_mut() = StatusCode::FOUND;
        if let Ok(place) = HeaderValue::from_str(&format!("{}/{name}", self.config.path)) {
            answer.headers_mut().insert(LOCATION, place);
        }
        answer
    }

    /// Answers the pages' questions.
    async fn ask(&self, question: &str, request: &Request<Bytes>, peer: SocketAddr) -> Answer {
        if let Err(denied) = self.config.access.check(request.headers()) {
            debug!(%peer, reason = %denied, "a question of a page was refused");
            return answer::denied(denied);
        }
        let parts: Vec<&str> = question.split('/').collect();
        let (method, deadline) = (request.method(), Instant::now() + ANSWER_TIMEOUT);
        match (method, parts.as_slice()) {
            (&Method::GET, ["site"]) => self.about(),
            (&Method::GET, ["scene"]) => {
                answer::json(&demo::scene(&self.parts.dispatcher.views().current(), self.stage()))
            }
            (&Method::GET, ["users", user]) => match percent_decode_str(user).decode_utf8() {
                Ok(user) => lookup::user(&self.parts.dispatcher, &user, deadline).await,
                Err(_) => answer::invalid("the user's name is not UTF-8"),
            },
            (&Method::POST, ["trial"]) => {
                trial::trial(&self.parts.dispatcher, request.body(), deadline).await
            }
            (&Method::POST, ["watch"]) => answer::json(&json!({ "status": self.observer.watch() })),
            (&Method::POST, ["passes", "dashboard"]) => self.dashboard_pass(request.body()),
            (&Method::POST, ["passes", "demo"]) => self.demo_pass(request.body()),
            (&Method::POST, ["workers", worker, act @ ("kill" | "drain" | "undrain")]) => {
                self.act(worker, act, deadline).await
            }
            (_, ["site" | "scene"] | ["users", _]) => not_allowed("GET"),
            (_, ["trial" | "watch"] | ["passes", _] | ["workers", _, _]) => not_allowed("POST"),
            _ => answer::not_found(),
        }
    }

    fn about(&self) -> Answer {
        answer::json(&json!({
            "gateway": self.config.gateway,
            "socket": self.config.socket,
            "token_in": if self.config.token_in_query { "query" } else { "subprotocol" },
            "people": demo::PEOPLE,
            "groups": demo::GROUPS,
            "plays": self.parts.stage.is_some(),
            "needs_admin": matches!(self.config.access, Access::Admin(_)),
        }))
    }

    fn pass(&self, purpose: Purpose) -> Answer {
        let lifetime = self.config.pass_lifetime;
        let token = self.parts.passes.sign(purpose, SystemTime::now(), lifetime);
        answer::json(&json!({ "token": token, "lifetime_ms": lifetime.as_millis() as u64 }))
    }

    fn dashboard_pass(&self, body: &[u8]) -> Answer {
        match serde_json::from_slice::<Looking>(body) {
            Ok(Looking { viewer }) => self.pass(Purpose::Dashboard(viewer)),
            Err(error) => answer::invalid(&error.to_string()),
        }
    }

    fn demo_pass(&self, body: &[u8]) -> Answer {
        match serde_json::from_slice::<Person>(body) {
            Ok(Person { person }) if demo::PEOPLE.contains(&person.as_str()) => {
                self.pass(Purpose::Demo(person))
            }
            _ => answer::invalid("`person` must be one of those whom `site` names"),
        }
    }

    fn stage(&self) -> Option<&dyn Stage> {
        self.parts.stage.as_deref()
    }

    /// Does something to a worker, where people play with it.
    async fn act(&self, worker: &str, act: &str, deadline: Instant) -> Answer {
        let Some(stage) = self.stage() else {
            return answer::error(
                StatusCode::FORBIDDEN,
                "no_stage",
                "workers are played with in `ringway up` only",
            );
        };
        if act == "kill" {
            return if stage.kill(worker) { answer::json(&json!({})) } else { answer::not_found() };
        }
        let view = self.parts.dispatcher.views().current();
        let Some(member) = MemberId::new(worker).ok().and_then(|id| view.member(&id).cloned()) else {
            return answer::not_found();
        };
        info!(worker, act, "as a page has asked");
        let mut node = self.parts.dispatcher.pool().node(&member.rpc_url).node();
        let done = async {
            // The stream of the progress is dropped: the drain goes on without it.
            match act {
                "drain" => node.drain(DrainRequest {}).await.map(drop),
                _ => node.undrain(UndrainRequest {}).await.map(drop),
            }
        };
        match timeout_at(deadline, done).await {
            Ok(Ok(())) => answer::json(&json!({})),
            Ok(Err(status)) => answer::refused(&ringway_proto::Refusal::from_status(&status)),
            Err(_) => answer::error(
                StatusCode::GATEWAY_TIMEOUT,
                "DEADLINE_EXCEEDED",
                "the worker did not answer in time",
            ),
        }
    }
}

fn not_allowed(methods: &'static str) -> Answer {
    let message = format!("here one asks with {methods}");
    let mut answer = answer::error(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", &message);
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    answer
}
