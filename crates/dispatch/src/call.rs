//! One call, inside a deadline, to one node.

use std::future::Future;
use std::time::Duration;

use ringway_proto::{Reason, Refusal};
use ringway_rpc::NodeUrl;
use tokio::time::{Instant, timeout_at};
use tonic::{Request, Response, Status};

/// How much longer than the caller the called node may think that there is time: the caller's own clock decides.
const TIMEOUT_SLACK: Duration = Duration::from_millis(250);

/// A request that tells the node how long the caller waits.
pub(crate) fn request<T>(message: T, deadline: Instant) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(deadline.saturating_duration_since(Instant::now()) + TIMEOUT_SLACK);
    request
}

/// Waits for the answer, at most until the deadline. Dropping it cancels the call at the node.
pub(crate) async fn answer<T>(
    url: &NodeUrl,
    deadline: Instant,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Refusal> {
    if deadline <= Instant::now() {
        return Err(Refusal::new(
            Reason::DeadlineExceeded,
            "the deadline had passed before the call was made",
        ));
    }
    match timeout_at(deadline, call).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) => Err(Refusal::from_status(&status)),
        Err(_) => {
            Err(Refusal::new(Reason::DeadlineExceeded, format!("{url} did not answer before the deadline")))
        }
    }
}
