//! The signature of a request, pure. It covers the time, so that a request cannot be sent again by others much later.

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};

/// The header of the signature.
pub const SIGNATURE_HEADER: &str = "ringway-signature";

/// `t=SECONDS,v1=HEX`, where HEX is the HMAC-SHA256 (RFC 2104) of `SECONDS.BODY` under the secret.
pub fn signature(secret: &str, unix_seconds: u64, body: &[u8]) -> String {
    let mut signed = format!("{unix_seconds}.").into_bytes();
    signed.extend_from_slice(body);
    let tag = sign(&Key::new(HMAC_SHA256, secret.as_bytes()), &signed);
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={unix_seconds},v1={hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected values are those of `printf '%s' "$T.$BODY" | openssl dgst -sha256 -hmac "$SECRET"`.
    #[test]
    fn the_signature_is_the_one_that_others_compute() {
        let cases = [
            (
                "secret",
                1_700_000_000,
                "[]",
                "t=1700000000,v1=74f76d8933679a54d6be8c7560a5233b124658241ca5a3b0f09af80d3ea60d78",
            ),
            (
                "another secret",
                1,
                "{\"a\":1}",
                "t=1,v1=5bf37e6f8c08d394aa1bebdbb9205ae2ae4e4242eb3b36d0b20eecb15867efb6",
            ),
        ];
        for (secret, time, body, expected) in cases {
            assert_eq!(signature(secret, time, body.as_bytes()), expected);
        }
    }
}
