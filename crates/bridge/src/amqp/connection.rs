//! One connection with one channel, and what is seen of its state.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use lapin::tcp::{AsyncTcpStream, RustlsConnector};
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Channel, Connection, ConnectionProperties, Event};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::error::RabbitError;
use crate::config::RabbitConfig;
use crate::metrics::{LinkMetrics, Side};
use crate::trust::{Trust, explained};

/// A connection with a channel that confirms what is published. When it is dropped, the connection is closed, and what was not
/// acknowledged comes again.
pub(crate) struct Link {
    pub(crate) channel: Channel,
    _connection: Connection,
    watch: Watch,
}

impl Link {
    /// Lets what is published take so long. While RabbitMQ takes nothing, that is no reason to give up: what a new connection
    /// publishes would wait as well, and might be there twice in the end.
    ///
    /// # Errors
    /// [`RabbitError::Timeout`], or what it fails with.
    pub(crate) async fn within<T>(
        &self,
        timeout: Duration,
        what: &'static str,
        publishing: impl Future<Output = Result<T, RabbitError>>,
    ) -> Result<T, RabbitError> {
        let mut publishing = pin!(publishing);
        loop {
            match within(timeout, what, publishing.as_mut()).await {
                Err(RabbitError::Timeout { .. }) if self.watch.is_blocked() => {}
                done => return done,
            }
        }
    }
}

/// Shows the connection's state in metrics for as long as it lives.
struct Watch {
    metrics: LinkMetrics,
    blocked: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Watch {
    fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Relaxed)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
        self.metrics.connected.set(0.0);
        self.metrics.blocked.set(0.0);
    }
}

/// Checks a URL.
///
/// # Errors
/// [`RabbitError::Url`].
pub(crate) fn check_url(url: &str) -> Result<AMQPUri, RabbitError> {
    url.parse().map_err(RabbitError::Url)
}

/// Whether a URL asks for TLS.
pub(crate) fn is_tls(uri: &AMQPUri) -> bool {
    uri.scheme == AMQPScheme::AMQPS
}

/// Connects once.
///
/// # Errors
/// [`RabbitError`].
pub(crate) async fn connect(config: &RabbitConfig, side: Side) -> Result<Link, RabbitError> {
    let uri = check_url(&config.url)?;
    let name = format!("ringway bridge, {}", side.label());
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let connecting = async {
        let connection = open(uri, properties, &config.trust).await?;
        let watch = watch(&connection, side);
        let channel = connection.create_channel().await?;
        channel.confirm_select(lapin::options::ConfirmSelectOptions::default()).await?;
        Ok(Link { channel, _connection: connection, watch })
    };
    within(config.timeout, "accept a connection", connecting).await
}

/// Opens a connection over TCP, or over TLS on it. (What the library makes of TLS itself trusts the system in any case.)
async fn open(
    uri: AMQPUri,
    properties: ConnectionProperties,
    trust: &Trust,
) -> Result<Connection, lapin::Error> {
    let connector = is_tls(&uri).then(|| RustlsConnector::from(trust.client_config()));
    Connection::connector(
        uri,
        lapin::runtime::default_runtime()?,
        async move |uri, runtime| {
            let host = uri.authority.host.trim_matches(['[', ']']).to_owned();
            let address = runtime.to_socket_addrs((host.clone(), uri.authority.port));
            let tcp = AsyncTcpStream::connect(&runtime, address).await?;
            match &connector {
                None => Ok(tcp),
                Some(connector) => Ok(tcp.into_rustls(connector, &host).await.map_err(explained)?),
            }
        },
        properties,
    )
    .await
}

/// Lets something take so long.
///
/// # Errors
/// [`RabbitError::Timeout`], or what it fails with.
pub(crate) async fn within<T>(
    timeout: Duration,
    what: &'static str,
    future: impl Future<Output = Result<T, RabbitError>>,
) -> Result<T, RabbitError> {
    let done = tokio::time::timeout(timeout, future).await;
    done.unwrap_or(Err(RabbitError::Timeout { what, timeout }))
}

fn watch(connection: &Connection, side: Side) -> Watch {
    let metrics = LinkMetrics::new(side);
    metrics.connected.set(1.0);
    let (mut events, gauge) = (connection.events_listener(), metrics.blocked.clone());
    let blocked = Arc::new(AtomicBool::new(false));
    let is_blocked = Arc::clone(&blocked);
    let task = tokio::spawn(async move {
        while let Some(event) = events.next().await {
            match event {
                Event::ConnectionBlocked(reason) => {
                    warn!(side = side.label(), reason, "RabbitMQ takes nothing more for now");
                    is_blocked.store(true, Ordering::Relaxed);
                    gauge.set(1.0);
                }
                Event::ConnectionUnblocked => {
                    info!(side = side.label(), "RabbitMQ takes messages again");
                    is_blocked.store(false, Ordering::Relaxed);
                    gauge.set(0.0);
                }
                _ => {}
            }
        }
    });
    Watch { metrics, blocked, task }
}
