//! The limit: one process that reads who gets what, and writes it.

use anyhow::Result;

use super::{home, reserve, role, wait_for};
use crate::hub;
use crate::system::{Door, Inlet, StreamInlet, System, Target, no_greeting, user};

pub(super) fn start() -> Result<System> {
    let (home, listen, records) = (home()?, reserve(), reserve());
    let arguments = ["--listen", &listen.to_string(), "--records", &records.to_string()];
    let mut hub = role("hub", &arguments.map(str::to_owned), home.path())?;
    wait_for(listen, &mut hub)?;
    Ok(System {
        door: Door::at(listen, |client| format!("/?token={}", user(client))),
        group_door: None,
        inlet: Inlet::Stream(StreamInlet { address: records, greet: no_greeting, encode }),
        running: vec![hub],
        cluster: None,
        _home: home,
    })
}

fn encode(bytes: &mut Vec<u8>, target: Target, payload: &[u8]) {
    let receiver = match target {
        Target::User(client) => u32::try_from(client).unwrap_or(hub::TO_ALL),
        Target::All => hub::TO_ALL,
    };
    hub::record(bytes, receiver, payload);
}
