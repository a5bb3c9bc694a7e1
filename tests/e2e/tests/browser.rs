//! A real browser with the example page, which is made with the client library `clients/js`.

use std::path::Path;

use ringway_e2e::Cluster;
use ringway_e2e::browser::Browser;
use ringway_e2e::page::PageServer;
use ringway_e2e::proxy::Proxy;
use ringway_sender::{CloseCode, Payload, SessionTarget, UserId};

const CONNECTED: &str = "document.getElementById('state').textContent === 'connected'";

/// Whether a line of the log has these words.
fn logged(words: &str) -> String {
    format!("[...document.querySelectorAll('#log li')].some(line => line.textContent === {words:?})")
}

/// The example page.
async fn pages() -> PageServer {
    PageServer::start(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/page")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_page_resumes_its_session_after_a_broken_network() {
    let cluster = Cluster::builder().workers(3).start().await;
    let (pages, network) = (pages().await, Proxy::before(cluster.clients()).await);
    let page = format!("http://{}/index.html?token=alice&url=ws://{}/ws", pages.address, network.address);
    let Some(mut browser) = Browser::open(&page).await else { return };
    browser.until(CONNECTED).await;

    let sender = cluster.sender().await;
    sender.send_to_user("alice", "zażółć 🦀").topic("chat").await.expect("it is taken");
    browser.until(&logged("chat zażółć 🦀")).await;
    let price = Payload::json_text(r#"{"symbol":"XYZ","value":12.5}"#);
    sender.send_to_user("alice", price).topic("price").await.expect("it is taken");
    browser.until(&logged("price XYZ 12.5")).await;

    network.cut();
    sender.send_to_user("alice", "into the dark").topic("chat").await.expect("it is taken");
    network.heal();
    browser.until("document.getElementById('state').textContent === 'connected again'").await;
    browser.until(&logged("chat into the dark")).await;
    let lines = browser.run("document.querySelectorAll('#log li').length").await;
    assert_eq!(lines, 3, "nothing came twice");

    let alice = SessionTarget::User(UserId::new("alice").expect("a good name"));
    sender.close_sessions(&alice, CloseCode::CLOSED_BY_BACKEND, "signed out").await.expect("she is there");
    browser.until("document.getElementById('state').textContent === 'closed: 4401 signed out'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_page_dispatches_payloads_by_topic_without_the_subprotocol() {
    let cluster = Cluster::builder().workers(3).start().await;
    let pages = pages().await;
    let gateway = format!("ws://{}/webSocket", cluster.clients());
    let page = format!("http://{}/index.html?protocol=raw&token=alice-room7&url={gateway}", pages.address);
    let Some(mut browser) = Browser::open(&page).await else { return };
    browser.until(CONNECTED).await;

    let sender = cluster.sender().await;
    for (text, line) in [
        (r#"{"topic":"chat","data":"zażółć 🦀"}"#, "chat zażółć 🦀"),
        (r#"{"topic":"price","data":{"symbol":"XYZ","value":12.5}}"#, "price XYZ 12.5"),
        (r#"{"topic":"unheard of","data":[1]}"#, "unheard of [1]"),
        ("no JSON at all", "(no topic) no JSON at all"),
    ] {
        sender.send_to_user("alice-room7", text).await.expect("it is taken");
        browser.until(&logged(line)).await;
    }
    sender.send_to_group("room7", r#"{"topic":"chat","data":"to the group"}"#).await.expect("it is taken");
    browser.until(&logged("chat to the group")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_gets_no_socket() {
    let pages = pages().await;
    let config = "[auth]\norigins = [\"https://app.example.com\"]";
    let cluster = Cluster::builder().config(config).start().await;
    let gateway = format!("ws://{}/webSocket", cluster.clients());
    let page = format!("http://{}/index.html?token=alice&url={gateway}", pages.address);
    let Some(mut browser) = Browser::open(&page).await else { return };
    browser.until("document.getElementById('state').textContent.startsWith('waiting: 1006')").await;
    let refused = cluster.gateways[0].metrics().await;
    assert!(refused.sum("ringway_gateway_handshakes_total", &["result=\"origin_not_allowed\""]) >= 1.0);
}
