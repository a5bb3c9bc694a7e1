//! Refuses a request beyond its size limit in our own words.
//!
//! The gRPC library reads a single request before any service sees it, and says `OUT_OF_RANGE` of one that is too large. A
//! caller decides by the reason, so it gets the one that it would get for a payload that is only a little too large. On a
//! stream the service itself sees the library's status, and says the same.

use std::task::{Context, Poll};

use futures_util::FutureExt as _;
use futures_util::future::Map;
use http::{Request, Response};
use ringway_proto::{Reason, Refusal};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

#[derive(Clone, Copy, Debug)]
pub(super) struct SizeLayer;

impl<S> Layer<S> for SizeLayer {
    type Service = SizeService<S>;

    fn layer(&self, inner: S) -> SizeService<S> {
        SizeService(inner)
    }
}

#[derive(Clone, Debug)]
pub(super) struct SizeService<S>(S);

impl<S> Service<Request<Body>> for SizeService<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Map<S::Future, fn(Result<Response<Body>, S::Error>) -> Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.0.call(request).map(|answer| answer.map(in_our_words))
    }
}

/// An answer that is all in its headers has its status there.
fn in_our_words(answer: Response<Body>) -> Response<Body> {
    match Status::from_header_map(answer.headers()) {
        Some(status) if status.code() == Code::OutOfRange && status.details().is_empty() => {
            Refusal::new(Reason::MessageTooLarge, status.message()).to_status().into_http()
        }
        _ => answer,
    }
}
