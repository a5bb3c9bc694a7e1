//! What a client says, read without trust.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::FrameError;
use super::presence;
use crate::name::{GroupId, NameError, UserId};
use crate::payload::{Kind, Payload};

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
    /// It wants to be a member of a group.
    Join {
        /// The group.
        group: GroupId,
    },
    /// It wants to be a member no more.
    Leave {
        /// The group.
        group: GroupId,
    },
    /// A message for others.
    Send(ClientSend),
    /// A message for the back end.
    Event(ClientEvent),
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

/// A message of a client for other clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSend {
    /// To whom.
    pub to: Recipient,
    /// Its id; empty: the cluster makes one.
    pub id: String,
    /// What it is about; may be empty.
    pub topic: String,
    /// What it says.
    pub payload: Payload,
}

/// To whom a client sends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Recipient {
    /// To all sessions of a user.
    User(UserId),
    /// To all other members of a group.
    Group(GroupId),
}

/// A message of a client for the back end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientEvent {
    /// What it is about; never empty.
    pub topic: String,
    /// What it says.
    pub payload: Payload,
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
    group: Option<&'a RawValue>,
    #[serde(borrow)]
    to: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    topic: Option<&'a RawValue>,
    /// `null` is a value like any other: an `Option` alone would take it for nothing.
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    base64: Option<&'a RawValue>,
    #[serde(borrow)]
    users: Option<&'a RawValue>,
}

/// The member `to`.
#[derive(Deserialize)]
struct To {
    user: Option<String>,
    group: Option<String>,
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
            "join" => Ok(ClientFrame::Join { group: self.group()? }),
            "leave" => Ok(ClientFrame::Leave { group: self.group()? }),
            "send" => self.send().map(ClientFrame::Send),
            "event" => self.event().map(ClientFrame::Event),
            "watch" => Ok(ClientFrame::Watch { users: presence::users(self.users)? }),
            "unwatch" => Ok(ClientFrame::Unwatch { users: presence::users(self.users)? }),
            other => Err(FrameError::UnknownType(other.to_owned())),
        }
    }

    fn group(&self) -> Result<GroupId, FrameError> {
        GroupId::new(&required::<String>("group", self.group)?).map_err(|error| invalid(&error))
    }

    fn send(&self) -> Result<ClientSend, FrameError> {
        Ok(ClientSend {
            to: self.recipient()?,
            id: self.optional("id", self.id)?,
            topic: self.optional("topic", self.topic)?,
            payload: self.payload()?,
        })
    }

    fn event(&self) -> Result<ClientEvent, FrameError> {
        let topic = required::<String>("topic", self.topic)?;
        if topic.is_empty() {
            return Err(FrameError::Invalid(
                "the topic of an event is empty; say what it is about".to_owned(),
            ));
        }
        Ok(ClientEvent { topic, payload: self.payload()? })
    }

    fn recipient(&self) -> Result<Recipient, FrameError> {
        let raw = self.to.ok_or_else(|| unreadable("it has no to"))?;
        // Serde would take an array for its members in their order.
        if !raw.get().starts_with('{') {
            return Err(unreadable("its to is no object like {\"user\":\"alice\"} or {\"group\":\"room\"}"));
        }
        match member("to", raw)? {
            To { user: Some(user), group: None } => {
                UserId::new(&user).map(Recipient::User).map_err(|error| invalid(&error))
            }
            To { user: None, group: Some(group) } => {
                GroupId::new(&group).map(Recipient::Group).map_err(|error| invalid(&error))
            }
            To { .. } => Err(unreadable("its to must have either user or group")),
        }
    }

    /// A string in `data` is a text, any other value is JSON; `base64` is bytes.
    fn payload(&self) -> Result<Payload, FrameError> {
        match (self.data, self.base64) {
            (Some(data), None) if data.get().starts_with('"') => {
                Ok(Payload::text(member::<String>("data", data)?.into()))
            }
            (Some(data), None) => payload(Bytes::copy_from_slice(data.get().as_bytes()), Kind::Json),
            (None, Some(base64)) => {
                let bytes = BASE64.decode(member::<String>("base64", base64)?);
                let bytes = bytes.map_err(|error| unreadable(format!("its base64 is wrong: {error}")))?;
                payload(bytes.into(), Kind::Binary)
            }
            (Some(_), Some(_)) | (None, None) => Err(unreadable("it must have either data or base64")),
        }
    }

    /// A text that need not be there.
    fn optional(&self, name: &str, raw: Option<&RawValue>) -> Result<String, FrameError> {
        raw.map_or_else(|| Ok(String::new()), |raw| member(name, raw))
    }
}

fn present<'a, D: serde::Deserializer<'a>>(from: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

fn payload(bytes: Bytes, kind: Kind) -> Result<Payload, FrameError> {
    Payload::new(bytes, kind).map_err(|error| unreadable(format!("its data is wrong: {error}")))
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

fn invalid(error: &NameError) -> FrameError {
    FrameError::Invalid(error.to_string())
}
