//! A gateway as a whole: what it is made of, and how it runs and ends.
//!
//! The end is a sequence of phases, each with a deadline from [`ShutdownConfig`](crate::config::ShutdownConfig):
//! unready (readiness says no, all else goes on) -> leaving (listeners closed, each client told to go at a random moment
//! of the window) -> flushed (the clients are gone) -> placed (sessions that were between two workers are at one, for their
//! clients to resume them) -> closed (the last frames are with the workers).

use std::sync::Arc;
use std::time::Duration;

use rand::seq::SliceRandom;
use ringway_auth::{Authenticator, OriginPolicy, TokenExtractor};
use ringway_cluster::Views;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::GatewayConfig;
use crate::http::{self, Certificates, Front, FrontParts, Listener, Pages, Stage, TlsError};
use crate::link::{LinkConnector, Links, Seat, Setup};
use crate::metrics::Meters;
use crate::moving::{MoverTask, Moves};
use crate::route::Router;
use crate::socket::SocketShared;

/// Room beyond the clients' own deadlines before the gateway stops waiting for them.
const GRACE: Duration = Duration::from_secs(1);

/// Gives the metrics of the process as text, for `/metrics`.
pub type MetricsRenderer = Arc<dyn Fn() -> String + Send + Sync>;

/// What a gateway needs of others.
pub struct GatewayParts {
    /// The way to the present view.
    pub views: Views,
    /// How workers are reached.
    pub connector: Arc<dyn LinkConnector>,
    /// Where a handshake's token stands.
    pub tokens: TokenExtractor,
    /// Whom a token names.
    pub authenticator: Arc<dyn Authenticator>,
    /// Which pages may connect.
    pub origins: OriginPolicy,
    /// What `/metrics` answers; without it the path says that metrics are served elsewhere.
    pub metrics: Option<MetricsRenderer>,
    /// What is at other paths, if anything.
    pub pages: Option<Arc<dyn Pages>>,
}

/// Why a gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// Values of the configuration that cannot be.
    #[error("the gateway's configuration cannot be: {0}")]
    Config(String),
    /// A certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Takes client sockets and relays them to their workers.
pub struct Gateway {
    config: GatewayConfig,
    views: Views,
    front: Arc<Front>,
    links: Arc<Links>,
    moves: Arc<Moves>,
    meters: Arc<Meters>,
}

impl Gateway {
    /// Puts a gateway together. Nothing runs yet.
    ///
    /// # Errors
    /// [`GatewayError::Config`] if the configuration cannot be.
    pub fn new(config: GatewayConfig, parts: GatewayParts) -> Result<Self, GatewayError> {
        config.check()?;
        let meters = Meters::new();
        let moves = Moves::new(&config.routing, config.moving.clone(), Arc::clone(&meters));
        let links = Links::new(Setup {
            gateway_id: config.gateway_id.clone(),
            routing: config.routing.clone(),
            config: config.link.clone(),
            flush_timeout: config.shutdown.flush_timeout,
            connector: parts.connector,
            meters: Arc::clone(&meters),
            moves: Arc::clone(&moves),
        });
        let router = Router {
            views: parts.views.clone(),
            links: Arc::clone(&links),
            routing: config.routing.clone(),
            permissions: config.permissions.clone(),
            open_deadline: config.http.open_deadline,
        };
        let sockets = Arc::new(SocketShared { config: config.socket.clone(), meters: Arc::clone(&meters) });
        let front = Front::new(FrontParts {
            http: config.http.clone(),
            drain_window: config.shutdown.drain_window,
            router,
            tokens: parts.tokens,
            authenticator: parts.authenticator,
            origins: parts.origins,
            metrics: parts.metrics,
            pages: parts.pages,
            sockets,
            meters: Arc::clone(&meters),
        });
        Ok(Self { config, views: parts.views, front, links, moves, meters })
    }

    /// Serves clients on these listeners until `shutdown`, then ends in order.
    ///
    /// # Errors
    /// [`GatewayError::Tls`] if a listener's certificate cannot be used, before anything is accepted.
    pub async fn serve(
        self,
        listeners: Vec<Listener>,
        shutdown: CancellationToken,
    ) -> Result<(), GatewayError> {
        // Whoever drops this future before its end leaves nothing running.
        let _guards = (self.links.close_when_dropped(), self.front.cut_when_dropped());
        let mut background = JoinSet::new();
        let stop_accepting = CancellationToken::new();
        for listener in listeners {
            let tls = self.prepare_tls(&listener, &mut background)?;
            background.spawn(http::accept(
                Arc::clone(&self.front),
                listener.socket,
                tls,
                stop_accepting.clone(),
            ));
        }
        background.spawn(Arc::clone(&self.links).follow(self.views.clone(), CancellationToken::new()));
        background.spawn(self.mover().run());
        background.spawn(Arc::clone(&self.meters).sample());

        shutdown.cancelled().await;
        self.end(&stop_accepting).await;
        background.shutdown().await;
        Ok(())
    }

    fn mover(&self) -> MoverTask {
        MoverTask {
            moves: Arc::clone(&self.moves),
            views: self.views.clone(),
            links: Arc::clone(&self.links),
            routing: self.config.routing.clone(),
        }
    }

    /// Everybody's session, wherever it is.
    fn seats(&self) -> Vec<Arc<Seat>> {
        let mut seats = self.moves.seats();
        seats.extend(self.links.seats());
        seats
    }

    fn prepare_tls(
        &self,
        listener: &Listener,
        background: &mut JoinSet<()>,
    ) -> Result<Option<TlsAcceptor>, GatewayError> {
        let Some(files) = &listener.tls else { return Ok(None) };
        let certificates = Certificates::load(files.clone())?;
        let acceptor = certificates.acceptor()?;
        background.spawn(http::watch_files(certificates, self.config.http.tls_poll_interval));
        Ok(Some(acceptor))
    }

    async fn end(&self, stop_accepting: &CancellationToken) {
        let config = &self.config.shutdown;
        info!("shutdown: unready");
        self.front.enter(Stage::Unready);
        sleep(config.unready_for).await;

        info!("shutdown: leaving");
        stop_accepting.cancel();
        self.front.enter(Stage::Leaving);
        farewell(self.seats(), config.drain_window, config.drain_window).await;
        // Those whose handshake, or move, was under way at the moment of the first farewell.
        farewell(self.seats(), Duration::ZERO, config.drain_window).await;

        info!("shutdown: flushing");
        let longest = self.config.socket.close_timeout + GRACE;
        if timeout(longest, self.front.close()).await.is_err() {
            warn!("some clients did not leave in time");
        }

        info!("shutdown: bringing sessions to their workers");
        if timeout(config.moves_timeout, self.moves.done()).await.is_err() {
            warn!("some sessions have found no worker in time, they are lost");
        }
        self.moves.close();

        info!("shutdown: closing the links");
        self.links.close().await;
        info!("shutdown: done");
    }
}

/// Tells clients to go, each at a random moment of the window, and to come back at a random moment of `return_window`, if
/// they understand that.
async fn farewell(mut clients: Vec<Arc<Seat>>, window: Duration, return_window: Duration) {
    clients.shuffle(&mut rand::rng());
    let began = Instant::now();
    let count = u32::try_from(clients.len()).unwrap_or(u32::MAX).max(1);
    for (index, client) in (0..).zip(clients) {
        let moment = began + window.mul_f64(f64::from(index) / f64::from(count));
        if moment > Instant::now() {
            sleep_until(moment).await;
        }
        client.farewell(http::going_away(), http::random_delay_ms(return_window));
    }
}
