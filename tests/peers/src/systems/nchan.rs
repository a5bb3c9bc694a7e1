//! nchan: nginx with a module for channels. Clients of a group subscribe to one channel for all, users each to his own.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::gateways::user_line;
use super::{configure, home, reserve, wait_for};
use crate::procs::Running;
use crate::system::{Door, GROUP, Inlet, StreamInlet, System, Target, no_greeting, user};
use crate::tools::Tool;

pub(super) fn start() -> Result<System> {
    let (program, module) = (Tool::Nginx.path()?, Tool::Nchan.path()?.display().to_string());
    let (home, listen) = (home()?, reserve());
    let listen_text = listen.to_string();
    let values = [("user", user_line()), ("module", module.as_str()), ("listen", &listen_text)];
    let template = include_str!("../../configs/nchan.conf");
    let config = configure(home.path(), "nchan.conf", template, &values)?;
    let mut command = with_its_directory(&program);
    command.arg("-p").arg(home.path()).arg("-c").arg(config).args(["-e", "stderr"]);
    let mut nginx = Running::start("nchan", &mut command, home.path())?;
    wait_for(listen, &mut nginx)?;
    Ok(System {
        door: Door::at(listen, |client| format!("/sub/{}", user(client))),
        group_door: Some(Door::at(listen, |_| format!("/sub/{GROUP}"))),
        inlet: Inlet::Stream(StreamInlet { address: listen, greet: no_greeting, encode }),
        running: vec![nginx],
        cluster: None,
        _home: home,
    })
}

/// This nchan wants to make a directory in `/var/lib/nginx`, whatever is configured. Where nginx is not installed it gets one that
/// only it sees.
fn with_its_directory(program: &Path) -> Command {
    if Path::new("/var/lib/nginx").exists() {
        return Command::new(program);
    }
    let script = r#"mount -t tmpfs none /var/lib && mkdir /var/lib/nginx && exec "$0" "$@""#;
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script]).arg(program);
    command
}

/// Requests are pipelined: nchan answers each, and nobody waits for it.
fn encode(bytes: &mut Vec<u8>, target: Target, payload: &[u8]) {
    let channel = match target {
        Target::User(client) => user(client),
        Target::All => GROUP.to_owned(),
    };
    let length = payload.len();
    bytes.extend(
        format!("POST /pub/{channel} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n")
            .bytes(),
    );
    bytes.extend(payload);
}
