//! From a user to a session: ask the owner, by the present view, over a link; again if that was not the owner any more.
//!
//! All of it happens before the client has its 101, and inside one deadline. Nothing is left behind by an attempt that
//! came to nothing: its [`Channel`] is dropped, and with it whatever the worker may have made.
//!
//! The logs name sessions and never users: in mode `plain` the user is the token.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use ringway_auth::Identity;
use ringway_cluster::{View, Views};
use ringway_dispatch::permissions_to_proto;
use ringway_proto::v1::{MailboxPlace, Open, RefusalReason, Refused, Resume};
use ringway_ring::{RingVersion, Slot};
use ringway_session::{CloseCode, Permissions, SessionId};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::debug;

use crate::config::Routing;
use crate::link::{Answer, Channel, End, Links};
use crate::refusal::Refusal;

/// How long an attempt that came to nothing waits for news, at least and at most, before the next one.
const RETRY_MS: std::ops::RangeInclusive<u64> = 50..=500;

/// Opens sessions.
pub(crate) struct Router {
    pub(crate) views: Views,
    pub(crate) links: Arc<Links>,
    pub(crate) routing: Routing,
    /// What every client may do whose token says nothing else.
    pub(crate) permissions: Permissions,
    pub(crate) open_deadline: Duration,
}

/// Who wants a session.
pub(crate) struct Applicant {
    pub(crate) identity: Identity,
    pub(crate) subprotocols: Vec<String>,
    pub(crate) remote_address: SocketAddr,
    /// The session that it wants to go on with.
    pub(crate) resume: Option<Resume>,
    /// Which of the user's devices it is; empty for none in particular.
    pub(crate) device: String,
    /// What it has of the user's mailbox, if it says so.
    pub(crate) mailbox: Option<MailboxPlace>,
}

/// A session that its worker has opened.
pub(crate) struct Admission {
    pub(crate) channel: Channel,
    pub(crate) subprotocol: String,
}

/// Why an attempt came to nothing.
enum Setback {
    /// It would come to nothing again.
    Final(Refusal),
    /// It may not, with a newer view or another link.
    Passing(String),
}

impl Router {
    /// Opens a session at the owner of the applicant's user.
    ///
    /// # Errors
    /// The refusal to be shown to the client.
    pub(crate) async fn open(&self, applicant: &Applicant) -> Result<Admission, Refusal> {
        let deadline = Instant::now() + self.open_deadline;
        loop {
            let session_id = SessionId::new(Slot::of(applicant.identity.user.as_bytes()), rand::random());
            let mut news = News { views: self.views.subscribe(), links: self.links.subscribe() };
            let why = match self.attempt(applicant, session_id, deadline).await {
                Ok(admission) => return Ok(admission),
                Err(Setback::Final(refusal)) => return Err(refusal),
                Err(Setback::Passing(why)) => why,
            };
            debug!(%session_id, why, "the session is not open yet");
            if tokio::time::timeout_at(deadline, news.any()).await.is_err() {
                return Err(Refusal::WorkerUnavailable(why));
            }
        }
    }

    async fn attempt(
        &self,
        applicant: &Applicant,
        session_id: SessionId,
        deadline: Instant,
    ) -> Result<Admission, Setback> {
        let view = self.views.current();
        let user = applicant.identity.user.as_str();
        let owner = view.owner(user).ok_or(Setback::Final(Refusal::NoWorkers))?;
        if let Routing::OnlyHere(here) = &self.routing
            && *here != owner.id
        {
            return Err(Setback::Final(Refusal::UserElsewhere(owner.client_url.clone())));
        }
        let passing = |why: &str| Setback::Passing(why.to_owned());
        let link = self.links.to(&owner.id).ok_or_else(|| passing("no link to it is up"))?;
        let opening = link.open(session_id, open_frame(applicant, &self.permissions));
        let (mut channel, answered) = opening.map_err(|_| passing("the link to it broke"))?;
        match tokio::time::timeout_at(deadline, answered).await {
            Err(_) => Err(Setback::Final(Refusal::WorkerUnavailable("it did not answer".to_owned()))),
            Ok(Err(_)) => Err(passing("the link to it broke")),
            Ok(Ok(Answer::Opened(opened))) => {
                channel.note_opened(session_id);
                Ok(Admission { channel, subprotocol: opened.subprotocol })
            }
            Ok(Ok(Answer::Closed(end))) => Err(closed(end)),
            Ok(Ok(Answer::Refused(refused))) => {
                let theirs = RingVersion::from_u64(refused.ring_version);
                debug!(ours = %view.version(), %theirs, "the worker refused, by its own ring");
                Err(setback(refused))
            }
        }
    }
}

/// Something that may make the next attempt go better.
struct News {
    views: watch::Receiver<Arc<View>>,
    links: watch::Receiver<()>,
}

impl News {
    /// Waits for a newer view, a link that came up, or a moment.
    async fn any(&mut self) {
        let pause = Duration::from_millis(rand::rng().random_range(RETRY_MS));
        tokio::select! {
            biased;
            // An error means that there will be no news from there.
            Ok(()) = self.views.changed() => {}
            Ok(()) = self.links.changed() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Who closed the session meant it to end, also if it was not open yet: opening it again would undo that. Only a worker
/// that leaves wants it opened again, elsewhere.
fn closed(end: End) -> Setback {
    match end.code {
        CloseCode::RESTART => Setback::Passing(end.reason.to_string()),
        _ => Setback::Final(Refusal::SessionClosed(end)),
    }
}

fn setback(refused: Refused) -> Setback {
    let reason = refused.reason();
    let Refused { message, .. } = refused;
    match reason {
        RefusalReason::NotOwner | RefusalReason::Draining => Setback::Passing(message),
        RefusalReason::Full => Setback::Final(Refusal::WorkerFull(message)),
        RefusalReason::TooManySessions => Setback::Final(Refusal::SessionsTooMany(message)),
        RefusalReason::TooManyGroups => Setback::Final(Refusal::GroupsTooMany(message)),
        RefusalReason::Outdated => {
            Setback::Final(Refusal::SessionClosed(End { code: CloseCode::RESUMED, reason: message.into() }))
        }
        RefusalReason::Invalid | RefusalReason::StateInvalid | RefusalReason::Unspecified => {
            Setback::Final(Refusal::Internal(message))
        }
    }
}

fn open_frame(applicant: &Applicant, everybodys: &Permissions) -> Open {
    let Identity { user, groups, permissions, .. } = &applicant.identity;
    Open {
        user: user.clone(),
        groups: groups.clone(),
        remote_address: applicant.remote_address.to_string(),
        subprotocols: applicant.subprotocols.clone(),
        resume: applicant.resume.clone(),
        device: applicant.device.clone(),
        mailbox: applicant.mailbox,
        permissions: permissions_to_proto(&permissions.over(everybodys)),
        ..Open::default()
    }
}
