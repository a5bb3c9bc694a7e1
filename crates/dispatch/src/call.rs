//! One call, inside a deadline, to one node; and the deadline of a call that came in.

use std::future::Future;
use std::time::Duration;

use ringway_proto::{Reason, Refusal};
use ringway_rpc::NodeUrl;
use tokio::time::{Instant, timeout_at};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

/// How much longer than the caller the called node may think that there is time: the caller's own clock decides.
const TIMEOUT_SLACK: Duration = Duration::from_millis(250);

/// Until when a call that came in may take: as long as its caller waits by `grpc-timeout`, at most `timeout_max`, which
/// also holds when the caller does not say, or says it wrongly.
pub fn deadline_of(metadata: &MetadataMap, timeout_max: Duration) -> Instant {
    Instant::now() + time_of(metadata).map_or(timeout_max, |time| time.min(timeout_max))
}

/// The time that `grpc-timeout` gives (gRPC over HTTP/2, "Timeout"): at most eight digits and a unit.
fn time_of(metadata: &MetadataMap) -> Option<Duration> {
    let value = metadata.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callers_time_is_read_by_its_unit() {
        let cases = [
            ("0n", Some(Duration::ZERO)),
            ("20n", Some(Duration::from_nanos(20))),
            ("300u", Some(Duration::from_micros(300))),
            ("1500m", Some(Duration::from_millis(1500))),
            ("00000004S", Some(Duration::from_secs(4))),
            ("2M", Some(Duration::from_secs(120))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3600))),
            ("000000001S", None),
            ("", None),
            ("S", None),
            ("1", None),
            ("1s", None),
            ("+1S", None),
            ("-1S", None),
            ("1.5S", None),
        ];
        for (value, expected) in cases {
            let mut metadata = MetadataMap::new();
            metadata.insert("grpc-timeout", value.parse().unwrap());
            assert_eq!(time_of(&metadata), expected, "{value:?}");
        }
        assert_eq!(time_of(&MetadataMap::new()), None);
    }

    #[test]
    fn a_caller_may_shorten_the_time_but_not_extend_it() {
        let timeout_max = Duration::from_secs(50);
        for (value, seconds) in [("10S", 10), ("99999999H", 50), ("soon", 50)] {
            let mut metadata = MetadataMap::new();
            metadata.insert("grpc-timeout", value.parse().unwrap());
            let before = Instant::now();
            let deadline = deadline_of(&metadata, timeout_max);
            let expected = Duration::from_secs(seconds);
            assert!(deadline >= before + expected && deadline <= Instant::now() + expected, "{value}");
        }
    }
}
