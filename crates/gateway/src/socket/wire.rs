//! A client's byte stream with the WebSocket protocol on top, at the cost of almost nothing while it is quiet.
//!
//! The protocol itself is tungstenite's: masking, fragments, UTF-8, ping and pong, the close handshake. Only messages to the client
//! are framed without it ([`batch`]). Its engine owns buffers that only grow, so a [`Wire`] keeps an [`Engine`] only while there is
//! something in it: it is made when bytes come, and put away as soon as the stream stands between two messages with nothing left
//! to write. A quiet client holds no buffer at all, and one large message leaves nothing behind.
//!
//! The law here: the engine sees every byte of the stream exactly once and in order, and it is put away only when it
//! holds none ([`FrameBoundary`]) and its close handshake has not begun.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tungstenite::error::Error;
use tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig, WebSocketContext};

use super::batch::{self, Rest};
use super::boundary::FrameBoundary;
use super::line::Line;
use super::pen::{Pen, Stuck};
use crate::config::SocketConfig;

/// How much is read from a socket at a time.
const READ_BYTES: usize = 8 * 1024;
/// The engine's own read buffer, which lives no longer than the engine does.
const ENGINE_BUFFER_BYTES: usize = 1024;
/// What the engine writes are control frames, of 125 bytes at most (RFC 6455 section 5.5): a ping, a pong and a close frame.
const CONTROL_BYTES_MAX: usize = 1024;

/// A client's stream, speaking WebSocket as the server.
pub(crate) struct Wire<S> {
    stream: S,
    engine: Option<Box<Engine>>,
    /// Whether the engine may hold whole messages that nobody has asked it for.
    unread: bool,
    /// What the socket has not taken of a frame that it has begun with.
    rest: Option<Box<Rest>>,
    /// Whether there may be bytes for the socket, here, in the engine or in the stream.
    unflushed: bool,
    /// Whether a close frame was sent or received.
    closing: bool,
    /// Whether the socket has taken bytes lately.
    progress: bool,
}

/// How writing went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// The operating system has everything.
    All,
    /// The socket takes no more now; the task is woken when it does.
    Blocked,
}

impl<S: Line> Wire<S> {
    /// Speaks WebSocket on `stream`, of which `early` was read already.
    pub(crate) fn new(stream: S, early: &Bytes, config: &SocketConfig) -> Self {
        let engine = (!early.is_empty()).then(|| Box::new(Engine::new(early, config)));
        let unread = engine.is_some();
        Self { stream, engine, unread, rest: None, unflushed: false, closing: false, progress: false }
    }

    /// Reads once from the socket and hands every message that is complete to `take`.
    ///
    /// # Errors
    /// What the engine says: [`Error::ConnectionClosed`] at the end of a close handshake, otherwise what is wrong.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        config: &SocketConfig,
        mut take: impl FnMut(Message),
    ) -> Poll<Result<(), Error>> {
        if self.unread {
            self.unread = false;
            return Poll::Ready(self.drain(cx, Input::Bytes(&[]), config, &mut take));
        }
        let mut space = [const { MaybeUninit::uninit() }; READ_BYTES];
        let mut space = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut space))?;
        let input = match space.filled() {
            [] => Input::End,
            bytes => Input::Bytes(bytes),
        };
        Poll::Ready(self.drain(cx, input, config, &mut take))
    }

    /// Writes text and binary messages in their order, as far as the socket takes them, and tells of each with which it has begun.
    ///
    /// # Errors
    /// What the socket says; one that takes no more now is not an error.
    pub(crate) fn write(
        &mut self,
        cx: &mut Context<'_>,
        messages: &mut VecDeque<Message>,
        mut begun: impl FnMut(&Message),
    ) -> Result<Written, Error> {
        self.unflushed = true;
        loop {
            if self.write_rest(cx)? == Written::Blocked {
                return Ok(Written::Blocked);
            }
            if messages.is_empty() {
                return Ok(Written::All);
            }
            match batch::poll_write(&mut self.stream, cx, messages, &mut begun)? {
                Poll::Ready(rest) => self.rest = rest.map(Box::new),
                Poll::Pending => return Ok(Written::Blocked),
            }
            self.progress = true;
        }
    }

    /// Gives a ping to the engine, which may write it at once or keep it.
    ///
    /// # Errors
    /// As [`Wire::close`].
    pub(crate) fn ping(&mut self, cx: &mut Context<'_>, config: &SocketConfig) -> Result<Written, Error> {
        self.unflushed = true;
        let (engine, mut pipe) = self.parts(cx, Input::Bytes(&[]), config);
        written(engine.context.write(&mut pipe, Message::Ping(Bytes::new())))
    }

    /// Begins the close handshake.
    ///
    /// # Errors
    /// What the engine says; a socket that takes no more now is not an error.
    pub(crate) fn close(
        &mut self,
        cx: &mut Context<'_>,
        config: &SocketConfig,
        frame: CloseFrame,
    ) -> Result<Written, Error> {
        self.unflushed = true;
        self.closing = true;
        let (engine, mut pipe) = self.parts(cx, Input::Bytes(&[]), config);
        written(engine.context.close(&mut pipe, Some(frame)))
    }

    /// Writes what is left, of a frame and of what the engine holds.
    ///
    /// # Errors
    /// As [`Wire::close`].
    pub(crate) fn flush(&mut self, cx: &mut Context<'_>) -> Result<Written, Error> {
        if !self.unflushed {
            return Ok(Written::All);
        }
        let outcome = match &mut self.engine {
            Some(engine) => {
                let Self { stream, rest, progress, .. } = self;
                let mut pipe = Pipe { stream, cx, input: Input::Bytes(&[]), rest, progress };
                written(engine.context.flush(&mut pipe))
            }
            None => self.flush_stream(cx),
        };
        if let Ok(Written::All) = outcome {
            self.unflushed = false;
        }
        outcome
    }

    /// Whether a close frame was sent or received.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing
    }

    /// Since when a message has been arriving that is not complete.
    pub(crate) fn message_since(&self) -> Option<Instant> {
        self.engine.as_ref()?.message_since
    }

    /// Does not count this time for the message that is arriving: it was not read.
    pub(crate) fn excuse(&mut self, unread_for: Duration) {
        let engine = self.engine.as_mut();
        if let Some(since) = engine.and_then(|engine| engine.message_since.as_mut()) {
            *since += unread_for;
        }
    }

    /// Puts the engine away if it holds nothing. To be called when the socket has no more to read for now.
    pub(crate) fn settle(&mut self) {
        if !self.unread && !self.unflushed && !self.closing {
            self.engine.take_if(|engine| engine.boundary.between_messages());
        }
    }

    /// Gives the pen away, if there is nothing to write and the stream can be written by others. Before anything but reading is done
    /// again, it is to be taken back.
    pub(crate) fn lend_pen(&mut self) -> Option<Pen> {
        let is_quiet = !self.unflushed && !self.closing;
        is_quiet.then(|| self.stream.lend().map(Pen::new)).flatten()
    }

    /// Takes the pen back, and says what those messages cost that were begun with it and are not out.
    pub(crate) fn take_pen_back(&mut self, pen: Pen) -> u64 {
        let (half, Stuck { rest, cost_bytes }) = pen.into_parts();
        self.stream.take_back(half);
        self.progress |= cost_bytes > 0;
        self.unflushed |= cost_bytes > 0;
        self.rest = rest.map(Box::new);
        cost_bytes
    }

    /// Whether the socket has taken any bytes since the last call.
    pub(crate) fn take_progress(&mut self) -> bool {
        std::mem::take(&mut self.progress)
    }

    /// Says that the stream ends (in TLS that is a message), as far as that goes at once. Nothing waits for more.
    pub(crate) fn part(&mut self, cx: &mut Context<'_>) {
        let _ended: Poll<io::Result<()>> = Pin::new(&mut self.stream).poll_shutdown(cx);
    }

    /// Ends the stream's writing half, then reads and forgets; ready when the client has ended its half too.
    pub(crate) fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.engine = None;
        ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        loop {
            let mut space = [const { MaybeUninit::uninit() }; READ_BYTES];
            let mut space = ReadBuf::uninit(&mut space);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut space))?;
            if space.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn flush_stream(&mut self, cx: &mut Context<'_>) -> Result<Written, Error> {
        if self.write_rest(cx)? == Written::Blocked {
            return Ok(Written::Blocked);
        }
        match Pin::new(&mut self.stream).poll_flush(cx)? {
            Poll::Ready(()) => Ok(Written::All),
            Poll::Pending => Ok(Written::Blocked),
        }
    }

    fn write_rest(&mut self, cx: &mut Context<'_>) -> Result<Written, Error> {
        let Self { stream, rest, progress, .. } = self;
        Ok(match poll_write_rest(stream, cx, rest, progress)? {
            Poll::Ready(()) => Written::All,
            Poll::Pending => Written::Blocked,
        })
    }

    fn drain(
        &mut self,
        cx: &mut Context<'_>,
        input: Input<'_>,
        config: &SocketConfig,
        take: &mut impl FnMut(Message),
    ) -> Result<(), Error> {
        let (engine, mut pipe) = self.parts(cx, input, config);
        if let Input::Bytes(bytes) = pipe.input {
            engine.observe(bytes);
        }
        let mut closing = false;
        let mut answers = false;
        let outcome = loop {
            match engine.context.read(&mut pipe) {
                Ok(message) => {
                    closing |= message.is_close();
                    answers |= message.is_close() || message.is_ping();
                    take(message);
                }
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.closing |= closing;
        self.unflushed |= answers;
        outcome
    }

    fn parts<'a, 'w>(
        &'a mut self,
        cx: &'a mut Context<'w>,
        input: Input<'a>,
        config: &SocketConfig,
    ) -> (&'a mut Engine, Pipe<'a, 'w, S>) {
        let engine = self.engine.get_or_insert_with(|| Box::new(Engine::new(&[], config)));
        let Self { stream, rest, progress, .. } = self;
        (engine, Pipe { stream, cx, input, rest, progress })
    }
}

/// The protocol's engine, and what is known of the bytes that it was given.
struct Engine {
    context: WebSocketContext,
    boundary: FrameBoundary,
    /// When the message that is not complete began to arrive, put off by the time in which it was not read.
    message_since: Option<Instant>,
}

impl Engine {
    /// An engine that has these bytes and has looked at none of them.
    fn new(early: &[u8], config: &SocketConfig) -> Self {
        let config = Some(engine_config(config));
        let context = WebSocketContext::from_partially_read(early.to_vec(), Role::Server, config);
        let mut engine = Self { context, boundary: FrameBoundary::default(), message_since: None };
        engine.observe(early);
        engine
    }

    /// Follows the bytes that the protocol is given.
    fn observe(&mut self, bytes: &[u8]) {
        if self.boundary.observe(bytes) {
            self.message_since = None;
        }
        if !self.boundary.between_messages() {
            self.message_since.get_or_insert_with(Instant::now);
        }
    }
}

/// Writes what is left of a frame; ready when nothing is.
fn poll_write_rest<S: AsyncWrite + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    rest: &mut Option<Box<Rest>>,
    progress: &mut bool,
) -> Poll<io::Result<()>> {
    while let Some(left) = rest {
        *progress |= ready!(batch::poll_write_rest(stream, cx, left))? > 0;
        rest.take_if(|left| !left.has_remaining());
    }
    Poll::Ready(Ok(()))
}

/// The engine's view of the socket: it reads what is given to it, and writes to the stream, behind what is left of a frame.
struct Pipe<'a, 'w, S> {
    stream: &'a mut S,
    cx: &'a mut Context<'w>,
    input: Input<'a>,
    rest: &'a mut Option<Box<Rest>>,
    progress: &'a mut bool,
}

enum Input<'a> {
    Bytes(&'a [u8]),
    End,
}

impl<S> Read for Pipe<'_, '_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.input {
            Input::End => Ok(0),
            Input::Bytes([]) => Err(io::ErrorKind::WouldBlock.into()),
            Input::Bytes(bytes) => bytes.read(buffer),
        }
    }
}

impl<S: AsyncWrite + Unpin> Write for Pipe<'_, '_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        or_would_block(poll_write_rest(self.stream, self.cx, self.rest, self.progress))?;
        let written = or_would_block(Pin::new(&mut *self.stream).poll_write(self.cx, bytes))?;
        *self.progress |= written > 0;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        or_would_block(poll_write_rest(self.stream, self.cx, self.rest, self.progress))?;
        or_would_block(Pin::new(&mut *self.stream).poll_flush(self.cx))
    }
}

fn or_would_block<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

fn written(result: Result<(), Error>) -> Result<Written, Error> {
    match result {
        Ok(()) => Ok(Written::All),
        Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(Written::Blocked),
        Err(error) => Err(error),
    }
}

fn engine_config(config: &SocketConfig) -> WebSocketConfig {
    let message_bytes_max = config.message_bytes_max;
    WebSocketConfig::default()
        .read_buffer_size(ENGINE_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(CONTROL_BYTES_MAX)
        .max_message_size(Some(message_bytes_max))
        .max_frame_size(Some(message_bytes_max))
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_util::{SinkExt, StreamExt};
    use tokio::io::DuplexStream;
    use tokio_tungstenite::WebSocketStream;
    use tungstenite::protocol::frame::Frame;
    use tungstenite::protocol::frame::coding::{Data, OpCode};

    use super::*;

    /// A wire and the client at its other end.
    struct Pair {
        wire: Wire<DuplexStream>,
        client: WebSocketStream<DuplexStream>,
        config: SocketConfig,
    }

    impl Pair {
        async fn new() -> Self {
            let (ours, theirs) = tokio::io::duplex(64 * 1024);
            let config = SocketConfig::default();
            let wire = Wire::new(ours, &Bytes::new(), &config);
            Self { wire, client: WebSocketStream::from_raw_socket(theirs, Role::Client, None).await, config }
        }

        /// Sends `message` and reads until the wire has `count` messages, then settles.
        async fn upward(&mut self, message: Message, count: usize) -> Vec<Message> {
            let Self { wire, client, config } = self;
            let mut taken = Vec::new();
            let sent = async { client.send(message).await.expect("sent") };
            let received = poll_fn(|cx| {
                while taken.len() < count {
                    ready!(wire.poll_read(cx, config, |message| taken.push(message))).expect("read");
                }
                Poll::Ready(())
            });
            tokio::join!(sent, received);
            self.quiet().await;
            taken
        }

        /// Sends `message` to the client, then settles.
        async fn downward(&mut self, message: Message) -> Message {
            let Self { wire, client, .. } = self;
            let mut messages = VecDeque::from([message]);
            let written = poll_fn(|cx| {
                wire.write(cx, &mut messages, |_| ()).expect("written");
                match wire.flush(cx).expect("flushed") {
                    Written::All => Poll::Ready(()),
                    Written::Blocked => Poll::Pending,
                }
            });
            let (received, ()) = tokio::join!(client.next(), written);
            self.quiet().await;
            received.expect("open").expect("a message")
        }

        /// What the client's task does when there is nothing more to read.
        async fn quiet(&mut self) {
            let Self { wire, config, .. } = self;
            poll_fn(|cx| {
                while let Poll::Ready(read) = wire.poll_read(cx, config, |_| panic!("nothing is left")) {
                    read.expect("read");
                }
                wire.flush(cx).expect("flushed");
                wire.settle();
                Poll::Ready(())
            })
            .await;
        }
    }

    #[tokio::test]
    async fn nothing_is_kept_after_a_message_of_any_size_in_either_direction() {
        let mut pair = Pair::new().await;
        for length in [0, 1, 100, 1024, 70_000, 1024 * 1024] {
            let message = Message::binary(vec![5; length]);
            let taken = pair.upward(message.clone(), 1).await;
            assert_eq!(taken, std::slice::from_ref(&message), "{length} bytes up");
            assert!(pair.wire.engine.is_none(), "after {length} bytes up");
            assert_eq!(pair.downward(message.clone()).await, message, "{length} bytes down");
            assert!(pair.wire.engine.is_none(), "after {length} bytes down");
        }
    }

    fn fragment(opcode: Data, last: bool) -> Message {
        Message::Frame(Frame::message("half", OpCode::Data(opcode), last))
    }

    #[tokio::test]
    async fn an_open_message_is_kept() {
        let mut pair = Pair::new().await;
        pair.upward(fragment(Data::Text, false), 0).await;
        let ping = Message::Ping("between".into());
        assert_eq!(pair.upward(ping.clone(), 1).await, [ping]);
        assert!(pair.wire.engine.is_some(), "it holds the first half");
        assert_eq!(pair.upward(fragment(Data::Continue, true), 1).await, [Message::text("halfhalf")]);
        assert!(pair.wire.engine.is_none());
    }

    #[tokio::test]
    async fn a_message_is_timed_from_its_own_first_byte() {
        let mut pair = Pair::new().await;
        assert_eq!(pair.wire.message_since(), None);
        pair.upward(fragment(Data::Text, false), 0).await;
        let first = pair.wire.message_since().expect("it has begun");
        pair.upward(Message::Ping("between".into()), 1).await;
        pair.upward(fragment(Data::Continue, false), 0).await;
        assert_eq!(pair.wire.message_since(), Some(first), "neither a ping nor a fragment begins it anew");
        pair.client.feed(fragment(Data::Continue, true)).await.expect("fed");
        pair.upward(fragment(Data::Text, false), 1).await;
        let second = pair.wire.message_since().expect("the next one came with the end of the first");
        assert!(second > first);
        pair.wire.excuse(Duration::from_secs(1));
        assert_eq!(pair.wire.message_since(), Some(second + Duration::from_secs(1)));
        pair.upward(fragment(Data::Continue, true), 1).await;
        assert_eq!(pair.wire.message_since(), None);
    }

    #[tokio::test]
    async fn an_unanswered_ping_is_kept_until_its_pong_is_out() {
        let mut pair = Pair::new().await;
        let ping = Message::Ping("hello".into());
        assert_eq!(pair.upward(ping.clone(), 1).await, [ping]);
        assert!(pair.wire.engine.is_none(), "the pong went out at once");
        let pong = pair.client.next().await.expect("open").expect("a pong");
        assert_eq!(pong, Message::Pong("hello".into()));
    }

    #[tokio::test]
    async fn a_close_handshake_is_never_forgotten() {
        let mut pair = Pair::new().await;
        poll_fn(|cx| {
            let frame = CloseFrame { code: 1001.into(), reason: "bye".into() };
            assert_eq!(pair.wire.close(cx, &pair.config, frame).expect("sent"), Written::All);
            pair.wire.settle();
            Poll::Ready(())
        })
        .await;
        assert!(pair.wire.engine.is_some());
        assert!(pair.client.next().await.expect("open").expect("a frame").is_close());
    }
}
