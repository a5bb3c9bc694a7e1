//! Sockets over TLS, and certificates that are replaced.

mod support;

use std::time::Duration;

use support::{Bench, Certified, soon};
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn messages_go_both_ways_and_the_end_is_orderly() {
    let certified = Certified::new("localhost");
    let bench = Bench::with(|setup| setup.tls = Some(certified.files())).await;
    let mut client = certified.client(&bench, "alice").await.expect("a socket");
    for length in [0, 5, 100_000, 1024 * 1024] {
        let message = Message::binary(vec![9; length]);
        client.send(message.clone()).await;
        assert_eq!(client.receive_data().await, message, "{length} bytes");
    }
    let channel = bench.worker.hears_open("alice").await.channel;
    bench.worker.close(channel, 4401, "enough").await;
    assert_eq!(client.closed().await, (4401, "enough".to_owned()));
    bench.end().await;
}

#[tokio::test]
async fn a_new_certificate_is_taken_and_a_bad_one_is_not() {
    let mut certified = Certified::new("localhost");
    let bench = Bench::with(|setup| {
        setup.tls = Some(certified.files());
        setup.config.http.tls_poll_interval = Duration::from_millis(20);
    })
    .await;
    let mut before = certified.client(&bench, "alice").await.expect("a socket");

    let old_roots = certified.roots();
    certified.renew("localhost");
    let taken = async { while certified.client(&bench, "bob").await.is_err() {} };
    soon("the new certificate", taken).await;
    assert!(
        Box::pin(support::tls_client(&bench, old_roots, "bob")).await.is_err(),
        "the old one is not shown any more"
    );

    certified.spoil();
    // Longer than a few looks at the files: the change is seen, and nothing happens.
    tokio::time::sleep(Duration::from_millis(200)).await;
    certified.client(&bench, "carol").await.expect("the last good certificate");

    before.send("old connections go on").await;
    assert_eq!(before.receive_data().await, Message::text("old connections go on"));
    drop(before);
    bench.end().await;
}
