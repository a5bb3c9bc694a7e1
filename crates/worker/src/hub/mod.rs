//! The one place where sessions change: the worker's pure state behind one lock, and those who carry out what it directs.
//!
//! The law: directives are carried to the links' outboxes before the lock is let go. So what two callers send to one
//! session leaves in the order in which the state saw it. Nothing waits under the lock.

mod claims;
mod client;
mod directives;
mod errands;
mod guarded;
mod moves;
mod presence;
mod status;
mod waits;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ringway_proto::v1::worker_frame::Frame;
use ringway_proto::v1::{EventKind, Opened};
use ringway_ring::{MemberId, Ring, RingVersion};
use ringway_session::{
    Acked, Address, Channel, CloseCode, Directive, Filter, GroupId, LinkId, Message, Moment, NotHere,
    NotOpened, OpenError, Opening, Payload, Policy, Reopening, Resuming, Sending, Sent, SessionId,
    SessionView, Shard, Target, Ticket, UserId,
};
use rustc_hash::FxHashMap;
use tokio::sync::{Notify, oneshot, watch};
use tracing::warn;

use self::claims::Claims;
pub(crate) use self::claims::{Asking, ClaimHeld, ClaimedBy, Held, HeldNews, Surrendered};
use self::directives::crowded;
use self::errands::Errands;
pub(crate) use self::errands::{Errand, ReadErrand, TakenBy};
use self::guarded::Guarded;
pub(crate) use self::moves::HandOver;
use self::presence::Presences;
pub(crate) use self::presence::{Exported, Friend, PresenceStream};
pub(crate) use self::waits::Wait;
use crate::clock::Clock;
use crate::config::WorkerConfig;
use crate::events::EventHub;
use crate::interest::Interest;
use crate::link::outbox::Outbox;
use crate::metrics::{self, Metrics};
use crate::seal::Seal;

/// To whom a message goes, on this worker.
#[derive(Clone, Debug)]
pub(crate) enum Receivers {
    Group(GroupId),
    All,
    /// Sessions that belong here by the ring of whoever sent the message here.
    Sessions(Vec<SessionId>),
}

/// A message was put on its way.
#[derive(Default)]
pub(crate) struct Placed {
    pub(crate) sent: Sent,
    /// The ends of the waits for sessions that are to arrive.
    pub(crate) waits: Vec<Wait>,
    /// Outboxes above their mark: wait for their room before sending more.
    pub(crate) crowded: Vec<Arc<Outbox>>,
}

impl Placed {
    /// Whether nothing is left to be done or waited for.
    pub(crate) fn is_complete(&self) -> bool {
        let Sent { tickets, onward, strayed, reach: _ } = &self.sent;
        let nothing_left = tickets.is_empty() && onward.is_empty() && strayed.is_empty();
        nothing_left && self.waits.is_empty() && self.crowded.is_empty()
    }
}

/// The worker is about to leave.
#[derive(Debug)]
pub(crate) struct Leaving;

/// Why a session was not opened.
#[derive(Debug)]
pub(crate) enum Denied {
    Leaving(Leaving),
    Shard(NotOpened),
}

/// A session as it is shown, with the gateway that holds its socket.
pub(crate) struct Shown {
    pub(crate) session: SessionView,
    pub(crate) gateway: Arc<str>,
}

pub(crate) struct Hub {
    state: Guarded,
    interest: Arc<Interest>,
    metrics: Metrics,
    seal: Arc<Seal>,
    events: EventHub,
    clock: Clock,
    next_link: AtomicU64,
    link_bytes_max: u64,
    /// The worker is about to leave: no new links and sessions. Changed, and decided by, under the lock.
    leaving: AtomicBool,
    /// Fires when something may have been decided that somebody waits for: a ring, what others hold, an arrival.
    changed: watch::Sender<()>,
    /// Fires when the others are to be asked again by the same ring.
    unsettled: Notify,
    /// Fires when sessions are to be brought to their owners.
    to_hand_over: Notify,
    /// Fires when sessions want something of mailboxes.
    to_run: Notify,
    /// Fires when clients have taken something of mailboxes.
    to_tell: Notify,
    /// Fires when users are to be followed, or no more, for clients here.
    to_follow: Notify,
}

struct State {
    shard: Shard,
    links: FxHashMap<LinkId, Link>,
    /// Those who wait for sessions to arrive.
    tickets: FxHashMap<Ticket, oneshot::Sender<ringway_session::Fate>>,
    claims: Claims,
    hand_overs: VecDeque<HandOver>,
    errands: Errands,
    presences: Presences,
}

struct Link {
    gateway: Arc<str>,
    outbox: Arc<Outbox>,
}

/// What the hub has from the worker.
pub(crate) struct HubParts {
    pub(crate) interest: Arc<Interest>,
    pub(crate) seal: Arc<Seal>,
    pub(crate) metrics: Metrics,
    pub(crate) events: EventHub,
}

impl Hub {
    pub(crate) fn new(config: &WorkerConfig, empty: Arc<Ring>, parts: HubParts) -> Self {
        let HubParts { interest, seal, metrics, events } = parts;
        let policy = Policy { tell_ends: true, ..config.policy.clone() };
        let shard = Shard::new(config.id.clone(), policy, config.moves.clone(), empty);
        let state = State {
            shard,
            links: FxHashMap::default(),
            tickets: FxHashMap::default(),
            claims: Claims::default(),
            hand_overs: VecDeque::new(),
            errands: Errands::default(),
            presences: Presences::default(),
        };
        Hub {
            state: Guarded::new(state),
            interest,
            metrics,
            seal,
            events,
            clock: Clock::new(),
            next_link: AtomicU64::new(0),
            link_bytes_max: config.policy.link_bytes_max,
            leaving: AtomicBool::new(false),
            changed: watch::Sender::new(()),
            unsettled: Notify::new(),
            to_hand_over: Notify::new(),
            to_run: Notify::new(),
            to_tell: Notify::new(),
            to_follow: Notify::new(),
        }
    }

    /// Acts by a new ring from now on. `others` are the other workers that may hold sessions.
    /// Of them, `departed` are in the view no more.
    pub(crate) fn adopt(
        &self,
        ring: Arc<Ring>,
        others: impl IntoIterator<Item = MemberId>,
        departed: impl IntoIterator<Item = MemberId>,
    ) {
        let now = self.clock.now();
        self.act(|state, out| {
            state.shard.adopt(ring, others, now, out);
            state.shard.departed(departed);
            state.claims.ring_changed();
            state.presences.ring_changed();
        });
        self.changed.send_replace(());
        self.count();
    }

    /// The version of the ring by which it acts.
    pub(crate) fn ring_version(&self) -> RingVersion {
        self.state.lock().shard.ring_version()
    }

    /// Whether that ring has this worker.
    pub(crate) fn ring_has(&self, id: &MemberId) -> bool {
        self.state.lock().shard.ring().active_members().iter().any(|member| member.id == *id)
    }

    /// Until when the worker may act, if its lease says so. One that had run out and is valid again may have been given up by
    /// the others: then they are asked again what they hold.
    pub(crate) fn set_valid_until(&self, valid_until: Option<std::time::Instant>) {
        let (now, valid_until) = (self.clock.now(), valid_until.map(|until| self.clock.at(until)));
        let mut state = self.state.lock();
        let had_lapsed = state.shard.is_lapsed(now);
        state.shard.set_valid_until(valid_until);
        if had_lapsed && !state.shard.is_lapsed(now) {
            state.shard.unsettle();
            self.unsettled.notify_one();
        }
    }

    /// Waits until the others are to be asked again by the same ring. Cancel-safe.
    pub(crate) async fn unsettled(&self) {
        self.unsettled.notified().await;
    }

    /// Whether the worker must act for nobody, since its lease has run out.
    pub(crate) fn is_lapsed(&self) -> bool {
        self.state.lock().shard.is_lapsed(self.clock.now())
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

    /// A gateway's link is gone: its sessions wait for it, or for their clients. Gives back how many.
    pub(crate) fn link_gone(&self, link: LinkId) -> usize {
        let now = self.clock.now();
        let sessions = self.change(|shard, _| shard.link_gone(link, now));
        let mut state = self.state.lock();
        if let Some(link) = state.links.remove(&link) {
            link.outbox.close();
        }
        self.metrics.links.set(state.links.len() as f64);
        drop(state);
        sessions
    }

    /// Adds a session. The gateway does not know of it until [`Hub::opened`].
    ///
    /// # Errors
    /// Why not; then nothing has changed.
    pub(crate) fn open(&self, opening: Opening) -> Result<SessionId, Denied> {
        let id = opening.id;
        self.begin(|state, now, out| {
            let told = self.events.wants(EventKind::Connected).then(|| opening.clone());
            state.shard.open(opening, now, out)?;
            if let Some(opening) = told {
                self.events.connected(&opening, state.gateway_of(opening.address.link));
            }
            Ok(id)
        })
    }

    /// Goes on with a session that a gateway brings.
    ///
    /// # Errors
    /// As [`Hub::open`].
    pub(crate) fn reopen(&self, reopening: Reopening) -> Result<SessionId, Denied> {
        let reopened = self.begin(|state, now, out| state.shard.reopen(reopening, now, out))?;
        self.metrics.arrived.fetch_add(1, Ordering::Relaxed);
        Ok(reopened)
    }

    /// Goes on with a session whose client has a new socket.
    ///
    /// # Errors
    /// As [`Hub::open`].
    pub(crate) fn resume(&self, resuming: Resuming) -> Result<SessionId, Denied> {
        let id = resuming.id;
        self.begin(|state, now, out| state.shard.resume(resuming, now, out).map(|_| id))
    }

    /// Tells the gateway that a session is open, if it still is. Gives back whether it is.
    pub(crate) fn opened(&self, address: Address, id: SessionId) -> bool {
        let state = self.state.lock();
        let exists = state.shard.table().id_at(address) == Some(id);
        if exists
            && let Some(link) = state.links.get(&address.link)
            && let Some(checkpoint) = state.shard.checkpoint(id)
        {
            link.outbox.push(Frame::Opened(Opened {
                channel: address.channel.0,
                subprotocol: checkpoint.subprotocol.to_string(),
                session_id: id.to_bytes().to_vec().into(),
                state: self.seal.checkpoint(checkpoint),
            }));
        }
        exists
    }

    /// The groups of a session.
    pub(crate) fn groups_of(&self, id: SessionId) -> Vec<GroupId> {
        self.state.lock().shard.table().session(id).map(|session| session.groups).unwrap_or_default()
    }

    /// Sends a frame to a gateway.
    pub(crate) fn tell(&self, link: LinkId, frame: Frame) {
        if let Some(link) = self.state.lock().links.get(&link) {
            link.outbox.push(frame);
        }
    }

    /// A client's socket is gone, with this close code.
    pub(crate) fn gone(&self, address: Address, code: CloseCode, may_resume: bool) -> Option<SessionId> {
        let now = self.clock.now();
        let gone = self.act(|state, out| {
            let gone = state.shard.gone(address, may_resume, now, out);
            // Told here and not as a directive, since only here the code is known.
            out.retain(|directive| match directive {
                Directive::Ended(ended) => {
                    self.events.disconnected(ended, Some(code));
                    false
                }
                _ => true,
            });
            gone
        });
        self.count();
        gone
    }

    /// The session at an address, as it is shown.
    pub(crate) fn session_at(&self, address: Address) -> Option<Shown> {
        let state = self.state.lock();
        let id = state.shard.table().id_at(address)?;
        state.shard.table().session(id).map(|session| state.show(session))
    }

    /// Bytes have left for clients.
    pub(crate) fn written(&self, link: LinkId, reports: impl IntoIterator<Item = (Channel, u64)>) {
        self.act(|state, out| state.shard.written(link, reports, out));
    }

    /// A link's stream has taken messages of this cost.
    pub(crate) fn taken(&self, link: LinkId, bytes: u64) {
        self.act(|state, out| state.shard.taken(link, bytes, out));
    }

    /// A client has everything up to an offset; nothing if there is no such session.
    pub(crate) fn acknowledge(&self, address: Address, offset: u64) -> Option<Acked> {
        self.act(|state, out| state.shard.acknowledge(address, offset, out))
    }

    /// Whether a session speaks `ringway.v1.json`.
    pub(crate) fn is_framed(&self, address: Address) -> bool {
        self.state.lock().shard.table().is_framed(address)
    }

    /// Sends something of the cluster's own to one session.
    pub(crate) fn send_aside(&self, address: Address, payload: Payload) {
        self.act(|state, out| state.shard.send_aside(address, payload, out));
    }

    /// Sends to a user.
    ///
    /// # Errors
    /// [`NotHere`]; then nothing has changed.
    pub(crate) fn send_to_user(
        &self,
        user: &UserId,
        message: &Message,
        exclude: &[SessionId],
    ) -> Result<Placed, NotHere> {
        let now = self.clock.now();
        let placed = self.act(|state, out| {
            let sent = state.shard.send_to_user(user, Sending { message, exclude }, now, out)?;
            Ok(state.placed(sent, out))
        })?;
        self.note_sent(metrics::Target::User, &placed, message);
        Ok(placed)
    }

    /// Sends to many.
    pub(crate) fn send(&self, to: &Receivers, message: &Message, exclude: &[SessionId]) -> Placed {
        let now = self.clock.now();
        let placed = self.act(|state, out| {
            let shard = &mut state.shard;
            let sent = match to {
                Receivers::Group(group) => shard.send_to_group(group, Sending { message, exclude }, now, out),
                Receivers::All => shard.send_to_all(Sending { message, exclude }, now, out),
                Receivers::Sessions(ids) => shard.send_to_sessions(ids, message, now, out),
            };
            state.placed(sent, out)
        });
        let target = match to {
            Receivers::Group(_) => metrics::Target::Group,
            Receivers::All => metrics::Target::All,
            Receivers::Sessions(_) => metrics::Target::Arriving,
        };
        self.note_sent(target, &placed, message);
        placed
    }

    /// Sends a client's message back to it.
    pub(crate) fn echo(&self, address: Address, message: &Message) -> Vec<Arc<Outbox>> {
        let placed = self.act(|state, out| {
            let sent = Sent { reach: state.shard.send_to_address(address, message, out), ..Sent::default() };
            state.placed(sent, out)
        });
        self.note_sent(metrics::Target::Echo, &placed, message);
        placed.crowded
    }

    /// Closes sessions. Gives back how many.
    pub(crate) fn close(&self, target: &Target, code: CloseCode, reason: &str) -> usize {
        self.change(|shard, out| shard.close(target, code, reason, out))
    }

    /// Takes no new links and sessions from now on, and closes every session. Gives back how many, and the outboxes that
    /// carry the news.
    pub(crate) fn leave(&self, code: CloseCode, reason: &str) -> (usize, Vec<Arc<Outbox>>) {
        let left = self.act(|state, out| {
            self.leaving.store(true, Ordering::Relaxed);
            let closed = state.shard.close_all(code, reason, out);
            (closed, state.links.values().map(|link| Arc::clone(&link.outbox)).collect())
        });
        self.count();
        left
    }

    /// Makes sessions members of a group.
    pub(crate) fn join_group(&self, target: &Target, group: &GroupId) -> Result<usize, OpenError> {
        self.change(|shard, out| shard.join(target, group, out))
    }

    /// Ends memberships.
    pub(crate) fn leave_group(&self, target: &Target, group: &GroupId) -> usize {
        self.change(|shard, out| shard.leave(target, group, out))
    }

    /// One session.
    pub(crate) fn session(&self, id: SessionId) -> Option<Shown> {
        let state = self.state.lock();
        state.shard.table().session(id).map(|session| state.show(session))
    }

    /// The first `limit` sessions by user and id, and how many there are.
    pub(crate) fn list(&self, filter: &Filter, limit: usize) -> (Vec<Shown>, usize) {
        let state = self.state.lock();
        let (sessions, total) = state.shard.table().list(filter, limit);
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

    /// Ends what has lasted too long.
    pub(crate) fn expire(&self) {
        let now = self.clock.now();
        self.change(|shard, out| shard.expire(now, out));
        self.state.lock().presences.look_again(now);
    }

    fn begin(
        &self,
        begin: impl FnOnce(&mut State, Moment, &mut Vec<Directive>) -> Result<SessionId, NotOpened>,
    ) -> Result<SessionId, Denied> {
        let now = self.clock.now();
        let begun = self.act(|state, out| match self.is_leaving() {
            true => Err(Denied::Leaving(Leaving)),
            false => begin(state, now, out).map_err(Denied::Shard),
        });
        self.count();
        if begun.is_ok() {
            self.changed.send_replace(());
        }
        begun
    }

    fn note_sent(&self, target: metrics::Target, placed: &Placed, message: &Message) {
        self.metrics.sent(target, placed.sent.reach, message.payload());
        if placed.sent.reach.overflowed > 0 {
            self.count();
        }
    }

    /// Acts on the state and carries out what it directs, and counts what there is afterwards.
    fn change<R>(&self, act: impl FnOnce(&mut Shard, &mut Vec<Directive>) -> R) -> R {
        let done = self.act(|state, out| act(&mut state.shard, out));
        self.count();
        done
    }

    fn act<R>(&self, act: impl FnOnce(&mut State, &mut Vec<Directive>) -> R) -> R {
        let mut directives = Vec::new();
        let mut state = self.state.lock();
        let result = act(&mut state, &mut directives);
        for directive in directives {
            self.carry_out(&mut state, directive);
        }
        result
    }

    fn count(&self) {
        let state = self.state.lock();
        let table = state.shard.table();
        self.metrics.population(table.len(), table.users(), table.groups());
        self.metrics.on_the_way(state.shard.in_transit(), state.shard.expected());
    }
}

impl State {
    fn gateway_of(&self, link: LinkId) -> &str {
        self.links.get(&link).map_or("", |link| &*link.gateway)
    }

    fn show(&self, session: SessionView) -> Shown {
        let link = session.link.and_then(|link| self.links.get(&link));
        let gateway = link.map_or_else(|| "".into(), |link| Arc::clone(&link.gateway));
        Shown { session, gateway }
    }

    fn placed(&mut self, sent: Sent, directives: &[Directive]) -> Placed {
        let crowded = crowded(self.shard.table(), &self.links, directives, sent.reach);
        let waits = sent.tickets.iter().map(|ticket| self.wait(*ticket)).collect();
        Placed { sent, waits, crowded }
    }
}
