//! What operators see: log lines on stderr, metrics, and the small HTTP server that shows them.

mod logs;
mod metrics;
mod status;

pub(crate) use logs::{start_logs, start_quiet_logs};
pub(crate) use metrics::{Metrics, start_metrics};
pub(crate) use status::{StatusServer, serve_status};
