//! One client's socket, made for many of them: an idle one holds its TCP stream and no buffer.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tungstenite::handshake::client::generate_key;

use super::failure::{ConnectFailure, End};
use super::frames::{self, Frame, FrameReader};
use super::handshake::{Answer, HEAD_BYTES_MAX, Request};
use super::target::Target;

/// How much is read at once, by all clients of a thread into the same memory.
const READ_BYTES: usize = 64 * 1024;

/// How long the server may take to answer a close frame.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

thread_local! {
    static READ_BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// An open WebSocket.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    frames: FrameReader,
    /// What came together with the answer to the handshake.
    early: Vec<u8>,
}

/// What came in one read beside messages.
#[derive(Default)]
struct Control {
    pong: Option<Vec<u8>>,
    closed: Option<u16>,
}

/// How a client asks for a socket.
#[derive(Clone, Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) target: &'a Target,
    /// Parameters of the query.
    pub(crate) parameters: &'a [(&'a str, &'a str)],
    pub(crate) subprotocol: Option<&'a str>,
    pub(crate) source: Option<IpAddr>,
    /// How long it may take until the socket is open.
    pub(crate) within: Duration,
}

impl Socket {
    /// Opens one.
    pub(crate) async fn open(ask: &Ask<'_>) -> Result<Self, ConnectFailure> {
        timeout(ask.within, Self::open_now(ask)).await.unwrap_or(Err(ConnectFailure::Timeout))
    }

    async fn open_now(ask: &Ask<'_>) -> Result<Self, ConnectFailure> {
        let mut stream = connect(ask).await?;
        let (key, path) = (generate_key(), ask.target.path(ask.parameters));
        let Target { host, .. } = ask.target;
        let request = Request { host, target: &path, subprotocol: ask.subprotocol, key: &key };
        stream.write_all(request.text().as_bytes()).await?;
        let mut head = Vec::with_capacity(512);
        loop {
            if stream.read_buf(&mut head).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            let Some(answer) = Answer::read(&head[..head.len().min(HEAD_BYTES_MAX)])? else { continue };
            if answer.status != 101 {
                return Err(ConnectFailure::Http(answer.status));
            }
            answer.check(&request)?;
            let early = head[answer.length..].to_vec();
            return Ok(Self { stream, frames: FrameReader::default(), early });
        }
    }

    /// Waits until something comes, and gives every message that is complete to `take`. Pings are answered here.
    ///
    /// It may be dropped at any time: what was read was also taken.
    pub(crate) async fn read(&mut self, mut take: impl FnMut(Frame<'_>)) -> Result<(), End> {
        let mut control = Control::default();
        if self.early.is_empty() {
            poll_fn(|cx| self.poll_read(cx, &mut control, &mut take)).await?;
        } else {
            let early = std::mem::take(&mut self.early);
            control.sort(&mut self.frames, &early, &mut take)?;
        }
        if let Some(pong) = control.pong {
            self.stream.write_all(&pong).await?;
        }
        match control.closed {
            Some(code) => {
                // The other side has said goodbye, and need not hear our answer.
                let _ = self.stream.try_write(&frames::close(1000));
                Err(End::Closed(code))
            }
            None => Ok(()),
        }
    }

    /// Sends a text message.
    pub(crate) async fn send(&mut self, text: &str) -> Result<(), End> {
        Ok(self.stream.write_all(&frames::text(text)).await?)
    }

    /// Says goodbye and waits a moment for the answer.
    pub(crate) async fn close(mut self) {
        let closing = async {
            self.stream.write_all(&frames::close(1000)).await?;
            while self.read(|_| ()).await.is_ok() {}
            Ok::<_, End>(())
        };
        // Whether the other side answers changes nothing any more.
        let _answered = timeout(CLOSE_WITHIN, closing).await;
    }

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        control: &mut Control,
        take: &mut impl FnMut(Frame<'_>),
    ) -> Poll<Result<(), End>> {
        READ_BUFFER.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                    Poll::Ready(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()))
                }
                Poll::Ready(Ok(())) => Poll::Ready(control.sort(&mut self.frames, buffer.filled(), take)),
            }
        })
    }
}

impl Control {
    /// Finds the frames in what has come: keeps what is to be acted upon, and gives the messages away.
    fn sort(
        &mut self,
        frames: &mut FrameReader,
        bytes: &[u8],
        take: &mut impl FnMut(Frame<'_>),
    ) -> Result<(), End> {
        frames.feed(bytes, |frame| match frame {
            Frame::Ping(content) => self.pong = Some(frames::pong(content)),
            Frame::Close(code) => self.closed = Some(code),
            message => take(message),
        })?;
        Ok(())
    }
}

async fn connect(ask: &Ask<'_>) -> io::Result<TcpStream> {
    let address = ask.target.address;
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(source) = ask.source {
        socket.bind((source, 0).into())?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
