//! Connects by TCP, and fails fast for a moment after a failure.
//!
//! Calls wait in one line for their channel's connection, and the channel tries to connect once for each of them.
//! Without a pause between attempts, ten calls to a host that is down would wait for ten connect timeouts, one after
//! the other. So an attempt that follows a failed one too closely fails with the same words, at once.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tower::{BoxError, Service};

use crate::PoolConfig;

/// A connector of one channel.
#[derive(Clone)]
pub(crate) struct FailFastConnector {
    http: HttpConnector,
    reconnect_delay: Duration,
    connect_timeout: Duration,
    last_failure: Arc<Mutex<Option<Failure>>>,
}

struct Failure {
    at: Instant,
    words: String,
}

/// The node could not be connected to, now or a moment ago.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct ConnectFailed(String);

impl FailFastConnector {
    pub(crate) fn new(config: &PoolConfig) -> Self {
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        FailFastConnector {
            http,
            reconnect_delay: config.reconnect_delay,
            connect_timeout: config.connect_timeout,
            last_failure: Arc::default(),
        }
    }

    fn failed_just_now(&self) -> Option<ConnectFailed> {
        let failure = self.last_failure.lock();
        let failure = failure.as_ref().filter(|failure| failure.at.elapsed() < self.reconnect_delay)?;
        Some(ConnectFailed(failure.words.clone()))
    }

    async fn connect(mut self, uri: Uri) -> Result<TokioIo<TcpStream>, BoxError> {
        if let Some(failed) = self.failed_just_now() {
            return Err(failed.into());
        }
        let words = match tokio::time::timeout(self.connect_timeout, self.http.call(uri)).await {
            Ok(Ok(io)) => {
                *self.last_failure.lock() = None;
                return Ok(io);
            }
            Ok(Err(error)) => innermost(&error),
            Err(_) => format!("no connection within {} ms", self.connect_timeout.as_millis()),
        };
        *self.last_failure.lock() = Some(Failure { at: Instant::now(), words: words.clone() });
        Err(ConnectFailed(words).into())
    }
}

impl Service<Uri> for FailFastConnector {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.http.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

/// The cause at the bottom, which is what an operator wants to read ("connection refused").
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connector() -> FailFastConnector {
        let config = PoolConfig { reconnect_delay: Duration::from_millis(500), ..PoolConfig::default() };
        FailFastConnector::new(&config)
    }

    #[tokio::test]
    async fn an_attempt_after_a_failure_fails_at_once_and_later_ones_try_again() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri: Uri = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let connector = connector();
        let failure = Failure { at: Instant::now(), words: "host is down".into() };
        *connector.last_failure.lock() = Some(failure);

        let error = connector.clone().connect(uri.clone()).await.unwrap_err();
        assert_eq!(error.to_string(), "host is down");

        let long_ago = Instant::now() - Duration::from_secs(1);
        *connector.last_failure.lock() = Some(Failure { at: long_ago, words: "host is down".into() });
        connector.clone().connect(uri).await.unwrap();
        assert!(connector.last_failure.lock().is_none());
    }

    #[tokio::test]
    async fn a_refused_connection_is_remembered_in_words() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri: Uri = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        drop(listener);
        let connector = connector();
        let error = connector.clone().connect(uri).await.unwrap_err();
        assert!(error.to_string().to_lowercase().contains("refused"), "{error}");
        assert!(connector.failed_just_now().is_some());
    }
}
