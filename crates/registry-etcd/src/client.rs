//! One connection to one member of the etcd cluster: requests and answers, each with a deadline.

use std::time::Duration;

use http::uri::PathAndQuery;
use prost::Message;
use tonic::client::Grpc;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::error::EtcdError;
use crate::wire::{
    AuthenticateRequest, AuthenticateResponse, LeaseGrantRequest, LeaseGrantResponse, LeaseKeepAliveRequest,
    LeaseKeepAliveResponse, LeaseRevokeRequest, LeaseRevokeResponse, RangeRequest, RangeResponse, TxnRequest,
    TxnResponse, WatchCreateRequest, WatchRequest, WatchResponse, WatchUnion,
};

/// How long etcd may take for one answer.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection. A cheap clone; all clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    endpoint: String,
    channel: Channel,
    token: Option<MetadataValue<Ascii>>,
}

/// The changes of the keys in a range, in order.
pub(crate) struct Changes {
    endpoint: String,
    stream: Streaming<WatchResponse>,
}

impl Client {
    pub(crate) fn new(endpoint: &str, channel: Channel) -> Self {
        Self { endpoint: endpoint.to_owned(), channel, token: None }
    }

    /// Shows the password, and the token that it is worth from then on.
    pub(crate) async fn authenticate(&mut self, name: &str, password: &str) -> Result<(), EtcdError> {
        let request = AuthenticateRequest { name: name.to_owned(), password: password.to_owned() };
        let answer: AuthenticateResponse = self.unary("/etcdserverpb.Auth/Authenticate", request).await?;
        let unusable = |_| EtcdError::Refused(format!("{}: its token is no header value", self.endpoint));
        self.token = Some(answer.token.parse().map_err(unusable)?);
        Ok(())
    }

    pub(crate) async fn range(&self, request: RangeRequest) -> Result<RangeResponse, EtcdError> {
        self.unary("/etcdserverpb.KV/Range", request).await
    }

    pub(crate) async fn txn(&self, request: TxnRequest) -> Result<TxnResponse, EtcdError> {
        self.unary("/etcdserverpb.KV/Txn", request).await
    }

    pub(crate) async fn grant(&self, ttl: i64) -> Result<LeaseGrantResponse, EtcdError> {
        let answer: LeaseGrantResponse =
            self.unary("/etcdserverpb.Lease/LeaseGrant", LeaseGrantRequest { ttl }).await?;
        if answer.error.is_empty() {
            Ok(answer)
        } else {
            Err(EtcdError::Refused(format!("{}: {}", self.endpoint, answer.error)))
        }
    }

    pub(crate) async fn revoke(&self, id: i64) -> Result<(), EtcdError> {
        let _: LeaseRevokeResponse =
            self.unary("/etcdserverpb.Lease/LeaseRevoke", LeaseRevokeRequest { id }).await?;
        Ok(())
    }

    /// Renews a lease once. The answer is its time to live; `None` says that it is not there any more.
    pub(crate) async fn keep_alive(&self, id: i64) -> Result<Option<Duration>, EtcdError> {
        let once = tokio_stream::once(LeaseKeepAliveRequest { id });
        let answer = async {
            let mut answers: Streaming<LeaseKeepAliveResponse> =
                self.streaming("/etcdserverpb.Lease/LeaseKeepAlive", once).await?;
            let answer = answers.message().await.map_err(|status| self.failed(&status))?;
            answer.ok_or_else(|| EtcdError::Unreachable(format!("{}: it ended the stream", self.endpoint)))
        };
        Ok(seconds(self.in_time(answer).await?.ttl))
    }

    /// Every change from a revision on.
    pub(crate) async fn watch(&self, request: WatchCreateRequest) -> Result<Changes, EtcdError> {
        // A stream of requests that ends would end the watch: this one goes on without further requests.
        let request = WatchRequest { request_union: Some(WatchUnion::Create(request)) };
        let requests = tokio_stream::StreamExt::chain(tokio_stream::once(request), tokio_stream::pending());
        let stream = self.in_time(self.streaming("/etcdserverpb.Watch/Watch", requests)).await?;
        Ok(Changes { endpoint: self.endpoint.clone(), stream })
    }

    async fn unary<Q, A>(&self, path: &'static str, message: Q) -> Result<A, EtcdError>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let answer = async {
            let mut grpc = self.ready().await?;
            let codec = ProstCodec::default();
            let answer = grpc.unary(self.request(message), PathAndQuery::from_static(path), codec).await;
            Ok(answer.map_err(|status| self.failed(&status))?.into_inner())
        };
        self.in_time(answer).await
    }

    async fn streaming<S, Q, A>(&self, path: &'static str, messages: S) -> Result<Streaming<A>, EtcdError>
    where
        S: tokio_stream::Stream<Item = Q> + Send + 'static,
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let mut grpc = self.ready().await?;
        let codec = ProstCodec::default();
        let answer = grpc.streaming(self.request(messages), PathAndQuery::from_static(path), codec).await;
        Ok(answer.map_err(|status| self.failed(&status))?.into_inner())
    }

    async fn ready(&self) -> Result<Grpc<Channel>, EtcdError> {
        let mut grpc = Grpc::new(self.channel.clone());
        grpc.ready().await.map_err(|error| EtcdError::transport(&self.endpoint, &error))?;
        Ok(grpc)
    }

    /// A request with our token. A member of the etcd cluster that knows no leader refuses it instead of waiting for one.
    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("hasleader", MetadataValue::from_static("true"));
        if let Some(token) = &self.token {
            request.metadata_mut().insert("token", token.clone());
        }
        request
    }

    async fn in_time<T>(&self, answer: impl Future<Output = Result<T, EtcdError>>) -> Result<T, EtcdError> {
        let waited = tokio::time::timeout(ANSWER_TIMEOUT, answer).await;
        waited.unwrap_or_else(|_| Err(EtcdError::late(&self.endpoint)))
    }

    fn failed(&self, status: &Status) -> EtcdError {
        EtcdError::status(&self.endpoint, status)
    }
}

impl Changes {
    /// The next changes. Cancel-safe: what was not taken comes again.
    pub(crate) async fn next(&mut self) -> Result<WatchResponse, EtcdError> {
        let next =
            self.stream.message().await.map_err(|status| EtcdError::status(&self.endpoint, &status))?;
        next.ok_or_else(|| EtcdError::Unreachable(format!("{}: it ended the watch", self.endpoint)))
    }
}

/// A time to live as etcd gives it: none is left at 0.
pub(crate) fn seconds(ttl: i64) -> Option<Duration> {
    u64::try_from(ttl).ok().filter(|ttl| *ttl > 0).map(Duration::from_secs)
}
