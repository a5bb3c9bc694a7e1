//! What is read of a request: its body within bounds, and the header `Idempotency-Key`.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, EXPECT};
use http::{HeaderMap, HeaderName};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use ringway_body::whole;
use tokio::time::timeout;

use crate::config::ApiConfig;
use crate::refusal::Refusal;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// How long, and how much, is read of a body that nobody wants, so that the refusal is not lost to a reset.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(1);
const DISCARD_BYTES_MAX: usize = 256 * 1024;

/// The body of a request that must be JSON.
pub(crate) async fn json_body(
    headers: &HeaderMap,
    body: &mut Incoming,
    config: &ApiConfig,
) -> Result<Bytes, Refusal> {
    if !is_json(headers) {
        return Err(Refusal::NotJson);
    }
    let too_large = || Refusal::BodyTooLarge { bytes_max: config.body_bytes_max };
    if body.size_hint().lower() > config.body_bytes_max as u64 {
        return Err(too_large());
    }
    match timeout(config.body_timeout, whole(body, config.body_bytes_max)).await {
        Ok(Ok(Some(whole))) => Ok(whole),
        Ok(Ok(None)) => Err(too_large()),
        Ok(Err(error)) => Err(Refusal::Invalid(format!("the body cannot be read: {error}"))),
        Err(_) => Err(Refusal::BodyTooSlow),
    }
}

/// Reads on and forgets, for a moment. Who waits to be asked for the body (RFC 9110 section 10.1.1) is not asked.
pub(crate) async fn discard(headers: &HeaderMap, body: &mut Incoming) {
    if headers.contains_key(EXPECT) {
        return;
    }
    let reading = async {
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, Bytes::len);
            if bytes > DISCARD_BYTES_MAX {
                return;
            }
        }
    };
    // What has not come by then will not be waited for: the connection is closed.
    timeout(DISCARD_TIMEOUT, reading).await.ok();
}

/// The key that makes a request the same as an earlier one, as it stands or in quotes.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    let key = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    match is_key && values.next().is_none() {
        true => Ok(Some(key.to_owned())),
        false => Err(Refusal::Invalid(
            "`Idempotency-Key` must be visible ASCII characters, and stand there once".to_owned(),
        )),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_as_it_stands_or_in_quotes() {
        let cases = [
            (&["order-17"] as &[&str], Some(Some("order-17"))),
            (&["\"order-17\""], Some(Some("order-17"))),
            (&[], Some(None)),
            (&[""], None),
            (&["\"\""], None),
            (&["\""], None),
            (&["a b"], None),
            (&["a", "b"], None),
        ];
        for (values, expected) in cases {
            let headers = values.iter().map(|value| (IDEMPOTENCY_KEY, value.parse().unwrap())).collect();
            let got = idempotency_key(&headers).ok();
            assert_eq!(got.as_ref().map(Option::as_deref), expected, "{values:?}");
        }
    }

    #[test]
    fn only_json_is_json() {
        let cases = [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/x-www-form-urlencoded", false),
            ("text/plain", false),
            ("application/jsonp", false),
            ("", false),
        ];
        for (value, expected) in cases {
            let headers = [(CONTENT_TYPE, value.parse().unwrap())].into_iter().collect();
            assert_eq!(is_json(&headers), expected, "{value}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
