//! Answers requests.
//!
//! A request is checked in a fixed order, cheapest first: key, path and method, room, query, body. Only what has passed all of
//! that is heard by a worker.

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use ringway_sender::{CloseCode, Sender, SessionId, SessionTarget};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::debug;

use crate::Body;
use crate::access::Access;
use crate::config::ApiConfig;
use crate::document::DOCUMENT;
use crate::message::Message;
use crate::metrics::{self, Present};
use crate::peer::Peer;
use crate::query::parameters;
use crate::receipt::receipt_json;
use crate::refusal::{Refusal, respond};
use crate::request::{discard, idempotency_key, json_body};
use crate::route::{Route, Target};
use crate::user::user_json;

/// The API of one listener. A cheap clone.
#[derive(Clone)]
pub struct Api(Arc<Shared>);

struct Shared {
    config: ApiConfig,
    sender: Sender,
    access: Access,
    room: Semaphore,
}

impl Api {
    /// An API that sends by this sender, for those who have access.
    pub fn new(config: ApiConfig, sender: Sender, access: Access) -> Self {
        metrics::describe();
        let room = Semaphore::new(config.requests_max.min(Semaphore::MAX_PERMITS));
        Self(Arc::new(Shared { config, sender, access, room }))
    }

    pub(crate) fn config(&self) -> &ApiConfig {
        &self.0.config
    }

    /// Answers one request of a peer.
    pub(crate) async fn answer(&self, request: Request<Incoming>, peer: &Peer) -> Response<Body> {
        let (began, _present, address) = (Instant::now(), Present::request(), peer.address);
        let (head, mut body) = request.into_parts();
        let route = Route::of(&head.method, head.uri.path());
        let operation = route.as_ref().map_or("none", Route::operation);
        let caller = self.0.access.check(&head.headers);
        if caller.is_ok() {
            peer.let_in();
        }
        let key = caller.as_deref().unwrap_or_default().to_owned();
        let outcome = self.admit(route, caller, &head, &mut body).await;
        let response = match outcome {
            Ok(response) => {
                debug!(peer = %address, operation, key, "a request was answered");
                response
            }
            Err(refusal) => {
                debug!(peer = %address, operation, key, reason = refusal.reason(), "a request was refused");
                discard(&head.headers, &mut body).await;
                refusal.to_response()
            }
        };
        metrics::answered(operation, response.status().as_u16(), began.elapsed());
        response
    }

    async fn admit(
        &self,
        route: Result<Route, Refusal>,
        caller: Result<String, Refusal>,
        head: &Parts,
        body: &mut Incoming,
    ) -> Result<Response<Body>, Refusal> {
        // It says nothing that is not public, and those who have no key yet may want to read it.
        if let Ok(Route::ShowDocument) = route {
            return Ok(document());
        }
        caller?;
        let route = route?;
        let _room = self.0.room.try_acquire().map_err(|_| Refusal::Busy)?;
        self.carry_out(route, head, body).await
    }

    async fn carry_out(
        &self,
        route: Route,
        head: &Parts,
        body: &mut Incoming,
    ) -> Result<Response<Body>, Refusal> {
        let sender = &self.0.sender;
        match route {
            Route::Send(target) => self.send(target, head, body).await,
            Route::ShowUser(user) => {
                let [] = parameters(head.uri.query(), [])?;
                Ok(respond(200, &user_json(sender, &user).await?))
            }
            Route::CloseSession(id) => {
                let [code, reason] = parameters(head.uri.query(), ["code", "reason"])?;
                let id: SessionId = id.parse().map_err(|error| invalid(&error))?;
                let code = close_code(code.as_deref())?;
                let target = SessionTarget::Session(id);
                let sessions = sender.close_sessions(&target, code, &reason.unwrap_or_default()).await?;
                Ok(respond(200, &json!({ "sessions": sessions })))
            }
            Route::ShowDocument => Ok(document()),
        }
    }

    async fn send(
        &self,
        target: Target,
        head: &Parts,
        body: &mut Incoming,
    ) -> Result<Response<Body>, Refusal> {
        let [] = parameters(head.uri.query(), [])?;
        let key = idempotency_key(&head.headers)?;
        let body = json_body(&head.headers, body, self.config()).await?;
        let Message { payload, mut options } = Message::read(&body)?;
        // Small messages may wait for long: not with the buffer in which they came.
        drop(body);
        match (&options.message_id, key) {
            (Some(id), Some(key)) if *id != key => {
                let words = "`message_id` and the header `Idempotency-Key` differ; give one of them";
                return Err(Refusal::Invalid(words.to_owned()));
            }
            (None, Some(key)) => options.message_id = Some(key),
            (_, _) => {}
        }
        let sender = &self.0.sender;
        let call = match target {
            Target::User(user) => sender.send_to_user(user, payload),
            Target::Group(group) => sender.send_to_group(group, payload),
            Target::All => sender.send_to_all(payload),
        };
        Ok(respond(200, &receipt_json(&options.apply(call).await?)))
    }
}

fn close_code(given: Option<&str>) -> Result<CloseCode, Refusal> {
    let Some(text) = given else { return Ok(CloseCode::CLOSED_BY_BACKEND) };
    let code = text.parse().ok().and_then(CloseCode::chosen);
    code.ok_or_else(|| {
        let words = "may not be sent; use 1000, 1001, 1008, 1011 to 1013, or 3000 to 4999";
        Refusal::Invalid(format!("the close code {text:?} {words}"))
    })
}

fn document() -> Response<Body> {
    let mut response = Response::new(Body::from(DOCUMENT));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn invalid(error: &impl std::fmt::Display) -> Refusal {
    Refusal::Invalid(error.to_string())
}
