//! A web server for one directory: enough for a browser to load a page from it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::address;

/// Serves the files of a directory for as long as it lives.
pub struct PageServer {
    /// Where it is.
    pub address: SocketAddr,
    _serving: JoinSet<()>,
}

impl PageServer {
    /// Starts it.
    pub async fn start(directory: &Path) -> Self {
        let listener = TcpListener::bind((address::own_ip(), 0)).await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (mut serving, directory) = (JoinSet::new(), directory.to_owned());
        serving.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A browser that goes away early is no failure; the test sees whether the page works.
                tokio::spawn(answer(stream, directory.clone()));
            }
        });
        Self { address, _serving: serving }
    }
}

async fn answer(stream: TcpStream, directory: PathBuf) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    while stream.read_line(&mut request).await? > 2 {}
    let path = request.split(' ').nth(1).unwrap_or("/").split('?').next().unwrap_or("/");
    let file = directory.join(path.trim_start_matches('/'));
    let (status, body) = match tokio::fs::read(&file).await {
        Ok(body) if !path.contains("..") => ("200 OK", body),
        _ => ("404 Not Found", Vec::new()),
    };
    let kind = match file.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript",
        _ => "application/octet-stream",
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await?;
    stream.shutdown().await
}
