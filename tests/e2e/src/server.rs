//! A server that ringway does not bring along, started by the test itself: with its own ports and data, and ended with
//! the test.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::{PATIENCE, Process, address, required};

/// How often it is tried to connect to a server that starts.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Which server.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// etcd.
    Etcd,
    /// r-nacos, which speaks Nacos's protocol.
    Nacos,
    /// Redis.
    Redis,
}

/// A running server.
pub struct Server {
    kind: Kind,
    /// For its clients, and for its like (etcd) or gRPC (Nacos).
    addresses: [SocketAddr; 2],
    home: TempDir,
    /// The process.
    pub process: Process,
}

impl Server {
    /// Starts a server; nothing if its kind was left out by name.
    pub async fn start(kind: Kind) -> Option<Self> {
        kind.program()?;
        let home = tempfile::tempdir().expect("a temporary directory");
        let addresses = [address::reserve(), address::reserve()];
        let process = kind.spawn(addresses, home.path());
        let server = Self { kind, addresses, home, process };
        server.ready().await;
        Some(server)
    }

    /// Where its clients connect.
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Kills it. Its data stays.
    pub async fn stop(&mut self) {
        self.process.kill().await;
    }

    /// Starts it again with its data.
    pub async fn start_again(&mut self) {
        self.process = self.kind.spawn(self.addresses, self.home.path());
        self.ready().await;
    }

    /// The settings that lead ringway here (`key=value`).
    pub fn settings(&self) -> Vec<String> {
        let [first, second] = self.addresses;
        match self.kind {
            Kind::Etcd => vec![
                "cluster.registry=etcd".to_owned(),
                format!("etcd.endpoints=http://{first}"),
                "etcd.lease_ttl=2s".to_owned(),
            ],
            Kind::Nacos => vec![
                "cluster.registry=nacos".to_owned(),
                format!("nacos.servers={first}"),
                format!("nacos.grpc_port={}", second.port()),
            ],
            Kind::Redis => vec![format!("redis.url=redis://{first}")],
        }
    }

    async fn ready(&self) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut look = tokio::time::interval(LOOK_INTERVAL);
        for address in self.kind.served(self.addresses) {
            while TcpStream::connect(address).await.is_err() {
                assert!(
                    tokio::time::Instant::now() < deadline,
                    "{:?} is not ready within {PATIENCE:?}",
                    self.kind
                );
                look.tick().await;
            }
        }
    }
}

impl Kind {
    fn program(self) -> Option<PathBuf> {
        match self {
            Self::Etcd => required::etcd(),
            Self::Nacos => required::rnacos(),
            Self::Redis => required::redis(),
        }
    }

    /// Where it takes connections when it is ready.
    fn served(self, [first, second]: [SocketAddr; 2]) -> Vec<SocketAddr> {
        match self {
            Self::Etcd | Self::Redis => vec![first],
            Self::Nacos => vec![first, second],
        }
    }

    fn spawn(self, [first, second]: [SocketAddr; 2], home: &Path) -> Process {
        let mut command = Command::new(self.program().expect("it was not left out"));
        match self {
            Self::Etcd => {
                let (client, peer) = (format!("http://{first}"), format!("http://{second}"));
                command.arg("--data-dir").arg(home.join("data")).args(["--name", "test"]);
                command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
                command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
                command.args(["--initial-cluster", &format!("test={peer}")]);
            }
            Self::Nacos => {
                command.current_dir(home).env("RNACOS_DATA_DIR", home.join("data"));
                command.env("RNACOS_SDK_HOST", first.ip().to_string()).env("RNACOS_HTTP_CONSOLE_PORT", "0");
                command
                    .env("RNACOS_HTTP_PORT", first.port().to_string())
                    .env("RNACOS_GRPC_PORT", second.port().to_string());
                command.env("RNACOS_NAMING_INSTANCE_METADATA_PERSISTENCE_ENABLE", "false");
            }
            Self::Redis => {
                let (ip, port) = (first.ip().to_string(), first.port().to_string());
                command.current_dir(home).args(["--bind", &ip, "--port", &port, "--save", ""]);
            }
        }
        Process::spawn(&format!("{self:?}"), command)
    }
}
