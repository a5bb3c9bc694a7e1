//! Keeping a member's place in a registry whose server forgets those who are silent.
//!
//! One task has the place and alone speaks about it, so that what is done happens in one order: renewals by the clock,
//! updates and the farewell by its lease. It ends when the lease is dropped, when the member leaves, and when it is
//! superseded: after that, nothing is ever done again.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use ringway_ring::MemberId;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{info, warn};

use crate::backoff::Backoff;
use crate::member::Member;
use crate::registry::{Lease, RegistryError};

/// Commands that may wait for the task. Each caller waits for its answer, so there are never more than callers.
const COMMANDS_MAX: usize = 8;
/// The longest possible pause after the first failed renewal.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
/// The longest possible pause.
const PAUSE_LONGEST: Duration = Duration::from_secs(1);

/// A member's place, as an adapter holds it. Each of its steps has a deadline of its own.
#[async_trait]
pub trait Place: Send + Sync + 'static {
    /// Whose place it is.
    fn id(&self) -> &MemberId;

    /// See [`Lease::valid_until`].
    fn valid_until(&self) -> Instant;

    /// How often it is renewed while all is well.
    fn renewal_interval(&self) -> Duration;

    /// Makes the place valid for longer; takes it again if it was lost and nobody else has it. Puts what an update could
    /// not.
    ///
    /// # Errors
    /// [`RegistryError::Superseded`] when somebody else has it. After any other, it is tried again.
    async fn renew(&mut self) -> Result<(), RegistryError>;

    /// Shows the member so from now on, at the latest when it can be renewed again.
    ///
    /// # Errors
    /// As [`Place::renew`].
    async fn update(&mut self, member: Member) -> Result<(), RegistryError>;

    /// Gives the place up.
    ///
    /// # Errors
    /// As [`Place::renew`], but it is not tried again.
    async fn leave(&mut self) -> Result<(), RegistryError>;

    /// Resolves when the place is to be renewed at once. May be dropped and asked again at any moment.
    async fn lost(&self) {
        std::future::pending::<()>().await;
    }
}

/// Keeps a place, and gives its lease.
pub fn keep(place: impl Place) -> Box<dyn Lease> {
    let id = place.id().clone();
    let (commands, received) = mpsc::channel(COMMANDS_MAX);
    let (validity, valid_until) = watch::channel(place.valid_until());
    let backoff = Backoff::new(PAUSE_FIRST, PAUSE_LONGEST);
    let task = KeeperTask { place, validity, backoff, failing: false };
    tokio::spawn(task.run(received));
    Box::new(KeptLease { id, commands, valid_until })
}

/// The lease of a place that a task keeps.
struct KeptLease {
    id: MemberId,
    commands: mpsc::Sender<Command>,
    valid_until: watch::Receiver<Instant>,
}

type Answer = oneshot::Sender<Result<(), RegistryError>>;

enum Command {
    Update(Member, Answer),
    Leave(Answer),
}

impl KeptLease {
    async fn ask(&self, command: impl FnOnce(Answer) -> Command) -> Result<(), RegistryError> {
        let (answer, answered) = oneshot::channel();
        // The task ends before its lease only when it is superseded.
        let superseded = || RegistryError::Superseded { id: self.id.clone() };
        self.commands.send(command(answer)).await.map_err(|_| superseded())?;
        answered.await.unwrap_or_else(|_| Err(superseded()))
    }
}

#[async_trait]
impl Lease for KeptLease {
    /// While the server is away, this fails, and the member is shown so as soon as it is back.
    async fn update(&self, member: Member) -> Result<(), RegistryError> {
        if member.id != self.id {
            return Err(RegistryError::OtherMember { held: self.id.clone(), given: member.id });
        }
        self.ask(|answer| Command::Update(member, answer)).await
    }

    fn valid_until(&self) -> Option<Instant> {
        Some(*self.valid_until.borrow())
    }

    async fn leave(self: Box<Self>) -> Result<(), RegistryError> {
        self.ask(Command::Leave).await
    }
}

struct KeeperTask<P> {
    place: P,
    validity: watch::Sender<Instant>,
    backoff: Backoff,
    failing: bool,
}

/// Whether the task goes on.
enum Next {
    Go,
    End,
}

impl<P: Place> KeeperTask<P> {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut renewal = tokio::time::Instant::now() + self.place.renewal_interval();
        loop {
            // Each is cancel-safe: nothing is taken before it is done.
            let next = tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => return,
                },
                () = due(&self.place, renewal) => {
                    let (next, pause) = self.renew().await;
                    renewal = tokio::time::Instant::now() + pause;
                    next
                }
            };
            self.validity.send_replace(self.place.valid_until());
            if matches!(next, Next::End) {
                return;
            }
        }
    }

    async fn obey(&mut self, command: Command) -> Next {
        let (done, answer, next) = match command {
            Command::Update(member, answer) => (self.place.update(member).await, answer, Next::Go),
            Command::Leave(answer) => (self.place.leave().await, answer, Next::End),
        };
        let next = if matches!(done, Err(RegistryError::Superseded { .. })) { Next::End } else { next };
        // Before the answer, so that whoever has it sees what follows from it.
        self.validity.send_replace(self.place.valid_until());
        // Who does not wait for the answer does not need it.
        answer.send(done).ok();
        next
    }

    /// Renews the place, and says after which pause it is to be renewed again.
    async fn renew(&mut self) -> (Next, Duration) {
        let Err(error) = self.place.renew().await else {
            if std::mem::take(&mut self.failing) {
                info!(member = %self.place.id(), "the member's lease is renewed again");
            }
            self.backoff.reset();
            return (Next::Go, self.place.renewal_interval());
        };
        if matches!(error, RegistryError::Superseded { .. }) {
            warn!(member = %self.place.id(), "the member has joined again elsewhere: this lease is over");
            return (Next::End, Duration::ZERO);
        }
        if !std::mem::replace(&mut self.failing, true) {
            warn!(member = %self.place.id(), %error, "the member's lease cannot be renewed");
        }
        (Next::Go, self.backoff.pause())
    }
}

async fn due(place: &impl Place, renewal: tokio::time::Instant) {
    tokio::select! {
        () = place.lost() => {}
        () = tokio::time::sleep_until(renewal) => {}
    }
}
