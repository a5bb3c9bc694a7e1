//! Opening WebSockets, many at once.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::system::Door;

/// How many handshakes are under way at once.
const THREADS: usize = 16;
/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// More than any answer to a handshake.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
const TEXT: u8 = 0x81;

/// Opens all, in the clients' order.
pub(super) fn all(door: &Door, clients: usize) -> Result<Vec<TcpStream>> {
    let part = |first: usize| (first..clients).step_by(THREADS).map(|client| one(door, client));
    let parts: Vec<Result<Vec<TcpStream>>> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..THREADS).map(|first| scope.spawn(move || part(first).collect::<Result<Vec<_>>>())).collect();
        threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
    });
    let mut parts: Vec<_> =
        parts.into_iter().collect::<Result<Vec<_>>>()?.into_iter().map(Vec::into_iter).collect();
    Ok((0..clients).filter_map(|client| parts[client % THREADS].next()).collect())
}

fn one(door: &Door, client: usize) -> Result<TcpStream> {
    open(door, client).with_context(|| format!("client {client} at {}", door.address(client)))
}

fn open(door: &Door, client: usize) -> Result<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&door.address(client), PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let path = (door.path)(client);
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    until(&mut stream, &mut answer, b"\r\n\r\n")?;
    ensure!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    if let Some(greeting) = &door.greeting {
        stream.write_all(&frame(TEXT, (greeting.text)(client).as_bytes()))?;
        until(&mut stream, &mut answer, greeting.answer.as_bytes())?;
    }
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// A client's frame. The mask is of zeros, which is one that changes nothing.
pub(crate) fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![kind];
    match u8::try_from(payload.len()).ok().filter(|length| *length < 126) {
        Some(length) => frame.push(0x80 | length),
        None => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(payload.len()).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

fn until(stream: &mut TcpStream, answer: &mut Vec<u8>, end: &[u8]) -> Result<()> {
    let mut bytes = [0; 2048];
    while memchr::memmem::find(answer, end).is_none() {
        ensure!(answer.len() < ANSWER_BYTES_MAX, "an endless answer");
        match stream.read(&mut bytes) {
            Ok(0) => bail!("closed after {:?}", String::from_utf8_lossy(answer)),
            Ok(length) => answer.extend(&bytes[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => bail!("{error} after {:?}", String::from_utf8_lossy(answer)),
        }
    }
    Ok(())
}
