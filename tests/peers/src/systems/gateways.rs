//! Proxies in front of an upstream that does next to nothing: it answers handshakes and sends back what comes.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::{configure, home, reserve, role, wait_for};
use crate::procs::Running;
use crate::system::{Door, Inlet, System, user};
use crate::tools::Tool;

/// The path that every proxy's clients ask for; what is hashed is the token.
fn path(client: usize) -> String {
    format!("/ws?token={}", user(client))
}

pub(super) fn nginx() -> Result<System> {
    let (program, home, listen) = (Tool::Nginx.path()?, home()?, reserve());
    let (upstream, [first, second]) = upstreams(home.path())?;
    let text = [listen, first, second].map(|address| address.to_string());
    let [listen_text, first, second] = &text;
    let values = [
        ("user", user_line()),
        ("listen", listen_text.as_str()),
        ("first", first.as_str()),
        ("second", second.as_str()),
    ];
    let template = include_str!("../../configs/nginx.conf");
    let config = configure(home.path(), "nginx.conf", template, &values)?;
    let mut command = Command::new(program);
    command.arg("-p").arg(home.path()).arg("-c").arg(config).args(["-e", "stderr"]);
    let mut nginx = Running::start("nginx", &mut command, home.path())?;
    wait_for(listen, &mut nginx)?;
    Ok(proxy(listen, vec![nginx, upstream], home))
}

pub(super) fn haproxy() -> Result<System> {
    let (program, home, listen) = (Tool::Haproxy.path()?, home()?, reserve());
    let (upstream, [first, second]) = upstreams(home.path())?;
    let text = [listen, first, second].map(|address| address.to_string());
    let [listen_text, first, second] = &text;
    let values = [("listen", listen_text.as_str()), ("first", first), ("second", second)];
    let template = include_str!("../../configs/haproxy.cfg");
    let config = configure(home.path(), "haproxy.cfg", template, &values)?;
    let mut command = Command::new(program);
    command.args(["-db", "-f"]).arg(config);
    let mut haproxy = Running::start("haproxy", &mut command, home.path())?;
    wait_for(listen, &mut haproxy)?;
    Ok(proxy(listen, vec![haproxy, upstream], home))
}

/// No proxy: what the upstream costs by itself.
pub(super) fn upstream() -> Result<System> {
    let home = home()?;
    let (upstream, [first, _]) = upstreams(home.path())?;
    Ok(proxy(first, vec![upstream], home))
}

/// One process with two addresses, so that there is something to choose by hash.
fn upstreams(home: &Path) -> Result<(Running, [SocketAddr; 2])> {
    let addresses = [reserve(), reserve()];
    let arguments = addresses.iter().flat_map(|address| ["--listen".to_owned(), address.to_string()]);
    let mut upstream = role("hub-upstream", &arguments.collect::<Vec<_>>(), home)?;
    wait_for(addresses[1], &mut upstream)?;
    Ok((upstream, addresses))
}

fn proxy(listen: SocketAddr, running: Vec<Running>, home: tempfile::TempDir) -> System {
    System {
        door: Door::at(listen, path),
        group_door: None,
        inlet: Inlet::Echo,
        running,
        cluster: None,
        _home: home,
    }
}

/// As root, nginx would run its workers as a user who may not read our temporary directory.
pub(super) fn user_line() -> &'static str {
    if rustix::process::geteuid().is_root() { "user root;" } else { "" }
}
