//! A client's life behind its handshake: it reads, answers what the protocol wants answered, and tells the inbox what came.

use std::pin::pin;
use std::time::Instant;

use ringway_client::{Action, ClientConfig, ClientSession, Content, Event, Reconnect};
use ringway_session::CloseCode;
use tokio_util::sync::CancellationToken;

use super::failure::End;
use super::frames::Frame;
use super::handshake::V1;
use super::inbox::Inbox;
use super::socket::Socket;

/// What clients speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// Payloads as they are.
    #[default]
    Raw,
    /// `ringway.v1.json`: numbered and acknowledged.
    V1,
}

impl Way {
    /// What is offered in the handshake.
    pub(crate) fn subprotocol(self) -> Option<&'static str> {
        match self {
            Self::Raw => None,
            Self::V1 => Some(V1),
        }
    }

    /// Lives until the socket ends, or the client shall leave.
    pub(crate) async fn listen(self, socket: Socket, inbox: Inbox, leave: CancellationToken) -> End {
        match self {
            Self::Raw => listen_raw(socket, inbox, leave).await,
            // It is larger, and there are many raw ones.
            Self::V1 => Box::pin(listen_v1(socket, inbox, leave)).await,
        }
    }
}

async fn listen_raw(mut socket: Socket, inbox: Inbox, leave: CancellationToken) -> End {
    let mut leave = pin!(leave.cancelled());
    loop {
        let read = socket.read(|frame| {
            if let Frame::Text(payload) | Frame::Binary(payload) = frame {
                inbox.take(payload);
            }
        });
        tokio::select! {
            biased;
            read = read => if let Err(end) = read { return end },
            () = &mut leave => break,
        }
    }
    // Boxed: an idle client does not hold what it needs to leave.
    Box::pin(socket.close()).await;
    End::Left
}

async fn listen_v1(mut socket: Socket, inbox: Inbox, leave: CancellationToken) -> End {
    let mut leave = pin!(leave.cancelled());
    let config = ClientConfig { reconnect: Reconnect::Never, ..ClientConfig::default() };
    let mut session = ClientSession::new(config, 0, Instant::now());
    // The socket is open already.
    session.handle(Instant::now(), Event::Tick);
    session.handle(Instant::now(), Event::Opened);
    loop {
        let (mut actions, deadline) = (Vec::new(), session.deadline());
        let read = socket.read(|frame| actions.extend(session.handle(Instant::now(), event(&frame))));
        let ended = tokio::select! {
            biased;
            read = read => read.err(),
            () = until(deadline) => {
                actions = session.handle(Instant::now(), Event::Tick);
                None
            }
            () = &mut leave => break,
        };
        if let Some(end) = ended {
            session.handle(Instant::now(), Event::Closed(CloseCode::from_u16(end.code())));
            return end;
        }
        if let Err(end) = act(&mut socket, &inbox, actions).await {
            return end;
        }
    }
    for action in session.handle(Instant::now(), Event::Leave) {
        if let Action::Send(text) = action
            && let Err(end) = socket.send(&text).await
        {
            return end;
        }
    }
    socket.close().await;
    End::Left
}

async fn act(socket: &mut Socket, inbox: &Inbox, actions: Vec<Action>) -> Result<(), End> {
    for action in actions {
        match action {
            Action::Send(text) => socket.send(&text).await?,
            Action::Deliver(message) => match &message.content {
                // A stamp stands in a JSON string as it is.
                Content::Data(json) => inbox.take(json.trim_start_matches('"').as_bytes()),
                Content::Binary(payload) => inbox.take(payload),
            },
            Action::End(_) => return Err(End::Closed(CloseCode::PROTOCOL.as_u16())),
            // Messages that are missed are known by their numbers.
            _ => {}
        }
    }
    Ok(())
}

fn event<'a>(frame: &Frame<'a>) -> Event<'a> {
    match frame {
        Frame::Text(text) => std::str::from_utf8(text).map_or(Event::Binary, Event::Text),
        _ => Event::Binary,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
