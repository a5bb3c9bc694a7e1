//! Sessions' states on the wire: protobuf (state.proto), signed.

use bytes::Bytes;
use prost::Message as _;
use ringway_dispatch::{permissions_from_proto, permissions_to_proto};
use ringway_proto::v1;
use ringway_session::{
    GivenLately, GroupId, MailboxPlace, MailboxReader, Numbered, Payload, SessionId, SessionState, Stored,
    StreamState, UserId,
};

use super::{Seal, SealError, opened, sealed, watches};
use crate::convert::{kind_from_proto, kind_to_proto};

/// The layout that this build writes and reads.
const VERSION: u32 = 1;

/// A state that came back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unsealed {
    pub(crate) state: SessionState,
    /// Whether it is everything that its worker had of it; otherwise it is a checkpoint.
    pub(crate) complete: bool,
}

impl Seal {
    /// Everything that is left of a session whose worker lets it go.
    pub(crate) fn complete(&self, state: SessionState) -> Bytes {
        self.seal(state, true)
    }

    /// What a gateway keeps in case the worker dies.
    pub(crate) fn checkpoint(&self, state: SessionState) -> Bytes {
        self.seal(state, false)
    }

    /// Reads what was sealed.
    pub(crate) fn unseal(&self, sealed: &Bytes) -> Result<Unsealed, SealError> {
        let bytes = opened(&self.states, sealed)?;
        let state = v1::SessionState::decode(bytes).map_err(unreadable)?;
        if state.version != VERSION {
            return Err(SealError::Unreadable(format!("its layout is {}, not {VERSION}", state.version)));
        }
        Ok(Unsealed { complete: state.complete, state: from_proto(state)? })
    }

    fn seal(&self, state: SessionState, complete: bool) -> Bytes {
        sealed(&self.states, &to_proto(state, complete).encode_to_vec()).into()
    }
}

fn to_proto(state: SessionState, complete: bool) -> v1::SessionState {
    let stream = state.stream.map(|stream| v1::StreamState {
        epoch: stream.epoch,
        last: stream.last,
        floor: stream.floor,
        unacked: stream.unacked.into_iter().map(message_to_proto).collect(),
        attempt: stream.attempt,
    });
    let (recent, recent_ages_ms) =
        state.recent.iter().map(|GivenLately { id_hash, age_ms }| (*id_hash, *age_ms)).unzip();
    v1::SessionState {
        version: VERSION,
        complete,
        session_id: Bytes::copy_from_slice(&state.id.to_bytes()),
        user: state.user.to_string(),
        groups: state.groups.iter().map(ToString::to_string).collect(),
        token_groups: state.token_groups.iter().map(ToString::to_string).collect(),
        permissions: permissions_to_proto(&state.permissions),
        remote_address: state.remote_address.into(),
        subprotocol: state.subprotocol.into(),
        opened_at_ms: state.opened_at_ms,
        term: state.term,
        stream,
        waiting: state.waiting.into_iter().map(message_to_proto).collect(),
        recent,
        recent_ages_ms,
        device: state.device.into(),
        mailbox: state.mailbox.map(|left| v1::MailboxReader {
            epoch: left.epoch,
            read_to: left.read_to,
            taken: left.taken,
        }),
        mailbox_had: state.mailbox_had.map(place_to_proto),
        watches: state.watches.iter().map(watches::to_text).collect(),
    }
}

fn from_proto(state: v1::SessionState) -> Result<SessionState, SealError> {
    let stream = state.stream.map(|stream| {
        Ok(StreamState {
            epoch: stream.epoch,
            last: stream.last,
            floor: stream.floor,
            unacked: stream.unacked.iter().map(message_from_proto).collect::<Result<_, _>>()?,
            attempt: stream.attempt,
        })
    });
    // An earlier build tells no ages.
    let ages_ms = state.recent_ages_ms.into_iter().chain(std::iter::repeat(0));
    let recent = state.recent.into_iter().zip(ages_ms);
    Ok(SessionState {
        id: SessionId::from_bytes(&state.session_id).map_err(unreadable)?,
        user: UserId::new(&state.user).map_err(unreadable)?,
        groups: groups(&state.groups)?,
        token_groups: groups(&state.token_groups)?,
        permissions: permissions_from_proto(state.permissions.as_ref()).map_err(unreadable)?.into(),
        remote_address: state.remote_address.into(),
        subprotocol: state.subprotocol.into(),
        opened_at_ms: state.opened_at_ms,
        term: state.term,
        stream: stream.transpose()?,
        waiting: state.waiting.iter().map(message_from_proto).collect::<Result<_, _>>()?,
        recent: recent.map(|(id_hash, age_ms)| GivenLately { id_hash, age_ms }).collect(),
        device: state.device.into(),
        mailbox: state.mailbox.map(|left| MailboxReader {
            epoch: left.epoch,
            read_to: left.read_to,
            taken: left.taken,
        }),
        mailbox_had: state.mailbox_had.map(place_from_proto),
        watches: state.watches.iter().map(|text| watches::from_text(text)).collect::<Result<_, _>>()?,
    })
}

fn groups(names: &[String]) -> Result<Vec<GroupId>, SealError> {
    names.iter().map(|name| GroupId::new(name).map_err(unreadable)).collect()
}

fn message_to_proto(message: Numbered) -> v1::StateMessage {
    let kind = kind_to_proto(message.payload.kind()).into();
    v1::StateMessage {
        offset: message.offset,
        payload: message.payload.into_bytes(),
        kind,
        stored: message.stored.map(|stored| place_to_proto(stored.place)),
        until_first_ack: message.stored.is_some_and(|stored| stored.until_first_ack),
    }
}

fn message_from_proto(message: &v1::StateMessage) -> Result<Numbered, SealError> {
    let kind = kind_from_proto(message.kind());
    // Memory of its own: the whole state would stay as long as one message of it.
    let bytes = Bytes::copy_from_slice(&message.payload);
    let until_first_ack = message.until_first_ack;
    let stored = message.stored.map(|place| Stored { place: place_from_proto(place), until_first_ack });
    Ok(Numbered { offset: message.offset, payload: Payload::new(bytes, kind).map_err(unreadable)?, stored })
}

fn place_to_proto(place: MailboxPlace) -> v1::MailboxPlace {
    v1::MailboxPlace { epoch: place.epoch, offset: place.offset }
}

fn place_from_proto(place: v1::MailboxPlace) -> MailboxPlace {
    MailboxPlace { epoch: place.epoch, offset: place.offset }
}

fn unreadable(error: impl std::fmt::Display) -> SealError {
    SealError::Unreadable(error.to_string())
}

#[cfg(test)]
mod tests {
    use ringway_ring::Slot;
    use ringway_rpc::ClusterSecret;
    use ringway_session::{Kind, Permissions, Watch};

    use super::*;

    fn state() -> SessionState {
        let message = |offset, text: &'static str| Numbered {
            offset,
            payload: Payload::new(Bytes::from_static(text.as_bytes()), Kind::Text).unwrap(),
            stored: (offset == 2)
                .then_some(Stored { place: MailboxPlace { epoch: 8, offset: 5 }, until_first_ack: true }),
        };
        SessionState {
            id: SessionId::new(Slot::of(b"alice"), 7),
            user: UserId::new("alice").unwrap(),
            groups: vec![GroupId::new("a").unwrap(), GroupId::new("b").unwrap()],
            token_groups: vec![GroupId::new("b").unwrap()],
            permissions: Permissions { send_own_groups: true, ..Permissions::default() }.into(),
            remote_address: "127.0.0.1:1".into(),
            subprotocol: "ringway.v1.json".into(),
            opened_at_ms: 5,
            term: 2,
            stream: Some(StreamState {
                epoch: 9,
                last: 3,
                floor: 1,
                unacked: vec![message(2, "two")],
                attempt: 4,
            }),
            waiting: vec![message(3, "three")],
            recent: [(1, 5_000), (u64::MAX, 0)]
                .map(|(id_hash, age_ms)| GivenLately { id_hash, age_ms })
                .into(),
            device: "phone".into(),
            mailbox: Some(MailboxReader { epoch: 8, read_to: 6, taken: 4 }),
            mailbox_had: Some(MailboxPlace { epoch: 7, offset: 9 }),
            watches: [("ada", Some(true)), ("bob", Some(false)), ("é", None)]
                .map(|(name, told)| Watch { user: UserId::new(name).unwrap(), told })
                .into(),
        }
    }

    #[test]
    fn a_state_comes_back_as_it_was() {
        let seal = Seal::new(&ClusterSecret::generate());
        for complete in [true, false] {
            let sealed = seal.seal(state(), complete);
            assert_eq!(seal.unseal(&sealed), Ok(Unsealed { state: state(), complete }));
        }
    }

    #[test]
    fn what_was_touched_is_refused() {
        let seal = Seal::new(&ClusterSecret::generate());
        let sealed = seal.complete(state());
        for position in 0..sealed.len() {
            let mut touched = sealed.to_vec();
            touched[position] ^= 1;
            assert_eq!(seal.unseal(&touched.into()), Err(SealError::Signature), "byte {position}");
        }
        for shorter in [0, 1, 15, 16, sealed.len() - 1] {
            assert!(seal.unseal(&sealed.slice(..shorter)).is_err(), "{shorter} bytes");
        }
    }
}
