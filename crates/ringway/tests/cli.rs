//! The binary as its users meet it: exit codes, what is on stdout and what on stderr, and how it ends.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// How long anything here may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// The binary, without the environment of whoever runs the tests.
fn ringway(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringway"));
    let ours = std::env::vars_os().map(|(name, _)| name);
    for name in ours.filter(|name| name.to_string_lossy().starts_with("RINGWAY_")) {
        command.env_remove(name);
    }
    command.args(line.split_whitespace()).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Exit code, stdout and stderr.
type Outcome = (Option<i32>, String, String);

async fn run(line: &str) -> Outcome {
    outcome(ringway(line).output()).await
}

async fn outcome(running: impl Future<Output = std::io::Result<Output>>) -> Outcome {
    let output = soon(running).await.expect("the binary runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.expect("it happens in time")
}

/// A cluster on free ports, ended when it is dropped.
struct Up {
    child: Child,
    ready: Value,
    state: TempDir,
}

impl Up {
    async fn start(further: &str) -> Self {
        let state = tempfile::tempdir().expect("a temporary directory");
        let ports = "--listen 127.0.0.1:0 --rpc-listen 127.0.0.1:0 --workers-listen 127.0.0.1:0";
        let mut command = ringway(&format!("up {ports} {further}"));
        command.env("XDG_STATE_HOME", state.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.as_mut().expect("piped"));
        soon(stdout.read_line(&mut line)).await.expect("a line");
        let json = line.strip_prefix("ready ").unwrap_or_else(|| panic!("no ready line: {line:?}"));
        Self { ready: serde_json::from_str(json).expect("JSON"), child, state }
    }

    fn address(&self, key: &str) -> &str {
        self.ready[key].as_str().expect("an address")
    }

    /// Asks the cluster something; the secret is found by itself.
    async fn ask(&self, line: &str) -> Outcome {
        let mut command = ringway(line);
        command.env("XDG_STATE_HOME", self.state.path()).env("RINGWAY_NODE", self.address("rpc"));
        outcome(command.env("RINGWAY_URL", self.address("client")).output()).await
    }

    fn signal(&self, signal: Signal) {
        let id = self.child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        kill_process(id.expect("it runs"), signal).expect("it is there");
    }

    async fn exit_code(mut self) -> Option<i32> {
        soon(self.child.wait()).await.expect("it ends").code()
    }
}

fn files_below(path: &Path) -> usize {
    std::fs::read_dir(path.join("ringway")).map_or(0, Iterator::count)
}

#[tokio::test]
async fn a_cluster_runs_answers_and_ends() {
    let mut up = Up::start("--workers 2").await;
    assert_eq!(up.ready["workers"].as_array().map(Vec::len), Some(2));
    assert_eq!(files_below(up.state.path()), 3, "one secret for each node");

    let (code, told, _) = up.ask("send user nobody hello --json").await;
    let receipt: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!((code, receipt["outcome"].as_str()), (Some(3), Some("no_session")));
    let (code, told, _) = up.ask("sessions").await;
    assert_eq!((code, told.as_str()), (Some(0), "0 sessions\n"));
    assert_eq!(up.ask("sessions alice").await.0, Some(3));
    assert_eq!(up.ask("close --user alice").await.0, Some(3));
    assert_eq!(up.ask("group join room7 --user alice").await.0, Some(3));
    let (code, told, _) = up.ask("presence get alice bob").await;
    assert_eq!((code, told.as_str()), (Some(0), "alice is offline\nbob is offline\n"));
    let (code, told, _) = up.ask("presence watch alice --changes 1 --json").await;
    assert_eq!((code, told.as_str()), (Some(0), "{\"online\":false,\"user\":\"alice\"}\n"));
    let (code, told, _) = up.ask("ring locate alice --json").await;
    let location: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(code, Some(0));
    assert!(["w1", "w2"].contains(&location["owner"].as_str().expect("an owner")), "{told}");

    up.signal(Signal::TERM);
    assert_eq!(soon(up.child.wait()).await.expect("it ends").code(), Some(0));
    assert_eq!(files_below(up.state.path()), 0, "the secrets are gone with it");
}

#[tokio::test]
async fn it_ends_in_order_when_nobody_reads_its_logs_any_more() {
    let mut up = Up::start("--workers 1").await;
    drop(up.child.stderr.take());
    up.signal(Signal::TERM);
    assert_eq!(up.exit_code().await, Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut up = Up::start("--workers 1 --set gateway.unready_for=10m").await;
    up.signal(Signal::INT);
    let mut told = BufReader::new(up.child.stderr.take().expect("piped"));
    let mut line = String::new();
    while !line.contains("clients leave") {
        line.clear();
        assert!(soon(told.read_line(&mut line)).await.expect("a line") > 0, "it ended by itself");
    }
    up.signal(Signal::INT);
    assert_eq!(up.exit_code().await, Some(130));
}

#[tokio::test]
async fn a_client_is_told_why_it_is_refused() {
    let up = Up::start("--workers 1").await;
    let (code, told, _) = up.ask("connect --json").await;
    let event: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(code, Some(5));
    assert_eq!((event["event"].as_str(), event["status"].as_u64()), (Some("refused"), Some(401)));
}

#[tokio::test]
async fn a_client_gets_back_what_it_sends() {
    let up = Up::start("--workers 1 --echo").await;
    let mut connect = ringway("connect --token alice --messages 2");
    connect.arg("--url").arg(up.address("client")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = connect.spawn().expect("the binary runs");
    let typed = "first\nzweite äöü\n".as_bytes();
    child.stdin.take().expect("piped").write_all(typed).await.expect("it reads");
    let (code, told, _) = outcome(child.wait_with_output()).await;
    assert_eq!((code, told.as_str()), (Some(0), "first\nzweite äöü\n"));
}

#[tokio::test]
async fn a_wrong_secret_is_told() {
    let up = Up::start("--workers 1").await;
    let mut command = ringway("sessions");
    command.env("RINGWAY_NODE", up.address("rpc")).env("RINGWAY_CLUSTER_SECRET", "not-the-right-secret");
    let (code, _, told) = outcome(command.output()).await;
    assert_eq!(code, Some(1));
    assert!(told.contains("the cluster has another secret"), "{told}");
}

#[tokio::test]
async fn a_port_in_use_is_one_line_and_nothing_runs() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address");
    let (code, told, error) = run(&format!("up --listen {address} --rpc-listen 127.0.0.1:0")).await;
    let expected = format!(
        "ringway: cannot listen at {address} (gateway.listen): another process does; give another address, or port 0 \
         for any\n"
    );
    assert_eq!((code, told.as_str(), error), (Some(1), "", expected));
}

#[tokio::test]
async fn nobody_there_is_told_with_what_to_do() {
    let (code, _, told) = run("ring show --node http://127.0.0.1:1 --secret-file /nonexistent").await;
    assert_eq!(
        (code, told.as_str()),
        (Some(1), "ringway: --secret-file /nonexistent: No such file or directory (os error 2)\n")
    );
    let mut command = ringway("send user alice hi --node http://127.0.0.1:1");
    command.env("RINGWAY_CLUSTER_SECRET", "0123456789abcdef");
    let (code, _, told) = outcome(command.output()).await;
    assert_eq!(code, Some(1));
    assert!(told.contains("is a node running at http://127.0.0.1:1?"), "{told}");
}

#[tokio::test]
async fn programs_get_failures_as_json_too() {
    let failure = async |line: &str| {
        let mut command = ringway(line);
        command.env("RINGWAY_CLUSTER_SECRET", "0123456789abcdef");
        let (code, told, for_people) = outcome(command.output()).await;
        assert_eq!((code, told.lines().count()), (Some(1), 1), "{line}: {told}");
        assert!(for_people.starts_with("ringway: "), "{line}: {for_people}");
        let told: Value = serde_json::from_str(&told).expect("JSON");
        assert!(
            told["error"]["message"].as_str().is_some_and(|message| !message.is_empty()),
            "{line}: {told}"
        );
        told
    };
    for line in
        ["send user a hi", "drain w1", "members", "sessions", "close --user a", "ring show", "ring watch"]
    {
        let told = failure(&format!("{line} --json --node http://127.0.0.1:1")).await;
        assert_eq!(told["error"]["reason"], "UNREACHABLE", "{line}: {told}");
    }
    failure("connect --json --url ws://127.0.0.1:1/ws").await;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("ringway.toml");
    std::fs::write(&path, "[gateway]\nlisten = 1\ncolour = 2\n").expect("a file");
    let told = failure(&format!("check-config --json {}", path.display())).await;
    assert_eq!(told["mistakes"].as_array().map(Vec::len), Some(2), "{told}");
    assert_eq!(told["mistakes"][0]["place"], format!("{}:2", path.display()));
}

#[tokio::test]
async fn a_configuration_is_shown_as_json() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("ringway.toml");
    std::fs::write(&path, "[sessions]\nmax = 7\n[cluster]\nsecret = '0123456789abcdef'\n").expect("a file");
    let (code, told, _) = run(&format!("check-config --json --show {}", path.display())).await;
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!((code, &told["mistakes"]), (Some(0), &Value::Array(vec![])));
    assert_eq!(told["settings"]["sessions.max"]["value"], 7);
    assert_eq!(told["settings"]["cluster.secret"]["value"], "(hidden)");
    assert_eq!(told["settings"]["node.id"], serde_json::json!({ "value": null, "origin": "default" }));
}

#[tokio::test]
async fn the_node_that_failed_is_named_and_not_the_one_that_was_asked() {
    let up = Up::start("--workers 1").await;
    let node = up.address("rpc");
    // A worker that is listed and does not run, behind a gateway that does.
    let secret =
        std::fs::read_to_string(up.ready["secret_file"].as_str().expect("a path")).expect("a secret");
    let mut gateway =
        ringway("gateway --listen 127.0.0.1:0 --rpc-listen 127.0.0.1:0 --member w1=http://127.0.0.1:1");
    gateway.env("RINGWAY_CLUSTER_SECRET", secret.trim()).stdout(Stdio::piped());
    let mut gateway = gateway.spawn().expect("the binary runs");
    let mut line = String::new();
    let mut stdout = BufReader::new(gateway.stdout.as_mut().expect("piped"));
    soon(stdout.read_line(&mut line)).await.expect("a line");
    let ready: Value = serde_json::from_str(line.trim_start_matches("ready ")).expect("JSON");
    let asked = ready["rpc"].as_str().expect("an address");
    for command in ["send user alice hi", "close --user alice"] {
        let mut command = ringway(&format!("{command} --node {asked}"));
        let (code, _, told) = outcome(command.env("RINGWAY_CLUSTER_SECRET", secret.trim()).output()).await;
        assert_eq!(code, Some(1));
        assert!(told.contains("http://127.0.0.1:1 cannot be reached"), "{told}");
        assert!(!told.contains("is a node running at"), "{told}");
        assert!(told.contains(&format!("{asked} answers")), "{told}");
    }
    drop((gateway, node));
}

#[tokio::test]
async fn a_socket_that_cannot_be_is_explained() {
    let up = Up::start("--workers 1").await;
    let connect = async |url: String| {
        let (code, _, told) = run(&format!("connect --token alice --url {url}")).await;
        assert_eq!(code, Some(1), "{told}");
        told
    };
    let grpc = up.address("rpc").replace("http://", "ws://");
    let told = connect(format!("{grpc}/ws")).await;
    assert!(told.contains("a node's gRPC address takes no clients"), "{told}");
    let told = connect(up.address("client").replace("ws://", "wss://")).await;
    assert!(told.contains("without it the URL begins with ws://"), "{told}");
}

#[tokio::test]
async fn a_reader_that_has_gone_away_is_no_error() {
    for line in
        ["ring vectors", "ring show --member w1", "completions zsh", "check-config --template", "--help"]
    {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let child = ringway(line).stdout(writer).stderr(Stdio::piped()).spawn().expect("the binary runs");
        let (code, _, told) = outcome(child.wait_with_output()).await;
        assert_eq!((code, told.as_str()), (Some(0), ""), "{line}");
    }
}

#[tokio::test]
async fn a_configuration_with_mistakes_is_exit_code_1_and_all_of_them_are_told() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("ringway.toml");
    std::fs::write(&path, "[gateway]\nlisten = 1\ncolour = 2\n").expect("a file");
    let (code, told, error) = run(&format!("check-config {}", path.display())).await;
    assert_eq!((code, told.as_str()), (Some(1), ""));
    assert_eq!(error.lines().count(), 3, "{error}");
    std::fs::write(&path, "").expect("a file");
    assert_eq!(run(&format!("check-config {}", path.display())).await.0, Some(0));
}

#[tokio::test]
async fn wrong_usage_is_exit_code_2() {
    assert_eq!(run("send user").await.0, Some(2));
}
