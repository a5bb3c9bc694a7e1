//! `ringway connect`: a client at the terminal. What arrives goes to stdout, what is typed goes out, and everything that is
//! said about the connection goes to stderr (with `--json` all of it goes to stdout, one object on each line).

mod events;
mod stdin;
mod transport;

use std::time::Duration;

use anyhow::Context as _;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use crate::cli::ConnectArgs;
use crate::exit::Ending;
use crate::output::Form;
use events::Events;
use stdin::Typed;
use transport::{Handshake, Transport, handshake};

/// How long the other side may take to answer a close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Connects, relays, and says how it ended.
pub(crate) async fn connect(args: ConnectArgs) -> anyhow::Result<Ending> {
    let events = Events(Form::of(args.json));
    let (socket, subprotocol) = match handshake(&args).await? {
        Handshake::Refused(response) => {
            events.refused(&response)?;
            return Ok(Ending::Refused);
        }
        Handshake::Opened { socket, subprotocol } => (socket, subprotocol),
    };
    events.opened(&args.url, subprotocol.as_deref())?;
    let client = Client { socket, events, messages_left: args.messages };
    client.relay().await
}

struct Client {
    socket: Box<WebSocketStream<Transport>>,
    events: Events,
    /// How many messages are still waited for; none: any number.
    messages_left: Option<u64>,
}

/// Whether to go on.
enum Next {
    GoOn,
    Leave,
    Ended(Ending),
}

impl Client {
    async fn relay(mut self) -> anyhow::Result<Ending> {
        let mut typed = stdin::lines();
        loop {
            let next = tokio::select! {
                biased;
                // All three are cancel-safe.
                interrupted = tokio::signal::ctrl_c() => {
                    interrupted.context("SIGINT")?;
                    Next::Leave
                }
                arrived = self.socket.next() => self.arrived(arrived)?,
                line = next_line(&mut typed) => self.typed(line).await?,
            };
            match next {
                Next::GoOn => {}
                Next::Leave => return self.leave().await,
                Next::Ended(ending) => return Ok(ending),
            }
        }
    }

    fn arrived(&mut self, arrived: Option<Result<Message, Error>>) -> anyhow::Result<Next> {
        match arrived {
            Some(Ok(Message::Text(text))) => self.events.text(&text)?,
            Some(Ok(Message::Binary(bytes))) => self.events.binary(&bytes)?,
            Some(Ok(Message::Close(frame))) => return Ok(Next::Ended(self.events.closed(frame.as_ref())?)),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => return Ok(Next::GoOn),
            Some(Err(error)) => return Ok(Next::Ended(self.events.lost(&error.to_string())?)),
            None => return Ok(Next::Ended(self.events.lost("the connection ended without a close frame")?)),
        }
        let Some(left) = &mut self.messages_left else { return Ok(Next::GoOn) };
        *left = left.saturating_sub(1);
        Ok(if *left == 0 { Next::Leave } else { Next::GoOn })
    }

    async fn typed(&mut self, typed: Typed) -> anyhow::Result<Next> {
        match typed {
            Typed::Line(line) => match self.socket.send(Message::Text(line.into())).await {
                Ok(()) => Ok(Next::GoOn),
                Err(error) => Ok(Next::Ended(self.events.lost(&error.to_string())?)),
            },
            Typed::Unreadable(error) => Err(error).context("stdin"),
            Typed::Done => Ok(Next::Leave),
        }
    }

    /// Says goodbye, and waits a moment for the other side to say it too.
    async fn leave(mut self) -> anyhow::Result<Ending> {
        let goodbye = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::from_static("") };
        let closing = async {
            self.socket.send(Message::Close(Some(goodbye))).await?;
            while let Some(arrived) = self.socket.next().await {
                arrived?;
            }
            Ok::<_, Error>(())
        };
        // Whether the other side answers changes nothing any more.
        let _answered = timeout(CLOSE_TIMEOUT, closing).await;
        self.events.left()?;
        Ok(Ending::Done)
    }
}

/// What is typed next. When stdin has ended and is no terminal, nothing ever is: the client only listens.
async fn next_line(typed: &mut Receiver<Typed>) -> Typed {
    match typed.recv().await {
        Some(typed) => typed,
        None => std::future::pending().await,
    }
}
