//! A member as it stands in the gossip: one key with one value, so that it arrives whole or not at all.
//!
//! The key is `member/1/` and the id; the number is the version of the form. A later form gets keys of its own, and
//! nodes pass over keys that they do not know. The value is JSON.

use ringway_cluster::{Member, MemberText, MemberTextError, RegistryError};
use ringway_ring::MemberId;
use serde::{Deserialize, Serialize};

/// What every member's key begins with.
pub(crate) const PREFIX: &str = "member/1/";
/// The key of a node that has gone for good.
pub(crate) const LEFT: &str = "left/1";
/// The longest value, so that many members fit into one datagram.
const BYTES_MAX: usize = 8 << 10;

/// A member, and how recently it joined.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Record {
    /// Of two records of one id the higher one counts. About the milliseconds since 1970, and in any case higher than in
    /// every record of this id that its maker knew.
    pub(crate) joined: u64,
    /// The member.
    pub(crate) member: Member,
}

/// Why a value is no member.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error(transparent)]
    Form(#[from] serde_json::Error),
    #[error("its key names no member: {0}")]
    Id(String),
    #[error(transparent)]
    Member(#[from] MemberTextError),
}

#[derive(Serialize, Deserialize)]
struct Text {
    joined: u64,
    #[serde(flatten)]
    member: MemberText,
}

impl Record {
    /// Of two records of one id, whether this one joined later. Where that cannot be told apart the incarnations decide,
    /// so that every node decides alike.
    pub(crate) fn is_after(&self, other: &Self) -> bool {
        let rank = |record: &Self| (record.joined, record.member.incarnation);
        rank(self) > rank(other)
    }

    /// Its key.
    pub(crate) fn key(id: &MemberId) -> String {
        format!("{PREFIX}{id}")
    }

    /// Its value. A record that [`fits`] has one.
    pub(crate) fn to_value(&self) -> String {
        let text = Text { joined: self.joined, member: MemberText::of(&self.member) };
        serde_json::to_string(&text).expect("numbers, texts and a map of texts are JSON")
    }

    /// The record of a key without its prefix and a value.
    pub(crate) fn parse(id: &str, value: &str) -> Result<Self, RecordError> {
        let Text { joined, member } = serde_json::from_str(value)?;
        let id: MemberId = id.parse().map_err(|error| RecordError::Id(format!("{error}")))?;
        Ok(Self { joined, member: member.into_member(id)? })
    }
}

/// Whether a member is small enough to travel.
pub(crate) fn fits(member: &Member) -> Result<(), RegistryError> {
    let bytes = Record { joined: u64::MAX, member: member.clone() }.to_value().len();
    if bytes <= BYTES_MAX {
        return Ok(());
    }
    Err(RegistryError::TooLarge { id: member.id.clone(), bytes, bytes_max: BYTES_MAX })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ringway_cluster::MemberState;

    use super::*;

    fn member() -> Member {
        Member {
            incarnation: u64::MAX,
            state: MemberState::Draining,
            zone: Some("zone \"a\"".to_owned()),
            labels: BTreeMap::from([("ü".to_owned(), "\n".to_owned())]),
            ..Member::new("w/1".parse().unwrap(), "http://127.0.0.1:7071".parse().unwrap())
        }
    }

    #[test]
    fn a_record_survives_the_way() {
        let record = Record { joined: 7, member: member() };
        let key = Record::key(&record.member.id);
        let parsed = Record::parse(key.strip_prefix(PREFIX).unwrap(), &record.to_value()).unwrap();
        assert_eq!(parsed, record);
    }

    #[test]
    fn what_is_no_member_is_refused_and_what_is_new_is_passed_over() {
        let parse = |value: &str| Record::parse("w1", value).map_err(|error| error.to_string());
        let right =
            r#"{"joined":1,"incarnation":2,"rpc_url":"http://a:1","weight":3,"state":"active","new":0}"#;
        assert_eq!(parse(right).unwrap().member.weight.get(), 3);
        let error = parse(&right.replace("active", "odd")).unwrap_err();
        assert!(error.starts_with("its state is refused"), "{error}");
        assert!(parse("").is_err());
    }

    #[test]
    fn a_member_that_says_too_much_is_refused() {
        assert!(fits(&member()).is_ok());
        let wordy = Member { zone: Some("x".repeat(BYTES_MAX)), ..member() };
        assert!(matches!(fits(&wordy), Err(RegistryError::TooLarge { .. })));
    }
}
