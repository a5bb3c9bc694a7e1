//! An r-nacos with its own ports and data. It ends with its test.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use ringway_registry_nacos::NacosConfig;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{PATIENCE, free_port, program};

pub(crate) struct Nacos {
    home: TempDir,
    ports: Ports,
    variables: Vec<(&'static str, &'static str)>,
    process: Child,
}

#[derive(Clone, Copy)]
struct Ports {
    http: u16,
    grpc: u16,
}

impl Nacos {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With these environment variables.
    pub(crate) async fn start_with(variables: &[(&'static str, &'static str)]) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        // Another process may take a free port before it does: then it ends, or its port is somebody else's.
        for _ in 0..5 {
            let ports = Ports { http: free_port(), grpc: free_port() };
            let mut process = spawn(home.path(), ports, variables);
            if ready(&mut process, ports).await {
                return Self { home, ports, variables: variables.to_vec(), process };
            }
        }
        panic!("r-nacos does not start: see {}", home.path().join("log").display());
    }

    /// A configuration that leads here.
    pub(crate) fn config(&self) -> NacosConfig {
        let server = format!("127.0.0.1:{}", self.ports.http);
        NacosConfig { grpc_port: Some(self.ports.grpc), ..NacosConfig::new([server]) }
    }

    pub(crate) fn grpc_address(&self) -> String {
        format!("127.0.0.1:{}", self.ports.grpc)
    }

    /// Kills it.
    pub(crate) fn stop(&mut self) {
        self.process.kill().expect("it can be killed");
        self.process.wait().expect("it can be waited for");
    }

    /// Starts it again. It has forgotten all ephemeral instances.
    pub(crate) async fn start_again(&mut self) {
        self.process = spawn(self.home.path(), self.ports, &self.variables);
        assert!(ready(&mut self.process, self.ports).await, "r-nacos does not start again");
    }

    /// Registers an instance that is not ours.
    pub(crate) async fn register_stranger(&self, port: u16) {
        let path = format!("/nacos/v1/ns/instance?serviceName=ringway&ip=10.9.9.9&port={port}");
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: nacos\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        let mut stream = TcpStream::connect(("127.0.0.1", self.ports.http)).await.expect("it runs");
        stream.write_all(head.as_bytes()).await.expect("it takes a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

impl Drop for Nacos {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn spawn(home: &Path, ports: Ports, variables: &[(&str, &str)]) -> Child {
    let log = std::fs::File::create(home.join("log")).expect("a log");
    let mut command = Command::new(program());
    command.current_dir(home).env("RNACOS_DATA_DIR", home.join("data"));
    command.env("RNACOS_SDK_HOST", "127.0.0.1").env("RNACOS_HTTP_CONSOLE_PORT", "0");
    command.env("RNACOS_HTTP_PORT", ports.http.to_string()).env("RNACOS_GRPC_PORT", ports.grpc.to_string());
    command
        .env("RNACOS_HTTP_WORKERS", "1")
        .env("RNACOS_NAMING_INSTANCE_METADATA_PERSISTENCE_ENABLE", "false");
    command.envs(variables.iter().copied());
    let errors = log.try_clone().expect("a log");
    command.stdin(Stdio::null()).stdout(log).stderr(errors);
    command.spawn().expect("RINGWAY_RNACOS is a program")
}

/// Waits until it takes connections; `false` if it ended.
async fn ready(process: &mut Child, ports: Ports) -> bool {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut look = tokio::time::interval(std::time::Duration::from_millis(20));
    for port in [ports.http, ports.grpc] {
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            if process.try_wait().expect("it can be looked at").is_some() {
                return false;
            }
            assert!(tokio::time::Instant::now() < deadline, "r-nacos is not ready within {PATIENCE:?}");
            look.tick().await;
        }
    }
    true
}
