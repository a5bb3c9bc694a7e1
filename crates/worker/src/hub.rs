//! The one place where sessions change: the table behind one lock, and the links that carry its directives.
//!
//! The law: directives are carried to the links' outboxes before the lock is let go. So what two callers send to one
//! session leaves in the order in which the table saw it. Nothing waits under the lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use ringway_proto::v1::worker_frame::Frame;
use ringway_proto::v1::{Close, Deliver, Opened};
use ringway_session::{
    Address, Channel, CloseCode, Directive, Filter, GroupId, LinkId, OpenError, Opening, Payload, Reach,
    SessionId, SessionTable, SessionView, Target, UserId,
};
use rustc_hash::FxHashMap;
use tracing::warn;

use crate::config::WorkerConfig;
use crate::convert::kind_to_proto;
use crate::interest::Interest;
use crate::link::outbox::Outbox;
use crate::metrics::Metrics;

/// To whom a message goes, on this worker.
#[derive(Clone, Debug)]
pub(crate) enum Receivers {
    User(UserId),
    Group(GroupId),
    All,
    One(Address),
}

/// A message was put on its way.
pub(crate) struct Sent {
    pub(crate) reach: Reach,
    /// Outboxes above their mark: wait for their room before sending more.
    pub(crate) crowded: Vec<Arc<Outbox>>,
}

/// The worker is about to leave.
#[derive(Debug)]
pub(crate) struct Leaving;

/// Why a session was not opened.
#[derive(Debug)]
pub(crate) enum NotOpened {
    Leaving(Leaving),
    Table(OpenError),
}

/// A session as it is shown, with the gateway that holds its socket.
pub(crate) struct Shown {
    pub(crate) session: SessionView,
    pub(crate) gateway: Arc<str>,
}

pub(crate) struct Hub {
    state: Mutex<State>,
    interest: Arc<Interest>,
    metrics: Metrics,
    next_link: AtomicU64,
    link_bytes_max: u64,
    /// The worker is about to leave: no new links and sessions. Changed, and decided by, under the lock.
    leaving: AtomicBool,
}

struct State {
    table: SessionTable,
    links: FxHashMap<LinkId, Link>,
}

struct Link {
    gateway: Arc<str>,
    outbox: Arc<Outbox>,
}

impl Hub {
    pub(crate) fn new(config: &WorkerConfig, interest: Arc<Interest>, metrics: Metrics) -> Self {
        let table = SessionTable::new(config.policy.clone());
        Hub {
            state: Mutex::new(State { table, links: FxHashMap::default() }),
            interest,
            metrics,
            next_link: AtomicU64::new(0),
            link_bytes_max: config.policy.link_bytes_max,
            leaving: AtomicBool::new(false),
        }
    }

    /// A gateway has attached.
    ///
    /// # Errors
    /// [`Leaving`]: the worker takes no links any more.
    pub(crate) fn attach(&self, gateway: &str) -> Result<(LinkId, Arc<Outbox>), Leaving> {
        let link = LinkId(self.next_link.fetch_add(1, Ordering::Relaxed));
        let outbox = Arc::new(Outbox::new(self.link_bytes_max));
        let mut state = self.state.lock();
        if self.is_leaving() {
            return Err(Leaving);
        }
        state.links.insert(link, Link { gateway: gateway.into(), outbox: Arc::clone(&outbox) });
        self.metrics.links.set(state.links.len() as f64);
        Ok((link, outbox))
    }

    /// A gateway's link is gone, and its sessions with it.
    pub(crate) fn detach(&self, link: LinkId) -> usize {
        let sessions = self.change(|table, out| table.link_gone(link, out));
        let mut state = self.state.lock();
        if let Some(link) = state.links.remove(&link) {
            link.outbox.close();
        }
        self.metrics.links.set(state.links.len() as f64);
        sessions
    }

    /// Adds a session. The gateway does not know of it until [`Hub::opened`].
    ///
    /// # Errors
    /// Why not; then nothing has changed.
    pub(crate) fn open(&self, opening: Opening) -> Result<(), NotOpened> {
        let opened = self.act(|state, out| match self.is_leaving() {
            true => Err(NotOpened::Leaving(Leaving)),
            false => state.table.open(opening, out).map_err(NotOpened::Table),
        });
        self.count();
        opened
    }

    /// Tells the gateway that a session was made, if it still exists. Gives back whether it does.
    pub(crate) fn opened(&self, address: Address, id: SessionId, subprotocol: String) -> bool {
        let state = self.state.lock();
        let exists = state.table.id_at(address) == Some(id);
        if exists && let Some(link) = state.links.get(&address.link) {
            link.outbox.push(Frame::Opened(Opened {
                channel: address.channel.0,
                subprotocol,
                session_id: id.to_bytes().to_vec().into(),
                state: bytes::Bytes::new(),
            }));
        }
        exists
    }

    /// Sends a frame to a gateway.
    pub(crate) fn tell(&self, link: LinkId, frame: Frame) {
        if let Some(link) = self.state.lock().links.get(&link) {
            link.outbox.push(frame);
        }
    }

    /// A client's socket is gone.
    pub(crate) fn gone(&self, address: Address) -> Option<SessionId> {
        self.change(|table, out| table.gone(address, out))
    }

    /// Bytes have left for clients.
    pub(crate) fn written(&self, link: LinkId, reports: impl IntoIterator<Item = (Channel, u64)>) {
        self.act(|state, out| state.table.written(link, reports, out));
    }

    /// A link's stream has taken messages of this cost.
    pub(crate) fn taken(&self, link: LinkId, bytes: u64) {
        self.act(|state, out| state.table.taken(link, bytes, out));
    }

    /// Puts a message on its way.
    pub(crate) fn send(&self, to: &Receivers, payload: &Payload, exclude: &[SessionId]) -> Sent {
        let (reach, crowded) = self.act(|State { table, links, .. }, out| {
            let reach = match to {
                Receivers::User(user) => table.send_to_user(user, payload, exclude, out),
                Receivers::Group(group) => table.send_to_group(group, payload, exclude, out),
                Receivers::All => table.send_to_all(payload, exclude, out),
                Receivers::One(address) => table.send_to_address(*address, payload, out),
            };
            (reach, crowded(table, links, out, reach))
        });
        self.metrics.sent(to, reach, payload);
        if reach.overflowed > 0 {
            self.count();
        }
        Sent { reach, crowded }
    }

    /// Closes sessions. Gives back how many.
    pub(crate) fn close(&self, target: &Target, code: CloseCode, reason: &str) -> usize {
        self.change(|table, out| table.close(target, code, reason, out))
    }

    /// Takes no new links and sessions from now on, and closes every session. Gives back how many, and the outboxes that
    /// carry the news.
    pub(crate) fn leave(&self, code: CloseCode, reason: &str) -> (usize, Vec<Arc<Outbox>>) {
        let left = self.act(|state, out| {
            self.leaving.store(true, Ordering::Relaxed);
            let closed = state.table.close_all(code, reason, out);
            (closed, state.links.values().map(|link| Arc::clone(&link.outbox)).collect())
        });
        self.count();
        left
    }

    /// Makes sessions members of a group.
    pub(crate) fn join_group(&self, target: &Target, group: &GroupId) -> Result<usize, OpenError> {
        self.change(|table, out| table.join(target, group, out))
    }

    /// Ends memberships.
    pub(crate) fn leave_group(&self, target: &Target, group: &GroupId) -> usize {
        self.change(|table, out| table.leave(target, group, out))
    }

    /// One session.
    pub(crate) fn session(&self, id: SessionId) -> Option<Shown> {
        let state = self.state.lock();
        state.table.session(id).map(|session| state.show(session))
    }

    /// The first `limit` sessions by user and id, and how many there are.
    pub(crate) fn list(&self, filter: &Filter, limit: usize) -> (Vec<Shown>, usize) {
        let state = self.state.lock();
        let (sessions, total) = state.table.list(filter, limit);
        (sessions.into_iter().map(|session| state.show(session)).collect(), total)
    }

    /// Whether the worker is about to leave.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    /// Bytes that wait for all links.
    pub(crate) fn queue_bytes(&self) -> u64 {
        self.state.lock().links.values().map(|link| link.outbox.bytes()).sum()
    }

    /// Breaks the links whose gateways have taken nothing for so long while frames wait for them.
    pub(crate) fn break_stalled(&self, timeout: Duration) {
        for (id, link) in &self.state.lock().links {
            if link.outbox.stalled_for() >= timeout {
                warn!(link = id.0, gateway = %link.gateway, "the gateway takes nothing: its link is broken");
                link.outbox.close();
            }
        }
    }

    /// Acts on the table and carries out what it directs, and counts what there is afterwards.
    fn change<R>(&self, act: impl FnOnce(&mut SessionTable, &mut Vec<Directive>) -> R) -> R {
        let done = self.act(|state, out| act(&mut state.table, out));
        self.count();
        done
    }

    fn act<R>(&self, act: impl FnOnce(&mut State, &mut Vec<Directive>) -> R) -> R {
        let mut directives = Vec::new();
        let mut state = self.state.lock();
        let result = act(&mut state, &mut directives);
        for directive in directives {
            self.carry_out(&state.links, directive);
        }
        result
    }

    fn carry_out(&self, links: &FxHashMap<LinkId, Link>, directive: Directive) {
        match directive {
            Directive::Deliver { link, channels, payload } => {
                let Some(link) = links.get(&link) else { return };
                let kind = kind_to_proto(payload.kind());
                let frame = Deliver {
                    channels,
                    payload: payload.into_bytes(),
                    kind: kind.into(),
                    offsets: Vec::new(),
                };
                link.outbox.push(Frame::Deliver(frame));
            }
            Directive::Close { address, code, reason } => {
                self.metrics.closed(code);
                let Some(link) = links.get(&address.link) else { return };
                let code = code.as_u16().into();
                link.outbox.push(Frame::Close(Close { channel: address.channel.0, code, reason }));
            }
            Directive::GroupAppeared(group) => self.interest.appeared(&group),
            Directive::GroupVanished(group) => self.interest.vanished(&group),
        }
    }

    fn count(&self) {
        let state = self.state.lock();
        self.metrics.population(state.table.len(), state.table.users(), state.table.groups());
    }
}

impl State {
    fn show(&self, session: SessionView) -> Shown {
        let gateway =
            self.links.get(&session.link).map_or_else(|| "".into(), |link| Arc::clone(&link.gateway));
        Shown { session, gateway }
    }
}

/// The outboxes without room among those that this message goes to or waits for.
fn crowded(
    table: &SessionTable,
    links: &FxHashMap<LinkId, Link>,
    directives: &[Directive],
    reach: Reach,
) -> Vec<Arc<Outbox>> {
    let on_the_way: usize = directives.iter().filter_map(|directive| receivers_on(directive, None)).sum();
    let some_wait = on_the_way < reach.sessions as usize;
    let concerns = |link| some_wait || directives.iter().any(|to| receivers_on(to, Some(link)).is_some());
    let full = links.iter().filter(|(id, _)| table.is_crowded(**id) && concerns(**id));
    full.map(|(_, link)| Arc::clone(&link.outbox)).collect()
}

/// How many receivers a directive has, if it is a message, and for this link if one is given.
fn receivers_on(directive: &Directive, on: Option<LinkId>) -> Option<usize> {
    match directive {
        Directive::Deliver { link, channels, .. } if on.is_none_or(|on| on == *link) => Some(channels.len()),
        _ => None,
    }
}
