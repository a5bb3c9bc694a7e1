//! What the API counts.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

/// Counts something for as long as it is there.
pub(crate) struct Present(&'static str);

impl Present {
    /// A request that is being answered.
    pub(crate) fn request() -> Self {
        Self::new("ringway_api_requests")
    }

    /// A connection.
    pub(crate) fn connection() -> Self {
        Self::new("ringway_api_connections")
    }

    fn new(name: &'static str) -> Self {
        gauge!(name).increment(1.0);
        Self(name)
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        gauge!(self.0).decrement(1.0);
    }
}

/// Counts a request that was answered.
pub(crate) fn answered(operation: &'static str, status: u16, took: Duration) {
    let status = status.to_string();
    counter!("ringway_api_requests_total", "operation" => operation, "status" => status).increment(1);
    histogram!("ringway_api_request_duration_seconds", "operation" => operation).record(took.as_secs_f64());
}

/// Says what they mean.
pub(crate) fn describe() {
    describe_gauge!("ringway_api_connections", "Connections of callers of the HTTP API.");
    describe_gauge!("ringway_api_requests", "Requests of the HTTP API that are being answered.");
    describe_counter!(
        "ringway_api_requests_total",
        "Requests of the HTTP API, by what they asked and status."
    );
    describe_histogram!(
        "ringway_api_request_duration_seconds",
        Unit::Seconds,
        "From a request's head to its answer."
    );
}
