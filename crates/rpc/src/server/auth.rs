//! Lets in who shows the cluster secret as `authorization: Bearer <secret>`, and everybody to a check of the health.
//!
//! A refused request's body is never read. The first call with the secret ends its connection's probation. Watching the
//! health needs the secret: a stranger's stream would last.

use std::future::{Ready, ready};
use std::task::{Context, Poll};

use futures_util::future::Either;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, Response};
use ringway_proto::{Reason, Refusal};
use tonic::body::Body;
use tower::{Layer, Service};

use super::probation::Admission;
use crate::ClusterSecret;

const OPEN_PATH: &str = "/grpc.health.v1.Health/Check";
const WHAT_WOULD_BE_RIGHT: &str =
    "send the cluster secret as the metadata \"authorization: Bearer <secret>\"";

#[derive(Clone, Debug)]
pub(super) struct AuthLayer {
    secret: ClusterSecret,
}

impl AuthLayer {
    pub(super) fn new(secret: ClusterSecret) -> Self {
        AuthLayer { secret }
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = AuthService<S>;

    fn layer(&self, inner: S) -> AuthService<S> {
        AuthService { inner, secret: self.secret.clone() }
    }
}

#[derive(Clone, Debug)]
pub(super) struct AuthService<S> {
    inner: S,
    secret: ClusterSecret,
}

impl<S> Service<Request<Body>> for AuthService<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Response<Body>, S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match check(request.headers(), &self.secret) {
            Ok(()) => {
                if let Some(admission) = request.extensions().get::<Admission>() {
                    admission.grant();
                }
                Either::Left(self.inner.call(request))
            }
            Err(_) if request.uri().path() == OPEN_PATH => Either::Left(self.inner.call(request)),
            Err(what) => {
                let refusal = Refusal::new(Reason::Unauthenticated, format!("{what}; {WHAT_WOULD_BE_RIGHT}"));
                Either::Right(ready(Ok(refusal.to_status().into_http())))
            }
        }
    }
}

fn check(headers: &HeaderMap, secret: &ClusterSecret) -> Result<(), &'static str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Err("the cluster secret is missing"),
        (Some(_), Some(_)) => return Err("the metadata \"authorization\" is malformed: it is there twice"),
        (Some(value), None) => value.as_bytes(),
    };
    let Some((scheme, credential)) = value.split_at_checked("Bearer ".len()) else {
        return Err("the metadata \"authorization\" is malformed: it does not begin with \"Bearer \"");
    };
    if !scheme.eq_ignore_ascii_case(b"Bearer ") {
        return Err("the metadata \"authorization\" is malformed: it does not begin with \"Bearer \"");
    }
    match secret.matches(credential) {
        true => Ok(()),
        false => Err("the cluster secret is wrong"),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_is_wrong_with_a_credential_is_said() {
        let secret = ClusterSecret::new("0123456789abcdef").unwrap();
        let cases: [(&[&str], Result<(), &str>); 9] = [
            (&[], Err("missing")),
            (&[""], Err("malformed")),
            (&["Bearer"], Err("malformed")),
            (&["0123456789abcdef"], Err("malformed")),
            (&["Bearer 0123456789abcdef", "Bearer 0123456789abcdef"], Err("malformed")),
            (&["Bearer "], Err("wrong")),
            (&["Bearer 0123456789abcdeF"], Err("wrong")),
            (&["Bearer 0123456789abcdef"], Ok(())),
            (&["bearer 0123456789abcdef"], Ok(())),
        ];
        for (values, expected) in cases {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            }
            match (check(&headers, &secret), expected) {
                (Ok(()), Ok(())) => {}
                (Err(what), Err(word)) => assert!(what.contains(word), "{values:?}: {what}"),
                (got, _) => panic!("{values:?}: {got:?}"),
            }
        }
    }
}
