//! The state machine of a client.
//!
//! ```text
//! Waiting -> Connecting -> Greeting -> Open -> Waiting | Tokenless | Ended
//!                 |            |
//!                 +------------+-----------> Waiting | Tokenless | Ended
//! Tokenless -> Waiting
//! ```
//!
//! Two laws. Every message is delivered once and in order, and what cannot be delivered is told as missed: never a silent
//! hole. And an acknowledgement is sent after the messages that it covers were delivered, never before.

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use ringway_session::frame::ClientFrame;
use ringway_session::{Advice, CloseCode, MailboxPlace};

use crate::acks::Acks;
use crate::action::{Action, Continuation, Continuity, End, Event, Refusal, Resume};
use crate::backoff::{Backoff, Hurry};
use crate::config::{ClientConfig, Reconnect};
use crate::frame::{Mailbox, Message, ServerFrame, Welcome};
use crate::requests::{NotSent, Request, Requests};

/// The longest delay that a server may ask for.
const DELAY_MAX: Duration = Duration::from_secs(3600);

/// One client, across its reconnects.
#[derive(Debug)]
pub struct ClientSession {
    config: ClientConfig,
    state: State,
    stream: Option<Stream>,
    /// How often it has tried to connect.
    attempts: u64,
    /// The last place in the user's mailbox that has come.
    mailbox: Option<MailboxPlace>,
    acks: Acks,
    requests: Requests,
    backoff: Backoff,
    /// What the server asked for before it closes the present socket.
    delay_asked: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Without a socket, until then.
    Waiting { until: Instant },
    /// A handshake is under way.
    Connecting,
    /// The socket is open, and the welcome must come until then.
    Greeting { until: Instant },
    /// Welcomed.
    Open { since: Instant },
    /// Without a socket, until there is a new token.
    Tokenless,
    /// Over.
    Ended,
}

/// Where in its session's stream the client is.
#[derive(Clone, Debug)]
struct Stream {
    resume: String,
    epoch: String,
    /// The highest offset that has come.
    offset: u64,
}

impl ClientSession {
    /// A client that connects at its first tick. The seed is for its random delays: each client has its own.
    pub fn new(config: ClientConfig, seed: u64, now: Instant) -> Self {
        ClientSession {
            state: State::Waiting { until: now },
            stream: None,
            attempts: 0,
            mailbox: config.mailbox,
            acks: Acks::new(config.acks.clone()),
            requests: Requests::default(),
            backoff: Backoff::new(config.backoff.clone(), seed),
            delay_asked: None,
            config,
        }
    }

    /// When the next [`Event::Tick`] is due; none: something else has to happen first.
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Waiting { until } | State::Greeting { until } => Some(until),
            State::Open { .. } => self.acks.due(),
            State::Connecting | State::Tokenless | State::Ended => None,
        }
    }

    /// The highest offset that has come.
    pub fn offset(&self) -> Option<u64> {
        self.stream.as_ref().map(|stream| stream.offset)
    }

    /// The last place in the user's mailbox that has come: what a client keeps that shall miss nothing when it starts again.
    pub fn mailbox(&self) -> Option<MailboxPlace> {
        self.mailbox
    }

    /// A frame for the server, under a name that its answer will bear: [`Action::Replied`] or [`Action::Rejected`], or
    /// [`Action::Unanswered`] if the socket goes before.
    ///
    /// # Errors
    /// [`NotSent`], if it cannot be sent now.
    pub fn request(&mut self, frame: &ClientFrame) -> Result<Request, NotSent> {
        if !matches!(self.state, State::Open { .. }) {
            return Err(NotSent::NotConnected);
        }
        let reference = self.requests.name(self.config.requests_max)?;
        let text = frame.text(Some(&reference));
        Ok(Request { reference, text })
    }

    /// Takes an event in. One that does not fit the state, such as a text after the end, changes nothing.
    pub fn handle(&mut self, now: Instant, event: Event<'_>) -> Vec<Action> {
        match (event, self.state) {
            (_, State::Ended) => Vec::new(),
            (Event::Leave, _) => self.leave(),
            (Event::Tick, _) => self.tick(now),
            (Event::Opened, State::Connecting) => self.opened(now),
            (Event::Refused(refusal), State::Connecting) => self.refused(now, refusal),
            (Event::Unreachable, State::Connecting) => self.unreachable(now),
            (Event::TokenRefreshed, State::Tokenless) => self.wait(now, Hurry::Now, None),
            (Event::Text(text), State::Greeting { .. }) => self.greeted(now, text),
            (Event::Text(text), State::Open { .. }) => self.told(now, text),
            (Event::Binary, State::Greeting { .. } | State::Open { .. }) => {
                self.broken("a binary message".to_owned())
            }
            (Event::Closed(code), State::Connecting | State::Greeting { .. } | State::Open { .. }) => {
                self.closed(now, code)
            }
            _ => Vec::new(),
        }
    }

    fn tick(&mut self, now: Instant) -> Vec<Action> {
        match self.state {
            State::Waiting { until } if until <= now => self.connect(),
            // Greeting -> Waiting: a server that says nothing is as good as none.
            State::Greeting { until } if until <= now => {
                let mut actions = vec![Action::Close(CloseCode::GOING_AWAY)];
                actions.extend(self.unreachable(now));
                actions
            }
            State::Open { .. } => self.ack(now).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// Waiting -> Connecting
    fn connect(&mut self) -> Vec<Action> {
        self.state = State::Connecting;
        self.delay_asked = None;
        self.attempts += 1;
        let attempt = self.attempts;
        let resume = self.stream.as_ref();
        let resume =
            resume.map(|stream| Resume { token: stream.resume.clone(), offset: stream.offset, attempt });
        let (device, mailbox) = (self.config.device.clone(), self.mailbox);
        vec![Action::Connect(Continuation { resume, device, mailbox })]
    }

    /// Connecting -> Greeting
    fn opened(&mut self, now: Instant) -> Vec<Action> {
        self.state = State::Greeting { until: now + self.config.welcome_timeout };
        Vec::new()
    }

    /// Greeting -> Open | Ended
    fn greeted(&mut self, now: Instant, text: &str) -> Vec<Action> {
        match ServerFrame::read(text) {
            Ok(ServerFrame::Welcome(welcome)) => self.welcomed(now, welcome),
            Ok(_) => self.broken("the first frame is no welcome".to_owned()),
            Err(error) => self.broken(error.to_string()),
        }
    }

    fn welcomed(&mut self, now: Instant, welcome: Welcome) -> Vec<Action> {
        self.state = State::Open { since: now };
        self.acks.begin(welcome.ack_within_ms);
        let before = self.stream.take();
        let (mut offset, mut missed) = (welcome.offset, None);
        let continuity = match before {
            None => Continuity::New,
            Some(before) if before.epoch == welcome.epoch => {
                missed = (before.offset < welcome.offset).then(|| before.offset + 1..=welcome.offset);
                // What was delivered already is passed over when it comes once more.
                offset = offset.max(before.offset);
                if welcome.recovered { Continuity::Recovered } else { Continuity::Lost }
            }
            Some(_) => Continuity::Lost,
        };
        self.stream = Some(Stream { resume: welcome.resume.clone(), epoch: welcome.epoch.clone(), offset });
        let welcomed = Action::Welcomed(welcome, continuity);
        std::iter::once(welcomed).chain(missed.map(Action::Missed)).collect()
    }

    /// Open -> Open | Ended
    fn told(&mut self, now: Instant, text: &str) -> Vec<Action> {
        match ServerFrame::read(text) {
            Ok(ServerFrame::Message(message)) => {
                self.numbered(now, message.offset, text.len(), |session| session.message(message))
            }
            Ok(ServerFrame::Mailbox(mailbox)) => {
                self.numbered(now, mailbox.offset, text.len(), |session| Some(session.mailbox_told(mailbox)))
            }
            Ok(ServerFrame::Presence(users)) => vec![Action::Presence(users)],
            Ok(ServerFrame::Reply(reply)) => {
                let is_awaited = self.requests.answered(&reply.reference);
                is_awaited.then_some(Action::Replied(reply)).into_iter().collect()
            }
            Ok(ServerFrame::Error(error)) => {
                let is_awaited = error.reference.as_deref().is_none_or(|name| self.requests.answered(name));
                is_awaited.then_some(Action::Rejected(error)).into_iter().collect()
            }
            Ok(ServerFrame::Reconnect { delay_ms }) => {
                self.delay_asked = Some(Duration::from_millis(delay_ms).min(DELAY_MAX));
                Vec::new()
            }
            Ok(ServerFrame::Unknown(_)) => Vec::new(),
            Ok(ServerFrame::Welcome(_)) => self.broken("a second welcome".to_owned()),
            Err(error) => self.broken(error.to_string()),
        }
    }

    /// Acts on a frame of the stream, unless it came before.
    fn numbered(
        &mut self,
        now: Instant,
        offset: u64,
        frame_bytes: usize,
        act: impl FnOnce(&mut Self) -> Option<Action>,
    ) -> Vec<Action> {
        let Some(stream) = &mut self.stream else { return Vec::new() };
        if offset <= stream.offset {
            return Vec::new(); // It was acted upon before the socket broke.
        }
        let missed = stream.offset + 1..=offset - 1;
        stream.offset = offset;
        self.acks.received(now, frame_bytes);
        let mut actions = Vec::new();
        if !missed.is_empty() {
            actions.push(Action::Missed(missed));
        }
        actions.extend(act(self));
        actions.extend(self.ack(now));
        actions
    }

    fn message(&mut self, message: Message) -> Option<Action> {
        // What is stored comes again when a worker did not hear that it had come.
        if message.stored.is_some_and(|place| self.has(place)) {
            return None;
        }
        self.mailbox = message.stored.or(self.mailbox);
        Some(Action::Deliver(message))
    }

    fn mailbox_told(&mut self, mailbox: Mailbox) -> Action {
        // If something was lost, the numbers behind the place may be given anew.
        if !mailbox.recovered || !self.has(mailbox.place) {
            self.mailbox = Some(mailbox.place);
        }
        Action::Mailbox(mailbox)
    }

    /// Whether everything up to a place in the user's mailbox has come.
    fn has(&self, place: MailboxPlace) -> bool {
        self.mailbox.is_some_and(|has| has.epoch == place.epoch && has.offset >= place.offset)
    }

    fn ack(&mut self, now: Instant) -> Option<Action> {
        let offset = self.offset()?;
        self.acks.take_due(now, offset).map(Action::Send)
    }

    /// Connecting | Greeting | Open -> Waiting | Tokenless | Ended
    fn closed(&mut self, now: Instant, code: CloseCode) -> Vec<Action> {
        if let State::Open { since } = self.state {
            self.backoff.lasted(now.saturating_duration_since(since));
        }
        let mut actions = self.unanswered();
        actions.extend(self.advised(now, code.advice(), None, End::Closed(code)));
        actions
    }

    fn unanswered(&mut self) -> Vec<Action> {
        self.requests.lost().into_iter().map(Action::Unanswered).collect()
    }

    /// Connecting -> Waiting | Tokenless | Ended
    fn refused(&mut self, now: Instant, refusal: Refusal) -> Vec<Action> {
        self.advised(now, refusal.advice(), refusal.retry_after, End::Refused(refusal.status))
    }

    /// Connecting | Greeting -> Waiting | Ended
    fn unreachable(&mut self, now: Instant) -> Vec<Action> {
        self.advised(now, Advice::ReconnectNow, None, End::Unreachable)
    }

    fn advised(&mut self, now: Instant, advice: Advice, at_least: Option<Duration>, end: End) -> Vec<Action> {
        match (self.config.reconnect, advice) {
            (Reconnect::Never, _) | (_, Advice::Never) => self.end(end),
            (_, Advice::RefreshToken) => {
                self.state = State::Tokenless;
                vec![Action::RefreshToken]
            }
            (_, Advice::ReconnectNow) => self.wait(now, Hurry::Now, at_least),
            (_, Advice::ReconnectLater) => self.wait(now, Hurry::Later, at_least),
        }
    }

    fn wait(&mut self, now: Instant, hurry: Hurry, at_least: Option<Duration>) -> Vec<Action> {
        let delay = match self.delay_asked.take() {
            // The server spreads its clients itself.
            Some(asked) => asked,
            None => at_least.unwrap_or_default().min(DELAY_MAX) + self.backoff.delay(hurry),
        };
        self.state = State::Waiting { until: now + delay };
        vec![Action::Wait(delay)]
    }

    /// Any -> Ended
    fn leave(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        if let (State::Open { .. }, Some(offset)) = (self.state, self.offset()) {
            actions.extend(self.acks.take(offset).map(Action::Send));
        }
        if !matches!(self.state, State::Waiting { .. } | State::Tokenless) {
            actions.push(Action::Close(CloseCode::NORMAL));
        }
        actions.extend(self.unanswered());
        actions.extend(self.end(End::Left));
        actions
    }

    /// Greeting | Open -> Ended
    fn broken(&mut self, why: String) -> Vec<Action> {
        let close = Action::Close(CloseCode::PROTOCOL);
        let unanswered = self.unanswered();
        std::iter::once(close).chain(unanswered).chain(self.end(End::Protocol(why))).collect()
    }

    fn end(&mut self, end: End) -> Vec<Action> {
        self.state = State::Ended;
        vec![Action::End(end)]
    }
}
