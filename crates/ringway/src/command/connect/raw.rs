//! A raw client: payloads go in and out as they are, and its connection is its session.

use anyhow::Context as _;
use futures_util::{SinkExt as _, StreamExt as _};
use ringway_client::Continuation;
use ringway_session::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::events::Events;
use super::stdin::{self, Typed, next_line};
use super::transport::{Handshake, Socket, goodbye, handshake};
use crate::cli::ConnectArgs;
use crate::exit::Ending;

/// Connects, relays, and says how it ended.
pub(super) async fn connect(args: &ConnectArgs, events: Events) -> anyhow::Result<Ending> {
    let continuation = Continuation { device: args.device.clone(), ..Continuation::default() };
    let (socket, subprotocol) = match handshake(args, &[], &continuation).await? {
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
    socket: Socket,
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

    async fn leave(self) -> anyhow::Result<Ending> {
        goodbye(self.socket, CloseCode::NORMAL).await;
        self.events.left()?;
        Ok(Ending::Done)
    }
}
