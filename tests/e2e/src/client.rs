//! A WebSocket client.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::PATIENCE;

/// A connected client.
pub struct Client {
    stream: WebSocketStream<TcpStream>,
    /// The server's answer to the handshake.
    pub answer: Response,
}

/// A refused handshake.
#[derive(Debug)]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// The body, as text.
    pub body: String,
}

impl Client {
    /// Connects with a token in the query, which is encoded as it must be.
    pub async fn connect(server: SocketAddr, token: &str) -> Self {
        let refused = |Refused { status, body }| panic!("{token:?} was refused: {status} {body}");
        Self::try_connect(server, token).await.unwrap_or_else(refused)
    }

    /// The same, refusals being expected.
    pub async fn try_connect(server: SocketAddr, token: &str) -> Result<Self, Refused> {
        Self::open(server, request(server, token)).await
    }

    /// Connects with a request made elsewhere.
    pub async fn open(server: SocketAddr, request: Request) -> Result<Self, Refused> {
        let stream = TcpStream::connect(server).await.unwrap_or_else(|error| panic!("{server}: {error}"));
        stream.set_nodelay(true).expect("a fresh socket takes options");
        // Small buffers, for there are many clients; messages of any size, for the server is under test.
        let config = WebSocketConfig::default()
            .read_buffer_size(4096)
            .write_buffer_size(0)
            .max_message_size(None)
            .max_frame_size(None);
        let opened =
            tokio::time::timeout(PATIENCE, client_async_with_config(request, stream, Some(config))).await;
        match opened.expect("the handshake is answered in time") {
            Ok((stream, answer)) => Ok(Self { stream, answer }),
            Err(Error::Http(answer)) => Err(Refused {
                status: answer.status().as_u16(),
                body: String::from_utf8_lossy(answer.body().as_deref().unwrap_or_default()).into_owned(),
            }),
            Err(error) => panic!("the handshake with {server} broke: {error}"),
        }
    }

    /// Sends a message.
    pub async fn send(&mut self, message: impl Into<Message>) {
        self.try_send(message).await.expect("the socket is open");
    }

    /// Sends a message, unless the socket has ended.
    ///
    /// # Errors
    /// When it has: then [`next`](Self::next) says how.
    pub async fn try_send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.stream.send(message.into()).await
    }

    /// The next text or binary message; or, the socket having ended, with which code and reason it was closed.
    ///
    /// # Errors
    /// The close code, 1005 if there was none, and 1006 if the connection broke.
    pub async fn next(&mut self) -> Result<Message, (u16, String)> {
        loop {
            match self.stream.next().await {
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => return Ok(message),
                Some(Ok(Message::Close(Some(CloseFrame { code, reason })))) => {
                    return Err((code.into(), reason.to_string()));
                }
                Some(Ok(Message::Close(None))) => return Err((1005, String::new())),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err((1006, error.to_string())),
                None => return Err((1006, String::new())),
            }
        }
    }

    /// The next text or binary message.
    pub async fn receive(&mut self) -> Message {
        self.receive_within(PATIENCE).await.unwrap_or_else(|| panic!("no message came within {PATIENCE:?}"))
    }

    /// The next text message.
    pub async fn text(&mut self) -> String {
        match self.receive().await {
            Message::Text(text) => text.to_string(),
            message => panic!("not a text message: {message:?}"),
        }
    }

    /// The next text or binary message, if one comes in this time.
    pub async fn receive_within(&mut self, patience: Duration) -> Option<Message> {
        let message = tokio::time::timeout(patience, self.next()).await.ok()?;
        Some(message.unwrap_or_else(|ended| panic!("the socket ended: {ended:?}")))
    }

    /// Waits until the server closes the socket, passing over messages, and says with which code and reason.
    pub async fn closed(mut self) -> (u16, String) {
        let closed = async {
            loop {
                if let Err(ended) = self.next().await {
                    return ended;
                }
            }
        };
        tokio::time::timeout(PATIENCE, closed).await.unwrap_or_else(|_| panic!("the socket stays open"))
    }

    /// Ends the socket as it should be, and waits for the server's half.
    pub async fn close(mut self) {
        self.stream.close(None).await.expect("the socket is open");
        let (code, _) = self.closed().await;
        assert_ne!(code, 1006, "the server did not answer the close frame");
    }

    /// Ends the connection without a word: with a reset, as when the client's machine is gone.
    pub fn kill(self) {
        self.stream.get_ref().set_zero_linger().expect("an open socket takes options");
    }
}

/// The request of a proper handshake with a token in the query.
pub fn request(server: SocketAddr, token: &str) -> Request {
    let encoded: String = token.bytes().map(encode).collect();
    format!("ws://{server}/ws?token={encoded}").into_client_request().expect("a good URL")
}

fn encode(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}
