//! One message with its options: awaited it is sent, and published it is sent without waiting.

use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ringway_dispatch::{Allowance, Attempts, Hops, WAIT_ACKNOWLEDGED_MAX, new_message_id};
use ringway_proto::v1::publish_request::Send as Request;
use ringway_proto::{Refusal, v1};
use ringway_session::SessionId;
use tokio::time::Instant;

use crate::error::SendError;
use crate::measure;
use crate::message::{Payload, Target};
use crate::publish::Ticket;
use crate::receipt::Receipt;
use crate::retry::retrying;
use crate::sender::Sender;

/// A message that is about to be sent: `.await` it for its receipt, or [`publish`](SendCall::publish) it.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before it is awaited or published"]
pub struct SendCall {
    sender: Sender,
    target: Target,
    payload: Payload,
    topic: String,
    from_user: String,
    message_id: Option<String>,
    exclude_sessions: Vec<String>,
    guarantee: v1::Guarantee,
    time_to_live: Duration,
    until_first_ack: bool,
    wait_acknowledged: Duration,
    deadline: Duration,
    retry_ambiguous: bool,
}

/// A message that has passed the rules, with its time running.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) target: Arc<Target>,
    pub(crate) request: Request,
    pub(crate) message_id: String,
    pub(crate) started: Instant,
    pub(crate) allowance: Allowance,
}

impl SendCall {
    pub(crate) fn new(sender: Sender, target: Target, payload: Payload) -> Self {
        let deadline = sender.shared.config.deadline;
        SendCall {
            sender,
            target,
            payload,
            topic: String::new(),
            from_user: String::new(),
            message_id: None,
            exclude_sessions: Vec::new(),
            guarantee: v1::Guarantee::AtMostOnce,
            time_to_live: Duration::ZERO,
            until_first_ack: false,
            wait_acknowledged: Duration::ZERO,
            deadline,
            retry_ambiguous: false,
        }
    }

    /// The message's id, at most 128 bytes; without it, one is made. It comes back in the receipt and in errors.
    pub fn message_id(mut self, id: impl Into<String>) -> Self {
        self.message_id = Some(id.into());
        self
    }

    /// What it is about, for clients of `ringway.v1.json`; at most 255 bytes without control characters. Other clients do
    /// not see it.
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topic = topic.into();
        self
    }

    /// The user from whom it is, for clients of `ringway.v1.json`. Other clients do not see it.
    pub fn from_user(mut self, user: impl Into<String>) -> Self {
        self.from_user = user.into();
        self
    }

    /// Sessions that shall not receive it, such as the one whose action caused it; at most 1,024.
    pub fn exclude_sessions(mut self, sessions: impl IntoIterator<Item = SessionId>) -> Self {
        self.exclude_sessions.extend(sessions.into_iter().map(|session| session.to_string()));
        self
    }

    /// Has it stored in the user's mailbox before the send is answered: it is sent again until each of the user's devices has
    /// acknowledged it, or its time is over. For one user only, and only where the cluster keeps mailboxes. It is known by its id,
    /// and so sent again also if it may have been stored already: it is not stored twice.
    pub fn at_least_once(mut self) -> Self {
        self.guarantee = v1::Guarantee::AtLeastOnce;
        self.retry_ambiguous = true;
        self
    }

    /// With [`at_least_once`](SendCall::at_least_once): for how long it is of use, rounded to milliseconds. Default: as long as
    /// the cluster keeps anything.
    pub fn time_to_live(mut self, time_to_live: Duration) -> Self {
        self.time_to_live = time_to_live;
        self
    }

    /// With [`at_least_once`](SendCall::at_least_once): it is for the device that takes it first, whose acknowledgement
    /// withdraws it from the others.
    pub fn until_first_ack(mut self) -> Self {
        self.until_first_ack = true;
        self
    }

    /// With [`at_least_once`](SendCall::at_least_once): waits so long, at most a minute, until one of the user's devices has
    /// acknowledged it ([`Receipt::is_acknowledged`]). The deadline is so much later.
    pub fn wait_acknowledged(mut self, wait: Duration) -> Self {
        self.wait_acknowledged = wait.min(WAIT_ACKNOWLEDGED_MAX);
        self
    }

    /// How long it may take, retries included. Default: 5 s.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sends it again also if it may have been delivered: the clients may then receive it twice.
    pub fn retry_ambiguous(mut self) -> Self {
        self.retry_ambiguous = true;
        self
    }

    /// Sends it and waits for the receipt. `.await` on the call itself does the same.
    ///
    /// # Errors
    /// The last attempt's refusal, with what is known of all attempts.
    pub async fn send(self) -> Result<Receipt, SendError> {
        let sender = self.sender.clone();
        let prepared = self.prepare()?;
        // Boxed: whoever awaits it holds what a retry needs only while it is sent.
        let result = Box::pin(sender.send(&prepared)).await;
        measure::sent(&prepared.target, &result, prepared.started.elapsed());
        result
    }

    /// Puts it into the pipeline, after waiting for room there, and gives a ticket for its receipt. It is sent, and
    /// sent again, whether the ticket is awaited or not. Dropping the future before it is done sends nothing.
    ///
    /// Order: messages of one sender for one target (a user, a group, or all) arrive in the order of the `publish` calls
    /// (one is before another if it returned before the other was called). That holds across ring changes, and when one of
    /// them is refused and sent again: those that were under way with it are refused too, and all go again in their turn.
    /// A message that fails for good (its ticket says so) is no longer waited for; if nobody knows what became of it
    /// ([`SendError::maybe_delivered`]), it may still arrive, and late.
    ///
    /// # Errors
    /// When the message breaks a rule. Everything else is told by the ticket.
    pub async fn publish(self) -> Result<Ticket, SendError> {
        let sender = self.sender.clone();
        sender.shared.publish.enter(self.prepare()?).await
    }

    fn prepare(self) -> Result<Prepared, SendError> {
        let started = Instant::now();
        let message_id = self.message_id.filter(|id| !id.is_empty()).unwrap_or_else(new_message_id);
        let message = v1::Message {
            payload: self.payload.bytes,
            kind: self.payload.kind.into(),
            message_id: message_id.clone(),
            exclude_sessions: self.exclude_sessions,
            topic: self.topic,
            guarantee: self.guarantee.into(),
            time_to_live_ms: millis(self.time_to_live),
            until_first_ack: self.until_first_ack,
            from_user: self.from_user,
        };
        let mut request = self.target.request(message);
        if let Request::ToUser(request) = &mut request {
            request.wait_acknowledged_ms = millis(self.wait_acknowledged);
        }
        let rules = &self.sender.shared.rules;
        let checked = match &mut request {
            Request::ToUser(request) => rules.user_send(request).map(drop),
            Request::ToGroup(request) => rules.group_send(request).map(drop),
            Request::ToAll(request) => rules.all_send(request).map(drop),
        };
        checked.map_err(|refusal| SendError::after(Attempts::default(), refusal, &message_id))?;
        let deadline = started + self.deadline + self.wait_acknowledged;
        let allowance = Allowance { deadline, retry_ambiguous: self.retry_ambiguous };
        Ok(Prepared { target: Arc::new(self.target), request, message_id, started, allowance })
    }
}

impl IntoFuture for SendCall {
    type Output = Result<Receipt, SendError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Sender {
    async fn send(&self, prepared: &Prepared) -> Result<Receipt, SendError> {
        let attempt = || async {
            let receipt = self.send_once(prepared.request.clone(), prepared.allowance.deadline).await?;
            Receipt::try_from(receipt)
        };
        retrying(self.views(), &self.shared.config.retry, prepared.allowance, attempt)
            .await
            .map_err(|(refusal, attempts)| SendError::after(attempts, refusal, &prepared.message_id))
    }

    async fn send_once(&self, request: Request, deadline: Instant) -> Result<v1::Receipt, Refusal> {
        let dispatcher = &self.shared.dispatcher;
        match request {
            Request::ToUser(request) => dispatcher.send_to_user(request, Hops::FromClient, deadline).await,
            Request::ToGroup(request) => dispatcher.send_to_group(request, Hops::FromClient, deadline).await,
            Request::ToAll(request) => dispatcher.send_to_all(request, Hops::FromClient, deadline).await,
        }
    }
}
