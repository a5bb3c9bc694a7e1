//! The back end that pushpin asks about each client: WebSocket over HTTP, as GRIP has it. It accepts everybody, and subscribes each to
//! a channel of his own and to that of the group.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use anyhow::{Context as _, Result};

use crate::system::GROUP;

/// Serves until it is killed, each connection with a thread of its own: there are few.
pub(crate) fn run(listen: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(listen).with_context(|| listen.to_string())?;
    for stream in listener.incoming() {
        let stream = stream.context("accepting")?;
        std::thread::spawn(move || {
            if let Err(error) = serve(&stream) {
                eprintln!("origin: {error:#}");
            }
        });
    }
    Ok(())
}

fn serve(mut stream: &TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut input = BufReader::new(stream);
    while let Some((path, length)) = head(&mut input)? {
        let mut body = vec![0; length];
        input.read_exact(&mut body)?;
        let answer = if body.starts_with(b"OPEN") { opened(&path) } else { String::new() };
        let length = answer.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/websocket-events\r\nSec-WebSocket-Extensions: grip\r\n\
             Content-Length: {length}\r\n\r\n{answer}"
        );
        stream.write_all(answer.as_bytes())?;
    }
    Ok(())
}

/// The path of a request and the length of its body; nothing at the end of the connection.
fn head(input: &mut impl std::io::BufRead) -> Result<Option<(String, usize)>> {
    let (mut path, mut length) = (None, 0);
    for line in input.lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        match line.split_once(':') {
            Some((name, value)) if path.is_some() => {
                if name.eq_ignore_ascii_case("content-length") {
                    length = value.trim().parse()?;
                }
            }
            _ => path = line.split(' ').nth(1).map(str::to_owned),
        }
    }
    Ok(path.map(|path| (path, length)))
}

fn opened(path: &str) -> String {
    let user = path.split_once("token=").map_or("", |(_, token)| token);
    let subscribe = |channel: &str| {
        let control = format!(r#"c:{{"type":"subscribe","channel":"{channel}"}}"#);
        format!("TEXT {:x}\r\n{control}\r\n", control.len())
    };
    format!("OPEN\r\n{}{}", subscribe(user), subscribe(GROUP))
}
