//! What happens to a client, and what it does about it.

use std::ops::RangeInclusive;
use std::time::Duration;

use ringway_session::{Advice, CloseCode, MailboxPlace};

use crate::frame::{ErrorFrame, Mailbox, Message, Presence, Reply, Welcome};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Time has passed. Due at the session's deadline, harmless at any other time.
    Tick,
    /// The socket is open, and the server has agreed to the subprotocol.
    Opened,
    /// A text message came.
    Text(&'a str),
    /// A binary message came. The subprotocol has none.
    Binary,
    /// The socket is closed: with this code, or with 1006 if it just broke.
    Closed(CloseCode),
    /// The handshake got another answer than 101.
    Refused(Refusal),
    /// Nobody answered.
    Unreachable,
    /// There is a new token for the next handshake.
    TokenRefreshed,
    /// The user wants to leave.
    Leave,
}

/// The answer to a handshake that was not 101 (docs/refusals.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The header `Retry-After`.
    pub retry_after: Option<Duration>,
    /// The body's `close_code`, which 409 has.
    pub close_code: Option<CloseCode>,
}

impl Refusal {
    /// What it asks of the client.
    pub fn advice(&self) -> Advice {
        match self.status {
            401 => Advice::RefreshToken,
            409 => self.close_code.map_or(Advice::Never, CloseCode::advice),
            408 | 429 | 500..=599 => Advice::ReconnectLater,
            _ => Advice::Never,
        }
    }
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Open a socket and offer the subprotocol, with these parameters beside the token.
    Connect(Continuation),
    /// Send a text message.
    Send(String),
    /// Close the socket. Nothing more of it is to be told to the session.
    Close(CloseCode),
    /// The connection stands.
    Welcomed(Welcome, Continuity),
    /// From where on in the user's mailbox messages come.
    Mailbox(Mailbox),
    /// Here is a message, each once and in order.
    Deliver(Message),
    /// So it is with users whom the client watches.
    Presence(Vec<Presence>),
    /// The messages of these offsets will not come any more.
    Missed(RangeInclusive<u64>),
    /// The server acted upon what was sent.
    Replied(Reply),
    /// The server did not act upon what was sent.
    Rejected(ErrorFrame),
    /// The socket went before the answer to the request of this name came: nobody knows what became of it.
    Unanswered(String),
    /// Nothing, for as long: then comes [`Action::Connect`].
    Wait(Duration),
    /// Get a new token, then tell [`Event::TokenRefreshed`].
    RefreshToken,
    /// It is over.
    End(End),
}

/// What the handshake's URL says beside the token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Continuation {
    /// The session to go on with, if there was one.
    pub resume: Option<Resume>,
    /// The parameter `device`, if the client has a name for the device.
    pub device: Option<String>,
    /// The parameter `mailbox`: the last place that has come.
    pub mailbox: Option<MailboxPlace>,
}

impl Continuation {
    /// Names and values of the parameters, not encoded.
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        let resume = self.resume.iter().flat_map(|resume| {
            let Resume { token, offset, attempt } = resume;
            [("resume", token.clone()), ("offset", offset.to_string()), ("attempt", attempt.to_string())]
        });
        let device = self.device.iter().map(|device| ("device", device.clone()));
        let mailbox = self.mailbox.iter().map(|place| ("mailbox", place.to_string()));
        resume.chain(device).chain(mailbox).collect()
    }
}

/// With what a client goes on with its session, as parameters of the handshake's URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// The parameter `resume`: the token that the last welcome brought.
    pub token: String,
    /// The parameter `offset`: the highest that has come.
    pub offset: u64,
    /// The parameter `attempt`: it grows with every attempt.
    pub attempt: u64,
}

/// How a connection continues what was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continuity {
    /// There was nothing before.
    New,
    /// The session goes on, and nothing is missing.
    Recovered,
    /// It could not go on without loss: whatever was sent in the meantime may be missing.
    Lost,
}

/// Why it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The user wanted it.
    Left,
    /// The socket was closed for good.
    Closed(CloseCode),
    /// The handshake was refused for good.
    Refused(u16),
    /// Nobody answered, and the client does not try again.
    Unreachable,
    /// The server does not speak the protocol.
    Protocol(String),
}
