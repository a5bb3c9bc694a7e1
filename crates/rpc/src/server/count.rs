//! Counts incoming calls by method and by the status code with which they ended.
//!
//! A call's code is known when its trailers leave, so the answer's body is watched; a body that is dropped before that
//! (the caller went away) counts as `CANCELLED`.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use futures_util::FutureExt as _;
use futures_util::future::Map;
use http::{HeaderMap, Request, Response};
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use metrics::{Counter, counter};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

use crate::methods::{Method, PerMethod};

#[derive(Clone, Debug, Default)]
pub(super) struct CountLayer(Arc<Successes>);

/// The counters of calls that ended well, which are nearly all: each is looked up once.
type Successes = PerMethod<OnceLock<Counter>>;

impl<S> Layer<S> for CountLayer {
    type Service = CountService<S>;

    fn layer(&self, inner: S) -> CountService<S> {
        CountService { inner, successes: Arc::clone(&self.0) }
    }
}

#[derive(Clone, Debug)]
pub(super) struct CountService<S> {
    inner: S,
    successes: Arc<Successes>,
}

type Answer<E> = Result<Response<Body>, E>;

impl<S> Service<Request<Body>> for CountService<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Error: 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Map<S::Future, Box<dyn FnOnce(Answer<S::Error>) -> Answer<S::Error> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let method = Method::of_path(request.uri().path());
        let open = OpenCall { method, code: Some(Code::Cancelled), successes: Arc::clone(&self.successes) };
        self.inner.call(request).map(Box::new(move |answer| Ok(watch(answer?, open))))
    }
}

/// Ends the count at once when the answer is all in its headers, else when its body ends.
fn watch(answer: Response<Body>, mut open: OpenCall) -> Response<Body> {
    if let Some(code) = code_of(answer.headers()) {
        open.end(code);
        return answer;
    }
    answer.map(|body| Body::new(CountedBody { body, open }))
}

fn code_of(headers: &HeaderMap) -> Option<Code> {
    headers.get(Status::GRPC_STATUS).map(|code| Code::from_bytes(code.as_bytes()))
}

/// A call that has not ended. It is counted once: when it ends, at the latest when it is dropped.
struct OpenCall {
    method: Method,
    code: Option<Code>,
    successes: Arc<Successes>,
}

impl OpenCall {
    fn end(&mut self, code: Code) {
        if self.code.take().is_none() {
            return;
        }
        match code {
            Code::Ok => {
                let success = self.successes.of(self.method);
                success.get_or_init(|| counter(self.method, code)).increment(1);
            }
            _ => counter(self.method, code).increment(1),
        }
    }
}

fn counter(method: Method, code: Code) -> Counter {
    counter!("ringway_rpc_server_calls_total", "method" => method.label(), "code" => code_name(code))
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        if let Some(code) = self.code {
            self.end(code);
        }
    }
}

struct CountedBody {
    body: Body,
    open: OpenCall,
}

impl HttpBody for CountedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let trailers = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.trailers_ref());
        if let Some(code) = trailers.and_then(code_of) {
            self.open.end(code);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
