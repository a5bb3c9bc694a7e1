//! Messages both ways, and how sockets end.

mod support;

use support::Bench;
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn messages_of_every_size_and_kind_come_back_as_they_were() {
    let bench = Bench::start().await;
    let mut client = bench.client("alice").await;
    for length in [0, 1, 125, 126, 4096, 4097, 65_535, 65_536, 1024 * 1024] {
        let text = Message::text("é".repeat(length / 2) + &"x".repeat(length % 2));
        client.send(text.clone()).await;
        assert_eq!(client.receive_data().await, text, "text of {length} bytes");
        let binary = Message::binary((0..length).map(|index| index as u8).collect::<Vec<_>>());
        client.send(binary.clone()).await;
        assert_eq!(client.receive_data().await, binary, "binary of {length} bytes");
    }
    drop(client);
    bench.end().await;
}
