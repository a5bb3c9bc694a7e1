//! A gateway wants a session for its client: a new one, an earlier one, or one that it brings from another worker. What the
//! fence and the bounds say, and when the gateway may go on.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use ringway_dispatch::permissions_from_proto;
use ringway_proto::v1::worker_frame::Frame;
use ringway_proto::v1::{Open, RefusalReason, Refused, Reopen};
use ringway_session::{
    Address, GroupId, MailboxPlace, NotOpened, OpenError, Opening, Reopening, Resuming, SessionId, UserId,
    frame,
};
use ringway_store::DeviceId;
use rustc_hash::FxHashMap;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::hub::{Denied, Leaving};
use crate::seal::Unsealed;
use crate::worker::Shared;

/// Why there will be no session, as the gateway is told.
struct NoSession {
    reason: RefusalReason,
    message: String,
}

/// The sessions of one link that are asked for and not there yet.
#[derive(Clone, Default)]
pub(super) struct Openings(Arc<Mutex<FxHashMap<u64, CancellationToken>>>);

impl Openings {
    /// The client is gone: nobody waits for this session any more.
    pub(super) fn cancel(&self, channel: u64) {
        if let Some(opening) = self.0.lock().remove(&channel) {
            opening.cancel();
        }
    }

    fn begin(&self, channel: u64) -> CancellationToken {
        let opening = CancellationToken::new();
        self.0.lock().insert(channel, opening.clone());
        opening
    }

    fn end(&self, channel: u64) {
        self.0.lock().remove(&channel);
    }
}

/// Opens a session or refuses it. The answer may come later: when other workers have let the session go, and when its groups
/// are known to their homes.
pub(super) fn open(shared: &Arc<Shared>, address: Address, openings: &Openings, open: Open) {
    let wish = match Wish::read(shared, address, open) {
        Ok(wish) => wish,
        Err(no_session) => return refuse(shared, address, no_session),
    };
    match wish.grant(shared) {
        Ok(id) => answer_when_settled(shared, address, id),
        Err(Denied::Shard(NotOpened::Unsettled)) => {
            let (shared, cancelled) = (Arc::clone(shared), openings.begin(address.channel.0));
            let openings = openings.clone();
            tokio::spawn(async move {
                // None when the client is gone: there is nobody to answer.
                _ = cancelled.run_until_cancelled(open_when_settled(&shared, address, wish)).await;
                openings.end(address.channel.0);
            });
        }
        Err(denied) => refuse(shared, address, denied.into()),
    }
}

async fn open_when_settled(shared: &Arc<Shared>, address: Address, wish: Wish) {
    let deadline = Instant::now() + shared.config.arrival_wait_max;
    let mut changes = shared.hub.changes();
    loop {
        match wish.grant(shared) {
            Ok(id) => return answer_when_settled(shared, address, id),
            Err(Denied::Shard(NotOpened::Unsettled)) => {}
            Err(denied) => return refuse(shared, address, denied.into()),
        }
        if timeout_at(deadline, changes.changed()).await.is_err() {
            return refuse(shared, address, Denied::Shard(NotOpened::Unsettled).into());
        }
    }
}

/// What a gateway wants of us for its client.
enum Wish {
    New(Opening),
    /// To go on with an earlier session; if that cannot be, a new one.
    Resume(Resuming, Opening),
    Reopen(Reopening),
}

impl Wish {
    fn read(shared: &Shared, address: Address, open: Open) -> Result<Self, NoSession> {
        if let Some(reopen) = open.reopen {
            let unsealed = shared.seal.unseal(&reopen.state).map_err(|error| {
                NoSession::new(RefusalReason::StateInvalid, format!("the session's state: {error}"))
            })?;
            let Unsealed { state, complete } = unsealed;
            // The gateway knows who was given the state since it was sealed.
            let complete = complete && !reopen.checkpoint;
            let Reopen { passed_offset, passed_messages, .. } = reopen;
            return Ok(Wish::Reopen(Reopening { address, state, complete, passed_offset, passed_messages }));
        }
        let resume = open.resume.clone();
        let opening = read(shared, address, open)?;
        // A token that is not ours gives a new session, as one does that has run out.
        let resuming = resume.filter(|_| *opening.subprotocol == *frame::SUBPROTOCOL).and_then(|resume| {
            let id = shared.seal.session_of(&resume.token).ok()?;
            Some(Resuming {
                id,
                user: opening.user.clone(),
                groups: opening.groups.clone(),
                permissions: Arc::clone(&opening.permissions),
                address,
                offset: resume.offset,
                attempt: resume.attempt,
                resume_token: resume.token.into(),
            })
        });
        Ok(match resuming {
            Some(resuming) if resuming.id.slot() == opening.id.slot() => Wish::Resume(resuming, opening),
            _ => Wish::New(opening),
        })
    }

    fn grant(&self, shared: &Shared) -> Result<SessionId, Denied> {
        match self {
            Wish::New(opening) => shared.hub.open(opening.clone()),
            Wish::Resume(resuming, opening) => match shared.hub.resume(resuming.clone()) {
                Err(Denied::Shard(NotOpened::Resume(_))) => shared.hub.open(opening.clone()),
                other => other,
            },
            Wish::Reopen(reopening) => shared.hub.reopen(reopening.clone()),
        }
    }
}

fn read(shared: &Shared, address: Address, open: Open) -> Result<Opening, NoSession> {
    let invalid = |error: String| NoSession::new(RefusalReason::Invalid, error);
    let groups = open.groups.iter().map(|group| GroupId::new(group));
    let offered = open.subprotocols.iter();
    let speaks = |offer: &&String| *offer == frame::SUBPROTOCOL || shared.config.subprotocols.contains(offer);
    let subprotocol = offered.into_iter().find(speaks).map(String::as_str).unwrap_or_default();
    let id = SessionId::from_bytes(&open.session_id).map_err(|error| invalid(error.to_string()))?;
    let permissions = permissions_from_proto(open.permissions.as_ref());
    // Others cannot resume.
    let resume_token = (subprotocol == frame::SUBPROTOCOL).then(|| shared.seal.resume_token(id));
    Ok(Opening {
        id,
        user: UserId::new(&open.user).map_err(|error| invalid(error.to_string()))?,
        groups: groups.collect::<Result<_, _>>().map_err(|error| invalid(error.to_string()))?,
        permissions: permissions.map_err(|error| invalid(error.to_string()))?.into(),
        address,
        subprotocol: subprotocol.into(),
        remote_address: open.remote_address.into(),
        opened_at_ms: now_ms(),
        epoch: rand::random(),
        resume_token: resume_token.unwrap_or_default(),
        device: device(open.device)?,
        has: open.mailbox.map(|place| MailboxPlace { epoch: place.epoch, offset: place.offset }),
    })
}

fn device(name: String) -> Result<Box<str>, NoSession> {
    if !name.is_empty()
        && let Err(error) = DeviceId::new(&name)
    {
        return Err(NoSession::new(RefusalReason::Invalid, error.to_string()));
    }
    Ok(name.into())
}

fn answer_when_settled(shared: &Arc<Shared>, address: Address, id: SessionId) {
    let groups = shared.hub.groups_of(id);
    if groups.is_empty() || shared.interest.settled(&groups) {
        return answer(shared, address, id);
    }
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        shared.settle(&groups).await;
        answer(&shared, address, id);
    });
}

fn answer(shared: &Shared, address: Address, id: SessionId) {
    let exists = shared.hub.opened(address, id);
    shared.metrics.opened(if exists { "ok" } else { "gone" });
    debug!(session = %id, exists, "a session was opened");
}

fn refuse(shared: &Shared, address: Address, no_session: NoSession) {
    let NoSession { reason, message } = no_session;
    shared.metrics.opened(reason_name(reason));
    match reason {
        RefusalReason::Invalid => warn!(message, "a gateway's Open frame was refused"),
        _ => debug!(message, "a session was refused"),
    }
    let ring_version = shared.hub.ring_version().as_u64();
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

impl From<Denied> for NoSession {
    fn from(denied: Denied) -> Self {
        let error = match denied {
            Denied::Leaving(Leaving) => {
                return NoSession::new(RefusalReason::Draining, "this worker is about to leave; ask again");
            }
            Denied::Shard(error) => error,
        };
        let reason = match &error {
            NotOpened::NotOwner | NotOpened::Unsettled => RefusalReason::NotOwner,
            NotOpened::Outdated => RefusalReason::Outdated,
            NotOpened::Resume(_) => RefusalReason::Invalid,
            NotOpened::Table(OpenError::Full { .. }) => RefusalReason::Full,
            NotOpened::Table(OpenError::TooManySessions { .. }) => RefusalReason::TooManySessions,
            NotOpened::Table(OpenError::TooManyGroups { .. }) => RefusalReason::TooManyGroups,
            NotOpened::Table(OpenError::InUse) => RefusalReason::Invalid,
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
        RefusalReason::Outdated => "outdated",
    }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
