//! What serves: `up`, `gateway`, `worker` and `bridge`. Here the parts are put together, told what they need to know and nothing
//! else, and ended in order.
//!
//! Sockets are bound first, all of them, so that a port in use is told before anything runs. Then everything starts, then
//! one line on stdout says that it is ready: `ready ` and a JSON object of the addresses.

mod api;
mod bind;
mod bridge;
mod crew;
mod gateway;
mod keys;
mod membership;
mod node_service;
mod nodes;
mod pages;
mod parts;
mod registry;
mod running;
mod system;
mod up;
mod worker;

use std::path::PathBuf;
use std::sync::Arc;

use ringway_gateway::{Gateway, Listener};
use ringway_rpc::HealthHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Doors, FlagSetting, Role, Sources};
use crate::exit::Ending;
use crate::output;
use crate::telemetry::{self, Metrics, StatusServer, serve_status};
use bind::{address_of, bind, reachable};
use running::Running;

pub(crate) use bridge::bridge;
pub(crate) use gateway::gateway;
pub(crate) use up::up;
pub(crate) use worker::worker;

/// What every serving process has.
struct Process {
    config: Arc<Config>,
    /// The doors of the bridge, for whoever opens them.
    doors: Doors,
    metrics: Metrics,
    /// Cancelled by the first signal: the shutdown begins.
    shutdown: CancellationToken,
    /// Cancelled at the very end, for what must outlive everything else: metrics, the status server.
    end: CancellationToken,
}

impl Process {
    /// Reads the configuration, and runs what serves on as many threads as it says.
    fn serve<S>(
        file: Option<PathBuf>,
        flags: Vec<FlagSetting>,
        role: Role,
        serving: impl FnOnce(Self) -> S,
    ) -> anyhow::Result<Ending>
    where
        S: Future<Output = anyhow::Result<Ending>>,
    {
        let environment = std::env::vars_os().collect();
        let config = Config::load(Sources { file, environment, flags }, role)?;
        let threads = system::threads(&config.settings);
        system::runtime(threads)?.block_on(async { serving(Self::start(config)?).await })
    }

    /// Starts logs, metrics and the wait for signals.
    fn start(mut config: Config) -> anyhow::Result<Self> {
        let doors = std::mem::take(&mut config.checked.doors);
        telemetry::start_logs(&config.settings.log)?;
        system::raise_open_files();
        let end = CancellationToken::new();
        let metrics = telemetry::start_metrics(end.clone())?;
        let shutdown = system::shutdown_signals()?;
        Ok(Self { config: Arc::new(config), doors, metrics, shutdown, end })
    }

    /// Runs all parts until the shutdown, then ends them.
    async fn run(self, running: Running) -> anyhow::Result<Ending> {
        let outcome = running.until(self.shutdown.clone()).await;
        self.end.cancel();
        outcome.map(|()| Ending::Done)
    }

    /// Starts to take clients, in the present phase; `health` says no from the beginning of the shutdown.
    fn start_gateway(
        &self,
        gateway: Gateway,
        socket: TcpListener,
        health: HealthHandle,
        running: &mut Running,
    ) {
        let listener = Listener { socket, tls: parts::tls(&self.config.settings) };
        nodes::start_gateway(gateway, listener, health, running);
        keys::watch(&self.config.checked.verifier, &self.end);
    }

    /// Binds the socket of the status server, if there shall be one.
    fn bind_status(&self) -> anyhow::Result<Option<TcpListener>> {
        let address = self.config.settings.node.status_listen;
        address.map(|address| bind(address, "node.status_listen")).transpose()
    }

    /// Starts the status server, which outlives everything else.
    fn start_status(&self, listener: Option<TcpListener>, health: HealthHandle) {
        if let Some(listener) = listener {
            let status = StatusServer { health, metrics: self.metrics.clone() };
            tokio::spawn(serve_status(listener, status, self.end.clone()));
        }
    }

    /// Where clients connect.
    fn client_url(&self, listener: &TcpListener) -> anyhow::Result<String> {
        let settings = &self.config.settings;
        let scheme = if parts::tls(settings).is_some() { "wss" } else { "ws" };
        Ok(format!("{scheme}://{}{}", reachable(address_of(listener)?), parts::client_path(settings)))
    }

    /// Where the status server is.
    fn status_url(&self, listener: Option<&TcpListener>) -> anyhow::Result<Option<String>> {
        listener.map(|listener| Ok(format!("http://{}", reachable(address_of(listener)?)))).transpose()
    }
}

/// Says that the process is ready, and where: one line for programs.
fn tell_ready(addresses: &serde_json::Value) -> anyhow::Result<()> {
    output::line(format_args!("ready {addresses}"))
}
