//! A member as a JSON document, which is what its key holds.
//!
//! The document says which version of this format it has. A reader takes documents of its own version, with or without
//! fields that it does not know, and leaves all others alone.

use ringway_cluster::{Member, MemberText, MemberTextError};
use ringway_ring::MemberId;
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;

/// The format, version 1.
#[derive(Deserialize, Serialize)]
struct Document {
    version: u32,
    id: String,
    #[serde(flatten)]
    member: MemberText,
}

/// Why a value is no member.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DocumentError {
    #[error("it is no document of ours: {0}")]
    Json(#[from] serde_json::Error),
    #[error("it has version {0}, this ringway reads version {VERSION}")]
    Version(u32),
    #[error("its id is {found:?}, but it is at the key of {key}")]
    Id { found: String, key: MemberId },
    #[error(transparent)]
    Member(#[from] MemberTextError),
}

/// The document of a member.
pub(crate) fn write(member: &Member) -> Vec<u8> {
    let document = Document { version: VERSION, id: member.id.to_string(), member: MemberText::of(member) };
    serde_json::to_vec(&document).expect("strings and numbers always make a document")
}

/// The member whose document is at this id's key.
pub(crate) fn read(id: MemberId, value: &[u8]) -> Result<Member, DocumentError> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let Versioned { version } = serde_json::from_slice(value)?;
    if version != VERSION {
        return Err(DocumentError::Version(version));
    }
    let Document { id: found, member, .. } = serde_json::from_slice(value)?;
    if found != id.as_str() {
        return Err(DocumentError::Id { found, key: id });
    }
    Ok(member.into_member(id)?)
}

#[cfg(test)]
mod tests {
    use ringway_cluster::MemberState;

    use super::*;

    fn member() -> Member {
        let labels = [("rack".to_owned(), "ü \"12\"\n".to_owned())].into();
        let id = "w/1".parse().expect("a good name");
        let rpc_url = "http://10.0.0.1:7000".parse().expect("a good url");
        Member {
            incarnation: u64::MAX,
            state: MemberState::Draining,
            zone: Some("z".to_owned()),
            labels,
            ..Member::new(id, rpc_url)
        }
    }

    #[test]
    fn a_member_comes_back_as_it_was() {
        let member = member();
        assert_eq!(read(member.id.clone(), &write(&member)).expect("it is a document"), member);
    }

    #[test]
    fn fields_of_later_ringways_are_passed_over() {
        let text = r#"{"version":1,"id":"w","incarnation":1,"rpc_url":"http://h:1","weight":2,"state":"active","new":[]}"#;
        let member = read("w".parse().expect("a good name"), text.as_bytes()).expect("it is a document");
        assert_eq!((member.incarnation, member.weight.get(), member.zone), (1, 2, None));
    }

    #[test]
    fn what_is_no_member_says_why() {
        let good = String::from_utf8(write(&member())).expect("JSON is UTF-8");
        for (value, expected) in [
            (String::new(), "it is no document of ours"),
            ("[]".to_owned(), "it is no document of ours"),
            (
                good.replace("\"version\":1", "\"version\":2"),
                "it has version 2, this ringway reads version 1",
            ),
            (good.replace("w/1", "w2"), "its id is \"w2\", but it is at the key of w/1"),
            (good.replace("http://10.0.0.1:7000", "nowhere"), "its rpc_url is refused"),
            (good.replace("\"weight\":1", "\"weight\":1000"), "its weight is refused"),
            (good.replace("draining", "asleep"), "its state is refused: \"asleep\" is none of"),
        ] {
            let error = read(member().id, value.as_bytes()).expect_err(&value).to_string();
            assert!(error.starts_with(expected), "{value}: {error}");
        }
    }
}
