//! One connection with one channel, and what is seen of its state.

use std::time::Duration;

use futures_util::StreamExt as _;
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties, Event};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::error::RabbitError;
use crate::config::RabbitConfig;
use crate::metrics::{LinkMetrics, Side};

/// A connection with a channel that confirms what is published. When it is dropped, the connection is closed, and what was not
/// acknowledged comes again.
pub(crate) struct Link {
    pub(crate) channel: Channel,
    _connection: Connection,
    _watch: Watch,
}

/// Shows the connection's state in metrics for as long as it lives.
struct Watch {
    metrics: LinkMetrics,
    task: JoinHandle<()>,
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

/// Connects once.
///
/// # Errors
/// [`RabbitError`].
pub(crate) async fn connect(config: &RabbitConfig, side: Side) -> Result<Link, RabbitError> {
    let uri = check_url(&config.url)?;
    let name = format!("ringway bridge, {}", side.label());
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let connecting = async {
        let connection = Connection::connect_uri(uri, properties).await?;
        let watch = watch(&connection, side);
        let channel = connection.create_channel().await?;
        channel.confirm_select(lapin::options::ConfirmSelectOptions::default()).await?;
        Ok(Link { channel, _connection: connection, _watch: watch })
    };
    within(config.timeout, "accept a connection", connecting).await
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
    let (mut events, blocked) = (connection.events_listener(), metrics.blocked.clone());
    let task = tokio::spawn(async move {
        while let Some(event) = events.next().await {
            match event {
                Event::ConnectionBlocked(reason) => {
                    warn!(side = side.label(), reason, "RabbitMQ takes nothing more for now");
                    blocked.set(1.0);
                }
                Event::ConnectionUnblocked => {
                    info!(side = side.label(), "RabbitMQ takes messages again");
                    blocked.set(0.0);
                }
                _ => {}
            }
        }
    });
    Watch { metrics, task }
}
