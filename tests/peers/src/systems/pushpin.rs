//! pushpin: a proxy that holds WebSockets, asks a back end about each over HTTP, and takes messages over ZeroMQ.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::{configure, home, reserve, role, wait_for};
use crate::procs::Running;
use crate::system::{Door, GROUP, Inlet, StreamInlet, System, Target, user};
use crate::tools::Tool;

/// What a greeting begins with, and how long it is.
const SIGNATURE: [u8; 10] = [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f];
const GREETING_BYTES: usize = 64;

pub(super) fn start() -> Result<System> {
    let (program, home, origin) = (Tool::Pushpin.path()?, home()?, reserve());
    let mut back_end = role("origin", &["--listen".to_owned(), origin.to_string()], home.path())?;
    wait_for(origin, &mut back_end)?;
    let (listen, push, sub, http, command_address) = (reserve(), reserve(), reserve(), reserve(), reserve());
    // Beside the program there is what Debian keeps in /usr/lib/pushpin, and programs that it starts.
    let libraries = std::env::var("RINGWAY_PUSHPIN_LIB").unwrap_or_else(|_| "/usr/lib/pushpin".to_owned());
    let texts = [listen, push, sub, http, command_address].map(|address| address.to_string());
    let [listen_text, push_text, sub, _, command_text] = &texts;
    let (home_text, ip, port) =
        (home.path().display().to_string(), http.ip().to_string(), http.port().to_string());
    let values = [
        ("home", home_text.as_str()),
        ("lib", &libraries),
        ("listen", listen_text),
        ("push", push_text),
        ("sub", sub),
        ("http_ip", &ip),
        ("http_port", &port),
        ("command", command_text),
    ];
    let config = configure(home.path(), "pushpin.conf", include_str!("../../configs/pushpin.conf"), &values)?;
    let routes = home.path().join("routes");
    std::fs::write(&routes, format!("* {origin},over_http\n")).context("a file")?;
    let mut command = Command::new(program);
    command.arg(format!("--config={}", config.display())).arg("--merge-output");
    let mut pushpin = Running::start("pushpin", &mut command, home.path())?;
    wait_for(listen, &mut pushpin)?;
    wait_for(push, &mut pushpin)?;
    Ok(System {
        door: Door::at(listen, |client| format!("/ws?token={}", user(client))),
        group_door: None,
        inlet: Inlet::Stream(StreamInlet { address: push, greet, encode }),
        running: vec![pushpin, back_end],
        cluster: None,
        _home: home,
    })
}

/// The beginning of ZMTP 3.0 for a PUSH socket without security (RFC 23 of ZeroMQ). Each part waits for the other side's.
fn greet(stream: &mut TcpStream) -> Result<()> {
    let ready = b"\x05READY\x0bSocket-Type\x00\x00\x00\x04PUSH\x08Identity\x00\x00\x00\x00";
    let mut answer = [0; GREETING_BYTES];
    stream.write_all(&SIGNATURE)?;
    stream.read_exact(&mut answer[..SIGNATURE.len() + 1])?;
    let mut rest = [0; GREETING_BYTES - SIGNATURE.len()];
    rest[0] = 3;
    rest[2..6].copy_from_slice(b"NULL");
    stream.write_all(&rest)?;
    stream.read_exact(&mut answer[SIGNATURE.len() + 1..])?;
    stream.write_all(&[&[4, u8::try_from(ready.len())?], &ready[..]].concat())?;
    let mut head = [0; 2];
    stream.read_exact(&mut head)?;
    let mut answer = vec![0; usize::from(head[1])];
    stream.read_exact(&mut answer)?;
    ensure!(memchr::memmem::find(&answer, b"PULL").is_some(), "no PULL socket: {answer:?}");
    Ok(())
}

fn encode(bytes: &mut Vec<u8>, target: Target, payload: &[u8]) {
    let channel = match target {
        Target::User(client) => user(client),
        Target::All => GROUP.to_owned(),
    };
    let content = String::from_utf8_lossy(payload);
    let item = format!(r#"J{{"channel":"{channel}","formats":{{"ws-message":{{"content":"{content}"}}}}}}"#);
    bytes.extend([0, u8::try_from(item.len()).unwrap_or_default()]);
    bytes.extend(item.bytes());
}
