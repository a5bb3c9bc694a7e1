//! Events out by HTTP, to a receiver that answers as the test says.

#![allow(clippy::unwrap_used)]

mod support;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use ringway_bridge::{
    FeedConfig, OnRefused, Outlets, SIGNATURE_HEADER, WebhookConfig, run_outlets, signature,
};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

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
                let receiver = Arc::clone(&serving);
                let answer = service_fn(move |request| Arc::clone(&receiver).answer(request));
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(http.serve_connection(TokioIo::new(socket), answer));
            }
        });
        (receiver, url)
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
        let answer = service_fn(move |request| Arc::clone(&serving).answer(request));
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), answer).await.ok();
    });
    until("the acknowledgement", async || source.acknowledged() == 4).await;
    let ids: Vec<String> = receiver.ids().concat();
    assert_eq!(ids, [1, 2, 3, 4].map(|sequence| source.id(sequence)));
}
