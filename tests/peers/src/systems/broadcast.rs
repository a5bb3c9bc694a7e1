//! The design that ringway does without: every message goes to every worker by Redis pub/sub, and each looks whether it has the user.
//! Clients connect to the workers themselves: no gateway is counted.

use anyhow::Result;

use super::{home, redis, reserve, role, wait_for};
use crate::hub;
use crate::system::{Door, Inlet, StreamInlet, System, Target, no_greeting, user};

pub(super) fn start(workers: usize) -> Result<System> {
    let home = home()?;
    let (redis, redis_address) = redis(home.path())?;
    let (mut running, mut addresses) = (vec![redis], Vec::new());
    for number in 0..workers {
        let listen = reserve();
        let arguments = ["--listen", &listen.to_string(), "--redis", &redis_address.to_string()];
        let mut worker = role(&format!("hub-{number}"), &arguments.map(str::to_owned), home.path())?;
        wait_for(listen, &mut worker)?;
        running.push(worker);
        addresses.push(listen);
    }
    let path = |client| format!("/?token={}", user(client));
    Ok(System {
        door: Door { addresses, path: Box::new(path), greeting: None },
        group_door: None,
        inlet: Inlet::Stream(StreamInlet { address: redis_address, greet: no_greeting, encode }),
        running,
        cluster: None,
        _home: home,
    })
}

fn encode(bytes: &mut Vec<u8>, target: Target, payload: &[u8]) {
    match target {
        Target::User(client) => hub::publish(bytes, &user(client), payload),
        Target::All => hub::publish(bytes, "*", payload),
    }
}
