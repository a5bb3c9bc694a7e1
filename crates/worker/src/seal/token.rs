//! Resume tokens: a session's id, signed, in URL-safe base64 without padding.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use bytes::Bytes;
use ringway_session::SessionId;

use super::{Seal, SealError, opened, sealed};

impl Seal {
    /// With what a client goes on with its session.
    pub(crate) fn resume_token(&self, id: SessionId) -> Box<str> {
        BASE64.encode(sealed(&self.tokens, &id.to_bytes())).into()
    }

    /// The session that a token names.
    pub(crate) fn session_of(&self, token: &str) -> Result<SessionId, SealError> {
        let bytes = BASE64.decode(token).map_err(|error| SealError::Unreadable(error.to_string()))?;
        let id = opened(&self.tokens, &Bytes::from(bytes))?;
        SessionId::from_bytes(&id).map_err(|error| SealError::Unreadable(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use ringway_ring::Slot;
    use ringway_rpc::ClusterSecret;

    use super::*;

    #[test]
    fn a_token_names_its_session_in_its_cluster_only() {
        let (ours, theirs) = (Seal::new(&ClusterSecret::generate()), Seal::new(&ClusterSecret::generate()));
        let id = SessionId::new(Slot::of(b"alice"), 7);
        let token = ours.resume_token(id);
        assert_eq!(ours.session_of(&token), Ok(id));
        assert_eq!(theirs.session_of(&token), Err(SealError::Signature));
        for wrong in ["", "!", "AAAA", &token[1..], &format!("{token}A")] {
            assert!(ours.session_of(wrong).is_err(), "{wrong}");
        }
    }
}
