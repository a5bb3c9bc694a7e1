//! Clients: raw ones, and those that number, acknowledge and resume.

use std::collections::BTreeMap;

use ringway_ring::Slot;
use ringway_session::{CloseCode, GroupId, Payload, SessionId};

use crate::event::{Asked, ClientIx, Event, GatewayIx, GroupIx, Said, SocketIx};
use crate::ledger::{Check, MessageIx};
use crate::network::HEAR_MAX_MS;
use crate::plan::Nature;
use crate::schedule::Time;
use crate::view;
use crate::world::World;

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) user: String,
    pub(crate) user_ix: usize,
    pub(crate) groups: Vec<GroupIx>,
    pub(crate) is_framed: bool,
    /// Its socket, once it is open.
    pub(crate) socket: Option<SocketIx>,
    /// The socket that it waits for to open.
    trying: Option<SocketIx>,
    session: Option<SessionId>,
    /// When it asked for its session.
    asked_at: Time,
    /// How many sessions it has had.
    sessions: u32,
    /// The highest offset that it has.
    offset: u64,
    /// Which message each offset of its session was.
    numbered: BTreeMap<u64, MessageIx>,
    said: u64,
    /// Whether one of its sockets has broken: what it said then may be lost.
    has_lost_socket: bool,
}

impl Client {
    /// The socket that it waits for to open.
    pub(crate) fn trying(&self) -> Option<SocketIx> {
        self.trying
    }

    /// Whether all that it has said must have been heard.
    pub(crate) fn is_heard(&self) -> bool {
        !self.has_lost_socket
    }

    /// Whether it can go on with its session when its socket breaks.
    pub(crate) fn can_resume(&self) -> bool {
        self.is_framed && self.session.is_some()
    }

    /// How many messages it has sent.
    pub(crate) fn said(&self) -> u64 {
        self.said
    }
}

#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) client: ClientIx,
    pub(crate) gateway: GatewayIx,
    pub(crate) is_open: bool,
    to_client: Time,
    to_gateway: Time,
}

pub(crate) fn user_name(user: usize) -> String {
    format!("user-{user}")
}

pub(crate) fn group_name(group: GroupIx) -> String {
    format!("group-{group}")
}

pub(crate) fn group(group: GroupIx) -> GroupId {
    GroupId::new(&group_name(group)).expect("a short name")
}

fn message_of(id: &str) -> MessageIx {
    id.parse().expect("all messages are named by their numbers")
}

impl World {
    pub(crate) fn make_clients(&mut self) {
        for client in 0..self.plan.clients {
            let user_ix = client % self.plan.users;
            let groups = (0..2).filter(|_| self.random.chance(60)).collect();
            let is_framed = self.random.chance(50);
            self.clients.push(Client {
                user: user_name(user_ix),
                user_ix,
                groups,
                is_framed,
                socket: None,
                trying: None,
                session: None,
                asked_at: 0,
                sessions: 0,
                offset: 0,
                numbered: BTreeMap::new(),
                said: 0,
                has_lost_socket: false,
            });
            let begin_ms = 1_000 * u64::from(self.random.chance(80)) + self.random.below(3_000);
            self.schedule.at(begin_ms.saturating_sub(900), Event::ClientTurn(client));
        }
    }

    pub(crate) fn client_turn(&mut self, client: ClientIx) {
        if self.is_over {
            return;
        }
        if self.clients[client].socket.is_none() {
            if self.clients[client].trying.is_none() {
                self.client_connects(client);
            }
        } else if self.is_active() {
            self.client_says(client);
        }
        if self.is_active() || self.clients[client].socket.is_none() {
            let pause_ms = 50 + self.random.below(500);
            self.schedule.after(pause_ms, Event::ClientTurn(client));
        }
    }

    fn client_says(&mut self, client: ClientIx) {
        let it = &mut self.clients[client];
        let Some(socket) = it.socket else { return };
        let said = if it.is_framed && self.random.chance(50) {
            Said::Ack(it.offset)
        } else {
            it.said += 1;
            Said::Message(it.said)
        };
        let at = self.schedule.now + self.delay();
        let last = &mut self.sockets[socket].to_gateway;
        *last = at.max(*last);
        self.schedule.at(*last, Event::FromClient { socket, said });
    }

    fn client_connects(&mut self, client: ClientIx) {
        let gateway = self.random.index(self.gateways.len());
        if !self.gateways[gateway].is_running {
            return;
        }
        self.sockets.push(Socket { client, gateway, is_open: true, to_client: 0, to_gateway: 0 });
        let socket = self.sockets.len() - 1;
        self.clients[client].trying = Some(socket);
        let it = &self.clients[client];
        let asked = match it.session.filter(|_| it.is_framed) {
            Some(session) => Asked::Resume { session, offset: it.offset, attempt: socket as u64 },
            None => Asked::New,
        };
        if matches!(asked, Asked::New) {
            self.clients[client].asked_at = self.schedule.now;
        }
        self.trace.add(self.schedule.now, || {
            format!("c{client} connects to g{gateway}: socket {socket}, {asked:?}")
        });
        self.gateway_accepts(socket, asked);
    }

    /// An id that no session had.
    pub(crate) fn new_session(&mut self, client: ClientIx) -> SessionId {
        self.last_session += 1;
        SessionId::new(Slot::of(self.clients[client].user.as_bytes()), self.last_session.into())
    }

    /// Lets something reach a client, after everything before it.
    pub(crate) fn tell_client(&mut self, socket: SocketIx, event: impl FnOnce(SocketIx) -> Event) {
        let at = self.schedule.now + self.delay();
        let last = &mut self.sockets[socket].to_client;
        *last = at.max(*last);
        self.schedule.at(*last, event(socket));
    }

    pub(crate) fn client_opened(&mut self, socket: SocketIx) {
        let client = self.sockets[socket].client;
        let it = &mut self.clients[client];
        if !self.sockets[socket].is_open || it.trying != Some(socket) {
            return;
        }
        (it.socket, it.trying) = (Some(socket), None);
        it.sessions += u32::from(!it.is_framed);
        self.trace.add(self.schedule.now, || format!("c{client} has socket {socket}"));
        self.ledger.connected(client, self.schedule.now);
    }

    pub(crate) fn client_receives(&mut self, socket: SocketIx, payload: &Payload) {
        let client = self.sockets[socket].client;
        if !self.sockets[socket].is_open {
            return;
        }
        let text = std::str::from_utf8(payload.bytes()).expect("all payloads here are text");
        self.trace.add(self.schedule.now, || format!("c{client} <- {text}"));
        if !self.clients[client].is_framed {
            return self.client_has(client, message_of(text));
        }
        let frame: serde_json::Value = serde_json::from_str(text).expect("all frames are JSON");
        let offset = frame["offset"].as_u64().unwrap_or_default();
        if frame["type"] == "welcome" {
            let session = frame["session"].as_str().and_then(|text| text.parse().ok());
            self.client_welcomed(client, session, offset, frame["recovered"] == true);
        } else {
            self.client_numbered(client, offset, frame["id"].as_str().unwrap_or_default());
        }
    }

    fn client_welcomed(
        &mut self,
        client: ClientIx,
        session: Option<SessionId>,
        offset: u64,
        is_recovered: bool,
    ) {
        let is_lost = self.clients[client].session.is_some() && !is_recovered;
        if is_lost && self.plan.nature == Nature::Planned {
            return self
                .ledger
                .broken(Check::Resumed, format!("c{client} comes back, and its session is lost"));
        }
        if is_lost {
            self.ledger.not_recovered(client, self.schedule.now);
        }
        let it = &mut self.clients[client];
        it.sessions += u32::from(!is_recovered);
        if it.session != session {
            it.numbered.clear();
        }
        (it.session, it.offset) = (session, offset);
    }

    fn client_numbered(&mut self, client: ClientIx, offset: u64, id: &str) {
        let it = &mut self.clients[client];
        let (message, expected) = (message_of(id), it.offset + 1);
        if offset != expected && self.plan.nature == Nature::Planned {
            let what = format!("c{client} receives offset {offset} where {expected} is next");
            return self.ledger.broken(Check::Numbers, what);
        }
        let known = *it.numbered.entry(offset).or_insert(message);
        if known != message {
            let what = format!("offset {offset} of c{client} is m{known}, and m{message} as well");
            return self.ledger.broken(Check::Numbers, what);
        }
        if offset > it.offset {
            it.offset = offset;
            self.client_has(client, message);
        }
    }

    fn client_has(&mut self, client: ClientIx, message: MessageIx) {
        self.ledger.received(client, self.clients[client].sessions, message, self.schedule.now);
    }

    pub(crate) fn client_closed(&mut self, socket: SocketIx, code: CloseCode) {
        let client = self.sockets[socket].client;
        let has_broken = !std::mem::take(&mut self.sockets[socket].is_open);
        let it = &mut self.clients[client];
        let was_open = it.socket == Some(socket);
        self.trace.add(self.schedule.now, || format!("c{client} sees its socket closed: {code}"));
        let is_expected =
            has_broken || self.is_over || self.plan.nature != Nature::Planned && code != CloseCode::RESUMED;
        if was_open && !is_expected {
            self.ledger.broken(Check::Closed, format!("c{client} sees its socket closed with {code}"));
        }
        if was_open || it.trying == Some(socket) {
            (it.socket, it.trying) = (None, None);
            if !it.is_framed || !was_open && it.session.is_none() {
                self.ledger.disconnected(client, self.schedule.now);
            }
            let pause_ms = 20 + self.random.below(400);
            self.schedule.after(pause_ms, Event::ClientTurn(client));
        }
    }

    /// A client's socket breaks: each side hears of it some time.
    pub(crate) fn break_socket(&mut self, socket: SocketIx) {
        if !std::mem::take(&mut self.sockets[socket].is_open) {
            return;
        }
        self.trace
            .add(self.schedule.now, || format!("socket {socket} of c{} breaks", self.sockets[socket].client));
        let (soon_ms, late_ms) = (self.random.below(HEAR_MAX_MS), self.random.below(HEAR_MAX_MS));
        self.schedule.after(soon_ms, Event::SocketClosed { socket, code: CloseCode::ABNORMAL });
        self.schedule.after(late_ms, Event::SocketGone { socket });
        let client = self.sockets[socket].client;
        let it = &mut self.clients[client];
        it.has_lost_socket = true;
        let can_resume = self.clients[client].can_resume();
        self.ledger.socket_broke(client, self.schedule.now, can_resume);
    }

    /// A client says goodbye. When it comes back it is somebody new.
    pub(crate) fn client_leaves(&mut self, client: ClientIx) {
        let it = &mut self.clients[client];
        let Some(socket) = it.socket.take() else { return };
        (it.session, it.offset, it.said) = (None, 0, 0);
        it.numbered.clear();
        self.sockets[socket].is_open = false;
        self.trace.add(self.schedule.now, || format!("c{client} leaves: socket {socket}"));
        self.ledger.left(client, self.clients[client].asked_at, self.schedule.now);
        let at = (self.schedule.now + self.delay()).max(self.sockets[socket].to_gateway);
        self.schedule.at(at, Event::Goodbye { socket });
        let pause_ms = 20 + self.random.below(400);
        self.schedule.after(pause_ms, Event::ClientTurn(client));
    }

    pub(crate) fn clients_leave(&mut self) {
        for client in 0..self.clients.len() {
            if let Some(socket) = self.clients[client].socket.take() {
                self.sockets[socket].is_open = false;
                self.gateway_lets_go(socket, CloseCode::NORMAL, false);
            }
        }
    }

    /// The worker on which a client's session belongs.
    pub(crate) fn owner_of(&self, client: ClientIx) -> Option<view::WorkerIx> {
        self.newest.owner(&self.clients[client].user)
    }

    pub(crate) fn session_of(&self, client: ClientIx) -> Option<&crate::gateway::Seat> {
        let socket = self.clients[client].socket?;
        self.gateways[self.sockets[socket].gateway].seats.get(&socket)
    }
}
