//! Socket.IO with its Redis adapter: two processes of Node.js, as there are cores, and a publisher that speaks as
//! `@socket.io/redis-emitter` does.

use std::process::Command;

use anyhow::Result;

use super::{home, redis, reserve, wait_for};
use crate::hub;
use crate::procs::Running;
use crate::system::{Door, Greeting, Inlet, StreamInlet, System, Target, no_greeting, user};
use crate::tools::Tool;

const PROCESSES: usize = 2;

pub(super) fn start() -> Result<System> {
    let (packages, home) = (Tool::Socketio.path()?, home()?);
    let (redis, redis_address) = redis(home.path())?;
    let mut running = vec![redis];
    let mut addresses = Vec::new();
    for number in 0..PROCESSES {
        let listen = reserve();
        let mut command = Command::new("node");
        command.arg(packages.join("server.js")).args([listen.to_string(), redis_address.to_string()]);
        let mut node = Running::start(&format!("node-{number}"), &mut command, home.path())?;
        wait_for(listen, &mut node)?;
        running.push(node);
        addresses.push(listen);
    }
    let path = |client| format!("/socket.io/?EIO=4&transport=websocket&token={}", user(client));
    let greeting = Greeting { text: |_| "40".to_owned(), answer: "40{" };
    Ok(System {
        door: Door { addresses, path: Box::new(path), greeting: Some(greeting) },
        group_door: None,
        inlet: Inlet::Stream(StreamInlet { address: redis_address, greet: no_greeting, encode }),
        running,
        cluster: None,
        _home: home,
    })
}

/// `PUBLISH socket.io#/#ROOM#` with `[uid, {type, data, nsp}, {rooms, except, flags}]` in MessagePack.
fn encode(bytes: &mut Vec<u8>, target: Target, payload: &[u8]) {
    let room = match target {
        Target::User(client) => Some(user(client)),
        Target::All => None,
    };
    let mut packet = b"\x93\xa7emitter\x83\xa4type\x02\xa4data\x92\xa1m".to_vec();
    text(&mut packet, payload);
    packet.extend(b"\xa3nsp\xa1/\x83\xa5rooms");
    match &room {
        Some(room) => {
            packet.push(0x91);
            text(&mut packet, room.as_bytes());
        }
        None => packet.push(0x90),
    }
    packet.extend(b"\xa6except\x90\xa5flags\x80");
    let channel = room.map_or_else(|| "socket.io#/#".to_owned(), |room| format!("socket.io#/#{room}#"));
    hub::command(bytes, &[b"PUBLISH", channel.as_bytes(), &packet]);
}

/// A text of MessagePack, of less than 256 bytes.
fn text(bytes: &mut Vec<u8>, text: &[u8]) {
    bytes.extend([0xd9, u8::try_from(text.len()).unwrap_or_default()]);
    bytes.extend(text);
}
