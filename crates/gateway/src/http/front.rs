//! Answers requests: for operators (health, metrics), for pages, and the handshakes that become client sockets, looked for in this
//! order. Where both a page and a socket may be, a request that wants to become a socket is a handshake and any other is for the page.
//! A path at which nothing is gets a handshake's refusal, which says where sockets are.
//!
//! A handshake is checked in a fixed order, cheapest first: path, method and headers, origin, token, subprotocols,
//! signature. Only who has passed all of them is heard by a worker.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, ORIGIN, UPGRADE};
use http::{HeaderValue, Method, Request, Response};
use hyper::body::Body as HttpBody;
use rand::RngExt;
use ringway_auth::{Authenticator, OriginPolicy, TokenExtractor};
use ringway_session::CloseCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::debug;

use super::Body;
use super::pages::{self, Pages};
use crate::config::HttpConfig;
use crate::gateway::MetricsRenderer;
use crate::handshake::Handshake;
use crate::link::{Channel, End};
use crate::metrics::Meters;
use crate::refusal::Refusal;
use crate::resume;
use crate::route::{Admission, Applicant, Router};
use crate::socket::{Client, Line, SocketShared, Wire};

/// Paths that are answered for operators, whatever else shall be there.
pub const OPERATOR_PATHS: &[&str] = &["/healthz", "/readyz", "/metrics"];

/// What a [`Front`] is made of.
pub(crate) struct FrontParts {
    pub(crate) http: HttpConfig,
    /// Within what time clients are told to come back when the gateway shuts down.
    pub(crate) drain_window: Duration,
    pub(crate) router: Router,
    pub(crate) tokens: TokenExtractor,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) origins: OriginPolicy,
    pub(crate) metrics: Option<MetricsRenderer>,
    pub(crate) pages: Option<Arc<dyn Pages>>,
    pub(crate) sockets: Arc<SocketShared>,
    pub(crate) meters: Arc<Meters>,
}

/// Answers requests, and counts who is here.
pub(crate) struct Front {
    parts: FrontParts,
    /// How many more connections may be pending, how many more handshakes under way, how many more clients here.
    pending: Arc<Semaphore>,
    handshakes: Semaphore,
    clients: Arc<Semaphore>,
    tasks: TaskTracker,
    /// Cuts the connections that are not yet client sockets.
    cut: CancellationToken,
    stage: AtomicU8,
}

/// How far the end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// All is well.
    Serving,
    /// Still serving, but no new clients should come.
    Unready,
    /// New clients are refused, those that are here are told to go.
    Leaving,
}

/// A client that has passed: what its socket needs.
pub(crate) struct Admitted {
    channel: Channel,
    expires_at: Option<SystemTime>,
    permit: OwnedSemaphorePermit,
}

impl Front {
    pub(crate) fn new(parts: FrontParts) -> Arc<Self> {
        let permits = |count: usize| count.min(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            pending: Arc::new(Semaphore::new(permits(parts.http.pending_max))),
            handshakes: Semaphore::new(permits(parts.http.handshakes_max)),
            clients: Arc::new(Semaphore::new(permits(parts.http.connections_max))),
            tasks: TaskTracker::new(),
            cut: CancellationToken::new(),
            stage: AtomicU8::new(Stage::Serving as u8),
            parts,
        })
    }

    pub(crate) fn http(&self) -> &HttpConfig {
        &self.parts.http
    }

    pub(crate) fn enter(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Release);
    }

    /// Cuts what is no client socket if the gateway is dropped before it has ended.
    pub(crate) fn cut_when_dropped(&self) -> DropGuard {
        self.cut.clone().drop_guard()
    }

    /// Cuts what is no client socket, and waits until every task is over.
    pub(crate) async fn close(&self) {
        self.cut.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Room for one more connection, if there is any.
    pub(super) fn admit_connection(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.pending).try_acquire_owned().ok()
    }

    /// Runs a connection until it is over or cut.
    pub(super) fn spawn_connection(&self, connection: impl Future<Output = ()> + Send + 'static) {
        let cut = self.cut.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                biased;
                () = cut.cancelled() => {}
                () = connection => {}
            }
        });
    }

    /// Begins the task of a client whose 101 is out.
    pub(super) fn begin_client(&self, stream: impl Line, early: &Bytes, admitted: Admitted) {
        let Admitted { mut channel, expires_at, permit } = admitted;
        channel.allow_resuming();
        if self.is_at(Stage::Leaving) {
            channel.farewell(going_away(), random_delay_ms(self.parts.drain_window));
        }
        let sockets = Arc::clone(&self.parts.sockets);
        let wire = Wire::new(stream, early, &sockets.config);
        let client = Client::new(wire, channel, sockets, permit).expiring(expires_at);
        self.tasks.spawn(client.into_task());
    }

    /// Answers one request. With a 101 comes what the socket needs.
    pub(super) async fn answer<B>(
        &self,
        request: Request<B>,
        peer: SocketAddr,
    ) -> (Response<Body>, Option<Admitted>)
    where
        B: HttpBody,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let answer = match (self.inform(&request), self.pages_for(&request)) {
            (Some(answer), _) => answer,
            (None, Some(pages)) => pages::answer(pages, request, peer).await,
            (None, None) => return self.handshake(&request, peer).await,
        };
        (answer.unwrap_or_else(|refusal| refusal.to_response()), None)
    }

    /// The pages, if the request is theirs. Where clients may open their sockets, those that ask for one are not: the page of a user
    /// whose name ends like such a path can be asked for all the same.
    fn pages_for<B>(&self, request: &Request<B>) -> Option<&dyn Pages> {
        let (pages, path) = (self.parts.pages.as_deref()?, request.uri().path());
        let is_handshake = request.headers().contains_key(UPGRADE) && self.http().paths.matches(path);
        (!is_handshake && pages.has(path)).then_some(pages)
    }

    /// The answer for operators, if they ask.
    fn inform<B>(&self, request: &Request<B>) -> Option<Result<Response<Body>, Refusal>> {
        let path = request.uri().path();
        if !OPERATOR_PATHS.contains(&path) {
            return None;
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Some(Err(Refusal::ReadOnly(request.method().to_string())));
        }
        Some(match path {
            "/readyz" => self.readiness(),
            "/metrics" => self.metrics(),
            _ => Ok(json("{\"status\":\"ok\"}")),
        })
    }

    async fn handshake<B>(
        &self,
        request: &Request<B>,
        peer: SocketAddr,
    ) -> (Response<Body>, Option<Admitted>) {
        let began = Instant::now();
        let outcome = self.admit(request, peer).await;
        let result = outcome.as_ref().map_or_else(Refusal::reason, |_| "ok");
        self.parts.meters.handshake(result, began.elapsed());
        match outcome {
            Ok((response, admitted)) => (response, Some(admitted)),
            Err(refusal) => {
                debug!(%peer, reason = result, "a handshake was refused");
                (refusal.to_response(), None)
            }
        }
    }

    async fn admit<B>(
        &self,
        request: &Request<B>,
        peer: SocketAddr,
    ) -> Result<(Response<Body>, Admitted), Refusal> {
        if !self.http().paths.matches(request.uri().path()) {
            return Err(Refusal::PathUnknown(self.expected_paths()));
        }
        if self.is_at(Stage::Leaving) {
            return Err(Refusal::ShuttingDown);
        }
        check_head_size(request, self.http().head_bytes_max)?;
        let handshake = Handshake::check(request)?;
        let _under_way = self.handshakes.try_acquire().map_err(|_| Refusal::HandshakesBusy)?;
        let applicant = self.authenticate(request, peer)?;
        let permit = Arc::clone(&self.clients).try_acquire_owned().map_err(|_| Refusal::GatewayFull)?;
        let Admission { channel, subprotocol } = self.parts.router.open(&applicant).await?;
        let response = handshake.accept(&subprotocol)?;
        Ok((response, Admitted { channel, expires_at: applicant.identity.expires_at, permit }))
    }

    fn authenticate<B>(
        &self,
        request: &Request<B>,
        remote_address: SocketAddr,
    ) -> Result<Applicant, Refusal> {
        self.parts.origins.allows(request.headers().get(ORIGIN))?;
        let presented = self.parts.tokens.extract(request.uri(), request.headers())?;
        check_subprotocols(&presented.subprotocols, self.http())?;
        let identity = self.parts.authenticator.authenticate(&presented.token, SystemTime::now())?;
        let resume = resume::wish(request.uri(), &presented.subprotocols)?;
        let device = resume::device(request.uri(), &presented.subprotocols)?;
        let mailbox = resume::mailbox(request.uri(), &presented.subprotocols)?;
        let subprotocols = presented.subprotocols;
        Ok(Applicant { identity, subprotocols, remote_address, resume, device, mailbox })
    }

    fn readiness(&self) -> Result<Response<Body>, Refusal> {
        if self.is_at(Stage::Unready) {
            return Err(Refusal::ShuttingDown);
        }
        if self.parts.router.views.current().ring().active_members().is_empty() {
            return Err(Refusal::NoWorkers);
        }
        Ok(json("{\"status\":\"ready\"}"))
    }

    fn metrics(&self) -> Result<Response<Body>, Refusal> {
        let render = self.parts.metrics.as_ref().ok_or(Refusal::MetricsElsewhere)?;
        let mut response = Response::new(Body::from(render()));
        let kind = HeaderValue::from_static("text/plain; version=0.0.4");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        Ok(response)
    }

    fn is_at(&self, stage: Stage) -> bool {
        self.stage.load(Ordering::Acquire) >= stage as u8
    }

    fn expected_paths(&self) -> String {
        let rules = &self.http().paths;
        let suffixes = rules.suffixes.iter().map(|suffix| format!("…{suffix}"));
        suffixes.chain(rules.exact.iter().cloned()).collect::<Vec<_>>().join(" or ")
    }
}

/// What clients are told when the gateway shuts down.
pub(crate) fn going_away() -> End {
    End::new(CloseCode::GOING_AWAY, "the gateway shuts down, reconnect")
}

/// After how long a client is told to come back.
pub(crate) fn random_delay_ms(window: Duration) -> u64 {
    let window_ms = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
    rand::rng().random_range(0..=window_ms)
}

fn json(text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn check_head_size<B>(request: &Request<B>, bytes_max: usize) -> Result<(), Refusal> {
    const SEPARATORS_BYTES: usize = ": \r\n".len();
    let uri = request.uri();
    let line = uri.path().len() + uri.query().map_or(0, |query| query.len() + 1);
    let headers = request.headers().iter();
    let headers = headers.map(|(name, value)| name.as_str().len() + value.len() + SEPARATORS_BYTES);
    let bytes = line + headers.sum::<usize>();
    if bytes > bytes_max { Err(Refusal::HeadTooLarge { bytes, bytes_max }) } else { Ok(()) }
}

fn check_subprotocols(offered: &[String], http: &HttpConfig) -> Result<(), Refusal> {
    let HttpConfig { subprotocols_max: count_max, subprotocols_bytes_max: bytes_max, .. } = *http;
    let bytes: usize = offered.iter().map(String::len).sum();
    let too_many = offered.len() > count_max || bytes > bytes_max;
    if too_many { Err(Refusal::SubprotocolsTooMany { count_max, bytes_max }) } else { Ok(()) }
}
