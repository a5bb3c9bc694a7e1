//! Many clients: connected at a rate, whatever becomes of those before, and counted.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::connections::Connections;
use super::failure::{ConnectFailure, End};
use super::identity::Identities;
use super::inbox::Inbox;
use super::listen::Way;
use super::socket::{Ask, Socket};
use super::source::Sources;
use super::target::Target;
use crate::traffic::{Arrivals, Schedule, Ticks};

/// How many handshakes may be under way; those that are due beyond it wait, and their waiting is measured.
const CONNECTING_MAX: usize = 1_000;

/// How clients connect.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) target: Target,
    pub(crate) sources: Sources,
    pub(crate) identities: Identities,
    pub(crate) way: Way,
    /// How long a handshake may take.
    pub(crate) within: Duration,
}

/// Connected clients. Dropped, their sockets are, too.
pub(crate) struct Crowd {
    pub(crate) connections: Arc<Connections>,
    plan: Arc<Plan>,
    arrivals: Arc<Arrivals>,
    living: JoinSet<()>,
    leave: CancellationToken,
}

/// A client that comes and goes.
pub(crate) struct Life {
    leave: CancellationToken,
    cut: CancellationToken,
}

/// A handshake that is over.
type Opened = (usize, Result<Socket, ConnectFailure>);

impl Crowd {
    /// Nobody yet.
    pub(crate) fn new(plan: Arc<Plan>, arrivals: Arc<Arrivals>) -> Self {
        let (connections, leave) = (Arc::default(), CancellationToken::new());
        Self { connections, plan, arrivals, living: JoinSet::new(), leave }
    }

    /// Connects these clients, so many each second, and returns when each has a socket or has failed.
    ///
    /// # Errors
    /// When there is no timer.
    pub(crate) async fn gather(&mut self, clients: Range<usize>, per_second: f64) -> std::io::Result<()> {
        let began = Instant::now();
        let mut schedule = Schedule::of(clients.len() as u64, per_second);
        let mut ticks = Ticks::at_rate(per_second)?;
        let (mut opening, mut next) = (JoinSet::new(), clients.start);
        while schedule.next_at().is_some() || !opening.is_empty() {
            tokio::select! {
                biased;
                Some(opened) = opening.join_next() => self.opened(opened.expect("a handshake does not panic")),
                () = ticks.tick(), if schedule.next_at().is_some() => {
                    while opening.len() < CONNECTING_MAX
                        && let Some(due) = schedule.due(began.elapsed())
                    {
                        opening.spawn(self.open(next, began + due));
                        next += 1;
                    }
                }
            }
        }
        Ok(())
    }

    /// Connects one client that was due then. It leaves when it is told to, or with the crowd.
    pub(crate) async fn add(&mut self, client: usize, due: Instant) -> Option<Life> {
        let (client, socket) = self.open(client, due).await;
        let (leave, cut) = (self.leave.child_token(), CancellationToken::new());
        let life = self.life(client, socket.ok()?, leave.clone());
        let (connections, broken) = (Arc::clone(&self.connections), cut.clone());
        self.living.spawn(async move {
            let end = tokio::select! {
                end = life => end,
                () = broken.cancelled() => End::Left,
            };
            connections.ended(&end);
        });
        Some(Life { leave, cut })
    }

    /// Has all say goodbye, and waits for their sockets to end.
    pub(crate) async fn leave(mut self) {
        self.leave.cancel();
        while self.living.join_next().await.is_some() {}
    }

    /// From how many addresses they connect; 0: from those that the system chooses.
    pub(crate) fn source_addresses(&self) -> usize {
        self.plan.sources.count()
    }

    /// Forgets those whose sockets have ended.
    pub(crate) fn reap(&mut self) {
        while self.living.try_join_next().is_some() {}
    }

    fn open(&self, client: usize, due: Instant) -> impl Future<Output = Opened> + Send + use<> {
        let (plan, connections) = (Arc::clone(&self.plan), Arc::clone(&self.connections));
        async move {
            let opened = plan.open(client).await;
            match &opened {
                Ok(_) => connections.opened(due.elapsed()),
                Err(failure) => connections.failed(failure),
            }
            (client, opened)
        }
    }

    fn opened(&mut self, (client, socket): Opened) {
        if let Ok(socket) = socket {
            let (connections, life) =
                (Arc::clone(&self.connections), self.life(client, socket, self.leave.clone()));
            self.living.spawn(async move { connections.ended(&life.await) });
        }
    }

    fn life(
        &self,
        client: usize,
        socket: Socket,
        leave: CancellationToken,
    ) -> impl Future<Output = End> + use<> {
        self.plan.way.listen(socket, Inbox::new(&self.arrivals, client), leave)
    }
}

impl Life {
    /// Has it say goodbye.
    pub(crate) fn leave(self) {
        self.leave.cancel();
    }

    /// Breaks its connection.
    pub(crate) fn break_off(self) {
        self.cut.cancel();
    }
}

impl Plan {
    async fn open(&self, client: usize) -> Result<Socket, ConnectFailure> {
        let token = self.identities.token(client).map_err(|_| ConnectFailure::Token)?;
        let ask = Ask {
            target: &self.target,
            parameters: &[("token", &token)],
            subprotocol: self.way.subprotocol(),
            source: self.sources.of(client),
            within: self.within,
        };
        Socket::open(&ask).await
    }
}
