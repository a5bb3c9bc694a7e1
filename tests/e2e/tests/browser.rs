//! A real browser with the example page.

use std::path::Path;

use ringway_e2e::Cluster;
use ringway_e2e::browser::Browser;
use ringway_e2e::page::PageServer;

const CONNECTED: &str = "document.getElementById('state').textContent === 'connected'";

/// Whether a line of the log has these words.
fn logged(words: &str) -> String {
    format!("[...document.querySelectorAll('#log li')].some(line => line.textContent === {words:?})")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_page_dispatches_messages_by_topic() {
    let cluster = Cluster::builder().workers(3).start().await;
    let pages = PageServer::start(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/page")).await;
    let gateway = format!("ws://{}/webSocket", cluster.clients());
    let page = format!("http://{}/index.html?token=alice-room7&url={gateway}", pages.address);
    let Some(mut browser) = Browser::open(&page).await else { return };
    browser.until(CONNECTED).await;

    let sender = cluster.sender().await;
    for (text, line) in [
        (r#"{"topic":"chat","data":"zażółć 🦀"}"#, "chat zażółć 🦀"),
        (r#"{"topic":"price","data":{"symbol":"XYZ","value":12.5}}"#, "price XYZ 12.5"),
        (r#"{"topic":"unheard of","data":[1]}"#, "unheard of [1]"),
        ("no JSON at all", "(no JSON) no JSON at all"),
    ] {
        sender.send_to_user("alice-room7", text).await.expect("it is taken");
        browser.until(&logged(line)).await;
    }
    sender.send_to_group("room7", r#"{"topic":"chat","data":"to the group"}"#).await.expect("it is taken");
    browser.until(&logged("chat to the group")).await;

    let alice =
        ringway_sender::SessionTarget::User(ringway_sender::UserId::new("alice-room7").expect("a good name"));
    let code = ringway_sender::CloseCode::CLOSED_BY_BACKEND;
    sender.close_sessions(&alice, code, "signed out").await.expect("she is there");
    browser.until("document.getElementById('state').textContent === 'closed: 4401 signed out'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_gets_no_socket() {
    let pages = PageServer::start(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/page")).await;
    let config = "[auth]\norigins = [\"https://app.example.com\"]";
    let cluster = Cluster::builder().config(config).start().await;
    let gateway = format!("ws://{}/webSocket", cluster.clients());
    let page = format!("http://{}/index.html?token=alice&url={gateway}", pages.address);
    let Some(mut browser) = Browser::open(&page).await else { return };
    browser.until("document.getElementById('state').textContent.startsWith('closed: 1006')").await;
    let refused = cluster.gateways[0].metrics().await;
    assert_eq!(refused.sum("ringway_gateway_handshakes_total", &["result=\"origin_not_allowed\""]), 1.0);
}
