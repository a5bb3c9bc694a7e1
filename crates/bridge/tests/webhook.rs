//! Events out by HTTP, to a receiver that answers as the test says.

#![allow(clippy::unwrap_used)]

mod support;

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use ringway_bridge::{
    FeedConfig, OnRefused, Outlets, SIGNATURE_HEADER, Trust, WebhookConfig, run_outlets, signature,
};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_util::sync::CancellationToken;

use support::certificates::{Authority, Signed};
use support::events::EventSource;
use support::until;

/// Notes requests; answers with the statuses given, then with 204.
#[derive(Default)]
struct Receiver {
    seen: Mutex<Vec<(HeaderMap, Bytes)>>,
    answers: Mutex<Vec<u16>>,
}

impl Receiver {
    async fn start(answers: &[u16]) -> (Arc<Self>, http::Uri) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?x=1", listener.local_addr().unwrap()).parse().unwrap();
        let answers = Mutex::new(answers.iter().rev().copied().collect());
        let receiver = Arc::new(Receiver { answers, ..Receiver::default() });
        let serving = Arc::clone(&receiver);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&serving).serve(TokioIo::new(socket)));
            }
        });
        (receiver, url)
    }

    /// One that speaks TLS.
    async fn start_with_tls(signed: &Signed) -> (Arc<Self>, http::Uri) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/hook?x=1", listener.local_addr().unwrap()).parse().unwrap();
        let certificate = CertificateDer::from_pem_slice(signed.certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(signed.key.as_bytes()).unwrap();
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key);
        let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
        let receiver = Arc::new(Receiver::default());
        let serving = Arc::clone(&receiver);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                // Who does not trust it goes away.
                if let Ok(tls) = acceptor.accept(socket).await {
                    tokio::spawn(Arc::clone(&serving).serve(TokioIo::new(tls)));
                }
            }
        });
        (receiver, url)
    }

    async fn serve(self: Arc<Self>, io: impl Read + Write + Unpin) {
        let answer = service_fn(move |request| Arc::clone(&self).answer(request));
        hyper::server::conn::http1::Builder::new().serve_connection(io, answer).await.ok();
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        assert_eq!((request.method().as_str(), request.uri().to_string().as_str()), ("POST", "/hook?x=1"));
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        self.seen.lock().push((head.headers, body));
        let status = self.answers.lock().pop().unwrap_or(204);
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        Ok(response)
    }

    /// The ids of each request's events.
    fn ids(&self) -> Vec<Vec<String>> {
        let ids = |body: &Bytes| {
            let events: Vec<Value> = serde_json::from_slice(body).unwrap();
            events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
        };
        self.seen.lock().iter().map(|(_, body)| ids(body)).collect()
    }
}

fn start(webhook: WebhookConfig, source: &EventSource) -> CancellationToken {
    let stop = CancellationToken::new();
    let config = Outlets { webhook: Some(webhook), ..Outlets::default() };
    tokio::spawn(run_outlets(config, source.views.clone(), source.pool.clone(), stop.clone()));
    stop
}

fn webhook(url: http::Uri) -> WebhookConfig {
    WebhookConfig {
        url,
        trust: Trust::System,
        secret: Some("secret".to_owned()),
        feed: FeedConfig::new("webhook"),
        batch_events_max: 2,
        timeout: Duration::from_secs(10),
        retry_pause_max: Duration::from_millis(10),
        on_refused: OnRefused::Drop,
    }
}

#[tokio::test]
async fn events_are_posted_in_signed_batches_until_they_are_taken() {
    let source = EventSource::start().await;
    let (receiver, url) = Receiver::start(&[503, 429]).await;
    let sequences: Vec<u64> = (0..3).map(|_| source.tell("alice")).collect();
    let _stop = start(webhook(url), &source).drop_guard();
    until("the acknowledgement", async || source.acknowledged() == 3).await;
    let [first, second, third] = [0, 1, 2].map(|n| source.id(sequences[n]));
    let both = vec![first, second];
    assert_eq!(receiver.ids(), [both.clone(), both.clone(), both, vec![third]]);
    for (headers, body) in &*receiver.seen.lock() {
        assert_eq!(headers["content-type"], "application/cloudevents-batch+json");
        let signed = headers[SIGNATURE_HEADER].to_str().unwrap();
        let time: u64 = signed.strip_prefix("t=").unwrap().split(',').next().unwrap().parse().unwrap();
        assert_eq!(signed, signature("secret", time, body));
    }
}

#[tokio::test]
async fn what_is_refused_is_dropped_or_posted_again_as_it_is_said() {
    let cases = [(OnRefused::Drop, 1), (OnRefused::Retry, 2)];
    for (on_refused, requests) in cases {
        let source = EventSource::start().await;
        let (receiver, url) = Receiver::start(&[400]).await;
        source.tell("alice");
        let _stop = start(WebhookConfig { on_refused, ..webhook(url) }, &source).drop_guard();
        until("the acknowledgement", async || source.acknowledged() == 1).await;
        assert_eq!(receiver.ids().len(), requests, "{on_refused:?}");
    }
}

#[tokio::test]
async fn a_receiver_that_is_not_there_yet_gets_everything_in_order() {
    let source = EventSource::start().await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let url: http::Uri = format!("http://{address}/hook?x=1").parse().unwrap();
    for _ in 0..4 {
        source.tell("alice");
    }
    let _stop = start(webhook(url.clone()), &source).drop_guard();
    until("a failure", async || support::counter("ringway_bridge_event_failures_total") > 0).await;
    assert_eq!(source.acknowledged(), 0);
    let listener = TcpListener::bind(address).await.unwrap();
    let receiver = Arc::new(Receiver::default());
    let serving = Arc::clone(&receiver);
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        serving.serve(TokioIo::new(socket)).await;
    });
    until("the acknowledgement", async || source.acknowledged() == 4).await;
    let ids: Vec<String> = receiver.ids().concat();
    assert_eq!(ids, [1, 2, 3, 4].map(|sequence| source.id(sequence)));
}

#[tokio::test]
async fn a_receiver_with_tls_gets_nothing_unless_it_is_trusted() {
    tracing_subscriber::fmt().with_ansi(false).with_writer(|| Log).init();
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (receiver, url) = Receiver::start_with_tls(&authority.sign("127.0.0.1")).await;
    let (_plain, plain) = Receiver::start(&[]).await;
    let changed =
        |url: &http::Uri, from, to| url.to_string().replacen(from, to, 1).parse::<http::Uri>().unwrap();
    let only = |authority: &Authority| Trust::only(authority.pem()).unwrap();
    let cases = [
        (only(&stranger), url.clone(), "nobody who is trusted has signed the server's certificate; ca_file"),
        (Trust::System, url.clone(), "nobody who is trusted has signed the server's certificate; ca_file"),
        (only(&authority), changed(&url, "127.0.0.1", "localhost"), "for another name than the URL's host"),
        (only(&authority), changed(&plain, "http", "https"), "what answers there speaks no TLS"),
    ];
    for (trust, url, expected) in cases {
        LOG.lock().clear();
        let source = EventSource::start().await;
        source.tell("alice");
        let _stop = start(WebhookConfig { trust, ..webhook(url) }, &source).drop_guard();
        until(expected, async || String::from_utf8_lossy(&LOG.lock()).contains(expected)).await;
        assert_eq!((source.acknowledged(), receiver.ids().len()), (0, 0), "{expected}");
    }
    let source = EventSource::start().await;
    let id = source.id(source.tell("alice"));
    let _stop = start(WebhookConfig { trust: only(&authority), ..webhook(url) }, &source).drop_guard();
    until("the acknowledgement", async || source.acknowledged() == 1).await;
    assert_eq!(receiver.ids(), [[id]]);
}

/// What was logged.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl io::Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        LOG.lock().write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
