//! One client's socket: what was read and is not understood yet, and what could not be written yet.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use super::handshake;

/// Larger frames are not sent to this server.
const SHORT_FRAME_MAX: usize = 125;

pub(super) struct Client {
    pub(super) stream: TcpStream,
    is_open: bool,
    input: Vec<u8>,
    output: Vec<u8>,
}

/// What reading came to.
pub(super) enum Read {
    Nothing,
    /// The handshake is done: the client's name.
    Opened(String),
    Closed,
}

impl Client {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, is_open: false, input: Vec::new(), output: Vec::new() }
    }

    /// Reads once, and sends back what is complete.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Read {
        match self.stream.read(buffer) {
            Ok(0) => return Read::Closed,
            Ok(length) => self.input.extend(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Read::Nothing,
            Err(_) => return Read::Closed,
        }
        if self.is_open {
            return self.echo();
        }
        let Some(end) = memchr::memmem::find(&self.input, b"\r\n\r\n") else { return Read::Nothing };
        let Some((answer, name)) = handshake::answer(&self.input[..end]) else { return Read::Closed };
        self.input.drain(..end + 4);
        self.is_open = true;
        self.write(answer.as_bytes());
        Read::Opened(name)
    }

    /// Writes, and keeps what the socket does not take.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        let written = match self.output.is_empty() {
            true => self.stream.write(bytes).unwrap_or_default(),
            false => 0,
        };
        self.output.extend(&bytes[written..]);
    }

    /// Whether something waits until the socket takes it.
    pub(super) fn is_behind(&self) -> bool {
        !self.output.is_empty()
    }

    /// Writes what was kept.
    pub(super) fn flush(&mut self) {
        let written = self.stream.write(&self.output).unwrap_or_default();
        self.output.drain(..written);
    }

    fn echo(&mut self) -> Read {
        let mut at = 0;
        while let Some((frame, length)) = unmasked(&self.input[at..]) {
            self.write(&frame);
            at += length;
        }
        self.input.drain(..at);
        // An unused input gives its memory back, so that an idle client costs none.
        if self.input.is_empty() {
            self.input = Vec::new();
        }
        Read::Nothing
    }
}

/// The first frame as a server sends it, and how long it was as the client sent it.
fn unmasked(input: &[u8]) -> Option<(Vec<u8>, usize)> {
    let [kind, length, ..] = *input else { return None };
    let length = usize::from(length & 0x7f).min(SHORT_FRAME_MAX);
    let mask = input.get(2..6)?;
    let payload = input.get(6..6 + length)?;
    let mut frame = vec![kind, u8::try_from(length).unwrap_or_default()];
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    Some((frame, 6 + length))
}
