//! A client wants a session: the fence, the bounds, and when the gateway may answer 101.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use ringway_proto::v1::worker_frame::Frame;
use ringway_proto::v1::{Open, RefusalReason, Refused};
use ringway_session::{Address, Channel, GroupId, LinkId, OpenError, Opening, SessionId, UserId};
use tracing::{debug, warn};

use crate::hub::{Leaving, NotOpened};
use crate::worker::Shared;

/// Why there will be no session, as the gateway is told.
struct NoSession {
    reason: RefusalReason,
    message: String,
}

/// Opens a session or refuses it. The answer may come later, when the session's groups are known to their homes.
pub(crate) fn open(shared: &Arc<Shared>, link: LinkId, open: Open) {
    let address = Address { link, channel: Channel(open.channel) };
    match admit(shared, address, open) {
        Ok(admitted) => answer_when_settled(shared, admitted),
        Err(no_session) => refuse(shared, address, no_session),
    }
}

/// A session that exists and whose gateway does not know it yet.
struct Admitted {
    address: Address,
    id: SessionId,
    groups: Vec<GroupId>,
    subprotocol: String,
}

fn admit(shared: &Shared, address: Address, open: Open) -> Result<Admitted, NoSession> {
    fence(shared, &open.user)?;
    let opening = read(shared, address, open)?;
    let admitted = Admitted {
        address,
        id: opening.id,
        groups: opening.groups.clone(),
        subprotocol: opening.subprotocol.to_string(),
    };
    shared.hub.open(opening)?;
    Ok(admitted)
}

fn fence(shared: &Shared, user: &str) -> Result<(), NoSession> {
    let view = shared.views.current();
    match view.owner(user) {
        Some(owner) if owner.id == shared.config.id => Ok(()),
        Some(owner) => {
            let message = format!("the user belongs to worker {}", owner.id);
            Err(NoSession::new(RefusalReason::NotOwner, message))
        }
        None => Err(NoSession::new(RefusalReason::NotOwner, "there is no worker on this worker's ring")),
    }
}

fn read(shared: &Shared, address: Address, open: Open) -> Result<Opening, NoSession> {
    let invalid = |error: String| NoSession::new(RefusalReason::Invalid, error);
    let groups = open.groups.iter().map(|group| GroupId::new(group));
    let offered = open.subprotocols.iter();
    let chosen = offered.into_iter().find(|offer| shared.config.subprotocols.contains(offer));
    Ok(Opening {
        id: SessionId::from_bytes(&open.session_id).map_err(|error| invalid(error.to_string()))?,
        user: UserId::new(&open.user).map_err(|error| invalid(error.to_string()))?,
        groups: groups.collect::<Result<_, _>>().map_err(|error| invalid(error.to_string()))?,
        address,
        subprotocol: chosen.map(String::as_str).unwrap_or_default().into(),
        remote_address: open.remote_address.into(),
        opened_at_ms: now_ms(),
    })
}

fn answer_when_settled(shared: &Arc<Shared>, admitted: Admitted) {
    if admitted.groups.is_empty() || shared.interest.settled(&admitted.groups) {
        return answer(shared, admitted);
    }
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        shared.settle(&admitted.groups).await;
        answer(&shared, admitted);
    });
}

fn answer(shared: &Shared, admitted: Admitted) {
    let exists = shared.hub.opened(admitted.address, admitted.id, admitted.subprotocol);
    shared.metrics.opened(if exists { "ok" } else { "gone" });
    debug!(session = %admitted.id, exists, "a session was opened");
}

fn refuse(shared: &Shared, address: Address, no_session: NoSession) {
    let NoSession { reason, message } = no_session;
    shared.metrics.opened(reason_name(reason));
    match reason {
        RefusalReason::Invalid => warn!(message, "a gateway's Open frame was refused"),
        _ => debug!(message, "a session was refused"),
    }
    let ring_version = shared.views.current().version().as_u64();
    let channel = address.channel.0;
    shared.hub.tell(
        address.link,
        Frame::Refused(Refused { channel, reason: reason.into(), message, ring_version }),
    );
}

impl NoSession {
    fn new(reason: RefusalReason, message: impl Into<String>) -> Self {
        NoSession { reason, message: message.into() }
    }
}

impl From<NotOpened> for NoSession {
    fn from(not_opened: NotOpened) -> Self {
        let error = match not_opened {
            NotOpened::Leaving(Leaving) => {
                return NoSession::new(RefusalReason::Draining, "this worker is about to leave; ask again");
            }
            NotOpened::Table(error) => error,
        };
        let reason = match error {
            OpenError::Full { .. } => RefusalReason::Full,
            OpenError::TooManySessions { .. } => RefusalReason::TooManySessions,
            OpenError::TooManyGroups { .. } => RefusalReason::TooManyGroups,
            OpenError::InUse => RefusalReason::Invalid,
        };
        NoSession::new(reason, error.to_string())
    }
}

fn reason_name(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::Unspecified => "unspecified",
        RefusalReason::NotOwner => "not_owner",
        RefusalReason::Full => "full",
        RefusalReason::TooManySessions => "too_many_sessions",
        RefusalReason::TooManyGroups => "too_many_groups",
        RefusalReason::Draining => "draining",
        RefusalReason::Invalid => "invalid",
        RefusalReason::StateInvalid => "state_invalid",
    }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
