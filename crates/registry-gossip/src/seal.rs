//! The form of a datagram, and the seal that keeps strangers out.
//!
//! `version (1) | life (8) | at (8) | message | tag (32)`, numbers in network order. The tag is HMAC-SHA256 (RFC 2104)
//! over everything before it, with a key derived from the cluster secret and the cluster's name. What has no valid tag is
//! never looked into.

use aws_lc_rs::hmac;
use ringway_rpc::ClusterSecret;

/// The version of this form.
const VERSION: u8 = 1;
/// How long a mark is.
const MARK_BYTES: usize = 16;
/// What stands before the message.
const HEAD_BYTES: usize = 1 + MARK_BYTES;
/// How long a tag is.
const TAG_BYTES: usize = 32;
/// What the key is for, so that no other key made of the secret is the same.
const PURPOSE: &[u8] = b"ringway gossip 1\0";

/// Which process asked, and when by its own clock. An answer gives back the mark of its question.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Mark {
    /// A number of the process.
    pub(crate) life: u64,
    /// Nanoseconds of its clock.
    pub(crate) at: u64,
}

/// Why a datagram is dropped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unsealed {
    /// It is shorter than anything of ours.
    Short,
    /// Its tag is not valid: it was made without the secret, or for another cluster, or was changed on the way.
    Tag,
    /// It is sealed, but has another form.
    Version,
}

impl Unsealed {
    /// The reason's name in metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Tag => "tag",
            Self::Version => "version",
        }
    }
}

/// Seals and opens datagrams.
pub(crate) struct Seal(hmac::Key);

impl Seal {
    /// The seal of those who have this secret, in the cluster of this name.
    pub(crate) fn new(secret: &ClusterSecret, cluster: &str) -> Self {
        let master = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
        let derived = hmac::sign(&master, &[PURPOSE, cluster.as_bytes()].concat());
        Self(hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()))
    }

    /// Makes a datagram in `datagram`, of what `write` appends.
    pub(crate) fn close(&self, mark: Mark, datagram: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        datagram.clear();
        datagram.push(VERSION);
        datagram.extend_from_slice(&mark.life.to_be_bytes());
        datagram.extend_from_slice(&mark.at.to_be_bytes());
        write(datagram);
        let tag = hmac::sign(&self.0, datagram);
        datagram.extend_from_slice(tag.as_ref());
    }

    /// The mark and the message of a datagram that was sealed with the same secret.
    pub(crate) fn open<'a>(&self, datagram: &'a [u8]) -> Result<(Mark, &'a [u8]), Unsealed> {
        let length = datagram.len().checked_sub(TAG_BYTES).filter(|length| *length >= HEAD_BYTES);
        let (sealed, tag) = datagram.split_at(length.ok_or(Unsealed::Short)?);
        hmac::verify(&self.0, sealed, tag).map_err(|_| Unsealed::Tag)?;
        let (head, message) = sealed.split_at(HEAD_BYTES);
        if head[0] != VERSION {
            return Err(Unsealed::Version);
        }
        Ok((Mark { life: number(&head[1..9]), at: number(&head[9..]) }, message))
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: Mark = Mark { life: 0x0102_0304_0506_0708, at: u64::MAX };

    fn seal(secret: &str, cluster: &str) -> Seal {
        Seal::new(&ClusterSecret::new(secret).unwrap(), cluster)
    }

    fn closed(seal: &Seal) -> Vec<u8> {
        let mut datagram = b"left over".to_vec();
        seal.close(MARK, &mut datagram, |message| message.extend_from_slice(b"hello"));
        datagram
    }

    #[test]
    fn what_is_sealed_is_opened() {
        let seal = seal("0123456789abcdef", "a");
        assert_eq!(seal.open(&closed(&seal)), Ok((MARK, &b"hello"[..])));
    }

    #[test]
    fn strangers_and_other_clusters_are_not_heard() {
        let ours = seal("0123456789abcdef", "a");
        for other in [seal("0123456789abcdeF", "a"), seal("0123456789abcdef", "b")] {
            assert_eq!(ours.open(&closed(&other)), Err(Unsealed::Tag));
        }
    }

    #[test]
    fn a_datagram_counts_only_as_it_was_sealed() {
        let seal = seal("0123456789abcdef", "a");
        let whole = closed(&seal);
        for position in 0..whole.len() {
            let mut changed = whole.clone();
            changed[position] ^= 1;
            assert_eq!(seal.open(&changed), Err(Unsealed::Tag), "byte {position}");
        }
        for length in 0..whole.len() {
            assert!(seal.open(&whole[..length]).is_err(), "{length} bytes");
        }
    }
}
