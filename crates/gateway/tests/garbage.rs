//! Whatever comes over the wire, the gateway goes on serving.

mod support;

use std::time::Duration;

use support::{Bench, read_head, upgrade};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;

/// A small generator of numbers, so that a failure can be repeated: the seed is printed, and taken from the environment.
struct Numbers(u64);

impl Numbers {
    fn seeded() -> Self {
        let seed = std::env::var("RINGWAY_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed: u64 = seed.unwrap_or_else(rand::random);
        println!("RINGWAY_TEST_SEED={seed}");
        Self(seed | 1)
    }

    /// Marsaglia's xorshift.
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }

    /// The same bytes with a few of them changed, removed or doubled.
    fn spoiled(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match self.below(3) {
                0 => bytes[at] = self.next() as u8,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, bytes[at]),
            }
        }
        bytes
    }
}

async fn serves_on(bench: &Bench) {
    let mut client = bench.client("alice").await;
    client.send("still there?").await;
    assert_eq!(client.receive_data().await, Message::text("still there?"));
}

#[tokio::test]
async fn spoiled_requests() {
    let bench = Bench::with(|setup| setup.config.http.open_deadline = Duration::from_millis(200)).await;
    let mut numbers = Numbers::seeded();
    let good = upgrade("/ws?token=mallory", "origin: https://example.com\r\n").into_bytes();
    for round in 0..500 {
        let length = numbers.below(300);
        let bytes = if round % 5 == 0 { numbers.bytes(length) } else { numbers.spoiled(&good) };
        let answer = bench.raw(&bytes).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 "), "{answer:?}");
    }
    serves_on(&bench).await;
    bench.end().await;
}

#[tokio::test]
async fn spoiled_frames() {
    let bench = Bench::with(|setup| setup.config.socket.close_timeout = Duration::from_millis(200)).await;
    let mut numbers = Numbers::seeded();
    let good =
        [&[0x81, 0x85, 1, 2, 3, 4][..], b"hello", &[0x89, 0x80, 1, 2, 3, 4], &[0x02, 0x81, 0, 0, 0, 0, 7]]
            .concat();
    for round in 0..300 {
        let mut stream = bench.tcp().await;
        stream.write_all(upgrade("/ws?token=mallory", "").as_bytes()).await.expect("sent");
        read_head(&mut stream).await;
        let length = numbers.below(300);
        let bytes = if round % 3 == 0 { numbers.bytes(length) } else { numbers.spoiled(&good) };
        // The gateway may close before all of it is there.
        stream.write_all(&bytes).await.ok();
        stream.shutdown().await.ok();
        let mut rest = Vec::new();
        support::soon("the end", stream.read_to_end(&mut rest)).await.ok();
    }
    serves_on(&bench).await;
    support::soon("an end of every session", bench.worker.hears_as_many_gone_as_opened()).await;
    bench.end().await;
}

#[tokio::test]
async fn spoiled_tls() {
    let files = support::Certified::new("localhost");
    let bench = Bench::with(|setup| setup.tls = Some(files.files())).await;
    let mut numbers = Numbers::seeded();
    for _ in 0..50 {
        let length = 1 + numbers.below(300);
        let bytes = numbers.bytes(length);
        bench.raw(&bytes).await;
    }
    bench.raw(upgrade("/ws?token=alice", "").as_bytes()).await;
    let mut client = files.client(&bench, "alice").await.expect("a socket");
    client.send("still there?").await;
    assert_eq!(client.receive_data().await, Message::text("still there?"));
    drop(client);
    bench.end().await;
}
