//! A connection to one Nacos server: requests with answers, and a stream in which the server asks.
//!
//! To Nacos, a client is a connection: what it registered is removed when the connection ends. So a connection here never
//! comes back by itself; it is closed when it is dropped, and says so when it is lost.

use std::time::Duration;

use http::uri::PathAndQuery;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::Streaming;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;
use tracing::debug;

use crate::config::NacosConfig;
use crate::error::NacosError;
use crate::login::Login;
use crate::message::{Answer, Instance, Registration, Request, ServiceAnswer, taken};
use crate::wire::Payload;

/// How long Nacos may take for one answer, and to accept a connection.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long it may take to know a new connection.
const SETUP_TIMEOUT: Duration = Duration::from_secs(5);
/// How often it is asked whether it knows it.
const SETUP_INTERVAL: Duration = Duration::from_millis(50);
/// Answers to the server that may wait. It asks again only after an answer or a timeout.
const ANSWERS_MAX: usize = 16;

/// A connection. Dropped, it is closed.
pub(crate) struct Connection {
    server: String,
    channel: Channel,
    pushes: watch::Receiver<()>,
    closed: CancellationToken,
    _open: DropGuard,
}

impl Connection {
    /// Connects and makes itself known.
    pub(crate) async fn open(server: &str, config: &NacosConfig, login: &Login) -> Result<Self, NacosError> {
        let endpoint = endpoint(server, config.grpc_port)?;
        let connected = tokio::time::timeout(ANSWER_TIMEOUT, endpoint.connect()).await;
        let channel = connected.map_err(|_| NacosError::late(server))?;
        let channel = channel.map_err(|error| NacosError::transport(server, &error))?;
        let (answers, outgoing) = mpsc::channel(ANSWERS_MAX);
        let set_up = Request::set_up(&config.namespace);
        let token = login.token(server).await?;
        let first = Payload::new(set_up.kind, &set_up.body, token.as_deref());
        // There is room for it: the channel is new.
        answers.try_send(first).ok();
        let (pushed, pushes) = watch::channel(());
        let (closed, open) = (CancellationToken::new(), CancellationToken::new());
        let asked = Asked { server: server.to_owned(), answers, pushed };
        let (task, ended) = (asked.serve(channel.clone(), outgoing), closed.clone().drop_guard());
        let stop = open.clone();
        tokio::spawn(async move {
            stop.run_until_cancelled(task).await;
            drop(ended);
        });
        let connection =
            Self { server: server.to_owned(), channel, pushes, closed, _open: open.drop_guard() };
        connection.wait_until_known(login).await?;
        Ok(connection)
    }

    /// The instances of the service, in whichever of its clusters.
    pub(crate) async fn query(
        &self,
        config: &NacosConfig,
        login: &Login,
    ) -> Result<Vec<Instance>, NacosError> {
        let answer: ServiceAnswer = self.ask(&Request::query(config), login).await?;
        Ok(answer.into_instances())
    }

    pub(crate) async fn subscribe(&self, config: &NacosConfig, login: &Login) -> Result<(), NacosError> {
        let _: ServiceAnswer = self.ask(&Request::subscribe(config), login).await?;
        Ok(())
    }

    pub(crate) async fn register(
        &self,
        config: &NacosConfig,
        login: &Login,
        registration: Registration,
        instance: &Instance,
    ) -> Result<(), NacosError> {
        let _: Answer = self.ask(&Request::register(config, registration, instance), login).await?;
        Ok(())
    }

    /// Resolves when the connection is lost.
    pub(crate) async fn closed(&self) {
        self.closed.cancelled().await;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.is_cancelled()
    }

    /// Waits until the server tells of a change, at most for this time, and not when the connection is lost.
    pub(crate) async fn changed_within(&mut self, longest: Duration) {
        let told = tokio::time::timeout(longest, self.pushes.changed());
        tokio::select! {
            biased;
            () = self.closed.cancelled() => {}
            // An error says that the connection is lost: whoever asks next is told so.
            _ = told => {}
        }
    }

    pub(crate) fn lost(&self) -> NacosError {
        NacosError::Unreachable(format!("{}: the connection is lost", self.server))
    }

    /// A connection is known some time after its stream was opened. Until then every request is refused.
    async fn wait_until_known(&self, login: &Login) -> Result<(), NacosError> {
        let _: Answer = self.ask(&Request::check_server(), login).await?;
        let known = async {
            let mut look = tokio::time::interval(SETUP_INTERVAL);
            loop {
                look.tick().await;
                match self.ask::<Answer>(&Request::check_health(), login).await {
                    Err(NacosError::Unreachable(_)) if !self.is_closed() => {}
                    answer => return answer.map(drop),
                }
            }
        };
        let known = tokio::time::timeout(SETUP_TIMEOUT, known).await;
        known.map_err(|_| NacosError::late(&self.server))?
    }

    async fn ask<A: DeserializeOwned>(&self, request: &Request, login: &Login) -> Result<A, NacosError> {
        if self.is_closed() {
            return Err(self.lost());
        }
        let token = login.token(&self.server).await?;
        let payload = Payload::new(request.kind, &request.body, token.as_deref());
        let answered = tokio::time::timeout(ANSWER_TIMEOUT, self.unary(payload)).await;
        let answered = answered.map_err(|_| NacosError::late(&self.server))??;
        let said = read::<Answer>(&self.server, &answered)?;
        if said.is_good() {
            return read(&self.server, &answered);
        }
        let reason = said.message.clone().unwrap_or_default();
        let reason =
            format!("{}: {} {}: {reason}", self.server, request.kind, said.error_code.max(said.result_code));
        if said.is_unknown_connection() && request.kind != Request::CHECK_HEALTH {
            self.closed.cancel();
        }
        if said.is_final() {
            // It may be our token that it does not know any more.
            login.forget().await;
            return Err(NacosError::Refused(reason));
        }
        Err(NacosError::Unreachable(reason))
    }

    async fn unary(&self, payload: Payload) -> Result<Payload, NacosError> {
        let mut grpc = Grpc::new(self.channel.clone());
        grpc.ready().await.map_err(|error| NacosError::transport(&self.server, &error))?;
        let path = PathAndQuery::from_static("/Request/request");
        let answer = grpc.unary(tonic::Request::new(payload), path, ProstCodec::default()).await;
        Ok(answer.map_err(|status| NacosError::status(&self.server, &status))?.into_inner())
    }
}

/// The stream in which the server asks.
struct Asked {
    server: String,
    answers: mpsc::Sender<Payload>,
    pushed: watch::Sender<()>,
}

impl Asked {
    /// Answers until the stream ends.
    async fn serve(self, channel: Channel, outgoing: mpsc::Receiver<Payload>) {
        if let Err(error) = self.try_serve(channel, outgoing).await {
            debug!(server = self.server, %error, "the stream of a nacos server ended");
        }
    }

    async fn try_serve(&self, channel: Channel, outgoing: mpsc::Receiver<Payload>) -> Result<(), NacosError> {
        let failed = |status| NacosError::status(&self.server, &status);
        let mut grpc = Grpc::new(channel);
        grpc.ready().await.map_err(|error| NacosError::transport(&self.server, &error))?;
        let path = PathAndQuery::from_static("/BiRequestStream/requestBiStream");
        let requests = tonic::Request::new(ReceiverStream::new(outgoing));
        // A Java server answers this with its first question only.
        let answer = grpc.streaming(requests, path, ProstCodec::default()).await;
        let mut questions: Streaming<Payload> = answer.map_err(failed)?.into_inner();
        while let Some(question) = questions.message().await.map_err(failed)? {
            let Some(answer) = self.answer_of(&question) else { return Ok(()) };
            self.answers.send(answer).await.ok();
        }
        Ok(())
    }

    /// `None` if the server wants the connection to end.
    fn answer_of(&self, question: &Payload) -> Option<Payload> {
        let kind = match question.kind() {
            "ConnectResetRequest" => return None,
            "NotifySubscriberRequest" => {
                self.pushed.send_replace(());
                "NotifySubscriberResponse".to_owned()
            }
            other => other
                .strip_suffix("Request")
                .map_or_else(|| other.to_owned(), |name| format!("{name}Response")),
        };
        Some(Payload::new(&kind, &taken(question.body()), None))
    }
}

fn read<A: DeserializeOwned>(server: &str, answer: &Payload) -> Result<A, NacosError> {
    let odd =
        |error| NacosError::Unreachable(format!("{server}: its {} cannot be read: {error}", answer.kind()));
    serde_json::from_slice(answer.body()).map_err(odd)
}

/// Where the server's gRPC interface is.
fn endpoint(server: &str, grpc_port: Option<u16>) -> Result<Endpoint, NacosError> {
    const GRPC_PORT_OFFSET: u16 = 1000;
    let unusable = || NacosError::Refused(format!("{server}: a server must be host:port, like nacos:8848"));
    let (host, port) = server.rsplit_once(':').ok_or_else(unusable)?;
    let port: u16 = port.parse().map_err(|_| unusable())?;
    let port = grpc_port.or_else(|| port.checked_add(GRPC_PORT_OFFSET)).ok_or_else(unusable)?;
    Endpoint::from_shared(format!("http://{host}:{port}")).map_err(|_| unusable())
}
