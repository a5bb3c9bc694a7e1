//! A client that speaks `ringway.v1.json` (docs/client-protocol.md): it acknowledges, and when its socket breaks it goes on
//! with its session. What it does when is decided by [`ClientSession`]; here it is only carried out.

use std::future::{Future, pending};
use std::pin::Pin;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use futures_util::{SinkExt as _, StreamExt as _};
use ringway_client::{Action, ClientConfig, ClientSession, Continuation, End, Event, Reconnect, Refusal};
use ringway_session::CloseCode;
use ringway_session::frame::SUBPROTOCOL;
use serde_json::Value;
use tokio_tungstenite::tungstenite::http::Response;
use tokio_tungstenite::tungstenite::http::header::RETRY_AFTER;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::events::Events;
use super::stdin::{self, Typed, next_line};
use super::transport::{Handshake, Socket, goodbye, handshake};
use super::typed::Line;
use crate::cli::ConnectArgs;
use crate::exit::Ending;
use crate::output::chain;

/// Connects, relays across broken sockets, and says how it ended.
pub(super) async fn connect(args: &ConnectArgs, events: Events) -> anyhow::Result<Ending> {
    let reconnect = if args.no_reconnect { Reconnect::Never } else { Reconnect::AsAdvised };
    let config = ClientConfig {
        reconnect,
        device: args.device.clone(),
        mailbox: args.mailbox,
        ..ClientConfig::default()
    };
    let client = Client {
        args,
        events,
        session: ClientSession::new(config, rand::random(), Instant::now()),
        connecting: None,
        socket: None,
        was_welcomed: false,
        messages_left: args.messages,
        ending: Ok(Ending::Done),
    };
    client.run().await
}

type Connecting<'a> = Pin<Box<dyn Future<Output = anyhow::Result<Handshake>> + Send + 'a>>;

struct Client<'a> {
    args: &'a ConnectArgs,
    events: Events,
    session: ClientSession,
    /// The handshake that is under way.
    connecting: Option<Connecting<'a>>,
    /// The socket that is open.
    socket: Option<Socket>,
    /// Whether there was a session: only then it is worth coming back to.
    was_welcomed: bool,
    /// How many messages are still waited for; none: any number.
    messages_left: Option<u64>,
    /// How it ends if the last thing that happened is the end.
    ending: anyhow::Result<Ending>,
}

/// What happened.
enum Happened {
    Interrupted,
    Handshake(anyhow::Result<Handshake>),
    Arrived(Option<Result<Message, Error>>),
    Due,
    Typed(Typed),
}

/// Whether to go on.
enum Next {
    GoOn,
    Leave,
    Over,
}

impl Client<'_> {
    async fn run(mut self) -> anyhow::Result<Ending> {
        let mut typed = stdin::lines();
        loop {
            let deadline = self.session.deadline();
            let is_open = self.socket.is_some();
            let happened = tokio::select! {
                biased;
                // All of them are cancel-safe; a handshake goes on where it was.
                interrupted = tokio::signal::ctrl_c() => {
                    interrupted.context("SIGINT")?;
                    Happened::Interrupted
                }
                done = under_way(&mut self.connecting) => Happened::Handshake(done),
                arrived = next_message(&mut self.socket) => Happened::Arrived(arrived),
                () = until(deadline) => Happened::Due,
                line = next_line(&mut typed), if is_open => Happened::Typed(line),
            };
            let mut next = self.happened(happened).await?;
            if matches!(next, Next::Leave) {
                next = self.tell(Event::Leave).await?;
            }
            if matches!(next, Next::Over) {
                return self.ending;
            }
        }
    }

    async fn happened(&mut self, happened: Happened) -> anyhow::Result<Next> {
        match happened {
            Happened::Interrupted | Happened::Typed(Typed::Done) => Ok(Next::Leave),
            Happened::Handshake(done) => {
                self.connecting = None;
                self.answered(done).await
            }
            Happened::Arrived(arrived) => self.arrived(arrived).await,
            Happened::Due => self.tell(Event::Tick).await,
            Happened::Typed(Typed::Line(line)) => {
                self.typed(line).await?;
                Ok(Next::GoOn)
            }
            Happened::Typed(Typed::Unreadable(error)) => Err(error).context("stdin"),
        }
    }

    async fn answered(&mut self, done: anyhow::Result<Handshake>) -> anyhow::Result<Next> {
        match done {
            Ok(Handshake::Opened { socket, subprotocol }) if subprotocol.as_deref() == Some(SUBPROTOCOL) => {
                self.socket = Some(socket);
                self.tell(Event::Opened).await
            }
            Ok(Handshake::Opened { socket, .. }) => {
                goodbye(socket, CloseCode::NORMAL).await;
                Err(anyhow!("{} does not speak {SUBPROTOCOL}; --protocol raw may do", self.args.url))
            }
            Ok(Handshake::Refused(response)) => {
                self.events.refused(&response)?;
                self.ending = Ok(Ending::Refused);
                self.tell(Event::Refused(refusal(&response))).await
            }
            Err(error) => {
                if self.was_welcomed {
                    self.events.lost(&chain(&error))?;
                }
                self.ending = Err(error);
                self.tell(Event::Unreachable).await
            }
        }
    }

    async fn arrived(&mut self, arrived: Option<Result<Message, Error>>) -> anyhow::Result<Next> {
        let (ending, code) = match arrived {
            Some(Ok(Message::Text(text))) => return self.tell(Event::Text(text.as_str())).await,
            Some(Ok(Message::Binary(_))) => return self.tell(Event::Binary).await,
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => return Ok(Next::GoOn),
            Some(Ok(Message::Close(frame))) => {
                let code = frame
                    .as_ref()
                    .map_or(CloseCode::NO_STATUS, |frame| CloseCode::from_u16(frame.code.into()));
                (self.events.closed(frame.as_ref())?, code)
            }
            Some(Err(error)) => (self.events.lost(&error.to_string())?, CloseCode::ABNORMAL),
            None => {
                let how = "the connection ended without a close frame";
                (self.events.lost(how)?, CloseCode::ABNORMAL)
            }
        };
        self.ending = Ok(ending);
        self.part().await;
        self.tell(Event::Closed(code)).await
    }

    /// Lets the socket go. If a close frame came, the answer to it is sent first.
    async fn part(&mut self) {
        if let Some(mut socket) = self.socket.take() {
            // It is gone for us, whatever becomes of the answer.
            let _sent = socket.flush().await;
        }
    }

    async fn typed(&mut self, line: String) -> anyhow::Result<()> {
        match Line::read(line) {
            Line::Raw(text) => self.send(text).await,
            Line::Request(frame) => match self.session.request(&frame) {
                Ok(request) => self.send(request.text).await,
                Err(not_sent) => self.events.not_sent(&not_sent.to_string())?,
            },
            Line::Wrong(why) => self.events.not_sent(&why)?,
        }
        Ok(())
    }

    async fn send(&mut self, text: impl Into<Utf8Bytes>) {
        if let Some(socket) = &mut self.socket {
            // When the socket is broken, the next read says so.
            let _sent = socket.send(Message::Text(text.into())).await;
        }
    }

    /// Tells the session what happened, and does what it says.
    async fn tell(&mut self, event: Event<'_>) -> anyhow::Result<Next> {
        let mut next = Next::GoOn;
        for action in self.session.handle(Instant::now(), event) {
            match self.act(action).await? {
                Next::GoOn => {}
                changed => next = changed,
            }
        }
        Ok(next)
    }

    async fn act(&mut self, action: Action) -> anyhow::Result<Next> {
        match action {
            Action::Connect(continuation) => {
                self.connecting = Some(Box::pin(attempt(self.args, continuation)));
            }
            Action::Send(text) => self.send(text).await,
            Action::Close(code) => self.close(code).await,
            Action::Welcomed(welcome, continuity) => {
                self.was_welcomed = true;
                self.events.welcomed(&self.args.url, &welcome, continuity)?;
            }
            Action::Mailbox(mailbox) => self.events.mailbox(mailbox)?,
            Action::Deliver(message) => {
                self.events.message(&message)?;
                return Ok(self.counted());
            }
            Action::Presence(users) => self.events.presence(&users)?,
            Action::Missed(offsets) => self.events.missed(&offsets)?,
            Action::Replied(reply) => self.events.replied(&reply)?,
            Action::Rejected(error) => self.events.rejected(&error)?,
            Action::Unanswered(reference) => self.events.unanswered(&reference)?,
            Action::Wait(_) if !self.was_welcomed => return Ok(Next::Over),
            Action::Wait(delay) => self.events.waiting(delay)?,
            // There is nobody here who could get a new one.
            Action::RefreshToken => return Ok(Next::Over),
            Action::End(end) => return self.over(end),
        }
        Ok(Next::GoOn)
    }

    async fn close(&mut self, code: CloseCode) {
        self.connecting = None;
        if let Some(socket) = self.socket.take() {
            goodbye(socket, code).await;
        }
    }

    fn counted(&mut self) -> Next {
        let Some(left) = &mut self.messages_left else { return Next::GoOn };
        *left = left.saturating_sub(1);
        if *left == 0 { Next::Leave } else { Next::GoOn }
    }

    fn over(&mut self, end: End) -> anyhow::Result<Next> {
        match end {
            End::Left => {
                self.events.left()?;
                self.ending = Ok(Ending::Done);
            }
            End::Protocol(why) => {
                self.ending = Err(anyhow!("{} does not speak {SUBPROTOCOL}: {why}", self.args.url));
            }
            // What happened has said it already.
            End::Closed(_) | End::Refused(_) | End::Unreachable => {}
        }
        Ok(Next::Over)
    }
}

async fn attempt(args: &ConnectArgs, continuation: Continuation) -> anyhow::Result<Handshake> {
    handshake(args, &[SUBPROTOCOL], &continuation).await
}

/// What a refusal means for the session.
fn refusal(response: &Response<Vec<u8>>) -> Refusal {
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let close_code = body["error"]["close_code"].as_u64().and_then(|code| code.try_into().ok());
    Refusal {
        status: response.status().as_u16(),
        retry_after: retry_after.map(Duration::from_secs),
        close_code: close_code.map(CloseCode::from_u16),
    }
}

async fn under_way(connecting: &mut Option<Connecting<'_>>) -> anyhow::Result<Handshake> {
    match connecting {
        Some(connecting) => connecting.await,
        None => pending().await,
    }
}

async fn next_message(socket: &mut Option<Socket>) -> Option<Result<Message, Error>> {
    match socket {
        Some(socket) => socket.next().await,
        None => pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => pending().await,
    }
}
