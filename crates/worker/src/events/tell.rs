//! The events of sessions: what is told of each.

use ringway_proto::v1::event::What;
use ringway_proto::v1::{ClientSent, Connected, DisconnectReason, Disconnected, Event, EventKind};
use ringway_session::{CloseCode, End, EndedSession, Opening};

use super::hub::{EventHub, now_ms};
use super::offer::Offered;
use crate::hub::Shown;

impl EventHub {
    /// A session was opened.
    pub(crate) fn connected(&self, opening: &Opening, gateway: &str) {
        self.tell(EventKind::Connected, || Event {
            user: opening.user.to_string(),
            session_id: opening.id.to_string(),
            groups: opening.groups.iter().map(ToString::to_string).collect(),
            remote_address: opening.remote_address.to_string(),
            gateway: gateway.to_owned(),
            what: Some(What::Connected(Connected { subprotocol: opening.subprotocol.to_string() })),
            ..Event::default()
        });
    }

    /// A session has ended. `left_with` is the close code of a client that left.
    pub(crate) fn disconnected(&self, ended: &EndedSession, left_with: Option<CloseCode>) {
        self.tell(EventKind::Disconnected, || {
            let (reason, code) = match ended.end {
                End::ClientLeft => (DisconnectReason::ClientLeft, left_with),
                End::Closed(code) => (DisconnectReason::Closed, Some(code)),
                End::Expired => (DisconnectReason::Expired, None),
            };
            let what = Disconnected {
                reason: reason.into(),
                code: code.map_or(0, |code| code.as_u16().into()),
                lasted_ms: now_ms().saturating_sub(ended.opened_at_ms),
            };
            Event {
                user: ended.user.to_string(),
                session_id: ended.id.to_string(),
                groups: ended.groups.iter().map(ToString::to_string).collect(),
                remote_address: ended.remote_address.to_string(),
                what: Some(What::Disconnected(what)),
                ..Event::default()
            }
        });
    }

    /// A client has sent something, and nobody waits for what becomes of it. Wait for [room](EventHub::room) first.
    pub(crate) fn message(&self, from: Option<Shown>, sent: ClientSent) {
        if let Some(from) = from {
            self.tell(EventKind::Message, || sent_by(from, sent));
        }
    }

    /// The same for a message whose client is told what becomes of it. Never waits.
    pub(crate) fn client_message(&self, from: Shown, sent: ClientSent) -> Offered {
        self.offer(|| sent_by(from, sent))
    }
}

fn sent_by(from: Shown, sent: ClientSent) -> Event {
    let session = from.session;
    Event {
        user: session.user.to_string(),
        session_id: session.id.to_string(),
        groups: session.groups.iter().map(ToString::to_string).collect(),
        remote_address: session.remote_address.into(),
        gateway: from.gateway.to_string(),
        what: Some(What::Message(sent)),
        ..Event::default()
    }
}
