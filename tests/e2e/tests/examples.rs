//! The Rust example does what it says.

use std::process::Stdio;

use ringway_e2e::Cluster;
use tokio::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn the_rust_sender_greets_a_user_and_posts_to_a_group() {
    let cluster = Cluster::builder().workers(3).start().await;
    let mut alice = cluster.client("alice").await;
    let mut bob = cluster.client("bob-room7").await;
    let cargo = std::env::var_os("CARGO").expect("cargo runs the tests");
    let mut example = Command::new(cargo);
    example.args([
        "run",
        "--quiet",
        "--locked",
        "--package",
        "rust-sender",
        "--",
        cluster.gateways[0].url().as_str(),
    ]);
    example.args(["alice", "room7"]).env("RINGWAY_CLUSTER_SECRET", cluster.secret().expose());
    let output = example.stdin(Stdio::null()).output().await.expect("cargo runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("alice: on the way to 1 sessions"), "{told}");
    assert!(alice.text().await.contains("hello from Rust"));
    for number in 1..=100 {
        assert!(bob.text().await.contains(&format!("line {number}\"")), "line {number} is not in its place");
    }
}
