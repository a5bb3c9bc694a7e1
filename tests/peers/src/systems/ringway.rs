//! ringway itself: one gateway and its workers, each a process, or all in one.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use ringway_auth::JwtSigner;
use ringway_auth::jwt::{Secret, TokenRequest};
use ringway_e2e::{Cluster, required};
use ringway_sender::ClusterSecret;
use tokio::runtime::Runtime;

use crate::procs::Running;
use crate::system::{Door, GROUP, Inlet, System, user};

/// How tokens are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Auth {
    Plain,
    Jwt,
}

/// Shared with the gateways by their configuration.
const JWT_SECRET: &str = "a secret of the benchmark, and only of it";

/// Messages to users and groups.
pub(super) fn delivery(runtime: &Runtime, workers: usize) -> System {
    let config = include_str!("../../configs/ringway.toml");
    let cluster = runtime.block_on(Cluster::builder().workers(workers).config(config).start());
    let door = Door::at(cluster.clients(), path);
    let inlet = Inlet::Sender {
        node: cluster.gateways[0].url().to_string(),
        secret: cluster.secret().expose().to_owned(),
    };
    system(door, inlet, cluster)
}

/// The same in one process: a worker is some tasks.
pub(super) fn up(workers: usize) -> Result<System> {
    let (home, secret) = (super::home()?, ClusterSecret::generate());
    let (clients, rpc) = (super::reserve(), super::reserve());
    let config = format!(
        "{}\n[cluster]\nsecret = {:?}\n[pages]\nenabled = false\n",
        include_str!("../../configs/ringway.toml"),
        secret.expose()
    );
    let config = super::configure(home.path(), "ringway.toml", &config, &[])?;
    let mut command = Command::new(required::binary());
    command.arg("up").arg("--config").arg(config).args(["--workers", &workers.to_string()]);
    let listen = [("--listen", clients), ("--rpc-listen", rpc), ("--workers-listen", (rpc.ip(), 0).into())];
    command.args(listen.iter().flat_map(|(flag, address)| [(*flag).to_owned(), address.to_string()]));
    // What names other programs is none of its settings.
    let ours = std::env::vars_os().map(|(name, _)| name);
    ours.filter(|name| name.to_string_lossy().starts_with("RINGWAY_"))
        .for_each(|name| _ = command.env_remove(name));
    // There it leaves its secret.
    command.env("XDG_RUNTIME_DIR", home.path());
    let mut running = Running::start("up", &mut command, home.path())?;
    wait_until_ready(clients, &mut running)?;
    let inlet = Inlet::Sender { node: format!("http://{rpc}"), secret: secret.expose().to_owned() };
    let door = Door::at(clients, path);
    Ok(System { door, group_door: None, inlet, running: vec![running], cluster: None, _home: home })
}

/// Until the gateway knows a worker: before, it sends clients away.
fn wait_until_ready(clients: SocketAddr, running: &mut Running) -> Result<()> {
    super::wait_until(running, "ready", || {
        let mut stream = TcpStream::connect(clients)?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.starts_with("HTTP/1.1 200"))
    })
}

/// Clients get back what they send.
pub(super) fn echo(runtime: &Runtime, auth: Auth) -> System {
    let auth_config = match auth {
        Auth::Plain => String::new(),
        Auth::Jwt => format!("[auth]\nmode = \"jwt\"\n[auth.jwt]\nsecret = {JWT_SECRET:?}\n"),
    };
    let config =
        format!("{}\n[worker]\necho = true\n{auth_config}", include_str!("../../configs/ringway.toml"));
    let cluster = runtime.block_on(Cluster::builder().config(&config).start());
    let door = match auth {
        Auth::Plain => Door::at(cluster.clients(), path),
        Auth::Jwt => {
            let signer = JwtSigner::new(&Secret::new(JWT_SECRET).expect("it is long enough"));
            Door::at(cluster.clients(), move |client| signed(&signer, client))
        }
    };
    system(door, Inlet::Echo, cluster)
}

fn path(client: usize) -> String {
    format!("/ws?token={}", user(client))
}

fn signed(signer: &JwtSigner, client: usize) -> String {
    let now = SystemTime::now();
    let request = TokenRequest {
        user: user(client),
        groups: vec![GROUP.to_owned()],
        expires_at: Some(now + Duration::from_secs(3600)),
        ..TokenRequest::default()
    };
    let token = signer.sign(&request, now).expect("the names are fine");
    format!("/ws?token={}", token.expose())
}

fn system(door: Door, inlet: Inlet, cluster: Cluster) -> System {
    let home = tempfile::tempdir().expect("a temporary directory");
    System { door, group_door: None, inlet, running: Vec::new(), cluster: Some(cluster), _home: home }
}
