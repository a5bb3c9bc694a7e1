//! The sink: posts batches, signed, and takes the receiver's word for what becomes of them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::StatusCode;
use ringway_proto::v1::Event;
use tracing::warn;

use super::http::{Client, HttpError};
use super::sign::{SIGNATURE_HEADER, signature};
use super::verdict::{Verdict, judge};
use crate::cloudevent;
use crate::config::{OnRefused, WebhookConfig};
use crate::metrics::SinkMetrics;
use crate::pump::Sink;

/// CloudEvents in a JSON array (CloudEvents JSON format 1.0 section 4).
const CONTENT_TYPE: &str = "application/cloudevents-batch+json";

/// Why events could not be posted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebhookError {
    /// There was no answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The receiver does not take them now.
    #[error("the webhook's receiver answered {0}")]
    Status(StatusCode),
    /// It took too long.
    #[error("the webhook's receiver did not answer within {}", humantime::format_duration(*.0))]
    Timeout(Duration),
}

/// The sink.
pub(crate) struct Webhook {
    config: WebhookConfig,
    client: Client,
}

impl Webhook {
    pub(crate) fn new(config: WebhookConfig) -> Self {
        let client = Client::new(config.url.clone(), &config.trust);
        Webhook { config, client }
    }

    async fn post(&mut self, events: &[Event], metrics: &SinkMetrics) -> Result<(), WebhookError> {
        let status = self.request(events).await?;
        match judge(status) {
            Verdict::Taken => metrics.taken.increment(events.len() as u64),
            Verdict::Refused if self.config.on_refused == OnRefused::Drop => {
                warn!(%status, events = events.len(), "the webhook's receiver refuses events: they are dropped");
                metrics.dropped.increment(events.len() as u64);
            }
            Verdict::Refused | Verdict::Again => return Err(WebhookError::Status(status)),
        }
        Ok(())
    }

    async fn request(&mut self, events: &[Event]) -> Result<StatusCode, WebhookError> {
        let events: Vec<_> = events.iter().map(cloudevent::json).collect();
        let body = Bytes::from(serde_json::Value::Array(events).to_string());
        let mut headers = vec![("content-type", CONTENT_TYPE.to_owned())];
        if let Some(secret) = &self.config.secret {
            headers.push((SIGNATURE_HEADER, signature(secret, now_seconds(), &body)));
        }
        let timeout = self.config.timeout;
        let answered = tokio::time::timeout(timeout, self.client.post(&headers, body)).await;
        Ok(answered.map_err(|_| WebhookError::Timeout(timeout))??)
    }
}

impl Sink for Webhook {
    const NAME: &'static str = "webhook";

    type Error = WebhookError;

    async fn take(&mut self, events: &[Event], metrics: &SinkMetrics) -> Result<(), WebhookError> {
        for events in events.chunks(self.config.batch_events_max.max(1)) {
            self.post(events, metrics).await?;
        }
        Ok(())
    }
}

fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
