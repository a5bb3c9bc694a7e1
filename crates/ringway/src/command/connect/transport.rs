//! The way to the server: TCP, TLS for `wss`, and the WebSocket handshake.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ringway_client::Continuation;
use ringway_session::CloseCode;
use tokio::io::{self, AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::hint::explained;
use crate::cli::ConnectArgs;

/// How long connecting may take, the handshake included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// What need not be escaped in a query's value (RFC 3986 section 2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How long the other side may take to answer a close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// An open WebSocket.
pub(super) type Socket = Box<WebSocketStream<Transport>>;

/// How a handshake ended.
pub(super) enum Handshake {
    /// With a socket.
    Opened { socket: Socket, subprotocol: Option<String> },
    /// With another answer than 101.
    Refused(Response<Vec<u8>>),
}

/// Makes the connection that the arguments ask for. The subprotocols are offered before those of the arguments.
///
/// # Errors
/// When the arguments are no request, or nobody answers it.
pub(super) async fn handshake(
    args: &ConnectArgs,
    subprotocols: &[&str],
    continuation: &Continuation,
) -> anyhow::Result<Handshake> {
    let request = request(args, subprotocols, continuation)?;
    let uri = request.uri().clone();
    let connecting = async {
        let stream = stream(&uri, args).await.with_context(|| format!("cannot connect to {}", args.url))?;
        match client_async(request, stream).await {
            Ok((socket, response)) => {
                let chosen = response.headers().get(SEC_WEBSOCKET_PROTOCOL);
                let subprotocol = chosen.map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned());
                Ok(Handshake::Opened { socket: Box::new(socket), subprotocol })
            }
            Err(Error::Http(response)) => Ok(Handshake::Refused(response.map(Option::unwrap_or_default))),
            Err(Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(_))) => {
                Err(anyhow!("{} speaks none of the subprotocols that are offered", args.url))
            }
            Err(error) => Err(anyhow!(error).context(format!("no WebSocket at {}", args.url))),
        }
    };
    let connected = timeout(CONNECT_TIMEOUT, connecting).await;
    connected.with_context(|| format!("{} does not answer", args.url))?.map_err(explained)
}

/// Says goodbye, and waits a moment for the other side to say it too.
pub(super) async fn goodbye(mut socket: Socket, code: CloseCode) {
    let frame = CloseFrame { code: code.as_u16().into(), reason: Utf8Bytes::from_static("") };
    let closing = async {
        socket.send(Message::Close(Some(frame))).await?;
        while let Some(arrived) = socket.next().await {
            arrived?;
        }
        Ok::<_, Error>(())
    };
    // Whether the other side answers changes nothing any more.
    let _answered = timeout(CLOSE_TIMEOUT, closing).await;
}

fn request(
    args: &ConnectArgs,
    subprotocols: &[&str],
    continuation: &Continuation,
) -> anyhow::Result<Request<()>> {
    let url = url(args, continuation);
    let uri: Uri =
        url.parse().map_err(|_| anyhow!("--url {}: no URL; it looks like ws://host:port/ws", args.url))?;
    ensure!(
        matches!(uri.scheme_str(), Some("ws" | "wss")),
        "--url {}: it must begin with ws:// or wss://",
        args.url
    );
    let mut request = uri.into_client_request().with_context(|| format!("--url {}", args.url))?;
    add_headers(request.headers_mut(), args, subprotocols)?;
    Ok(request)
}

/// The URL with what a client says in its query (docs/client-protocol.md).
fn url(args: &ConnectArgs, continuation: &Continuation) -> String {
    let token = args.token.iter().map(|token| ("token", token.clone()));
    let mut url = args.url.clone();
    for (name, value) in token.chain(continuation.parameters()) {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.extend([name, "="]);
        url.extend(utf8_percent_encode(&value, ESCAPED));
    }
    url
}

fn add_headers(headers: &mut HeaderMap, args: &ConnectArgs, subprotocols: &[&str]) -> anyhow::Result<()> {
    for (name, value) in &args.header {
        let parsed: HeaderName = name.parse().map_err(|_| anyhow!("--header {name}: no name of a header"))?;
        let value =
            HeaderValue::from_str(value).map_err(|_| anyhow!("--header {name}: no value of a header"))?;
        headers.append(parsed, value);
    }
    let offered: Vec<_> =
        subprotocols.iter().copied().chain(args.subprotocol.iter().map(String::as_str)).collect();
    if !offered.is_empty() {
        let offered = HeaderValue::from_str(&offered.join(", "));
        let offered = offered.map_err(|_| anyhow!("--subprotocol: no name of a subprotocol"))?;
        headers.insert(SEC_WEBSOCKET_PROTOCOL, offered);
    }
    Ok(())
}

async fn stream(uri: &Uri, args: &ConnectArgs) -> anyhow::Result<Transport> {
    let host = uri.host().context("the URL names no host")?;
    let encrypted = uri.scheme_str() == Some("wss");
    let port = uri.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
    let host = host.trim_matches(['[', ']']);
    let tcp = TcpStream::connect((host, port)).await?;
    tcp.set_nodelay(true)?;
    if !encrypted {
        return Ok(Transport::Plain(tcp));
    }
    let name = ServerName::try_from(host.to_owned())?;
    let tls = TlsConnector::from(Arc::new(tls_config(args)?)).connect(name, tcp).await?;
    Ok(Transport::Encrypted(Box::new(tls)))
}

fn tls_config(args: &ConnectArgs) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = &args.ca_file {
        let told = || format!("--ca-file {}", path.display());
        for certificate in CertificateDer::pem_file_iter(path).with_context(told)? {
            roots.add(certificate.with_context(told)?).with_context(told)?;
        }
    } else {
        let system = rustls_native_certs::load_native_certs();
        let (_added, _ignored) = roots.add_parsable_certificates(system.certs);
    }
    if roots.is_empty() {
        bail!("there is no certificate to trust: give --ca-file FILE");
    }
    Ok(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

/// A connection, encrypted or not.
pub(super) enum Transport {
    Plain(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Self::Encrypted(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut TaskContext<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Self::Encrypted(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Encrypted(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Encrypted(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use ringway_client::Resume;

    use crate::cli::{Cli, Command};

    #[test]
    fn the_query_holds_the_token_and_what_is_resumed() {
        let check = |line: &str, continuation: &Continuation, expected: &str| {
            let Command::Connect(args) = Cli::parse_from(line.split_whitespace()).command else {
                panic!("{line}")
            };
            assert_eq!(url(&args, continuation), expected);
        };
        let none = Continuation::default();
        let resume = Some(Resume { token: "a/b=".to_owned(), offset: 7, attempt: 2 });
        let resume = Continuation { resume, ..Continuation::default() };
        let mailbox = "5f0c7e1d9a3b4c62.17".parse().ok();
        let phone = Continuation { device: Some("my phone".to_owned()), mailbox, resume: None };
        let connect = "ringway connect --url ws://h/ws";
        check(connect, &none, "ws://h/ws");
        check(&format!("{connect} --token å"), &none, "ws://h/ws?token=%C3%A5");
        check(
            &format!("{connect} --token t"),
            &resume,
            "ws://h/ws?token=t&resume=a%2Fb%3D&offset=7&attempt=2",
        );
        check(connect, &phone, "ws://h/ws?device=my%20phone&mailbox=5f0c7e1d9a3b4c62.17");
        check(&format!("{connect}?x=1"), &resume, "ws://h/ws?x=1&resume=a%2Fb%3D&offset=7&attempt=2");
    }
}
