//! HTTP/1.1 requests byte by byte, as no library would send them: refusals are for odd requests.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::PATIENCE;

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Names in lower case, and values, in the order in which they came.
    pub headers: Vec<(String, String)>,
    /// The body, as text.
    pub body: String,
}

impl Answer {
    /// The first header of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {:?}", self.body))
    }
}

/// Sends a request as it stands here and reads the answer.
pub async fn exchange(server: SocketAddr, request: &[u8]) -> Answer {
    let answer = async {
        let mut stream = TcpStream::connect(server).await?;
        // A server may answer and close before it has read everything.
        let written = stream.write_all(request).await;
        let answer = read(&mut stream).await?;
        if answer.is_none() {
            written?;
        }
        Ok::<_, std::io::Error>(answer)
    };
    let answer = tokio::time::timeout(PATIENCE, answer).await.expect("the server answers in time");
    answer.expect("the server is there").expect("the server answers before it closes the connection")
}

/// Gets a page.
pub async fn get(server: SocketAddr, path: &str) -> Answer {
    exchange(server, format!("GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n").as_bytes())
        .await
}

/// A proper opening handshake of a WebSocket, with further header lines.
pub fn handshake(path: &str, headers: &[&str]) -> String {
    const PROPER: &str = "Host: ringway\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                          Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let further: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    format!("GET {path} HTTP/1.1\r\n{PROPER}{further}\r\n")
}

async fn read(stream: &mut TcpStream) -> std::io::Result<Option<Answer>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(answer) = parse(&bytes, false) {
            return Ok(Some(answer));
        }
        match stream.read_buf(&mut bytes).await {
            Ok(0) => return Ok(parse(&bytes, true)),
            Ok(_) => {}
            // The server closed a connection whose input it had not read: what it said before counts.
            Err(_) if !bytes.is_empty() => return Ok(parse(&bytes, true)),
            Err(error) => return Err(error),
        }
    }
}

/// The answer, once its body is whole: as long as the header says, or until the end of the connection.
fn parse(bytes: &[u8], ended: bool) -> Option<Answer> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let header =
        |line: &str| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
    let answer = Answer { status, headers: lines.filter_map(header).collect(), body: body.to_owned() };
    let length = answer.header("content-length").and_then(|length| length.parse::<usize>().ok());
    let whole = status == 101 || length.is_some_and(|length| body.len() >= length);
    (whole || ended).then_some(answer)
}
