//! Accepts connections, at most `connections_max` at a time, each on a leash.
//!
//! The leash is a token: when it is cancelled, every connection's next read or write fails, and the HTTP/2 stack
//! lets go of it and of all its streams. That is how shutdown ends what does not end by itself, and how a connection
//! ends whose [`Probation`] ends badly.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::Connected;

use super::ServerConfig;
use super::probation::{Admission, Probation};

/// How long to wait after a failed accept, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The listener, the room for connections, and their leash.
pub(super) struct Connections {
    listener: TcpListener,
    room: Arc<Semaphore>,
    config: ServerConfig,
    cut: CancellationToken,
}

impl Connections {
    pub(super) fn new(listener: TcpListener, config: ServerConfig, cut: CancellationToken) -> Self {
        let room = Arc::new(Semaphore::new(config.connections_max.clamp(1, Semaphore::MAX_PERMITS)));
        Connections { listener, room, config, cut }
    }

    /// The connections as they come; it has no end.
    pub(super) fn into_stream(self) -> impl Stream<Item = io::Result<Connection>> {
        futures_util::stream::unfold(self, |connections| async move {
            let connection = connections.next().await;
            Some((connection, connections))
        })
    }

    async fn next(&self) -> io::Result<Connection> {
        let permit = Arc::clone(&self.room).acquire_owned().await.map_err(io::Error::other)?;
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return Ok(self.connection(stream, permit)),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn connection(&self, stream: TcpStream, room: OwnedSemaphorePermit) -> Connection {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        let probation = Probation::begin(&self.config);
        Connection {
            stream,
            admission: probation.admission().clone(),
            probation: Some(probation),
            cut: Box::pin(self.cut.clone().cancelled_owned()),
            _room: room,
        }
    }
}

/// One accepted connection.
pub(super) struct Connection {
    stream: TcpStream,
    admission: Admission,
    /// Until a call has shown the secret.
    probation: Option<Probation>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    _room: OwnedSemaphorePermit,
}

impl Connection {
    /// Every read and write begins here: a peer that does not read must not get around it.
    fn check_leash(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.cut.as_mut().poll(cx).is_ready() {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the node shuts down"));
        }
        match self.probation.as_mut().map(|probation| probation.poll_end(cx)) {
            None | Some(Poll::Pending) => Ok(()),
            Some(Poll::Ready(Ok(()))) => {
                self.probation = None;
                Ok(())
            }
            Some(Poll::Ready(Err(missing))) => Err(io::Error::new(io::ErrorKind::TimedOut, missing)),
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = Admission;

    fn connect_info(&self) -> Admission {
        self.admission.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check_leash(cx)?;
        let filled = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Some(probation) = &mut self.probation {
            probation.heard(buf.filled().len() - filled);
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check_leash(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check_leash(cx)?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
