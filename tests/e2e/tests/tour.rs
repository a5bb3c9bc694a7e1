//! The README's tour: a cluster in one terminal, two clients in others, and a sender in a fourth.

use std::path::Path;

use ringway_e2e::cluster::{address_in, ringway};
use ringway_e2e::{Cluster, PATIENCE, Process, address};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A user's shell: a home, and the binary.
struct Shell {
    home: TempDir,
}

impl Shell {
    fn new() -> Self {
        Self { home: tempfile::tempdir().expect("a temporary directory") }
    }

    fn start(&self, line: &str) -> Process {
        let words: Vec<_> = line.split_whitespace().map(ToOwned::to_owned).collect();
        Process::spawn(line, ringway(&words, self.home.path()))
    }

    /// Runs a command to its end and reads the JSON that it prints; the exit code too.
    async fn ask(&self, line: &str) -> (Value, Option<i32>) {
        let words: Vec<_> = line.split_whitespace().map(ToOwned::to_owned).collect();
        let mut command = ringway(&words, self.home.path());
        let output = tokio::time::timeout(PATIENCE, command.kill_on_drop(true).output()).await;
        let output = output.expect("it ends in time").expect("it runs");
        let told = serde_json::from_slice(&output.stdout);
        let told = told.unwrap_or_else(|error| {
            let (out, err) =
                (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            panic!("{line}: {error}\n{out}{err}")
        });
        (told, output.status.code())
    }
}

/// Starts `ringway connect` and waits until it is connected.
async fn connect(shell: &Shell, token: &str, url: &str) -> Process {
    let mut client = shell.start(&format!("connect --token {token} --url {url} --json"));
    client.line("the open socket", |line| line.contains("\"open\"")).await;
    client
}

/// Waits for a message on a client's screen.
async fn assert_shows(client: &mut Process, text: &str) {
    let shown = client.line(text, |line| line.contains(text)).await;
    let shown: Value = serde_json::from_str(&shown).expect("one JSON object on a line");
    assert_eq!((&shown["event"], &shown["data"]), (&json!("message"), &json!(text)));
}

#[tokio::test(flavor = "multi_thread")]
async fn up_connect_send_sessions_close() {
    let (shell, ip) = (Shell::new(), address::own_ip());
    let mut up = shell.start(&format!("up --listen {ip}:0 --rpc-listen {ip}:0 --workers-listen {ip}:0"));
    let ready = up.ready().await;
    let url = ready["client"].as_str().expect("a URL").to_owned();
    let node = format!("--node http://{} --json", address_in(&ready, "rpc").expect("an address"));
    let mut alice = connect(&shell, "alice-room7", &url).await;
    let mut bob = connect(&shell, "bob-room7", &url).await;

    let (receipt, code) = shell.ask(&format!("send user alice-room7 for-alice {node}")).await;
    assert_eq!((&receipt["outcome"], &receipt["sessions"], code), (&json!("delivered"), &json!(1), Some(0)));
    assert_shows(&mut alice, "for-alice").await;
    for (target, text) in [("group room7", "for-the-room"), ("all", "for-everybody")] {
        let (receipt, _) = shell.ask(&format!("send {target} {text} {node}")).await;
        assert_eq!(receipt["sessions"], json!(2), "{receipt}");
        assert_shows(&mut alice, text).await;
        assert_shows(&mut bob, text).await;
    }
    let (receipt, code) = shell.ask(&format!("send user carol hello {node}")).await;
    assert_eq!((&receipt["outcome"], code), (&json!("no_session"), Some(3)));

    let (sessions, _) = shell.ask(&format!("sessions {node}")).await;
    assert_eq!(sessions["total"], json!(2));

    let worker = sessions["sessions"][0]["worker"].as_str().expect("a worker").to_owned();
    let (drained, code) = shell.ask(&format!("drain {worker} {node}")).await;
    assert_eq!((&drained["sessions"], code), (&json!(0), Some(0)), "{drained}");
    let (sessions, _) = shell.ask(&format!("sessions {node}")).await;
    let workers = sessions["sessions"].as_array().expect("a list").iter().map(|session| &session["worker"]);
    assert!(workers.into_iter().all(|now| *now != json!(worker)), "{sessions}");
    let (_, code) = shell.ask(&format!("send all still-there {node}")).await;
    assert_eq!(code, Some(0));
    assert_shows(&mut alice, "still-there").await;
    assert_shows(&mut bob, "still-there").await;
    let (_, code) = shell.ask(&format!("undrain {worker} {node}")).await;
    assert_eq!(code, Some(0));

    let (closed, _) = shell.ask(&format!("close --user bob-room7 --reason bye {node}")).await;
    assert_eq!(closed["sessions"], json!(1), "{closed}");
    bob.line("the close", |line| line.contains("4401") && line.contains("bye")).await;
    assert_eq!(bob.exit(PATIENCE).await.code(), Some(6), "closed by the server");

    up.terminate();
    alice.line("the close", |line| line.contains("1001")).await;
    assert!(up.exit(PATIENCE).await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_fixed_list_cannot_show_is_refused_at_once() {
    let (shell, cluster) = (Shell::new(), Cluster::start(2).await);
    let _alice = cluster.client("alice").await;
    let node =
        format!("--node {} --secret-file {}", cluster.gateways[0].url(), cluster.secret_file().display());
    for command in ["drain w1", "undrain w1", "weigh w1 3"] {
        let (told, code) = shell.ask(&format!("{command} {node} --json")).await;
        assert_eq!((&told["error"]["reason"], code), (&json!("MEMBERS_FIXED"), Some(1)), "{told}");
        let message = told["error"]["message"].as_str().expect("words");
        assert!(message.contains("not the workers' to change"), "{message}");
    }
    let (members, _) = shell.ask(&format!("members {node} --json")).await;
    let states = members["members"].as_array().expect("a list").iter().map(|member| &member["state"]);
    assert!(states.into_iter().all(|state| *state == json!("active")), "{members}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_shell_is_refused() {
    let cluster = Cluster::start(1).await;
    let shell = Shell::new();
    let secret = shell.home.path().join("secret");
    std::fs::write(&secret, "not-the-secret-of-this-cluster").expect("a temporary file");
    let refused = stranger(&shell, &cluster, &secret).await;
    assert!(refused.contains("UNAUTHENTICATED") || refused.contains("secret"), "{refused}");
}

/// What a send with another secret says.
async fn stranger(shell: &Shell, cluster: &Cluster, secret: &Path) -> String {
    let node = cluster.gateways[0].url();
    let mut send = shell.start(&format!("send all hello --node {node} --secret-file {}", secret.display()));
    assert_eq!(send.exit(PATIENCE).await.code(), Some(1));
    send.stderr()
}
