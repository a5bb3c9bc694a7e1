//! The one place where sessions change: the table behind one lock, and the links that carry its directives.
//!
//! The law: directives are carried to the links' outboxes before the lock is let go. So what two callers send to one
//! session leaves in the order in which the table saw it. Nothing waits under the lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use ringway_proto::v1::worker_frame::Frame;
use ringway_proto::v1::{Close, Deliver, Opened};
use ringway_session::{
    Address, CloseCode, Directive, Filter, GroupId, LinkId, OpenError, Opening, Payload, Reach, SessionId,
    SessionTable, SessionView, Target, UserId,
};
use rustc_hash::FxHashMap;

use crate::config::WorkerConfig;
use crate::convert::kind_to_proto;
use crate::interest::Interest;
use crate::link::outbox::{Fill, Outbox};
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
    outbox_bytes: (usize, usize),
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
            outbox_bytes: (config.link_queue_bytes_high, config.link_queue_bytes_max),
        }
    }

    /// A gateway has attached.
    pub(crate) fn attach(&self, gateway: &str) -> (LinkId, Arc<Outbox>) {
        let link = LinkId(self.next_link.fetch_add(1, Ordering::Relaxed));
        let (high, max) = self.outbox_bytes;
        let outbox = Arc::new(Outbox::new(high, max));
        let mut state = self.state.lock();
        state.links.insert(link, Link { gateway: gateway.into(), outbox: Arc::clone(&outbox) });
        self.metrics.links.set(state.links.len() as f64);
        (link, outbox)
    }

    /// A gateway's link is gone, and its sessions with it.
    pub(crate) fn detach(&self, link: LinkId) -> usize {
        let sessions = self.change(|table, out| table.link_gone(link, out)).0;
        let mut state = self.state.lock();
        if let Some(link) = state.links.remove(&link) {
            link.outbox.close();
        }
        self.metrics.links.set(state.links.len() as f64);
        sessions
    }

    /// Adds a session. The gateway does not know of it until [`Hub::opened`].
    pub(crate) fn open(&self, opening: Opening) -> Result<(), OpenError> {
        self.change(|table, out| table.open(opening, out)).0
    }

    /// Tells the gateway that a session was made, if it still exists.
    pub(crate) fn opened(&self, address: Address, id: SessionId, subprotocol: String) {
        let state = self.state.lock();
        if state.table.id_at(address) == Some(id)
            && let Some(link) = state.links.get(&address.link)
        {
            link.outbox.push(Frame::Opened(Opened { channel: address.channel.0, subprotocol }));
        }
    }

    /// Sends a frame to a gateway.
    pub(crate) fn tell(&self, link: LinkId, frame: Frame) {
        if let Some(link) = self.state.lock().links.get(&link) {
            link.outbox.push(frame);
        }
    }

    /// A client's socket is gone.
    pub(crate) fn gone(&self, address: Address) -> Option<SessionId> {
        self.change(|table, out| table.gone(address, out)).0
    }

    /// Bytes have left for a client.
    pub(crate) fn written(&self, address: Address, bytes: u64) {
        self.act(|table, out| table.written(address, bytes, out));
    }

    /// Puts a message on its way.
    pub(crate) fn send(&self, to: &Receivers, payload: &Payload, exclude: &[SessionId]) -> Sent {
        let (reach, crowded) = self.act(|table, out| match to {
            Receivers::User(user) => table.send_to_user(user, payload, exclude, out),
            Receivers::Group(group) => table.send_to_group(group, payload, exclude, out),
            Receivers::All => table.send_to_all(payload, exclude, out),
            Receivers::One(address) => table.send_to_address(*address, payload, out),
        });
        self.metrics.sent(to, reach, payload);
        if reach.overflowed > 0 {
            self.count();
        }
        Sent { reach, crowded }
    }

    /// Closes sessions. Gives back how many.
    pub(crate) fn close(&self, target: &Target, code: CloseCode, reason: &str) -> usize {
        self.change(|table, out| table.close(target, code, reason, out)).0
    }

    /// Closes every session. Gives back how many, and the outboxes that carry the news.
    pub(crate) fn close_all(&self, code: CloseCode, reason: &str) -> (usize, Vec<Arc<Outbox>>) {
        let (closed, _) = self.change(|table, out| table.close_all(code, reason, out));
        let state = self.state.lock();
        (closed, state.links.values().map(|link| Arc::clone(&link.outbox)).collect())
    }

    /// Makes sessions members of a group.
    pub(crate) fn join(&self, target: &Target, group: &GroupId) -> Result<usize, OpenError> {
        self.change(|table, out| table.join(target, group, out)).0
    }

    /// Ends memberships.
    pub(crate) fn leave(&self, target: &Target, group: &GroupId) -> usize {
        self.change(|table, out| table.leave(target, group, out)).0
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

    /// Bytes that wait for all links.
    pub(crate) fn queue_bytes(&self) -> usize {
        self.state.lock().links.values().map(|link| link.outbox.bytes()).sum()
    }

    /// Acts on the table and carries out what it directs, and counts what there is afterwards.
    fn change<R>(
        &self,
        act: impl FnOnce(&mut SessionTable, &mut Vec<Directive>) -> R,
    ) -> (R, Vec<Arc<Outbox>>) {
        let done = self.act(act);
        self.count();
        done
    }

    fn act<R>(&self, act: impl FnOnce(&mut SessionTable, &mut Vec<Directive>) -> R) -> (R, Vec<Arc<Outbox>>) {
        let mut directives = Vec::new();
        let mut crowded = Vec::new();
        let mut state = self.state.lock();
        let result = act(&mut state.table, &mut directives);
        for directive in directives {
            self.carry_out(&state.links, directive, &mut crowded);
        }
        (result, crowded)
    }

    fn carry_out(
        &self,
        links: &FxHashMap<LinkId, Link>,
        directive: Directive,
        crowded: &mut Vec<Arc<Outbox>>,
    ) {
        match directive {
            Directive::Deliver { link, channels, payload } => {
                let Some(link) = links.get(&link) else { return };
                let kind = kind_to_proto(payload.kind());
                let frame = Deliver { channels, payload: payload.into_bytes(), kind: kind.into() };
                if link.outbox.push(Frame::Deliver(frame)) == Fill::High {
                    crowded.push(Arc::clone(&link.outbox));
                }
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
