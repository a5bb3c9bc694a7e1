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

/// The request of an opening handshake: proper as it begins, to be spoiled.
#[derive(Clone, Debug)]
pub struct Handshake {
    line: String,
    headers: Vec<(String, String)>,
}

impl Handshake {
    /// A proper handshake (RFC 6455 section 4.1) for this path and query.
    pub fn at(target: &str) -> Self {
        let headers = [
            ("Host", "ringway.test"),
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { line: format!("GET {target} HTTP/1.1"), headers }
    }

    /// With another request line.
    pub fn line(self, line: &str) -> Self {
        Self { line: line.to_owned(), ..self }
    }

    /// With one more header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without a header.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(found, _)| found != name);
        self
    }

    /// With another value of a header.
    pub fn but(self, name: &str, value: &str) -> Self {
        self.without(name).with(name, value)
    }

    /// Sends it and reads the answer.
    pub async fn answer(&self, server: SocketAddr) -> Answer {
        let headers = self
            .headers
            .iter()
            .fold(String::new(), |text, (name, value)| text + name + ": " + value + "\r\n");
        exchange(server, format!("{}\r\n{headers}\r\n", self.line).as_bytes()).await
    }
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
