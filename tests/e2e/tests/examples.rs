//! The examples do what they say. (Those in Python: `python.rs`. The page: `browser.rs`.)

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use ringway_e2e::cluster::ringway;
use ringway_e2e::{Client, Cluster, PATIENCE, Process, address, required};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::process::Command;

/// Builds a package and gives its program. On a clean clone that takes minutes, so nothing may be waiting meanwhile.
async fn build(package: &str) -> PathBuf {
    let mut cargo = Command::new(std::env::var_os("CARGO").expect("cargo runs the tests"));
    cargo.args(["build", "--quiet", "--locked", "--message-format=json", "--package", package]);
    let output = cargo.stdin(Stdio::null()).output().await.expect("cargo runs");
    assert!(output.status.success(), "{package}: {}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut programs = messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    programs.next_back().unwrap_or_else(|| panic!("{package} has no program"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rust_sender_greets_a_user_and_posts_to_a_group() {
    let program = build("rust-sender").await;
    let cluster = Cluster::builder().workers(3).start().await;
    let mut alice = cluster.client("alice").await;
    let mut bob = cluster.client("bob-room7").await;
    let mut example = Command::new(program);
    example.args([cluster.gateways[0].url().as_str(), "alice", "room7"]);
    example.env("RINGWAY_CLUSTER_SECRET", cluster.secret().expose()).stdin(Stdio::null());
    let output = example.output().await.expect("the example runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("alice: on the way to 1 sessions"), "{told}");
    assert!(alice.text().await.contains("hello from Rust"));
    for number in 1..=100 {
        assert!(bob.text().await.contains(&format!("line {number}\"")), "line {number} is not in its place");
    }
}

/// The example's folder with every address replaced by one that this test has for itself, and a program in the place of
/// `ringway` that gives the gateway's gRPC server such an address, too: the file leaves that at its default.
fn own_copy_of_the_cluster(folder: &Path, rpc: &str) -> PathBuf {
    let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/cluster");
    std::fs::copy(original.join("run.sh"), folder.join("run.sh")).expect("a copy");
    let config = std::fs::read_to_string(original.join("ringway.toml")).expect("the example's file");
    let config = config.replace("127.0.0.1", &address::own_ip().to_string());
    std::fs::write(folder.join("ringway.toml"), config).expect("a file");
    let program = folder.join("ringway");
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = gateway ] && set -- \"$@\" --rpc-listen {rpc}\nexec {} \"$@\"\n",
        required::binary().display()
    );
    std::fs::write(&program, script).expect("a file");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, executable).expect("a file of ours");
    program
}

/// Waits until somebody listens at an address, or nobody does any more.
async fn until(listens: bool, server: SocketAddr) {
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(server).await.is_ok() != listens {
        assert!(Instant::now() < deadline, "{server}: it does not come to be that it listens: {listens}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_runs_a_cluster_of_processes_and_ends_it() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let rpc = address::reserve();
    let program = own_copy_of_the_cluster(folder.path(), &rpc.to_string());
    let mut command = Command::new("bash");
    command.arg(folder.path().join("run.sh")).arg(program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("RINGWAY_")) {
        command.env_remove(name);
    }
    let mut script = Process::spawn("run.sh", command);
    let hint = script.line("how to send", |line| line.starts_with("send with: ")).await;
    let secret_file = hint.rsplit(' ').next().expect("the file's name").to_owned();
    let at = |port: u16| SocketAddr::from((address::own_ip(), port));
    let (clients, servers) = (at(8080), [at(8080), rpc, at(7071), at(7072), at(7073)]);
    for server in servers {
        until(true, server).await;
    }
    let mut alice = Client::connect(clients, "alice").await;
    let send = format!("send user alice hello --json --node http://{rpc} --secret-file {secret_file}");
    let arguments: Vec<String> = send.split(' ').map(ToOwned::to_owned).collect();
    let sent = ringway(&arguments, folder.path()).output().await.expect("the binary runs");
    let receipt: Value = serde_json::from_slice(&sent.stdout).expect("a receipt");
    assert_eq!(receipt["sessions"], 1, "{receipt}");
    assert_eq!(alice.text().await, "hello");

    drop(alice);
    script.terminate();
    script.exit(PATIENCE).await;
    for server in servers {
        until(false, server).await;
    }
    assert!(!Path::new(&secret_file).exists(), "the secret is gone with the cluster");
}
