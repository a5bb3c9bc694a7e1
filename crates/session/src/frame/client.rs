//! What a client says, read without trust.

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::FrameError;
use super::presence;
use crate::name::UserId;

/// The longest `ref` of a client, in bytes.
pub const REF_BYTES_MAX: usize = 64;

/// What a client says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientFrame {
    /// It has all messages up to this offset.
    Ack {
        /// The offset.
        offset: u64,
    },
    /// It watches these users from now on.
    Watch {
        /// Whom.
        users: Vec<UserId>,
    },
    /// It watches these users no more.
    Unwatch {
        /// Whom.
        users: Vec<UserId>,
    },
}

/// As a client sends it, without a name of its own.
impl fmt::Display for ClientFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientFrame::Ack { offset } => write!(f, "{{\"type\":\"ack\",\"offset\":{offset}}}"),
            ClientFrame::Watch { users } => f.write_str(&presence::written("watch", users)),
            ClientFrame::Unwatch { users } => f.write_str(&presence::written("unwatch", users)),
        }
    }
}

/// A client's frame with its own name for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FromClient {
    /// Comes back in the answer.
    pub reference: Option<String>,
    /// What it says.
    pub frame: Result<ClientFrame, FrameError>,
}

/// Reads a client's frame. Members that its type does not have are passed over.
pub fn parse(text: &[u8]) -> FromClient {
    match Members::read(text) {
        Ok(members) => match members.reference() {
            Ok(reference) => FromClient { reference, frame: members.frame() },
            Err(error) => FromClient { reference: None, frame: Err(error) },
        },
        Err(error) => FromClient { reference: None, frame: Err(error) },
    }
}

/// The members of all frames together, not looked into: one that is not as it should be does not hide the others.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    r#type: Option<&'a RawValue>,
    #[serde(borrow)]
    r#ref: Option<&'a RawValue>,
    #[serde(borrow)]
    offset: Option<&'a RawValue>,
    #[serde(borrow)]
    users: Option<&'a RawValue>,
}

impl<'a> Members<'a> {
    fn read(text: &'a [u8]) -> Result<Self, FrameError> {
        let text = std::str::from_utf8(text).map_err(|_| unreadable("it is not UTF-8"))?;
        // Serde would take an array for the members in their order.
        if !text.trim_start().starts_with('{') {
            return Err(unreadable("it is no JSON object"));
        }
        serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))
    }

    fn reference(&self) -> Result<Option<String>, FrameError> {
        let reference = self.r#ref.map(|raw| member::<String>("ref", raw)).transpose()?;
        match reference.as_ref().map_or(0, String::len) {
            0..=REF_BYTES_MAX => Ok(reference),
            bytes => {
                Err(unreadable(format!("its ref has {bytes} bytes; at most {REF_BYTES_MAX} are allowed")))
            }
        }
    }

    fn frame(&self) -> Result<ClientFrame, FrameError> {
        match required::<String>("type", self.r#type)?.as_str() {
            "ack" => Ok(ClientFrame::Ack { offset: required("offset", self.offset)? }),
            "watch" => Ok(ClientFrame::Watch { users: presence::users(self.users)? }),
            "unwatch" => Ok(ClientFrame::Unwatch { users: presence::users(self.users)? }),
            other => Err(FrameError::UnknownType(other.to_owned())),
        }
    }
}

pub(super) fn required<'a, T: Deserialize<'a>>(
    name: &str,
    raw: Option<&'a RawValue>,
) -> Result<T, FrameError> {
    raw.map_or_else(|| Err(unreadable(format!("it has no {name}"))), |raw| member(name, raw))
}

fn member<'a, T: Deserialize<'a>>(name: &str, raw: &'a RawValue) -> Result<T, FrameError> {
    serde_json::from_str(raw.get()).map_err(|error| unreadable(format!("its {name} is wrong: {error}")))
}

pub(super) fn unreadable(why: impl Into<String>) -> FrameError {
    FrameError::Unreadable(why.into())
}
