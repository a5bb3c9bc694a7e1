//! The way to the server: TCP, TLS for `wss`, and the WebSocket handshake.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::io::{self, AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::cli::ConnectArgs;

/// How long connecting may take, the handshake included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// What need not be escaped in a query's value (RFC 3986 section 2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How a handshake ended.
pub(super) enum Handshake {
    /// With a socket.
    Opened { socket: Box<WebSocketStream<Transport>>, subprotocol: Option<String> },
    /// With another answer than 101.
    Refused(Response<Vec<u8>>),
}

/// Makes the connection that the arguments ask for.
///
/// # Errors
/// When the arguments are no request, or nobody answers it.
pub(super) async fn handshake(args: &ConnectArgs) -> anyhow::Result<Handshake> {
    let request = request(args)?;
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
            Err(error) => Err(anyhow!(error).context(format!("no WebSocket at {}", args.url))),
        }
    };
    timeout(CONNECT_TIMEOUT, connecting).await.with_context(|| format!("{} does not answer", args.url))?
}

fn request(args: &ConnectArgs) -> anyhow::Result<Request<()>> {
    let url = match &args.token {
        None => args.url.clone(),
        Some(token) => {
            let separator = if args.url.contains('?') { '&' } else { '?' };
            format!("{}{separator}token={}", args.url, utf8_percent_encode(token, ESCAPED))
        }
    };
    let uri: Uri =
        url.parse().map_err(|_| anyhow!("--url {}: no URL; it looks like ws://host:port/ws", args.url))?;
    ensure!(
        matches!(uri.scheme_str(), Some("ws" | "wss")),
        "--url {}: it must begin with ws:// or wss://",
        args.url
    );
    let mut request = uri.into_client_request().with_context(|| format!("--url {}", args.url))?;
    add_headers(request.headers_mut(), args)?;
    Ok(request)
}

fn add_headers(headers: &mut HeaderMap, args: &ConnectArgs) -> anyhow::Result<()> {
    for (name, value) in &args.header {
        let parsed: HeaderName = name.parse().map_err(|_| anyhow!("--header {name}: no name of a header"))?;
        let value =
            HeaderValue::from_str(value).map_err(|_| anyhow!("--header {name}: no value of a header"))?;
        headers.append(parsed, value);
    }
    if !args.subprotocol.is_empty() {
        let offered = HeaderValue::from_str(&args.subprotocol.join(", "));
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
