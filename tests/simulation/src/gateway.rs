//! A gateway: the real [`Relay`] of each session in an imitation of the code around it.

use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;
use ringway_session::relay::{Action, Origin, Phase, Refusal};
use ringway_session::{
    CloseCode, Kind, MESSAGE_OVERHEAD_BYTES, Payload, Relay, SessionId, SessionState, frame,
};

use crate::event::{Asked, Event, Frame, GatewayIx, Node, PipeIx, Post, Reopen, Said, SocketIx};
use crate::network::{Flow, HEAR_MAX_MS};
use crate::plan::{FLIGHT_MS, HOMELESS_DEADLINE_MS, LOST_MS};
use crate::schedule::Time;
use crate::view::{View, WorkerIx};
use crate::world::World;

pub(crate) struct Gateway {
    pub(crate) is_running: bool,
    pub(crate) view: Rc<View>,
    links: BTreeMap<WorkerIx, PipeIx>,
    last_channel: u64,
    pub(crate) seats: BTreeMap<SocketIx, Seat>,
    by_post: BTreeMap<Post, SocketIx>,
}

/// One session at its gateway.
pub(crate) struct Seat {
    pub(crate) relay: Relay<Post, Said>,
    pub(crate) session: SessionId,
    /// How its client asked for it.
    asked: Asked,
    is_opened: bool,
    /// What came for the client before it had its socket.
    early: Vec<Payload>,
    /// Whether a first place was asked for, and not answered.
    is_asking: bool,
    homeless_since: Option<Time>,
    /// Whether a worker that was given its state has not been heard of since.
    is_torn: bool,
    /// Bytes that its worker has not heard of.
    untold_bytes: u64,
    begun_at: Time,
}

impl Gateway {
    pub(crate) fn new(view: &Rc<View>) -> Self {
        Gateway {
            is_running: true,
            view: Rc::clone(view),
            links: BTreeMap::new(),
            last_channel: 0,
            seats: BTreeMap::new(),
            by_post: BTreeMap::new(),
        }
    }
}

/// The longest that a first place is looked for.
const FIRST_DEADLINE_MS: u64 = 8_000;

impl World {
    /// A client has passed authentication.
    pub(crate) fn gateway_accepts(&mut self, socket: SocketIx, asked: Asked) {
        let gateway = self.sockets[socket].gateway;
        let session = self.new_session(self.sockets[socket].client);
        let nowhere = Post { pipe: usize::MAX, channel: 0 };
        let seat = Seat {
            relay: Relay::new(nowhere),
            session,
            asked,
            is_opened: false,
            early: Vec::new(),
            is_asking: false,
            homeless_since: None,
            is_torn: false,
            untold_bytes: 0,
            begun_at: self.schedule.now,
        };
        self.gateways[gateway].seats.insert(socket, seat);
        self.seek(socket);
    }

    /// The link to a worker, made now if there is none and the worker can be reached.
    fn link(&mut self, gateway: GatewayIx, worker: WorkerIx) -> Option<PipeIx> {
        if let Some(pipe) = self.gateways[gateway].links.get(&worker) {
            return Some(*pipe);
        }
        if !self.can_reach(Node::Gateway(gateway), Node::Worker(worker)) {
            return None;
        }
        let pipe = self.connect(Node::Gateway(gateway), Node::Worker(worker));
        self.gateways[gateway].links.insert(worker, pipe);
        self.link_made(worker, pipe);
        Some(pipe)
    }

    /// A new post at the worker that owns a session, if it can be asked now.
    fn post_for(&mut self, socket: SocketIx) -> Option<Post> {
        let gateway = self.sockets[socket].gateway;
        let user = &self.clients[self.sockets[socket].client].user;
        let owner = self.gateways[gateway].view.owner(user)?;
        let pipe = self.link(gateway, owner)?;
        let it = &mut self.gateways[gateway];
        it.last_channel += 1;
        let post = Post { pipe, channel: it.last_channel };
        it.by_post.insert(post, socket);
        Some(post)
    }

    fn seek_soon(&mut self, socket: SocketIx) {
        let delay_ms = 20 + self.random.below(100);
        self.schedule.after(delay_ms, Event::Seek { socket });
    }

    /// Looks for a session's worker.
    pub(crate) fn seek(&mut self, socket: SocketIx) {
        let gateway = self.sockets[socket].gateway;
        let now = self.schedule.now;
        let Some(seat) = self.gateways[gateway].seats.get(&socket) else { return };
        if !seat.is_opened {
            if now - seat.begun_at > FIRST_DEADLINE_MS {
                self.gateway_closes(socket, CloseCode::TRY_AGAIN_LATER);
            } else if !seat.is_asking {
                self.ask_first(socket);
            }
            return;
        }
        if seat.relay.phase() != Phase::Homeless {
            return;
        }
        let Some(post) = self.post_for(socket) else { return self.seek_soon(socket) };
        let client = self.sockets[socket].client;
        let Some(seat) = self.gateways[gateway].seats.get_mut(&socket) else { return };
        let Some(asking) = seat.relay.ask(post) else { return };
        seat.untold_bytes = 0;
        let session = seat.session;
        let Some(state) = self.state_of(&asking.state) else { return };
        let passed_offset = if self.gateway_protections.passed_offset { asking.passed_offset } else { 0 };
        let is_torn = self.gateways[gateway].seats.get(&socket).is_some_and(|seat| seat.is_torn);
        let is_complete = asking.origin == Origin::Detached;
        let passed_messages = asking.passed_messages;
        let reopen = Reopen { state, is_complete, is_torn, passed_offset, passed_messages };
        let asked = Asked::Reopen(Box::new(reopen));
        let open = Frame::Open { channel: post.channel, client, session, asked };
        self.say(post.pipe, Node::Gateway(gateway), open);
    }

    fn ask_first(&mut self, socket: SocketIx) {
        let gateway = self.sockets[socket].gateway;
        let client = self.sockets[socket].client;
        let Some(post) = self.post_for(socket) else { return self.seek_soon(socket) };
        let session = self.new_session(client);
        let Some(seat) = self.gateways[gateway].seats.get_mut(&socket) else { return };
        // Another id each time: the session may be at a worker whose answer was lost.
        (seat.relay, seat.session, seat.is_asking) = (Relay::new(post), session, true);
        seat.early.clear();
        let open =
            Frame::Open { channel: post.channel, client, session: seat.session, asked: seat.asked.clone() };
        self.say(post.pipe, Node::Gateway(gateway), open);
    }

    /// The bytes that a gateway keeps of a state: here they only name it.
    fn bytes_of(&mut self, state: SessionState) -> Bytes {
        self.states.push(state);
        Bytes::copy_from_slice(&(self.states.len() as u64 - 1).to_be_bytes())
    }

    fn state_of(&self, pieces: &[Bytes]) -> Option<SessionState> {
        let number = u64::from_be_bytes(pieces.concat().try_into().ok()?);
        self.states.get(number as usize).cloned()
    }

    pub(crate) fn gateway_hears(&mut self, gateway: GatewayIx, pipe: PipeIx, frame: Frame) {
        let at = |channel: u64| Post { pipe, channel };
        match frame {
            Frame::Opened { channel, session, state } => {
                self.gateway_opened(gateway, at(channel), session, *state);
            }
            Frame::Refused { channel, is_outdated } => {
                self.gateway_refused(gateway, at(channel), is_outdated);
            }
            Frame::Deliver { channels, offsets, payload } => {
                self.link_took(pipe, payload.bytes().len(), channels.len() + offsets.len());
                for (place, channel) in channels.into_iter().enumerate() {
                    self.gateway_delivers(gateway, at(channel), offsets.get(place).copied(), &payload);
                }
            }
            Frame::Close { channel, code } => {
                self.with_seat(gateway, at(channel), |seat, post| seat.relay.closed(&post, code));
            }
            Frame::Move { channels } => {
                for channel in channels {
                    self.with_seat(gateway, at(channel), |seat, post| {
                        seat.relay.depart(&post).into_iter().collect()
                    });
                }
            }
            Frame::Detached { channel, state } => {
                let bytes = self.bytes_of(*state);
                let (first, last) = (bytes.slice(..3), bytes.slice(3..));
                self.with_seat(gateway, at(channel), |seat, post| {
                    let too_large = seat.relay.state_part(&post, first, 1 << 20);
                    too_large.into_iter().chain(seat.relay.detached(&post, last)).collect()
                });
            }
            Frame::Checkpoint { channel, state } => {
                let bytes = self.bytes_of(*state);
                self.with_seat(gateway, at(channel), |seat, post| {
                    seat.relay.checkpoint(&post, bytes);
                    Vec::new()
                });
            }
            _ => {}
        }
    }

    /// Lets something happen to the session at a post, and does what follows.
    fn with_seat(
        &mut self,
        gateway: GatewayIx,
        post: Post,
        event: impl FnOnce(&mut Seat, Post) -> Vec<Action<Post, Said>>,
    ) {
        let it = &mut self.gateways[gateway];
        let Some(&socket) = it.by_post.get(&post) else { return };
        let Some(seat) = it.seats.get_mut(&socket) else { return };
        let actions = event(seat, post);
        self.act(socket, actions);
    }

    fn gateway_opened(&mut self, gateway: GatewayIx, post: Post, session: SessionId, state: SessionState) {
        let bytes = self.bytes_of(state);
        let Some(&socket) = self.gateways[gateway].by_post.get(&post) else { return };
        let Some(seat) = self.gateways[gateway].seats.get_mut(&socket) else { return };
        let is_first = !seat.is_opened && seat.relay.settled_at() == Some(&post);
        let actions = seat.relay.opened(&post, bytes);
        if is_first {
            (seat.session, seat.is_opened, seat.is_asking) = (session, true, false);
            let early = std::mem::take(&mut seat.early);
            self.tell_client(socket, |socket| Event::SocketOpen { socket });
            for payload in early {
                self.tell_client(socket, |socket| Event::ToClient { socket, payload });
            }
        } else if seat.relay.settled_at() == Some(&post) {
            self.ledger.moved += 1;
        }
        self.act(socket, actions);
        self.report_written(gateway, post);
    }

    fn gateway_refused(&mut self, gateway: GatewayIx, post: Post, is_outdated: bool) {
        let Some(&socket) = self.gateways[gateway].by_post.get(&post) else { return };
        let Some(seat) = self.gateways[gateway].seats.get_mut(&socket) else { return };
        if seat.is_opened {
            let why = if is_outdated { Refusal::Final(CloseCode::RESUMED) } else { Refusal::Passing };
            let actions = seat.relay.refused(&post, why);
            self.gateways[gateway].by_post.remove(&post);
            self.act(socket, actions);
        } else if seat.relay.settled_at() == Some(&post) {
            seat.is_asking = false;
            self.gateways[gateway].by_post.remove(&post);
            if is_outdated {
                self.gateway_closes(socket, CloseCode::RESUMED);
            } else {
                self.seek_soon(socket);
            }
        }
    }

    fn gateway_delivers(&mut self, gateway: GatewayIx, post: Post, offset: Option<u64>, payload: &Payload) {
        let it = &mut self.gateways[gateway];
        let Some(&socket) = it.by_post.get(&post) else { return };
        let Some(seat) = it.seats.get_mut(&socket) else { return };
        if !seat.relay.delivered(&post, offset) {
            return;
        }
        let payload = offset.map_or_else(|| payload.clone(), |offset| numbered(offset, payload));
        seat.untold_bytes += payload.bytes().len() as u64 + MESSAGE_OVERHEAD_BYTES;
        if !seat.is_opened {
            return seat.early.push(payload);
        }
        self.report_written(gateway, post);
        self.tell_client(socket, |socket| Event::ToClient { socket, payload });
    }

    /// Tells a worker that has the session what has left for its client.
    fn report_written(&mut self, gateway: GatewayIx, post: Post) {
        let it = &mut self.gateways[gateway];
        let Some(seat) = it.by_post.get(&post).and_then(|socket| it.seats.get_mut(socket)) else { return };
        if seat.untold_bytes > 0 && seat.relay.settled_at() == Some(&post) {
            let bytes = std::mem::take(&mut seat.untold_bytes);
            self.say(post.pipe, Node::Gateway(gateway), Frame::Written { channel: post.channel, bytes });
        }
    }

    fn act(&mut self, socket: SocketIx, actions: Vec<Action<Post, Said>>) {
        let gateway = self.sockets[socket].gateway;
        let me = Node::Gateway(gateway);
        for action in actions {
            self.trace.add(self.schedule.now, || format!("g{gateway} socket {socket}: {action:?}"));
            match action {
                Action::Detach(post) => {
                    self.say(post.pipe, me, Frame::Detach { channel: post.channel });
                }
                Action::Find => {
                    self.note_homeless(socket);
                    self.schedule.after(1, Event::Seek { socket });
                }
                Action::Pass(post, said) => {
                    self.say(post.pipe, me, Frame::Message { channel: post.channel, said });
                }
                Action::Arrived(post) => {
                    self.say(post.pipe, me, Frame::Arrived { channel: post.channel });
                    self.gateways[gateway].by_post.remove(&post);
                }
                Action::Gone { post, may_resume, .. } => {
                    self.say(post.pipe, me, Frame::Gone { channel: post.channel, may_resume });
                    self.gateways[gateway].by_post.remove(&post);
                }
                Action::End(code) => self.gateway_closes(socket, code),
            }
        }
        let Some(seat) = self.gateways[gateway].seats.get_mut(&socket) else { return };
        match seat.relay.phase() {
            Phase::Settled => (seat.homeless_since, seat.is_torn) = (None, false),
            // Its client was gone already.
            Phase::Over => _ = self.gateways[gateway].seats.remove(&socket),
            Phase::Leaving | Phase::Homeless | Phase::Asking => {}
        }
    }

    fn note_homeless(&mut self, socket: SocketIx) {
        let gateway = self.sockets[socket].gateway;
        let now = self.schedule.now;
        let Some(seat) = self.gateways[gateway].seats.get_mut(&socket) else { return };
        if seat.homeless_since.is_none() {
            seat.homeless_since = Some(now);
            self.schedule.after(HOMELESS_DEADLINE_MS, Event::HomelessLate { socket, since: now });
        }
    }

    pub(crate) fn homeless_late(&mut self, socket: SocketIx, since: Time) {
        let gateway = self.sockets[socket].gateway;
        let Some(seat) = self.gateways[gateway].seats.get_mut(&socket) else { return };
        if seat.homeless_since == Some(since) {
            let actions = seat.relay.abandon(CloseCode::RESTART);
            self.act(socket, actions);
        }
    }

    /// A client has said something.
    pub(crate) fn gateway_reads(&mut self, socket: SocketIx, said: Said) {
        let gateway = self.sockets[socket].gateway;
        if !self.sockets[socket].is_open {
            return;
        }
        let is_kept = self.gateway_protections.keeping;
        let Some(seat) = self.gateways[gateway].seats.get_mut(&socket) else { return };
        if let (false, Some(post)) = (is_kept, seat.relay.waits_for()) {
            let post = *post;
            return self.say(
                post.pipe,
                Node::Gateway(gateway),
                Frame::Message { channel: post.channel, said },
            );
        }
        if let Some((post, said)) = seat.relay.client_message(said) {
            let post = *post;
            self.say(post.pipe, Node::Gateway(gateway), Frame::Message { channel: post.channel, said });
        }
    }

    /// A client's socket is over, as the gateway hears.
    pub(crate) fn gateway_loses_socket(&mut self, socket: SocketIx) {
        let (client, now) = (self.sockets[socket].client, self.schedule.now);
        if !self.clients[client].can_resume() {
            // Until now, and until its worker hears of it, messages were sent to nobody.
            self.ledger.disturb(client, now.saturating_sub(HEAR_MAX_MS), now + FLIGHT_MS);
        }
        self.gateway_lets_go(socket, CloseCode::ABNORMAL, true);
    }

    /// A client's goodbye arrives.
    pub(crate) fn client_said_goodbye(&mut self, socket: SocketIx) {
        let gateway = self.sockets[socket].gateway;
        if let Some(seat) = self.gateways[gateway].seats.get(&socket) {
            self.ledger.ended(seat.session, self.schedule.now);
        }
        self.gateway_lets_go(socket, CloseCode::NORMAL, false);
    }

    pub(crate) fn gateway_lets_go(&mut self, socket: SocketIx, code: CloseCode, may_resume: bool) {
        let gateway = self.sockets[socket].gateway;
        let is_framed = self.clients[self.sockets[socket].client].is_framed;
        let finishes = self.gateway_protections.finishing;
        let Some(seat) = self.gateways[gateway].seats.get_mut(&socket) else { return };
        // Only who has its socket, or had one before, has what it needs to come back.
        let may_resume = may_resume && (seat.is_opened || matches!(seat.asked, Asked::Resume { .. }));
        let actions = match (seat.is_opened || seat.is_asking, may_resume && is_framed && finishes) {
            (false, _) => Vec::new(),
            (true, true) => seat.relay.suspend(code),
            (true, false) => seat.relay.leave(code, may_resume),
        };
        let goes_on =
            seat.is_opened && matches!(seat.relay.phase(), Phase::Leaving | Phase::Homeless | Phase::Asking);
        self.act(socket, actions);
        if !goes_on {
            self.gateways[gateway].seats.remove(&socket);
        }
    }

    /// The gateway closes a client's socket.
    fn gateway_closes(&mut self, socket: SocketIx, code: CloseCode) {
        let gateway = self.sockets[socket].gateway;
        self.gateways[gateway].seats.remove(&socket);
        self.tell_client(socket, |socket| Event::SocketClosed { socket, code });
    }

    /// A gateway hears that a link is over.
    pub(crate) fn gateway_loses(&mut self, gateway: GatewayIx, pipe: PipeIx) {
        let flow = self.pipes[pipe].flow;
        let it = &mut self.gateways[gateway];
        it.links.retain(|_, link| *link != pipe);
        let first = Post { pipe, channel: 0 };
        let lost: Vec<_> = it
            .by_post
            .range(first..)
            .take_while(|(post, _)| post.pipe == pipe)
            .map(|(p, s)| (*p, *s))
            .collect();
        for (post, socket) in lost {
            let it = &mut self.gateways[gateway];
            it.by_post.remove(&post);
            let Some(seat) = it.seats.get_mut(&socket) else { continue };
            if seat.is_opened {
                let is_asked = seat.relay.phase() == Phase::Asking && seat.relay.waits_for() == Some(&post);
                // A worker that ends in order has no sessions: it has not begun with this one.
                let actions = if is_asked && flow == Flow::Ended {
                    seat.relay.refused(&post, Refusal::Passing)
                } else {
                    seat.is_torn |= is_asked;
                    seat.relay.lost(&post)
                };
                self.note_lost_link(socket, pipe);
                self.act(socket, actions);
            } else if seat.relay.settled_at() == Some(&post) {
                // Another session is asked for: what was sent to the one that was, and waits there for its gateway, is for nobody.
                let (client, begun_at) = (self.sockets[socket].client, seat.begun_at);
                self.ledger.disturb(client, begun_at, self.schedule.now + LOST_MS);
                seat.is_asking = false;
                self.seek_soon(socket);
            }
        }
    }

    /// What was on its way to a client that does not number is lost with the link.
    fn note_lost_link(&mut self, socket: SocketIx, pipe: PipeIx) {
        let client = self.sockets[socket].client;
        if let Flow::Broken(at) = self.pipes[pipe].flow
            && !self.clients[client].is_framed
        {
            self.ledger.disturb(client, at.saturating_sub(FLIGHT_MS), self.schedule.now);
        }
    }

    /// A gateway is killed: its clients' sockets break, and its links.
    pub(crate) fn end_gateway(&mut self, gateway: GatewayIx) {
        let view = Rc::clone(&self.gateways[gateway].view);
        self.gateways[gateway] = Gateway { is_running: false, ..Gateway::new(&view) };
        self.gateways[gateway].last_channel = self.schedule.planned();
        for pipe in self.pipes_of(Node::Gateway(gateway)) {
            self.break_pipe(pipe);
        }
        for socket in 0..self.sockets.len() {
            if self.sockets[socket].gateway == gateway {
                self.break_socket(socket);
            }
        }
    }
}

fn numbered(offset: u64, tail: &Payload) -> Payload {
    let tail = std::str::from_utf8(tail.bytes()).expect("a tail is text");
    Payload::new(frame::numbered(offset, tail).into(), Kind::Text).expect("a frame is text")
}
