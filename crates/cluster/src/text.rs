//! A member in text, as registries keep it that hold documents: everything but its id, which is the document's key.
//!
//! It is part of what nodes of different versions read of each other: fields may be added, and those that a reader does not
//! know are passed over; none may change its meaning. Whoever writes documents says in them, or in their keys, which version
//! of the form they have.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use ringway_ring::{MemberId, Weight};
use serde::{Deserialize, Serialize};

use crate::member::Member;

/// The fields of a document. To be flattened into one that has more.
#[derive(Debug, Deserialize, Serialize)]
pub struct MemberText {
    incarnation: u64,
    rpc_url: String,
    weight: u32,
    state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    zone: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
}

/// A field does not say what it should.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("its {field} is refused: {problem}")]
pub struct MemberTextError {
    field: &'static str,
    problem: String,
}

impl MemberText {
    /// The text of a member.
    pub fn of(member: &Member) -> Self {
        let Member { id: _, incarnation, rpc_url, weight, state, client_url, zone, labels } = member;
        Self {
            incarnation: *incarnation,
            rpc_url: rpc_url.to_string(),
            weight: u32::from(*weight),
            state: state.to_string(),
            client_url: client_url.clone(),
            zone: zone.clone(),
            labels: labels.clone(),
        }
    }

    /// The member of this id.
    ///
    /// # Errors
    /// [`MemberTextError`] names the first field that is not right.
    pub fn into_member(self, id: MemberId) -> Result<Member, MemberTextError> {
        Ok(Member {
            id,
            incarnation: self.incarnation,
            rpc_url: parsed("rpc_url", &self.rpc_url)?,
            weight: Weight::new(self.weight).map_err(|problem| refused("weight", &problem))?,
            state: parsed("state", &self.state)?,
            client_url: self.client_url,
            zone: self.zone,
            labels: self.labels,
        })
    }
}

fn parsed<T: FromStr<Err: fmt::Display>>(field: &'static str, text: &str) -> Result<T, MemberTextError> {
    text.parse().map_err(|problem| refused(field, &problem))
}

fn refused(field: &'static str, problem: &dyn fmt::Display) -> MemberTextError {
    MemberTextError { field, problem: problem.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::MemberState;

    fn member() -> Member {
        Member {
            incarnation: u64::MAX,
            state: MemberState::Draining,
            zone: Some("zone \"a\"".to_owned()),
            labels: BTreeMap::from([("ü".to_owned(), "\n".to_owned())]),
            ..Member::new("w/1".parse().unwrap(), "http://127.0.0.1:7071".parse().unwrap())
        }
    }

    fn read(text: &str) -> Result<Member, String> {
        let text: MemberText = serde_json::from_str(text).map_err(|error| error.to_string())?;
        text.into_member(member().id).map_err(|error| error.to_string())
    }

    #[test]
    fn a_member_comes_back_as_it_was() {
        let text = serde_json::to_string(&MemberText::of(&member())).unwrap();
        assert_eq!(read(&text), Ok(member()));
    }

    #[test]
    fn fields_of_later_versions_are_passed_over_and_wrong_ones_are_named() {
        let right = r#"{"incarnation":2,"rpc_url":"http://a:1","weight":3,"state":"active","new":[]}"#;
        assert_eq!(read(right).unwrap().weight.get(), 3);
        let wrong = [
            ("http://a:1", "http://a", "its rpc_url is refused"),
            ("3", "101", "its weight is refused"),
            ("active", "odd", "its state is refused: \"odd\" is none of"),
        ];
        for (from, to, expected) in wrong {
            let error = read(&right.replace(from, to)).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
        assert!(read("{}").unwrap_err().starts_with("missing field"));
    }
}
