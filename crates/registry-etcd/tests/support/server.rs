//! An etcd of one member with its own ports and data. It ends with its test.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use ringway_registry_etcd::EtcdConfig;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{PATIENCE, free_port, program};

pub(crate) struct Etcd {
    home: TempDir,
    port: u16,
    scheme: &'static str,
    arguments: Vec<String>,
    process: Child,
}

impl Etcd {
    pub(crate) async fn start() -> Self {
        Self::start_with("http", Vec::new(), tempfile::tempdir().expect("a directory")).await
    }

    /// With the files that these arguments name, which are in its home.
    pub(crate) async fn start_with(scheme: &'static str, arguments: Vec<String>, home: TempDir) -> Self {
        // Another process may take a free port before etcd does: then etcd ends at once.
        for _ in 0..5 {
            let port = free_port();
            let mut process = spawn(home.path(), scheme, port, &arguments);
            if ready(&mut process, port).await {
                return Self { home, port, scheme, arguments, process };
            }
        }
        panic!("etcd does not start: see {}", home.path().join("etcd.log").display());
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.port)
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A configuration that leads here, with the shortest time to live that etcd grants.
    pub(crate) fn config(&self) -> EtcdConfig {
        EtcdConfig { lease_ttl: std::time::Duration::from_secs(2), ..EtcdConfig::new([self.url()]) }
    }

    /// Kills it. Its data stays.
    pub(crate) fn stop(&mut self) {
        self.process.kill().expect("it can be killed");
        self.process.wait().expect("it can be waited for");
    }

    /// Starts it again with the data that it had.
    pub(crate) async fn start_again(&mut self) {
        self.process = spawn(self.home.path(), self.scheme, self.port, &self.arguments);
        assert!(ready(&mut self.process, self.port).await, "etcd does not start again");
    }

    /// Starts it again without any data.
    pub(crate) async fn start_empty(&mut self) {
        std::fs::remove_dir_all(self.home.path().join("data")).expect("it can be removed");
        self.start_again().await;
    }

    /// Calls its JSON gateway.
    pub(crate) async fn post(&self, path: &str, body: &str) -> String {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: etcd\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(self.address()).await.expect("etcd runs");
        stream.write_all(head.as_bytes()).await.expect("it takes a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path} {body}: {answer}");
        answer
    }

    /// Puts a value at a key.
    pub(crate) async fn put(&self, key: &str, value: &str) {
        let (key, value) = (base64(key), base64(value));
        self.post("/v3/kv/put", &format!(r#"{{"key":"{key}","value":"{value}"}}"#)).await;
    }

    /// Deletes a key.
    pub(crate) async fn delete(&self, key: &str) {
        self.post("/v3/kv/deleterange", &format!(r#"{{"key":"{}"}}"#, base64(key))).await;
    }

    /// Forgets all revisions before the present one.
    pub(crate) async fn compact(&self) {
        let answer = self.post("/v3/kv/range", &format!(r#"{{"key":"{}"}}"#, base64("none"))).await;
        let revision = answer.split(r#""revision":""#).nth(1).and_then(|rest| rest.split('"').next());
        let revision = revision.expect("an answer says its revision");
        self.post("/v3/kv/compaction", &format!(r#"{{"revision":"{revision}"}}"#)).await;
    }

    /// Wants a password from now on, which is that of the user `root`.
    pub(crate) async fn enable_authentication(&self, password: &str) {
        self.post("/v3/auth/user/add", &format!(r#"{{"name":"root","password":"{password}"}}"#)).await;
        self.post("/v3/auth/role/add", r#"{"name":"root"}"#).await;
        self.post("/v3/auth/user/grant", r#"{"user":"root","role":"root"}"#).await;
        self.post("/v3/auth/enable", "{}").await;
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn spawn(home: &Path, scheme: &str, port: u16, arguments: &[String]) -> Child {
    let log = std::fs::File::create(home.join("etcd.log")).expect("a log");
    let (client, peer) =
        (format!("{scheme}://127.0.0.1:{port}"), format!("http://127.0.0.1:{}", free_port()));
    let mut command = Command::new(program());
    command.arg("--data-dir").arg(home.join("data"));
    command.args(["--name", "test", "--listen-client-urls", &client, "--advertise-client-urls", &client]);
    command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
    command.args(["--initial-cluster", &format!("test={peer}")]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command.spawn().expect("RINGWAY_ETCD is a program")
}

/// Waits until it takes connections; `false` if it ended.
async fn ready(process: &mut Child, port: u16) -> bool {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut look = tokio::time::interval(std::time::Duration::from_millis(20));
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        if process.try_wait().expect("it can be looked at").is_some() {
            return false;
        }
        assert!(tokio::time::Instant::now() < deadline, "etcd is not ready within {PATIENCE:?}");
        look.tick().await;
    }
    true
}

/// As the JSON gateway wants its bytes.
fn base64(text: &str) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text)
}
