//! Where a hub's messages come from: records, or a channel of Redis.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use anyhow::{Context as _, Result, ensure};

use crate::mark;

/// The number of a record that is for everybody.
pub(crate) const TO_ALL: u32 = u32::MAX;
/// A receiver and a payload.
const RECORD_BYTES: usize = 4 + mark::BYTES;
/// The channel on which everything comes.
const CHANNEL: &str = "messages";

/// A connection that brings messages.
pub(super) struct Feed {
    pub(super) stream: Option<TcpStream>,
    pub(super) listener: Option<TcpListener>,
    input: Vec<u8>,
}

/// Who shall get a message.
pub(super) enum Receiver<'a> {
    All,
    /// A client by its number in the order of names.
    Number(u32),
    Name(&'a [u8]),
}

/// Appends a record.
pub(crate) fn record(bytes: &mut Vec<u8>, receiver: u32, payload: &[u8]) {
    bytes.extend(receiver.to_le_bytes());
    bytes.extend(payload);
}

/// Appends a command that publishes to the channel.
pub(crate) fn publish(bytes: &mut Vec<u8>, receiver: &str, payload: &[u8]) {
    command(bytes, &[b"PUBLISH", CHANNEL.as_bytes(), &[receiver.as_bytes(), b" ", payload].concat()]);
}

/// Appends a command of Redis.
pub(crate) fn command(bytes: &mut Vec<u8>, words: &[&[u8]]) {
    bytes.extend(format!("*{}\r\n", words.len()).bytes());
    for word in words {
        bytes.extend(format!("${}\r\n", word.len()).bytes());
        bytes.extend(*word);
        bytes.extend(b"\r\n");
    }
}

impl Feed {
    /// Whoever connects here brings records.
    pub(super) fn records(listener: &TcpListener) -> Result<Self> {
        let listener = listener.try_clone().context("a socket can be doubled")?;
        listener.set_nonblocking(true)?;
        Ok(Self { stream: None, listener: Some(listener), input: Vec::new() })
    }

    /// Subscribes.
    pub(super) fn redis(address: SocketAddr) -> Result<Self> {
        let mut stream = TcpStream::connect(address).with_context(|| address.to_string())?;
        stream.write_all(format!("SUBSCRIBE {CHANNEL}\r\n").as_bytes())?;
        let (mut answer, mut bytes) = (Vec::new(), [0; 256]);
        while !answer.ends_with(b":1\r\n") {
            let length = stream.read(&mut bytes)?;
            ensure!(length > 0, "Redis closed: {}", String::from_utf8_lossy(&answer));
            answer.extend(&bytes[..length]);
        }
        stream.set_nonblocking(true)?;
        Ok(Self { stream: Some(stream), listener: None, input: Vec::new() })
    }

    /// Takes another connection that brings records.
    pub(super) fn accept(&mut self) -> Option<&TcpStream> {
        let (stream, _) = self.listener.as_ref()?.accept().ok()?;
        stream.set_nonblocking(true).ok()?;
        self.input.clear();
        self.stream = Some(stream);
        self.stream.as_ref()
    }

    /// Reads once and calls for each complete message. Says whether there is more to come.
    pub(super) fn read(&mut self, buffer: &mut [u8], mut message: impl FnMut(Receiver<'_>, &[u8])) -> bool {
        let Some(stream) = &mut self.stream else { return false };
        match stream.read(buffer) {
            Ok(0) => return false,
            Ok(length) => self.input.extend(&buffer[..length]),
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
        let is_redis = self.listener.is_none();
        let mut at = 0;
        loop {
            let input = &self.input[at..];
            let next = if is_redis { from_push(input) } else { from_record(input) };
            let Some((receiver, payload, length)) = next else { break };
            message(receiver, payload);
            at += length;
        }
        self.input.drain(..at);
        true
    }
}

fn from_record(input: &[u8]) -> Option<(Receiver<'_>, &[u8], usize)> {
    let (receiver, payload) = input.get(..RECORD_BYTES)?.split_first_chunk()?;
    let receiver = match u32::from_le_bytes(*receiver) {
        TO_ALL => Receiver::All,
        number => Receiver::Number(number),
    };
    Some((receiver, payload, RECORD_BYTES))
}

/// `*3 $7 message $8 messages $N receiver payload`, each on a line of its own.
fn from_push(input: &[u8]) -> Option<(Receiver<'_>, &[u8], usize)> {
    let mut ends = memchr::memmem::find_iter(input, b"\r\n");
    // The fifth line end stands behind the channel, the sixth behind the length of the message.
    let (before, after) = (ends.nth(4)?, ends.next()?);
    let length = std::str::from_utf8(input.get(before + 3..after)?).ok()?.parse::<usize>().ok()?;
    let start = after + 2;
    input.get(..start + length + 2)?;
    let body = &input[start..start + length];
    let space = memchr::memchr(b' ', body)?;
    let receiver = match &body[..space] {
        b"*" => Receiver::All,
        name => Receiver::Name(name),
    };
    Some((receiver, &body[space + 1..], start + length + 2))
}
