//! The task of one client: relays between its socket and its session's channel, and ends the connection well.
//!
//! `Open -> Ending -> Closing -> over`, and `-> Failing -> Lingering -> over` when the client broke the protocol. Whatever
//! the way, the [`Channel`] is dropped with the task, and that tells the worker.
//!
//! Ten thousands of these are idle at any moment, so the law is: what a quiet client needs stands in [`Client`] itself
//! and is small; what is large or rare is made when it is needed and let go at once.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use pin_project_lite::pin_project;
use ringway_proto::v1::PayloadKind;
use ringway_session::CloseCode;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};
use tungstenite::error::{Error, ProtocolError};
use tungstenite::protocol::CloseFrame;
use tungstenite::{Message, Utf8Bytes};

use super::line::Line;
use super::wire::{Wire, Written};
use crate::config::SocketConfig;
use crate::link::{Channel, End, WaitingSince, cost_bytes};
use crate::metrics::{Connected, Meters};
use crate::payload::detached;

/// What all clients of a gateway share.
pub(crate) struct SocketShared {
    pub(crate) config: SocketConfig,
    pub(crate) meters: Arc<Meters>,
}

/// One client.
pub(crate) struct Client<S> {
    wire: Wire<S>,
    channel: Channel,
    shared: Arc<SocketShared>,
    /// Messages that were taken out of the channel and not given to the wire.
    sending: VecDeque<Message>,
    /// Cost of what the wire has and the operating system may not have.
    unconfirmed_bytes: u64,
    waiting: WaitingSince,
    /// Whether the client is not listened to because its link has no room: then its silence says nothing about it.
    held_up: bool,
    phase: Phase,
    /// When the client last said something, or was held up.
    heard_at: Instant,
    pinged_at: Instant,
    blocked_since: Option<Instant>,
    expires_at: Option<Instant>,
    /// The last word: the close code of the first side that said one.
    close_code: CloseCode,
    _connected: Connected,
    _permit: OwnedSemaphorePermit,
}

pin_project! {
    /// Serves one client until the connection is over.
    ///
    /// A future written by hand: the compiler's would hold the client twice.
    pub(crate) struct ClientTask<S> {
        client: Client<S>,
        #[pin]
        timer: Sleep,
    }
}

enum Phase {
    /// Messages go both ways.
    Open,
    /// What is queued goes out, then the close frame. The client is not listened to any more.
    Ending { until: Instant, end: Box<End> },
    /// The close frame is out; the client's is to come.
    Closing { until: Instant },
    /// The client broke the protocol: the close frame goes out, nothing is understood any more.
    Failing { until: Instant },
    /// Nothing more is said. What still comes is read and forgotten, so that the close frame is not lost to a reset.
    Lingering { until: Instant },
}

/// The client's task is over.
struct Over;

impl<S: Line> Client<S> {
    pub(crate) fn new(
        wire: Wire<S>,
        channel: Channel,
        shared: Arc<SocketShared>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let now = Instant::now();
        Self {
            wire,
            channel,
            sending: VecDeque::new(),
            unconfirmed_bytes: 0,
            waiting: WaitingSince::default(),
            held_up: false,
            phase: Phase::Open,
            heard_at: now,
            pinged_at: now,
            blocked_since: None,
            expires_at: None,
            close_code: CloseCode::ABNORMAL,
            _connected: shared.meters.connected(),
            _permit: permit,
            shared,
        }
    }

    /// Ends the session when its token does, unless that was told to be of no matter.
    pub(crate) fn expiring(mut self, at: Option<SystemTime>) -> Self {
        let at = at.filter(|_| self.shared.config.close_on_expiry);
        // A moment too far away to be told by this clock never comes.
        self.expires_at = at.and_then(|at| {
            Instant::now().checked_add(at.duration_since(SystemTime::now()).unwrap_or_default())
        });
        self
    }

    pub(crate) fn into_task(self) -> ClientTask<S> {
        ClientTask { timer: tokio::time::sleep_until(self.due()), client: self }
    }

    fn poll(&mut self, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<()> {
        self.take_pen();
        loop {
            if let Err(Over) = self.step(cx) {
                return Poll::Ready(());
            }
            let due = self.due();
            if timer.is_elapsed() || due < timer.deadline() {
                timer.as_mut().reset(due);
            }
            if timer.as_mut().poll(cx).is_pending() {
                self.leave_pen();
                return Poll::Pending;
            }
            if let Err(Over) = self.tick(cx, Instant::now()) {
                return Poll::Ready(());
            }
        }
    }

    /// While the task runs, nobody else writes.
    fn take_pen(&mut self) {
        if let Some(pen) = self.channel.outbound().take_pen() {
            self.unconfirmed_bytes += self.wire.take_pen_back(pen);
        }
    }

    /// While there is nothing to write, links' tasks may: they bring what there will be.
    fn leave_pen(&mut self) {
        if !matches!(self.phase, Phase::Open) || !self.sending.is_empty() {
            return;
        }
        if let Some(pen) = self.wire.lend_pen()
            && let Err(pen) = self.channel.outbound().leave_pen(pen)
        {
            // The task is woken by what has come.
            self.wire.take_pen_back(pen);
        }
    }

    /// Does what can be done now.
    fn step(&mut self, cx: &mut Context<'_>) -> Result<(), Over> {
        if !matches!(self.phase, Phase::Failing { .. } | Phase::Lingering { .. }) {
            match self.exchange(cx) {
                Ok(()) => return Ok(()),
                Err(error) => self.fail(cx, &error)?,
            }
        }
        self.give_up(cx)
    }

    /// The earliest moment at which something is to be done although nothing comes. May be early, never late.
    fn due(&self) -> Instant {
        let config = &self.shared.config;
        match self.phase {
            Phase::Open => {
                let quiet = (self.heard_at.max(self.pinged_at) + config.ping_interval)
                    .min(self.heard_at + config.idle_timeout);
                let blocked = self.blocked_since.map(|since| since + config.write_timeout);
                let arriving = self.message_since().map(|since| since + config.message_timeout);
                [blocked, arriving, self.expires_at].into_iter().flatten().fold(quiet, Instant::min)
            }
            Phase::Ending { until, .. }
            | Phase::Closing { until }
            | Phase::Failing { until }
            | Phase::Lingering { until } => until,
        }
    }

    /// Open -> Ending, or over, because of the time.
    fn tick(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), Over> {
        let Phase::Open = self.phase else {
            return if now >= self.due() { Err(Over) } else { Ok(()) };
        };
        let config = &self.shared.config;
        let passed = |since: Instant, limit: Duration| now.duration_since(since) >= limit;
        if self.blocked_since.is_some_and(|since| passed(since, config.write_timeout)) {
            return Err(Over);
        }
        if self.expires_at.is_some_and(|at| now >= at) {
            self.end(End::new(CloseCode::TOKEN_EXPIRED, "the token has expired, get a new one"));
        } else if passed(self.heard_at, config.idle_timeout) {
            self.end(End::new(CloseCode::GOING_AWAY, "idle: no answer to pings"));
        } else if self.message_since().is_some_and(|since| passed(since, config.message_timeout)) {
            self.end(End::new(CloseCode::POLICY, "a message took too long to arrive"));
        } else if passed(self.heard_at.max(self.pinged_at), config.ping_interval) {
            self.pinged_at = now;
            if self.blocked_since.is_none() {
                self.wire.ping(cx, &self.shared.config).map_err(|_| Over)?;
            }
        }
        Ok(())
    }

    /// Since when a message of the client has been arriving. Nothing while the client is held up: then no clock runs.
    fn message_since(&self) -> Option<Instant> {
        self.wire.message_since().filter(|_| !self.held_up)
    }

    /// Open -> Ending. The worker hears at once that the session is over. Whoever is sent away because the gateway goes, or
    /// did not answer, may come back for it.
    fn end(&mut self, end: End) {
        if end.code != CloseCode::GOING_AWAY {
            self.channel.forbid_resuming();
        }
        self.channel.leave();
        let until = Instant::now() + self.shared.config.close_timeout;
        self.phase = Phase::Ending { until, end: Box::new(end) };
    }

    /// Passes on what there is, both ways.
    fn exchange(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        self.channel.register(cx.waker());
        if let (Phase::Open, Some(end)) = (&self.phase, self.channel.outbound().ended()) {
            self.end(end);
        }
        self.write(cx)?;
        let quiet = self.read(cx)?.is_pending();
        self.heed_goodbye();
        let written = self.wire.flush(cx)?;
        self.note(written);
        if quiet {
            self.wire.settle();
        }
        Ok(())
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let mut written = self.wire.flush(cx)?;
        while written == Written::All {
            self.confirm();
            if self.sending.is_empty() && matches!(self.phase, Phase::Open | Phase::Ending { .. }) {
                self.sending = self.channel.outbound().take();
            }
            if self.sending.is_empty() {
                self.say_goodbye(cx)?;
                break;
            }
            written = self.write_batch(cx)?;
        }
        self.note(written);
        Ok(())
    }

    /// Gives the wire what was taken out of the channel, as far as it goes, and flushes.
    fn write_batch(&mut self, cx: &mut Context<'_>) -> Result<Written, Error> {
        let Self { wire, sending, shared, unconfirmed_bytes, .. } = self;
        let written = wire.write(cx, sending, |message| {
            *unconfirmed_bytes += cost_bytes(message);
            shared.meters.outbound.count(message.len());
        })?;
        if written == Written::Blocked {
            return Ok(written);
        }
        self.wire.flush(cx)
    }

    /// Ending -> Closing, when everything before has been written.
    fn say_goodbye(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let Phase::Ending { until, end } = &self.phase else { return Ok(()) };
        let frame = CloseFrame { code: end.code.as_u16().into(), reason: end.reason.clone() };
        self.close_code = end.code;
        self.phase = Phase::Closing { until: *until };
        self.wire.close(cx, &self.shared.config, frame).map(drop)
    }

    /// Open | Ending -> Closing, when the client has said goodbye first.
    fn heed_goodbye(&mut self) {
        if self.wire.is_closing() && matches!(self.phase, Phase::Open | Phase::Ending { .. }) {
            self.channel.leave();
            self.sending = VecDeque::new();
            self.phase = Phase::Closing { until: Instant::now() + self.shared.config.close_timeout };
        }
    }

    /// Reads until the socket has no more, or the link has no room.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, Error> {
        self.excuse();
        let is_open = matches!(self.phase, Phase::Open);
        let Self { wire, channel, shared, waiting, held_up, heard_at, close_code, .. } = self;
        loop {
            *held_up = is_open && channel.poll_room(cx, waiting).is_pending();
            if *held_up {
                *heard_at = Instant::now();
                return Ok(Poll::Ready(()));
            }
            let polled = wire.poll_read(cx, &shared.config, |message| match message {
                Message::Close(frame) if is_open => {
                    let code = frame.map(|frame| CloseCode::from_u16(frame.code.into()));
                    *close_code = code.unwrap_or(CloseCode::NO_STATUS);
                    channel.set_gone_code(*close_code);
                }
                message if is_open => pass_on(channel, &shared.meters, message),
                _ => {}
            });
            match polled {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(outcome) => outcome?,
            }
            *heard_at = Instant::now();
        }
    }

    /// The time in which the client was held up counts neither as silence nor as slowness.
    fn excuse(&mut self) {
        if self.held_up {
            let now = Instant::now();
            self.wire.excuse(now - self.heard_at);
            self.heard_at = now;
        }
    }

    /// Tells the worker what the operating system has taken.
    fn confirm(&mut self) {
        let bytes = std::mem::take(&mut self.unconfirmed_bytes);
        if bytes > 0 {
            self.channel.written(bytes);
        }
    }

    /// Keeps the time since which the socket has taken nothing.
    fn note(&mut self, written: Written) {
        let progress = self.wire.take_progress();
        match written {
            Written::All => self.blocked_since = None,
            Written::Blocked if progress => self.blocked_since = Some(Instant::now()),
            Written::Blocked => {
                self.blocked_since.get_or_insert_with(Instant::now);
            }
        }
    }

    /// Open | Ending -> Failing if there is something to say to the client, otherwise over.
    fn fail(&mut self, cx: &mut Context<'_>, error: &Error) -> Result<(), Over> {
        let (Phase::Open | Phase::Ending { .. }, Some(end)) = (&self.phase, fault(error)) else {
            return Err(Over);
        };
        self.channel.forbid_resuming();
        self.channel.leave();
        self.close_code = end.code;
        let frame = CloseFrame { code: end.code.as_u16().into(), reason: end.reason };
        self.wire.close(cx, &self.shared.config, frame).map_err(|_| Over)?;
        self.phase = Phase::Failing { until: Instant::now() + self.shared.config.close_timeout };
        Ok(())
    }

    /// Failing -> Lingering -> over.
    fn give_up(&mut self, cx: &mut Context<'_>) -> Result<(), Over> {
        if let Phase::Failing { until } = self.phase {
            if self.wire.flush(cx).map_err(|_| Over)? == Written::Blocked {
                return Ok(());
            }
            self.phase = Phase::Lingering { until };
        }
        match self.wire.poll_linger(cx) {
            Poll::Pending => Ok(()),
            Poll::Ready(_) => Err(Over),
        }
    }
}

impl<S: Line> Future for ClientTask<S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        std::task::ready!(this.client.poll(cx, this.timer));
        this.client.wire.part(cx);
        this.client.shared.meters.closed(this.client.close_code);
        Poll::Ready(())
    }
}

fn pass_on(channel: &Channel, meters: &Meters, message: Message) {
    let (payload, kind) = match message {
        Message::Text(text) => (Bytes::from(text), PayloadKind::Text),
        Message::Binary(bytes) => (bytes, PayloadKind::Binary),
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => return,
    };
    meters.inbound.count(payload.len());
    // Out of the engine's buffer, which could not be reused while it waits.
    channel.send(detached(payload), kind);
}

/// What a client is told about its fault; nothing if nobody is there to be told, or the connection ended as it should.
fn fault(error: &Error) -> Option<End> {
    let (code, reason) = match error {
        Error::ConnectionClosed | Error::AlreadyClosed | Error::Io(_) => return None,
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => return None,
        Error::Capacity(error) => (CloseCode::TOO_BIG, error.to_string()),
        Error::Utf8(_) => (CloseCode::INVALID_PAYLOAD, "a text message must be valid UTF-8".to_owned()),
        Error::Protocol(error) => (CloseCode::PROTOCOL, error.to_string()),
        _ => (CloseCode::INTERNAL, "the gateway cannot go on with this connection".to_owned()),
    };
    // The engine's texts are short, and in ASCII.
    let reason = Utf8Bytes::from(&reason[..reason.len().min(ringway_session::close::REASON_BYTES_MAX)]);
    Some(End { code, reason })
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::super::line::Plain;
    use super::*;
    use crate::config::{MovingConfig, Routing};
    use crate::link::Link;
    use crate::moving::Moves;

    /// What a quiet client's task may cost beside its socket: the whole future, with the timer in it.
    const FUTURE_BYTES_MAX: usize = 448;

    #[tokio::test]
    async fn a_quiet_client_is_small() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let stream = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("a stream");
        let meters = Meters::new();
        let worker = ringway_ring::MemberId::new("w1").expect("an id");
        let moves = Moves::new(&Routing::Everywhere, MovingConfig::default(), Arc::clone(&meters));
        let link = Link::new(worker, 1024, moves);
        let id = ringway_session::SessionId::new(ringway_ring::Slot::of(b"alice"), 1);
        let (channel, _) = link.open(id, ringway_proto::v1::Open::default()).expect("a channel");
        let shared = Arc::new(SocketShared { config: SocketConfig::default(), meters });
        let wire = Wire::new(Plain::new(stream), &Bytes::new(), &shared.config);
        let permit = Arc::new(tokio::sync::Semaphore::new(1)).try_acquire_owned().expect("a permit");
        let task = Client::new(wire, channel, shared, permit).into_task();
        let bytes = std::mem::size_of_val(&task);
        println!("a client's future: {bytes} bytes");
        assert!(bytes <= FUTURE_BYTES_MAX, "{bytes} bytes");
    }
}
