//! `ringway connect --protocol v1` as its users meet it, against a server that plays a gateway's part by a script.

use std::collections::HashMap;
use std::process::Stdio;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

/// How long anything here may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// What the server does on one connection, in order.
#[derive(Clone, Debug)]
enum Step {
    Send(String),
    /// A frame must come, and be this.
    Expect(&'static str),
    Close(u16),
    /// The connection just ends.
    Break,
    /// The client must close, with this code.
    Closed(u16),
}

/// What the server does with one attempt to connect.
#[derive(Clone, Debug)]
enum Attempt {
    /// It is let in, and its query must have this.
    Enter(&'static str, Vec<Step>),
    /// It is let in without the subprotocol.
    EnterRaw,
    Refuse(u16),
}

use Attempt::{Enter, EnterRaw, Refuse};
use Step::{Break, Close, Closed, Expect, Send};

fn welcome(epoch: &str, offset: u64, recovered: bool) -> Step {
    Send(format!(
        r#"{{"type":"welcome","session":"s1","resume":"r{offset}","epoch":"{epoch}","offset":{offset},"recovered":{recovered},"resume_window_ms":30000,"ack_within_ms":100}}"#
    ))
}

fn message(offset: u64, rest: &str) -> Step {
    Send(format!(r#"{{"type":"message","offset":{offset},"id":"m{offset}",{rest}}}"#))
}

type Socket = WebSocketStream<TcpStream>;

// The error is the library's own.
#[allow(clippy::result_large_err)]
async fn enter(stream: TcpStream, query: &str, agrees: bool) -> Socket {
    let check = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        assert_eq!(request.uri().query().unwrap_or_default(), query);
        assert_eq!(request.headers()[SEC_WEBSOCKET_PROTOCOL], "ringway.v1.json");
        if agrees {
            let chosen = HeaderValue::from_static("ringway.v1.json");
            response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, chosen);
        }
        Ok(response)
    };
    accept_hdr_async(stream, check).await.expect("a handshake")
}

async fn refuse(mut stream: TcpStream, status: u16) {
    let mut head = [0; 4096];
    let _length = tokio::io::AsyncReadExt::read(&mut stream, &mut head).await.expect("a request");
    let answer = format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).await.expect("a reader");
}

async fn play(mut socket: Socket, steps: Vec<Step>) {
    for step in steps {
        match step {
            Send(frame) => socket.send(Message::text(frame)).await.expect("a reader"),
            Expect(frame) => {
                let arrived = socket.next().await.expect("a frame").expect("a frame");
                assert_eq!(arrived, Message::text(frame));
            }
            Close(code) => {
                let frame = CloseFrame { code: code.into(), reason: "bye".into() };
                socket.send(Message::Close(Some(frame))).await.expect("a reader");
                while socket.next().await.is_some_and(|arrived| arrived.is_ok()) {}
            }
            Break => return,
            Closed(code) => {
                let arrived = socket.next().await.expect("a frame").expect("a frame");
                let Message::Close(Some(frame)) = arrived else { panic!("{arrived:?}") };
                assert_eq!(u16::from(frame.code), code);
                while socket.next().await.is_some_and(|arrived| arrived.is_ok()) {}
            }
        }
    }
}

/// Takes the attempts one after the other, and no further one.
async fn serve(listener: TcpListener, attempts: Vec<Attempt>) {
    for attempt in attempts {
        let (stream, _) = listener.accept().await.expect("a client");
        match attempt {
            Enter(query, steps) => play(enter(stream, query, true).await, steps).await,
            EnterRaw => play(enter(stream, "token=alice", false).await, vec![Break]).await,
            Refuse(status) => refuse(stream, status).await,
        }
    }
}

/// Runs the client against the script. Exit code, stdout and stderr.
async fn run(flags: &str, attempts: Vec<Attempt>) -> (Option<i32>, String, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("ws://{}/ws", listener.local_addr().expect("an address"));
    let server = tokio::spawn(serve(listener, attempts));
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringway"));
    command.args(["connect", "--protocol", "v1", "--token", "alice", "--url", &url]);
    command.args(flags.split_whitespace()).stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(DEADLINE, command.output()).await.expect("it ends").expect("it runs");
    timeout(DEADLINE, server).await.expect("the script is over").expect("the script was kept to");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn it_acknowledges_and_goes_on_after_a_broken_socket() {
    let first = vec![
        welcome("e", 0, false),
        message(1, r#""topic":"chat","data":{"text":"hi"}"#),
        message(2, r#""data":"two""#),
        Expect(r#"{"type":"ack","offset":2}"#),
        message(3, r#""data":"three""#),
        Break,
    ];
    let second = vec![
        welcome("e", 2, true),
        message(3, r#""data":"three""#),
        message(4, r#""base64":"AP8=""#),
        Expect(r#"{"type":"ack","offset":4}"#),
        Closed(1000),
    ];
    let attempts =
        vec![Enter("token=alice", first), Enter("token=alice&resume=r0&offset=3&attempt=2", second)];
    let (code, out, told) = run("--messages 4", attempts).await;
    assert_eq!(
        (code, out.as_str()),
        (Some(0), "[chat] {\"text\":\"hi\"}\ntwo\nthree\n[binary, 2 bytes] 00ff\n"),
        "{told}"
    );
    let words =
        ["session s1", "connection lost", "connecting again in", "nothing was missed", "disconnected"];
    let places: Vec<_> =
        words.iter().map(|words| told.find(words).unwrap_or_else(|| panic!("{words}: {told}"))).collect();
    assert!(places.is_sorted(), "{told}");
}

#[tokio::test]
async fn programs_are_told_everything_but_the_resume_token() {
    let first =
        vec![welcome("e", 0, false), Send(r#"{"type":"reconnect","delay_ms":40}"#.to_owned()), Close(1001)];
    let second = vec![welcome("f", 0, false), message(2, r#""topic":"t","data":[1,null]"#), Break];
    let third = Refuse(403);
    let attempts =
        vec![Enter("token=alice", first), Enter("token=alice&resume=r0&offset=0&attempt=2", second), third];
    let (code, out, told) = run("--json", attempts).await;
    assert_eq!(code, Some(5), "{told}");
    let events: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let names: Vec<_> = events.iter().map(|event| event["event"].as_str().expect("a name")).collect();
    let expected =
        ["welcome", "close", "waiting", "welcome", "missed", "message", "lost", "waiting", "refused"];
    assert_eq!(names, expected, "{out}");
    assert_eq!(events[2]["delay_ms"], 40);
    assert_eq!(events[3]["continuity"], "lost");
    assert_eq!((&events[4]["first"], &events[4]["last"]), (&1.into(), &1.into()));
    let message: HashMap<String, Value> = serde_json::from_value(events[5].clone()).expect("an object");
    assert_eq!((&message["topic"], &message["data"]), (&"t".into(), &serde_json::json!([1, null])));
    assert!(!out.contains("\"r0\""), "{out}");
}

#[tokio::test]
async fn who_is_online_is_shown() {
    let frame =
        r#"{"type":"presence","users":[{"user":"bob","online":true},{"user":"carol","online":false}]}"#;
    let script = || {
        let comes = [welcome("e", 0, false), Send(frame.to_owned()), message(1, r#""data":1"#)];
        let goes = [Expect(r#"{"type":"ack","offset":1}"#), Closed(1000)];
        vec![Enter("token=alice", [&comes[..], &goes[..]].concat())]
    };
    let (code, out, told) = run("--messages 1", script()).await;
    assert_eq!((code, out.as_str()), (Some(0), "bob is online\ncarol is offline\n1\n"), "{told}");
    let (_, out, told) = run("--messages 1 --json", script()).await;
    let shown = out.lines().nth(1).unwrap_or_else(|| panic!("{out} {told}"));
    let event: Value = serde_json::from_str(shown).expect("JSON");
    let users = serde_json::json!([{ "user": "bob", "online": true }, { "user": "carol", "online": false }]);
    assert_eq!(event, serde_json::json!({ "event": "presence", "users": users }));
}

#[tokio::test]
async fn it_does_what_close_codes_and_answers_say() {
    let enter = |step: Step| vec![Enter("token=alice", vec![welcome("e", 0, false), step])];
    let again = |step: Step| {
        let back =
            Enter("token=alice&resume=r0&offset=0&attempt=2", vec![welcome("e", 0, true), Close(1000)]);
        [enter(step), vec![back]].concat()
    };
    let cases = [
        ("", again(Close(1012)), 0, "nothing was missed"),
        ("", again(Break), 0, "nothing was missed"),
        ("", enter(Close(1000)), 0, "normal end"),
        ("", enter(Close(4300)), 6, "get a new one"),
        ("", enter(Close(4400)), 6, "do not reconnect"),
        ("--no-reconnect", enter(Close(1012)), 6, "reconnect now"),
        ("--no-reconnect", enter(Break), 6, "connection lost"),
        ("", vec![Refuse(401)], 5, "refused with 401"),
        ("", vec![Refuse(503)], 5, "refused with 503"),
        ("", vec![EnterRaw], 1, "speaks none of the subprotocols"),
        ("", enter(Send("hello".to_owned())), 1, "does not speak ringway.v1.json"),
    ];
    for (flags, attempts, expected, words) in cases {
        let script = format!("{flags} {attempts:?}");
        let (code, _, told) = run(flags, attempts).await;
        assert_eq!(code, Some(expected), "{script}: {told}");
        assert!(told.contains(words), "{script}: {told}");
    }
}

#[tokio::test]
async fn nobody_there_is_told_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringway"));
    command.args(["connect", "--protocol", "v1", "--url", &format!("ws://{address}/ws")]);
    let output =
        timeout(DEADLINE, command.stdin(Stdio::null()).output()).await.expect("it ends").expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("cannot connect"), "{told}");
}
