//! Callers in another language: the example, and a foreign client that knows nothing but reflection.

use std::path::{Path, PathBuf};

use ringway_e2e::{Cluster, python};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs a script that must succeed and gives its output; `None` if Python was left out.
async fn run(script: &str, arguments: &[&str]) -> Option<String> {
    let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
    let output = python::run(&root().join(script), &arguments).await?;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script} {arguments:?}: {}\n{out}{err}", output.status);
    Some(out.into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_sends_through_any_node_and_straight_to_the_owner() {
    let cluster = Cluster::builder().workers(3).start().await;
    let mut alice = cluster.client("alice-room7").await;
    let secret = cluster.secret_file().display().to_string();
    let (gateway, worker) = (cluster.gateways[0].rpc().to_string(), cluster.workers[2].rpc().to_string());
    for (node, rest) in [
        (&gateway, &["user", "alice-room7", "zażółć"] as &[&str]),
        (&worker, &["user", "alice-room7", "zażółć"]),
        (&gateway, &["--direct", "user", "alice-room7", "zażółć"]),
        (&gateway, &["group", "room7", "zażółć"]),
        (&gateway, &["--direct", "group", "room7", "zażółć"]),
        (&gateway, &["all", "zażółć"]),
    ] {
        let arguments = [&["--node", node, "--secret-file", &secret], rest].concat();
        let Some(told) = run("examples/python/sender.py", &arguments).await else { return };
        assert!(told.starts_with("OUTCOME_DELIVERED") && told.contains(" 1 sessions"), "{rest:?}: {told}");
        assert_eq!(alice.text().await, "zażółć", "{rest:?}");
    }
    // What was sent to the owner was forwarded by nobody.
    let forwards = cluster.over_workers("ringway_worker_not_owner_total", &[]).await;
    assert_eq!(forwards, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_placement_in_python_passes_the_golden_vectors() {
    let vectors = root().join("tests/vectors/placement.json").display().to_string();
    let Some(told) = run("examples/python/placement.py", &[&vectors]).await else { return };
    assert!(told.contains("slots     128 members") && told.contains("hashring  128 members"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_says_what_it_misses() {
    for (arguments, expected) in [
        (&["user", "alice", "hi"] as &[&str], "no cluster secret: give --secret-file FILE"),
        (&["--secret-file", "/nonexistent", "user", "alice", "hi"], "--secret-file /nonexistent: "),
    ] {
        let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
        let Some(output) = python::run(&root().join("examples/python/sender.py"), &arguments).await else {
            return;
        };
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.starts_with(expected) && !told.contains("Traceback"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_client_needs_only_health_and_reflection() {
    let cluster = Cluster::start(1).await;
    let mut alice = cluster.client("alice").await;
    let secret = cluster.secret_file().display().to_string();
    for node in cluster.workers.iter().chain(&cluster.gateways) {
        let node = node.rpc().to_string();
        let Some(told) = run("tests/e2e/python/foreign_client.py", &[&node, &secret, "alice"]).await else {
            return;
        };
        assert!(told.contains("all is well"), "{told}");
        assert_eq!(alice.text().await, "from a foreign client");
    }
}
