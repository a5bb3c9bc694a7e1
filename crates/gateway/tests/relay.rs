//! Messages both ways: nothing changed, nothing lost, nothing before its turn.

mod support;

use ringway_proto::v1::PayloadKind;
use ringway_proto::v1::gateway_frame::Frame as Said;
use support::{Bench, Client, read_head, soon, upgrade};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

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

#[tokio::test]
async fn the_open_frame_says_who_came_and_the_answer_carries_the_subprotocol() {
    let bench = Bench::start().await;
    let request = upgrade(
        "/app/webSocket?token=alice-room7",
        "sec-websocket-protocol: token.x, chat, ringway.v1.json\r\n",
    );
    let mut stream = bench.tcp().await;
    stream.write_all(request.as_bytes()).await.expect("sent");
    let head = read_head(&mut stream).await.to_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(head.contains("sec-websocket-protocol: chat\r\n"), "{head}");
    assert!(
        !head.contains("content-length") && !head.contains("transfer-encoding"),
        "RFC 9110 section 8.6: {head}"
    );
    assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"), "{head}");

    let open = bench.worker.hears_open("alice-room7").await;
    assert_eq!(open.groups, ["room7"]);
    assert_eq!(open.subprotocols, ["chat", "ringway.v1.json"], "the token is not among them");
    assert_eq!(open.remote_address, stream.local_addr().expect("an address").to_string());
    let id = ringway_session::SessionId::from_bytes(&open.session_id).expect("16 bytes");
    assert_eq!(id.slot(), ringway_ring::Slot::of(b"alice-room7"));
    drop(stream);
    bench.end().await;
}

#[tokio::test]
async fn a_first_frame_that_comes_with_the_handshake_is_not_lost() {
    let bench = Bench::start().await;
    let mut bytes = upgrade("/ws?token=alice", "").into_bytes();
    // Two masked text frames, "hello" and "again", and the beginning of a third.
    for text in [b"hello", b"again"] {
        bytes.extend([0x81, 0x85, 0, 0, 0, 0]);
        bytes.extend(text);
    }
    bytes.extend([0x81, 0x83, 0, 0]);
    let mut stream = bench.tcp().await;
    stream.write_all(&bytes).await.expect("sent");
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 101 "));
    let mut client = Client(WebSocketStream::from_raw_socket(stream, Role::Client, None).await);
    for text in ["hello", "again"] {
        assert_eq!(client.receive_data().await, Message::text(text));
    }
    client.0.get_mut().write_all(&[0, 0, b'e', b'n', b'd']).await.expect("sent");
    assert_eq!(client.receive_data().await, Message::text("end"));
    drop(client);
    bench.end().await;
}

#[tokio::test]
async fn fragments_are_one_message_with_pings_between_them() {
    let bench = Bench::start().await;
    let mut client = bench.client("alice").await;
    let fragment =
        |text: &'static str, opcode, last| Message::Frame(Frame::message(text, OpCode::Data(opcode), last));
    client.send(fragment("one ", Data::Text, false)).await;
    client.send(Message::Ping("are you there".into())).await;
    assert_eq!(client.receive().await, Message::Pong("are you there".into()));
    client.send(fragment("two ", Data::Continue, false)).await;
    client.send(fragment("three", Data::Continue, true)).await;
    assert_eq!(client.receive_data().await, Message::text("one two three"));
    drop(client);
    bench.end().await;
}

#[tokio::test]
async fn one_delivery_reaches_every_channel_that_is_there() {
    let bench = Bench::start().await;
    let (mut alice, first) = bench.client_and_channel("alice").await;
    let (mut bob, second) = bench.client_and_channel("bob").await;
    bench.worker.deliver(&[first, 999, second], b"to all", PayloadKind::Text).await;
    assert_eq!(alice.receive_data().await, Message::text("to all"));
    assert_eq!(bob.receive_data().await, Message::text("to all"));
    drop((alice, bob));
    bench.end().await;
}

#[tokio::test]
async fn order_is_kept_both_ways_under_load() {
    let bench = Bench::start().await;
    let client = bench.client("alice").await;
    let (mut sink, mut stream) = futures_util::StreamExt::split(client.0);
    let count = 20_000;
    let sending = tokio::spawn(async move {
        for index in 0..count {
            let message = Message::text(index.to_string());
            futures_util::SinkExt::send(&mut sink, message).await.expect("sent");
        }
        sink
    });
    for index in 0..count {
        let message = soon("an echo", futures_util::StreamExt::next(&mut stream))
            .await
            .expect("open")
            .expect("a message");
        assert_eq!(message, Message::text(index.to_string()));
    }
    drop((sending.await.expect("all sent"), stream));
    bench.end().await;
}

#[tokio::test]
async fn what_left_for_the_client_is_reported_soon_and_exactly() {
    let bench = Bench::start().await;
    let (mut client, channel) = bench.client_and_channel("alice").await;
    for payload in [&b"a"[..], b"", b"ccc"] {
        bench.worker.deliver(&[channel], payload, PayloadKind::Binary).await;
        client.receive_data().await;
    }
    bench.worker.hears_written(channel, 4 + 3 * 64).await;
    bench.worker.deliver(&[channel], &vec![7; 100_000], PayloadKind::Binary).await;
    client.receive_data().await;
    bench.worker.hears_written(channel, 4 + 3 * 64 + 100_064).await;
    drop(client);
    bench.end().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_up_nobody_else_and_reports_nothing() {
    let bench = Bench::start().await;
    let (slow, slow_channel) = bench.client_and_channel("slow").await;
    let (mut quick, quick_channel) = bench.client_and_channel("quick").await;
    let payload = vec![1; 1024 * 1024];
    for _ in 0..16 {
        bench.worker.deliver(&[slow_channel], &payload, PayloadKind::Binary).await;
    }
    bench.worker.deliver(&[quick_channel], b"here", PayloadKind::Text).await;
    assert_eq!(quick.receive_data().await, Message::text("here"));
    bench.worker.hears_written(quick_channel, 4 + 64).await;
    assert!(
        bench.worker.written(slow_channel) < 16 * payload.len() as u64,
        "the operating system cannot hold it all"
    );
    drop((slow, quick));
    bench.end().await;
}

#[tokio::test]
async fn a_worker_that_does_not_read_stops_its_clients_and_loses_nothing() {
    let bench = Bench::with(|setup| setup.config.link.queue_bytes_max = 64 * 1024).await;
    let (client, channel) = bench.client_and_channel("alice").await;
    bench.worker.echo(false);
    bench.worker.listen(false);
    let (mut sink, stream) = futures_util::StreamExt::split(client.0);
    let count: u32 = 4096;
    let mut sending = tokio::spawn(async move {
        for index in 0..count {
            let mut payload = vec![0; 16 * 1024];
            payload[..4].copy_from_slice(&index.to_be_bytes());
            futures_util::SinkExt::send(&mut sink, Message::binary(payload)).await.expect("sent");
        }
        sink
    });
    let stuck = tokio::time::timeout(std::time::Duration::from_millis(300), &mut sending).await;
    assert!(stuck.is_err(), "64 MiB went through a bound of 64 KiB");
    bench.worker.listen(true);
    let sink = soon("all to be sent", sending).await.expect("all sent");
    bench
        .worker
        .hears("the last message", |said| match said {
            Said::Message(message) if message.payload[..4] == (count - 1).to_be_bytes() => Some(()),
            _ => None,
        })
        .await;
    let heard = bench.worker.heard();
    let of_client = heard.iter().filter_map(|said| match said {
        Said::Message(message) if message.channel == channel => Some(&message.payload[..4]),
        _ => None,
    });
    assert!(
        of_client.eq((0..count).map(u32::to_be_bytes).collect::<Vec<_>>().iter()),
        "all of them, in order"
    );
    drop((sink, stream));
    bench.end().await;
}

#[tokio::test]
async fn a_text_delivery_that_is_no_text_closes_the_session() {
    let bench = Bench::start().await;
    let (mut client, channel) = bench.client_and_channel("alice").await;
    bench.worker.deliver(&[channel], b"\xff\xfe", PayloadKind::Text).await;
    assert_eq!(client.closed().await.0, 1011);
    bench.worker.hears_gone(channel).await;
    bench.end().await;
}

#[tokio::test]
async fn client_faults_close_with_their_code_and_the_worker_hears_it() {
    let frame = |bytes: &[u8]| bytes.to_vec();
    let cases: [(&str, Vec<u8>, u16); 6] = [
        ("an unmasked frame", frame(&[0x81, 0x01, b'x']), 1002),
        ("a reserved bit", frame(&[0xc1, 0x80, 0, 0, 0, 0]), 1002),
        ("a reserved opcode", frame(&[0x83, 0x80, 0, 0, 0, 0]), 1002),
        ("a continuation of nothing", frame(&[0x80, 0x80, 0, 0, 0, 0]), 1002),
        ("text that is no text", frame(&[0x81, 0x81, 0, 0, 0, 0, 0xff]), 1007),
        ("a frame of 16 EiB", frame(&[[0x82, 0xff, 0x7f].as_slice(), &[0xff; 7], &[0; 4]].concat()), 1009),
    ];
    let bench = Bench::start().await;
    for (index, (what, bytes, code)) in cases.into_iter().enumerate() {
        let user = format!("user{index}");
        let mut stream = bench.tcp().await;
        stream.write_all(upgrade(&format!("/ws?token={user}"), "").as_bytes()).await.expect("sent");
        read_head(&mut stream).await;
        stream.write_all(&bytes).await.expect("sent");
        let mut answer = Vec::new();
        soon("a close frame", stream.read_u16())
            .await
            .map(|head| answer.extend(head.to_be_bytes()))
            .expect(what);
        assert_eq!(answer[0], 0x88, "{what}");
        let length = usize::from(answer[1]);
        let mut body = vec![0; length];
        soon("its body", stream.read_exact(&mut body)).await.expect(what);
        assert_eq!(
            u16::from_be_bytes([body[0], body[1]]),
            code,
            "{what}: {}",
            String::from_utf8_lossy(&body[2..])
        );
        assert!(length > 2, "{what}: there is a reason");
        let channel = bench.worker.hears_open(&user).await.channel;
        assert_eq!(bench.worker.hears_gone(channel).await, 1006, "{what}");
    }
    bench.end().await;
}

#[tokio::test]
async fn a_message_that_is_too_big_closes_with_1009_although_more_of_it_comes() {
    let bench = Bench::with(|setup| setup.config.socket.message_bytes_max = 1000).await;
    let (mut client, channel) = bench.client_and_channel("alice").await;
    client.send(Message::binary(vec![1; 1000])).await;
    assert_eq!(client.receive_data().await.len(), 1000);
    drop(client);
    bench.worker.hears_gone(channel).await;

    // Far more than the sockets' buffers hold: a gateway that just closed would reset the connection.
    let mut stream = bench.tcp().await;
    stream.write_all(upgrade("/ws?token=bob", "").as_bytes()).await.expect("sent");
    read_head(&mut stream).await;
    let channel = bench.worker.hears_open("bob").await.channel;
    let (mut reading, mut writing) = stream.into_split();
    let sending = tokio::spawn(async move {
        let mut frame = vec![1; 16 * 1024 * 1024];
        frame[..14].copy_from_slice(&[0x82, 0xff, 0, 0, 0, 0, 0, 0xff, 0xff, 0xf2, 0, 0, 0, 0]);
        writing.write_all(&frame).await.expect("the gateway takes all of it");
        writing.shutdown().await.expect("ended");
    });
    let mut answer = Vec::new();
    soon("the end", reading.read_to_end(&mut answer)).await.expect("an orderly end");
    assert_eq!((answer[0], &answer[2..4]), (0x88, &1009_u16.to_be_bytes()[..]));
    let reason = String::from_utf8_lossy(&answer[4..]);
    assert!(reason.contains("1000"), "{reason}");
    bench.worker.hears_gone(channel).await;
    sending.await.expect("all sent");
    bench.end().await;
}

#[tokio::test]
async fn fragments_that_are_too_big_together_close_with_1009() {
    let bench = Bench::with(|setup| setup.config.socket.message_bytes_max = 1000).await;
    let mut client = bench.client("alice").await;
    let fragment = |opcode, last| Message::Frame(Frame::message(vec![1; 600], OpCode::Data(opcode), last));
    client.send(fragment(Data::Binary, false)).await;
    client.send(fragment(Data::Continue, true)).await;
    assert_eq!(client.closed().await.0, 1009);
    bench.end().await;
}
