//! Between the domain's types and the wire's.

use ringway_proto::v1;
use ringway_proto::v1::PayloadKind;
use ringway_proto::{Reason, Refusal};
use ringway_session::{Kind, NameError};

use crate::hub::Shown;

pub(crate) fn kind_to_proto(kind: Kind) -> PayloadKind {
    match kind {
        Kind::Text => PayloadKind::Text,
        Kind::Json => PayloadKind::Json,
        Kind::Binary => PayloadKind::Binary,
    }
}

pub(crate) fn kind_from_proto(kind: PayloadKind) -> Kind {
    match kind {
        PayloadKind::Text => Kind::Text,
        PayloadKind::Json => Kind::Json,
        PayloadKind::Binary => Kind::Binary,
    }
}

pub(crate) fn session_to_proto(shown: Shown, worker: &str) -> v1::Session {
    let session = shown.session;
    v1::Session {
        id: session.id.to_string(),
        user: session.user.to_string(),
        groups: session.groups.iter().map(ToString::to_string).collect(),
        worker: worker.to_owned(),
        gateway: shown.gateway.to_string(),
        remote_address: session.remote_address.into(),
        subprotocol: session.subprotocol.into(),
        opened_at_ms: session.opened_at_ms,
        queue_bytes: session.queue_bytes,
        suspended: session.link.is_none(),
    }
}

pub(crate) fn invalid_name(error: &NameError) -> Refusal {
    Refusal::new(Reason::InvalidArgument, error.to_string())
}
