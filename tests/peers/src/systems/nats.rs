//! nats-server: its WebSocket listener for clients, its own protocol for the publisher.

use std::io::Write as _;
use std::net::TcpStream;
use std::process::Command;

use anyhow::Result;

use super::{configure, home, reserve, wait_for};
use crate::procs::Running;
use crate::system::{Door, GROUP, Greeting, Inlet, StreamInlet, System, Target, user};
use crate::tools::Tool;

pub(super) fn start() -> Result<System> {
    let (program, home, listen, websocket) = (Tool::Nats.path()?, home()?, reserve(), reserve());
    let (listen_text, websocket_text) = (listen.to_string(), websocket.to_string());
    let values = [("listen", listen_text.as_str()), ("websocket", &websocket_text)];
    let config = configure(home.path(), "nats.conf", include_str!("../../configs/nats.conf"), &values)?;
    let mut nats = Running::start("nats-server", Command::new(program).arg("-c").arg(config), home.path())?;
    wait_for(websocket, &mut nats)?;
    let greeting = Greeting { text: subscribe, answer: "PONG" };
    Ok(System {
        door: Door { greeting: Some(greeting), ..Door::at(websocket, |_| "/".to_owned()) },
        group_door: None,
        inlet: Inlet::Stream(StreamInlet { address: listen, greet: connect, encode }),
        running: vec![nats],
        cluster: None,
        _home: home,
    })
}

/// A subject of the client's own, and the group's. The answer to the ping says that both count.
fn subscribe(client: usize) -> String {
    let connect = r#"CONNECT {"verbose":false,"pedantic":false,"protocol":1}"#;
    format!("{connect}\r\nSUB {} 1\r\nSUB {GROUP} 2\r\nPING\r\n", user(client))
}

fn connect(stream: &mut TcpStream) -> Result<()> {
    stream.write_all(b"CONNECT {\"verbose\":false,\"pedantic\":false,\"protocol\":1}\r\n")?;
    Ok(())
}

fn encode(bytes: &mut Vec<u8>, target: Target, payload: &[u8]) {
    let subject = match target {
        Target::User(client) => user(client),
        Target::All => GROUP.to_owned(),
    };
    bytes.extend(format!("PUB {subject} {}\r\n", payload.len()).bytes());
    bytes.extend(payload);
    bytes.extend(b"\r\n");
}
