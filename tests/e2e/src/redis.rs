//! What any program reads in Redis: commands as a person types them, answers in words.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::PATIENCE;

/// One command (an inline one of RESP), and its answer: each text of it, none for nil.
pub async fn ask(server: SocketAddr, command: &str) -> Vec<String> {
    tokio::time::timeout(PATIENCE, answer(server, command)).await.expect("redis answers in time")
}

async fn answer(server: SocketAddr, command: &str) -> Vec<String> {
    let stream = TcpStream::connect(server).await.expect("redis takes connections");
    let mut stream = BufReader::new(stream);
    stream.write_all(format!("{command}\r\n").as_bytes()).await.expect("redis reads");
    let head = line(&mut stream).await;
    let texts = match head.strip_prefix('*') {
        Some(texts) => texts.parse().expect("a number"),
        None => return text(&mut stream, &head).await.into_iter().collect(),
    };
    let mut all = Vec::new();
    for _ in 0..texts {
        let head = line(&mut stream).await;
        all.extend(text(&mut stream, &head).await);
    }
    all
}

/// A text whose head was read; none for nil.
async fn text(stream: &mut BufReader<TcpStream>, head: &str) -> Option<String> {
    let Some(bytes) = head.strip_prefix('$') else {
        assert!(!head.starts_with('-'), "{head}");
        return Some(head[1..].to_owned());
    };
    let bytes = bytes.parse::<usize>().ok()?;
    let mut text = vec![0; bytes + 2];
    stream.read_exact(&mut text).await.expect("the whole text");
    text.truncate(bytes);
    Some(String::from_utf8(text).expect("a text"))
}

async fn line(stream: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    stream.read_line(&mut line).await.expect("a line");
    line.trim_end().to_owned()
}
