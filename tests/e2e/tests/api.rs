//! The HTTP API of real nodes: through any of them, with keys that change, over TLS, while the cluster changes; and a generator of
//! requests that knows nothing but the document.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use ringway_e2e::certificates::Authority;
use ringway_e2e::cluster::{address_in, ringway};
use ringway_e2e::http::{Answer, exchange};
use ringway_e2e::{Client, Cluster, PATIENCE, Process, address, required};
use serde_json::json;
use tokio::process::Command;

const SHOP: &str = "the-key-of-the-shop-0123456789";
const BILLING: &str = "the-key-of-billing-0123456789";

/// A request as curl would write it.
async fn call(server: SocketAddr, line: &str, key: &str, body: &str) -> Answer {
    let length = body.len();
    let head = format!(
        "{line} HTTP/1.1\r\nHost: {server}\r\nUser-Agent: curl/8\r\nAccept: */*\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    exchange(server, head.as_bytes()).await
}

/// A cluster whose nodes all serve the API, with these keys.
async fn cluster(workers: usize, sections: &str, further: &[&str]) -> Cluster {
    let listen = format!("{}:0", address::own_ip());
    let arguments = [&["--api-listen", &listen], further].concat();
    let builder = Cluster::builder().workers(workers).config(sections);
    builder.worker_arguments(&arguments).gateway_arguments(&arguments).start().await
}

fn keys() -> String {
    format!("[api]\nkeys = {{ shop = \"{SHOP}\", billing = \"{BILLING}\" }}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_takes_a_message_shows_the_user_and_closes_the_session() {
    let mut cluster = cluster(2, &keys(), &["--log", "info,ringway_api=trace,ringway_sender=trace"]).await;
    let servers: Vec<_> = cluster.nodes().map(|node| node.api()).collect();
    for (server, key) in servers.iter().zip([SHOP, BILLING, SHOP]) {
        let mut alice = cluster.client("a/b-room7").await;
        for target in ["/v1/users/a%2Fb-room7/messages", "/v1/groups/room7/messages", "/v1/messages"] {
            let answer =
                call(*server, &format!("POST {target}"), key, r#"{"data":{"private": "words"}}"#).await;
            let receipt = answer.json();
            let told = (answer.status, &receipt["outcome"], &receipt["sessions"]);
            assert_eq!(told, (200, &json!("delivered"), &json!(1)), "{server} {target} {receipt}");
            assert_eq!(alice.text().await, r#"{"private": "words"}"#);
        }
        let user = call(*server, "GET /v1/users/a%2Fb-room7", key, "").await.json();
        assert_eq!((&user["online"], &user["total"]), (&json!(true), &json!(1)), "{user}");
        let session = user["sessions"][0]["id"].as_str().expect("an id");
        let closed =
            call(*server, &format!("DELETE /v1/sessions/{session}?code=4002&reason=bye"), key, "").await;
        assert_eq!((closed.status, closed.json()), (200, json!({ "sessions": 1 })));
        assert_eq!(alice.closed().await, (4002, "bye".to_owned()));
        assert_eq!(call(*server, "POST /v1/messages", &key[1..], r#"{"text":"hi"}"#).await.status, 401);
    }
    cluster.assert_sound();
    for node in cluster.nodes() {
        let told = node.process.stderr();
        assert!(told.contains("key\":\"shop") || told.contains("key\":\"billing"), "{told}");
        for secret in [&SHOP[1..], &BILLING[1..], "private"] {
            assert!(!told.contains(secret), "{} tells {secret}", node.name());
        }
        node.process.terminate();
        assert!(node.process.exit(PATIENCE).await.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_stores_once_whichever_node_is_asked() {
    let sections = format!("{}[mailbox]\nstore = \"memory\"\n", keys());
    let cluster = cluster(1, &sections, &[]).await;
    let mut bob = cluster.client("bob").await;
    let body = r#"{"data":"order 17","guarantee":"at_least_once","message_id":"order-17"}"#;
    let mut told = Vec::new();
    for node in [&cluster.gateways[0], &cluster.workers[0], &cluster.gateways[0]] {
        let receipt = call(node.api(), "POST /v1/users/bob/messages", SHOP, body).await.json();
        told.push((receipt["stored_offset"].as_u64(), receipt["is_duplicate"].as_bool()));
    }
    assert_eq!(told, [(Some(1), Some(false)), (Some(1), Some(true)), (Some(1), Some(true))]);
    assert_eq!(bob.text().await, "\"order 17\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_in_a_file_are_replaced_while_the_node_runs() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("keys");
    std::fs::write(&file, format!("shop = {SHOP}\n")).expect("a file");
    let sections = format!("[api]\nkeys_file = {:?}\n", file.display().to_string());
    let cluster = cluster(1, &sections, &[]).await;
    let server = cluster.gateways[0].api();
    let status = async |key| call(server, "POST /v1/messages", key, r#"{"text":"hi"}"#).await.status;
    assert_eq!((status(SHOP).await, status(BILLING).await), (200, 401));
    // The new one beside the old one; then nonsense, which changes nothing; then the new one alone.
    let stages = [
        (format!("# two\nshop = {SHOP}\nshop-2 = {BILLING}\n"), (200, 200)),
        ("nonsense".to_owned(), (200, 200)),
        (format!("shop-2 = {BILLING}\n"), (401, 200)),
    ];
    for (text, expected) in stages {
        std::fs::write(&file, &text).expect("a file");
        if text == "nonsense" {
            let node = &cluster.gateways[0].process;
            until(async || node.stderr().contains("the keys of the API stay as they were")).await;
        }
        until(async || (status(SHOP).await, status(BILLING).await) == expected).await;
    }
}

/// Waits until something is so.
async fn until(is_so: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "it does not come about");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// Every answer is a receipt while the user's workers leave and come back, and what was sent arrives in order: the node tries
/// again for those who cannot.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_sends_notices_that_the_ring_changes() {
    let (home, ip) = (tempfile::tempdir().expect("a temporary directory"), address::own_ip());
    let line = format!("up --listen {ip}:0 --rpc-listen {ip}:0 --workers-listen {ip}:0");
    let words = |line: &str| line.split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>();
    let mut up = Process::spawn("up", ringway(&words(&line), home.path()));
    let ready = up.ready().await;
    let [api, clients, node] =
        ["api", "client", "rpc"].map(|key| address_in(&ready, key).expect("an address"));
    let mut alice = Client::connect(clients, "alice").await;
    let changing = async {
        for command in ["drain w1", "undrain w1", "drain w2", "undrain w2", "drain w3", "undrain w3"] {
            let mut command = ringway(&words(&format!("{command} --node http://{node} --json")), home.path());
            let output = command.output().await.expect("it runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        }
    };
    let (mut changing, mut sent) = (std::pin::pin!(changing), 0);
    loop {
        let body = json!({ "data": sent }).to_string();
        let sending = async {
            let answer = call(api, "POST /v1/users/alice/messages", "", &body).await;
            assert_eq!((answer.status, &answer.json()["outcome"]), (200, &json!("delivered")), "{answer:?}");
        };
        sending.await;
        sent += 1;
        let over = tokio::time::timeout(std::time::Duration::from_millis(5), &mut changing).await.is_ok();
        if over {
            break;
        }
    }
    assert!(sent > 5, "{sent} messages were sent");
    for number in 0..sent {
        assert_eq!(alice.text().await, number.to_string());
    }
    up.terminate();
    assert!(up.exit(PATIENCE).await.success());
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A Python program that calls the API, in a folder of its own; `None` if Python was left out.
async fn python(arguments: &[&str], variables: &[(&str, &str)]) -> Option<std::process::Output> {
    let mut command = Command::new(required::python()?);
    let folder = tempfile::tempdir().expect("a temporary directory");
    command
        .current_dir(folder.path())
        .args(arguments)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let ended = tokio::time::timeout(6 * PATIENCE, command.output()).await;
    Some(ended.expect("it ends in time").expect("python runs"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_sends_over_tls() {
    let (authority, directory) = (Authority::new(), tempfile::tempdir().expect("a temporary directory"));
    let own = address::own_ip().to_string();
    let signed = authority.sign(&own);
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let (ca, cert, key) = (
        file("ca.pem", authority.pem()),
        file("cert.pem", &signed.certificate),
        file("key.pem", &signed.key),
    );
    let sections = format!(
        "{}[api.tls]\ncert_file = {cert:?}\nkey_file = {key:?}\n[mailbox]\nstore = \"memory\"\n",
        keys()
    );
    let cluster = cluster(1, &sections, &[]).await;
    let mut alice = cluster.client("alice-room7").await;
    let ready = &cluster.gateways[0].ready;
    let url = ready["api"].as_str().expect("a URL");
    assert!(url.starts_with("https://"), "{ready}");
    let script = root().join("examples/http/send.py").display().to_string();
    let variables = [("API_URL", url), ("API_KEY", SHOP), ("SSL_CERT_FILE", &ca)];
    let Some(output) = python(&[&script, "alice-room7", "on its way"], &variables).await else { return };
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    assert_eq!(out.trim(), "delivered: 1 sessions, offset 1");
    assert_eq!(alice.text().await, r#"{"text": "on its way"}"#);
    let variables = [("API_URL", url), ("API_KEY", "another key"), ("SSL_CERT_FILE", &ca)];
    let refused = python(&[&script, "alice-room7", "on its way"], &variables).await.expect("python is there");
    assert!(String::from_utf8_lossy(&refused.stderr).starts_with("UNAUTHENTICATED: "), "{refused:?}");
}

/// Schemathesis reads the document, makes requests of it, right and wrong ones, and holds every answer against it.
#[tokio::test(flavor = "multi_thread")]
async fn a_generator_of_requests_finds_nothing_that_the_document_does_not_say() {
    let sections = format!("{}[mailbox]\nstore = \"memory\"\n", keys());
    let mut cluster = cluster(1, &sections, &[]).await;
    let document = format!("http://{}/v1/openapi.json", cluster.gateways[0].api());
    let header = format!("Authorization: Bearer {SHOP}");
    let hooks = root().join("tests/e2e/python/schemathesis_hooks.py").display().to_string();
    let mut arguments = vec!["-m", "schemathesis.cli", "run", &document, "--header", &header, "--no-color"];
    arguments.extend(["--phases", "examples,coverage,fuzzing", "--max-examples", "40"]);
    arguments.extend(["--seed", "1", "--generation-database", "none"]);
    let output = python(&arguments, &[("SCHEMATHESIS_HOOKS", &hooks)]).await;
    let Some(output) = output else { return };
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("5 selected / 5 total"), "{told}");
    cluster.assert_sound();
}
