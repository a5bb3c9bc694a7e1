//! A client's stream, whose write half may be lent to somebody else: see [`Pen`](super::Pen).

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_rustls::server::TlsStream;

/// A client's stream.
pub(crate) trait Line: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Gives the write half away, if that can be done. Nothing is to be written until it is back.
    fn lend(&mut self) -> Option<OwnedWriteHalf> {
        None
    }

    /// Takes the write half back.
    fn take_back(&mut self, _half: OwnedWriteHalf) {}
}

/// With TLS reading and writing share a state.
impl Line for Box<TlsStream<TcpStream>> {}

#[cfg(test)]
impl Line for tokio::io::DuplexStream {}

/// A stream without TLS.
pub(crate) struct Plain {
    read: OwnedReadHalf,
    write: Option<OwnedWriteHalf>,
}

impl Plain {
    pub(crate) fn new(stream: TcpStream) -> Self {
        let (read, write) = stream.into_split();
        Self { read, write: Some(write) }
    }

    fn writer(&mut self) -> io::Result<Pin<&mut OwnedWriteHalf>> {
        self.write.as_mut().map(Pin::new).ok_or_else(|| io::Error::other("the write half is lent"))
    }
}

impl Line for Plain {
    fn lend(&mut self) -> Option<OwnedWriteHalf> {
        self.write.take()
    }

    fn take_back(&mut self, half: OwnedWriteHalf) {
        self.write = Some(half);
    }
}

impl AsyncRead for Plain {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.read).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Plain {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.writer()?.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.writer()?.poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer()?.poll_shutdown(cx)
    }
}
