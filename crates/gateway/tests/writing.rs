//! Whoever writes to a client, its own task or that of a link: each message comes once and in order, whole, and between the answers
//! to pings; and the worker hears of each.

mod support;

use std::collections::VecDeque;
use std::future::ready;

use futures_util::{SinkExt as _, StreamExt as _};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use ringway_proto::v1::worker_frame::Frame as Told;
use ringway_proto::v1::{Close, Deliver, PayloadKind};
use support::{Bench, Client, FakeWorker, soon};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::{JoinSet, yield_now};
use tokio_tungstenite::tungstenite::Message;

const CLIENTS: usize = 4;
const BATCHES: usize = 1_500;
/// What a message counts beside its payload (`Written` in link.proto).
const OVERHEAD_BYTES: u64 = 64;

/// What a client is to receive.
type Expected = VecDeque<Vec<u8>>;

#[tokio::test]
async fn every_message_comes_once_and_in_order_from_one_thread() {
    everybody_gets_everything(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_message_comes_once_and_in_order_from_several_threads() {
    everybody_gets_everything(2).await;
}

async fn everybody_gets_everything(seed: u64) {
    let bench = Bench::start().await;
    let mut clients = Vec::new();
    for user in 0..CLIENTS {
        clients.push(narrow_client(&bench, &user.to_string()).await);
    }
    let channels: Vec<u64> = clients.iter().map(|(_, channel)| *channel).collect();
    let (batches, expected) = plan(&channels, &mut StdRng::seed_from_u64(seed));
    let costs: Vec<u64> = expected.iter().map(cost_bytes).collect();
    let telling = tokio::spawn(tell(bench.worker.clone(), batches));
    let reading = clients.into_iter().zip(expected).enumerate().map(|(index, ((client, _), expected))| {
        tokio::spawn(read(client, expected, StdRng::seed_from_u64(seed * 100 + index as u64)))
    });
    for reading in reading.collect::<Vec<_>>() {
        reading.await.expect("all of them came");
    }
    telling.await.expect("all was told");
    for (channel, cost_bytes) in channels.into_iter().zip(costs) {
        bench.worker.hears_written(channel, cost_bytes).await;
    }
    bench.end().await;
}

/// What the worker says, and what clients do, does not wait until nobody has anything to write.
#[tokio::test]
async fn while_many_are_written_to_the_link_goes_both_ways() {
    const MANY: usize = 300;
    let bench = Bench::start().await;
    let (mut channels, mut reading) = (Vec::new(), JoinSet::new());
    for user in 0..MANY {
        let (client, channel) = bench.client_and_channel(&format!("reader{user}")).await;
        channels.push(channel);
        reading.spawn(client.0.for_each(|_| ready(())));
    }
    let (mut client, channel) = bench.client_and_channel("alice").await;
    let worker = bench.worker.clone();
    let telling = tokio::spawn(async move {
        loop {
            worker.deliver(&channels, &[7; 100], PayloadKind::Binary).await;
        }
    });
    for round in 0..20 {
        client.send(round.to_string()).await;
        assert_eq!(client.receive_data().await, Message::text(round.to_string()), "an echo");
        bench.client(&format!("late{round}")).await;
    }
    assert!(bench.worker.written(channel) > 0, "reports go, too");
    telling.abort();
    drop((client, reading));
    bench.end().await;
}

#[tokio::test]
async fn what_comes_before_a_close_is_written_before_it() {
    let bench = Bench::start().await;
    let (mut client, channel) = bench.client_and_channel("alice").await;
    let deliver = |text: &'static str| {
        Told::Deliver(Deliver {
            channels: vec![channel],
            payload: text.into(),
            kind: PayloadKind::Text.into(),
            ..Deliver::default()
        })
    };
    let close = Told::Close(Close { channel, code: 4000, reason: "that was all".into() });
    bench.worker.tell_together(vec![deliver("one"), deliver("two"), close]).await;
    assert_eq!(client.receive_data().await, Message::text("one"));
    assert_eq!(client.receive_data().await, Message::text("two"));
    assert_eq!(client.closed().await, (4000, "that was all".to_owned()));
    bench.end().await;
}

/// A client whose socket holds little, so that writes are often cut.
async fn narrow_client(bench: &Bench, user: &str) -> (Client<TcpStream>, u64) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small one");
    let stream = soon("a connection", socket.connect(bench.address)).await.expect("a connection");
    let request = format!("ws://{}/ws?token={user}", bench.address);
    let handshake = tokio_tungstenite::client_async(request, stream);
    let (socket, _) = soon("a handshake", handshake).await.expect("a socket");
    (Client(socket), bench.worker.hears_open(user).await.channel)
}

/// What the worker says, in batches, and what each client is to receive by that.
fn plan(channels: &[u64], random: &mut StdRng) -> (Vec<Vec<Told>>, Vec<Expected>) {
    let mut expected = vec![Expected::new(); channels.len()];
    let mut number = 0_u32;
    let mut deliver = |random: &mut StdRng| {
        number += 1;
        // Most are small; the others together are beyond what the sockets hold.
        let padding = if random.random_ratio(1, 10) { 60_000 } else { random.random_range(0..300) };
        let mut payload = number.to_be_bytes().to_vec();
        payload.resize(4 + padding, 7);
        let receivers: Vec<usize> = (0..channels.len()).filter(|_| random.random_ratio(1, 2)).collect();
        receivers.iter().for_each(|receiver| expected[*receiver].push_back(payload.clone()));
        let channels = receivers.into_iter().map(|receiver| channels[receiver]).collect();
        Told::Deliver(Deliver {
            channels,
            payload: payload.into(),
            kind: PayloadKind::Binary.into(),
            ..Deliver::default()
        })
    };
    let batches = (0..BATCHES).map(|_| (0..random.random_range(1..5)).map(|_| deliver(random)).collect());
    (batches.collect(), expected)
}

async fn tell(worker: FakeWorker, batches: Vec<Vec<Told>>) {
    for batch in batches {
        worker.tell_together(batch).await;
    }
}

/// Reads all of them, by fits and starts, and pings meanwhile.
async fn read(client: Client<TcpStream>, mut expected: Expected, mut random: StdRng) {
    let (mut sink, mut stream) = client.0.split();
    let mut pongs = 0;
    while !expected.is_empty() {
        if random.random_ratio(1, 20) {
            soon("a ping to go", sink.send(Message::Ping(vec![1; 100].into()))).await.expect("sent");
        }
        for _ in 0..random.random_range(0..20) {
            yield_now().await;
        }
        match soon("a message", stream.next()).await.expect("open").expect("a frame") {
            Message::Pong(_) => pongs += 1,
            Message::Binary(payload) => {
                let wanted = expected.pop_front().expect("no more than were sent");
                assert!(payload == wanted, "{} bytes instead of {}", payload.len(), wanted.len());
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(pongs > 0, "several pings may have one answer, but not all none (RFC 6455 section 5.5.3)");
}

fn cost_bytes(messages: &Expected) -> u64 {
    messages.iter().map(|payload| payload.len() as u64 + OVERHEAD_BYTES).sum()
}
