//! What leaves the worker and comes back by others' hands: sessions' states, and clients' resume tokens. Both are signed with
//! keys that follow from the cluster secret, so that any worker of the cluster can read them and nobody else can make them.

mod state;
mod token;
mod watches;

pub(crate) use state::Unsealed;

use aws_lc_rs::hmac;
use bytes::Bytes;
use ringway_rpc::ClusterSecret;

/// The length of a signature: HMAC-SHA-256 (RFC 2104), cut to 128 bits.
const TAG_BYTES: usize = 16;

/// Signs and checks.
pub(crate) struct Seal {
    states: hmac::Key,
    tokens: hmac::Key,
}

/// What came back was not made by a worker of this cluster, or by one of another version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SealError {
    #[error("it was not signed with this cluster's secret")]
    Signature,
    #[error("it cannot be read: {0}")]
    Unreadable(String),
}

impl Seal {
    pub(crate) fn new(secret: &ClusterSecret) -> Self {
        let key = |purpose: &str| {
            let root = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
            hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&root, purpose.as_bytes()).as_ref())
        };
        Seal { states: key("ringway session state 1"), tokens: key("ringway resume token 1") }
    }
}

/// The signature and the bytes behind it.
fn sealed(key: &hmac::Key, bytes: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(TAG_BYTES + bytes.len());
    sealed.extend_from_slice(&hmac::sign(key, bytes).as_ref()[..TAG_BYTES]);
    sealed.extend_from_slice(bytes);
    sealed
}

/// The bytes behind a signature that is right.
fn opened(key: &hmac::Key, sealed: &Bytes) -> Result<Bytes, SealError> {
    use subtle::ConstantTimeEq as _;
    let (tag, bytes) = sealed.split_at_checked(TAG_BYTES).ok_or(SealError::Signature)?;
    let expected = hmac::sign(key, bytes);
    let is_right: bool = expected.as_ref()[..TAG_BYTES].ct_eq(tag).into();
    if is_right { Ok(sealed.slice(TAG_BYTES..)) } else { Err(SealError::Signature) }
}
