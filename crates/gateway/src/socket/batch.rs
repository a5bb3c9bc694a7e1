//! Messages for a client, framed without the engine: a server's frames have no mask, so a few bytes before the payload are all
//! there is to them (RFC 6455 section 5.2). Small ones share a write.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::buf::Chain;
use bytes::{Buf, Bytes};
use tokio::io::{AsyncWrite, ReadBuf};
use tungstenite::Message;

/// How many bytes of small messages share a write.
const SHARED_BYTES: usize = 8 * 1024;
/// Opcode, and a length of 64 bits.
const HEADER_BYTES_MAX: usize = 10;
const FINAL_TEXT: u8 = 0x81;
const FINAL_BINARY: u8 = 0x82;

/// What the socket has not taken of a frame that it has taken the beginning of.
pub(super) type Rest = Chain<Bytes, Bytes>;

/// Writes once from the front of `messages`, which are text and binary, and tells of each with which the socket has begun; of the last
/// of these there may be a rest.
pub(super) fn poll_write<S: AsyncWrite + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    messages: &mut VecDeque<Message>,
    begun: impl FnMut(&Message),
) -> Poll<io::Result<Option<Rest>>> {
    let mut space = [const { MaybeUninit::uninit() }; SHARED_BYTES];
    let mut shared = ReadBuf::uninit(&mut space);
    for message in &*messages {
        let (header, payload) = (Header::of(message), payload(message));
        if shared.remaining() < header.bytes().len() + payload.len() {
            break;
        }
        shared.put_slice(header.bytes());
        shared.put_slice(payload);
    }
    let written = match messages.front() {
        Some(large) if shared.filled().is_empty() => {
            let header = Header::of(large);
            let parts = [IoSlice::new(header.bytes()), IoSlice::new(payload(large))];
            ready!(Pin::new(stream).poll_write_vectored(cx, &parts))?
        }
        Some(_) => ready!(Pin::new(stream).poll_write(cx, shared.filled()))?,
        None => return Poll::Ready(Ok(None)),
    };
    if written == 0 {
        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
    }
    Poll::Ready(Ok(take_written(messages, written, begun)))
}

/// Writes once from what is left of a frame, and says how much.
pub(super) fn poll_write_rest<S: AsyncWrite + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    rest: &mut Rest,
) -> Poll<io::Result<usize>> {
    let written = ready!(Pin::new(stream).poll_write(cx, rest.chunk()))?;
    if written == 0 {
        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
    }
    rest.advance(written);
    Poll::Ready(Ok(written))
}

/// Takes out what was written, wholly or in part.
fn take_written(
    messages: &mut VecDeque<Message>,
    mut written: usize,
    mut begun: impl FnMut(&Message),
) -> Option<Rest> {
    while written > 0 {
        let message = messages.pop_front()?;
        begun(&message);
        let header = Header::of(&message);
        let frame_bytes = header.bytes().len() + payload(&message).len();
        if written < frame_bytes {
            let mut rest = Bytes::copy_from_slice(header.bytes()).chain(into_payload(message));
            rest.advance(written);
            return Some(rest);
        }
        written -= frame_bytes;
    }
    None
}

fn payload(message: &Message) -> &[u8] {
    match message {
        Message::Text(text) => text.as_bytes(),
        Message::Binary(bytes) => bytes,
        _ => &[],
    }
}

fn into_payload(message: Message) -> Bytes {
    match message {
        Message::Text(text) => text.into(),
        Message::Binary(bytes) => bytes,
        _ => Bytes::new(),
    }
}

/// The beginning of a frame that is a whole message.
struct Header {
    bytes: [u8; HEADER_BYTES_MAX],
    length: usize,
}

impl Header {
    fn of(message: &Message) -> Self {
        let mut header = Header { bytes: [0; HEADER_BYTES_MAX], length: 2 };
        header.bytes[0] = if matches!(message, Message::Text(_)) { FINAL_TEXT } else { FINAL_BINARY };
        let payload_bytes = payload(message).len();
        match (u8::try_from(payload_bytes), u16::try_from(payload_bytes)) {
            (Ok(short), _) if short < 126 => header.bytes[1] = short,
            (_, Ok(medium)) => header.extend(126, &medium.to_be_bytes()),
            _ => header.extend(127, &(payload_bytes as u64).to_be_bytes()),
        }
        header
    }

    fn extend(&mut self, mark: u8, length: &[u8]) {
        self.bytes[1] = mark;
        self.bytes[2..2 + length.len()].copy_from_slice(length);
        self.length += length.len();
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use proptest::prelude::*;
    use tungstenite::protocol::{Role, WebSocketContext};

    use super::*;

    /// A socket that takes so many bytes at a time, in turn, and nothing where that is 0.
    struct Narrow {
        widths: Vec<usize>,
        next: usize,
        taken: Vec<u8>,
    }

    impl AsyncWrite for Narrow {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            let this = self.get_mut();
            let width = this.widths[this.next % this.widths.len()].min(bytes.len());
            this.next += 1;
            if width == 0 {
                return Poll::Pending;
            }
            this.taken.extend_from_slice(&bytes[..width]);
            Poll::Ready(Ok(width))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// Writes everything, as a wire does.
    fn write(messages: &[Message], widths: Vec<usize>) -> Vec<u8> {
        let mut socket = Narrow { widths, next: 0, taken: Vec::new() };
        let mut cx = Context::from_waker(Waker::noop());
        let mut left: VecDeque<Message> = messages.iter().cloned().collect();
        let (mut rest, mut count): (Option<Rest>, usize) = (None, 0);
        while !left.is_empty() || rest.is_some() {
            if let Some(some) = &mut rest {
                if let Poll::Ready(written) = poll_write_rest(&mut socket, &mut cx, some) {
                    written.expect("it takes");
                }
                rest = rest.filter(Buf::has_remaining);
            } else if let Poll::Ready(written) = poll_write(&mut socket, &mut cx, &mut left, |_| count += 1) {
                rest = written.expect("it takes");
            }
        }
        assert_eq!(count, messages.len());
        socket.taken
    }

    /// What a client's engine reads in these bytes.
    fn read(bytes: Vec<u8>) -> Vec<Message> {
        let mut stream = io::Cursor::new(bytes);
        let mut engine = WebSocketContext::new(Role::Client, None);
        std::iter::from_fn(|| engine.read(&mut stream).ok()).collect()
    }

    #[test]
    fn every_length_is_framed_as_a_client_reads_it() {
        for length in [0, 1, 125, 126, 127, 4096, SHARED_BYTES, 65_535, 65_536, 100_000] {
            for message in [Message::binary(vec![7; length]), Message::text("x".repeat(length))] {
                let messages = [message.clone(), Message::text("behind")];
                assert_eq!(read(write(&messages, vec![usize::MAX])), messages, "{length} bytes");
            }
        }
    }

    proptest! {
        #[test]
        fn a_narrow_socket_gets_every_byte_once_and_in_order(
            lengths in prop::collection::vec((0..300_usize, any::<bool>()), 1..30),
            large in 0..20_000_usize,
            mut widths in prop::collection::vec(0..2_000_usize, 1..10),
        ) {
            widths.push(1);
            let message = |(length, is_text)| match is_text {
                true => Message::text("t".repeat(length)),
                false => Message::binary(vec![length as u8; length]),
            };
            let mut messages: Vec<Message> = lengths.into_iter().map(message).collect();
            messages.insert(messages.len() / 2, Message::binary(vec![9; large]));
            prop_assert_eq!(read(write(&messages, widths)), messages);
        }
    }
}
