//! Everything that happens: what arrives, what is due, what goes wrong.

use std::rc::Rc;
use std::time::Duration;

use ringway_ring::RingVersion;
use ringway_session::relay::Cost;
use ringway_session::{CloseCode, HeldSession, Payload, Report, SessionId, SessionState};

use crate::faults::Happening;
use crate::ledger::MessageIx;
use crate::view::{View, WorkerIx};

pub(crate) type GatewayIx = usize;
pub(crate) type ClientIx = usize;
pub(crate) type SenderIx = usize;
pub(crate) type GroupIx = usize;
/// A connection of two nodes: a link, or a claim's stream.
pub(crate) type PipeIx = usize;
/// A client's socket.
pub(crate) type SocketIx = usize;
pub(crate) type CallId = u64;

/// Who is at an end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Node {
    Worker(WorkerIx),
    Gateway(GatewayIx),
    Sender(SenderIx),
}

/// A session's place at a worker, as its gateway calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Post {
    pub(crate) pipe: PipeIx,
    pub(crate) channel: u64,
}

/// What a client says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Its message of this number.
    Message(u64),
    Ack(u64),
}

impl Cost for Said {
    fn cost_bytes(&self) -> usize {
        10
    }
}

/// How a session is asked for.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    New,
    Resume { session: SessionId, offset: u64, attempt: u64 },
    Reopen(Box<Reopen>),
}

/// A session that was open before.
#[derive(Clone, Debug)]
pub(crate) struct Reopen {
    pub(crate) state: SessionState,
    pub(crate) is_complete: bool,
    pub(crate) is_torn: bool,
    pub(crate) passed_offset: u64,
    pub(crate) passed_messages: u64,
}

/// One thing that is said over a connection.
#[derive(Clone, Debug)]
pub(crate) enum Frame {
    // From a gateway to a worker.
    Open { channel: u64, client: ClientIx, session: SessionId, asked: Asked },
    Message { channel: u64, said: Said },
    Written { channel: u64, bytes: u64 },
    Gone { channel: u64, may_resume: bool },
    Detach { channel: u64 },
    Arrived { channel: u64 },
    // From a worker to a gateway.
    Opened { channel: u64, session: SessionId, state: Box<SessionState> },
    Refused { channel: u64, is_outdated: bool },
    Deliver { channels: Vec<u64>, offsets: Vec<u64>, payload: Payload },
    Close { channel: u64, code: CloseCode },
    Move { channels: Vec<u64> },
    Detached { channel: u64, state: Box<SessionState> },
    Checkpoint { channel: u64, state: Box<SessionState> },
    // From a new owner to another worker.
    Claim { incarnation: u64, version: RingVersion },
    Hasten { session: SessionId },
    // And back.
    Noted,
    Holding { sessions: Vec<HeldSession>, orphans_for: Duration },
    Surrendered { state: Box<SessionState>, resumable_for: Duration },
    Released { session: SessionId },
    // From a worker to a home of groups, and back.
    Report(Report),
    ReportTaken { sequence: u64 },
}

/// What a call asks for.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    Send { message: MessageIx, is_forwarded: bool },
    Local { message: MessageIx, target: Local },
    Adopt { state: Box<SessionState>, resumable_for: Duration },
}

/// Sessions of one worker.
#[derive(Clone, Debug)]
pub(crate) enum Local {
    Group(GroupIx),
    All,
    Sessions(Vec<SessionId>),
}

/// Who waits for an answer.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    Sender(SenderIx),
    Worker {
        worker: WorkerIx,
        incarnation: u64,
        why: Why,
    },
    /// The caller has given up, or has another answer.
    Nobody,
}

impl Caller {
    pub(crate) fn worker(&self) -> Option<WorkerIx> {
        match self {
            Caller::Worker { worker, .. } => Some(*worker),
            Caller::Sender(_) | Caller::Nobody => None,
        }
    }

    pub(crate) fn node(&self) -> Option<Node> {
        match self {
            Caller::Worker { worker, .. } => Some(Node::Worker(*worker)),
            Caller::Sender(sender) => Some(Node::Sender(*sender)),
            Caller::Nobody => None,
        }
    }
}

/// What a worker wants an answer for.
#[derive(Clone, Debug)]
pub(crate) enum Why {
    /// To pass it on as the answer to this call.
    Forward(CallId),
    /// To add it to the answer of this call.
    Part(CallId),
    HandOver {
        state: Box<SessionState>,
        resumable_for: Duration,
    },
}

/// A call that has not been answered.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) from: Caller,
    pub(crate) to: WorkerIx,
    pub(crate) request: Request,
    pub(crate) has_arrived: bool,
    /// Sessions of which whoever was asked says in its answer that it cannot send after them.
    pub(crate) strayed: Vec<SessionId>,
}

/// How many sessions a message was given to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) sessions: u32,
    pub(crate) suspended: u32,
    pub(crate) overflowed: u32,
    pub(crate) missed: u32,
    pub(crate) unreached: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Receipt(Receipt),
    /// Nothing was done: the same may be asked again.
    Refused,
    /// Nobody knows what was done.
    ConnectionLost,
    Adopted,
}

#[derive(Debug)]
pub(crate) enum Event {
    View {
        node: Node,
        view: Rc<View>,
    },
    Happening(Happening),
    Frame {
        pipe: PipeIx,
        to: Node,
        frame: Box<Frame>,
    },
    PipeGone {
        pipe: PipeIx,
        to: Node,
    },
    Request(CallId),
    Answer {
        call: CallId,
        answer: Answer,
    },
    Tick {
        worker: WorkerIx,
        incarnation: u64,
    },
    ClaimDue {
        worker: WorkerIx,
        incarnation: u64,
        claim: u64,
    },
    SendLate {
        worker: WorkerIx,
        incarnation: u64,
        call: CallId,
    },
    /// Sessions are looked for that were not where they seemed to belong.
    Pursue {
        worker: WorkerIx,
        incarnation: u64,
        call: CallId,
    },
    OpenLate {
        worker: WorkerIx,
        incarnation: u64,
        post: Post,
    },
    /// The homes of a session's groups should know of it by now.
    Known {
        worker: WorkerIx,
        incarnation: u64,
        post: Post,
    },
    /// A session looks for its worker.
    Seek {
        socket: SocketIx,
    },
    HomelessLate {
        socket: SocketIx,
        since: u64,
    },
    ToClient {
        socket: SocketIx,
        payload: Payload,
    },
    FromClient {
        socket: SocketIx,
        said: Said,
    },
    SocketClosed {
        socket: SocketIx,
        code: CloseCode,
    },
    /// A client's goodbye.
    Goodbye {
        socket: SocketIx,
    },
    SocketGone {
        socket: SocketIx,
    },
    SocketOpen {
        socket: SocketIx,
    },
    ClientTurn(ClientIx),
    SenderTurn(SenderIx),
    /// Somebody wants no more of a connection.
    LetGo {
        pipe: PipeIx,
        by: Node,
    },
    /// The end of a worker's stop.
    GoOn {
        worker: WorkerIx,
    },
}
