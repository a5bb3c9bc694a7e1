//! A connection to one server, over TCP or TLS, that is used again as long as it lives.

use std::sync::Arc;

use bytes::Bytes;
use http::header::HOST;
use http::uri::Scheme;
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::trust::{Trust, explained};

/// How much of an answer's body is read, so that the connection can be used again.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

type Sender = SendRequest<Full<Bytes>>;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// The URL cannot be used.
    #[error("the webhook's URL {0} cannot be used: expected http://HOST[:PORT]/PATH or https://…")]
    Url(Uri),
    /// No connection.
    #[error("the webhook's receiver cannot be reached: {0}")]
    Connect(#[from] std::io::Error),
    /// The connection broke, or the server does not speak HTTP.
    #[error("the webhook's receiver: {0}")]
    Http(#[from] hyper::Error),
    /// The request cannot be made.
    #[error("the webhook's request: {0}")]
    Request(#[from] http::Error),
}

/// Where a URL leads.
struct Place {
    host: String,
    port: u16,
    is_tls: bool,
    authority: HeaderValue,
}

/// The way to one server.
pub(super) struct Client {
    url: Uri,
    tls: Arc<ClientConfig>,
    sender: Option<Sender>,
}

/// Checks a URL.
///
/// # Errors
/// [`HttpError::Url`].
pub(crate) fn check_url(url: &Uri) -> Result<(), HttpError> {
    place(url).map(drop).ok_or_else(|| HttpError::Url(url.clone()))
}

impl Client {
    pub(super) fn new(url: Uri, trust: &Trust) -> Self {
        Client { url, tls: trust.client_config(), sender: None }
    }

    /// Posts a request with these headers. Gives back the answer's status.
    pub(super) async fn post(
        &mut self,
        headers: &[(&'static str, String)],
        body: Bytes,
    ) -> Result<StatusCode, HttpError> {
        let place = place(&self.url).ok_or_else(|| HttpError::Url(self.url.clone()))?;
        let mut sender = self.ready(&place).await?;
        let path = self.url.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::post(path).header(HOST, place.authority);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let answer = sender.send_request(request.body(Full::new(body))?).await?;
        let status = answer.status();
        // An answer that is longer leaves the connection in the middle of it: then it is not used again.
        if Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await.is_ok() {
            self.sender = Some(sender);
        }
        Ok(status)
    }

    async fn ready(&mut self, place: &Place) -> Result<Sender, HttpError> {
        if let Some(mut sender) = self.sender.take()
            && sender.ready().await.is_ok()
        {
            return Ok(sender);
        }
        let tcp = TcpStream::connect((place.host.as_str(), place.port)).await?;
        tcp.set_nodelay(true)?;
        if !place.is_tls {
            return shake_hands(TokioIo::new(tcp)).await;
        }
        let name = ServerName::try_from(place.host.clone()).map_err(|_| HttpError::Url(self.url.clone()))?;
        let tls = TlsConnector::from(Arc::clone(&self.tls)).connect(name, tcp).await.map_err(explained)?;
        shake_hands(TokioIo::new(tls)).await
    }
}

async fn shake_hands(io: impl Read + Write + Unpin + Send + 'static) -> Result<Sender, HttpError> {
    let (sender, connection) = http1::handshake(io).await?;
    // It ends with the sender; why a connection ended is told to whoever has a request on it.
    tokio::spawn(async move { connection.await.ok() });
    Ok(sender)
}

fn place(url: &Uri) -> Option<Place> {
    let is_tls = match url.scheme()? {
        scheme if *scheme == Scheme::HTTP => false,
        scheme if *scheme == Scheme::HTTPS => true,
        _ => return None,
    };
    let authority = url.authority()?;
    if authority.as_str().contains('@') {
        return None;
    }
    Some(Place {
        host: authority.host().trim_matches(['[', ']']).to_owned(),
        port: authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 }),
        is_tls,
        authority: HeaderValue::from_str(authority.as_str()).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_to_connect() {
        let cases = [
            ("http://example.com/hook", Some(("example.com", 80, false))),
            ("https://example.com", Some(("example.com", 443, true))),
            ("https://example.com:8443/a?b=c", Some(("example.com", 8443, true))),
            ("http://[::1]:9000/", Some(("::1", 9000, false))),
            ("ftp://example.com/", None),
            ("http://user:password@example.com/", None),
            ("/hook", None),
        ];
        for (url, expected) in cases {
            let uri: Uri = url.parse().unwrap_or_default();
            let place = place(&uri);
            let found = place.as_ref().map(|place| (place.host.as_str(), place.port, place.is_tls));
            assert_eq!(found, expected, "{url}");
        }
    }
}
