//! Links: a gateway's frames in, this worker's frames out.
//!
//! A link is the same over gRPC and within a process: a stream of [`GatewayFrames`] goes in, a stream of
//! [`WorkerFrames`] comes out. When either end is dropped, the link is gone, and its sessions
//! wait for their gateway or their clients to come back.

mod answer;
mod client;
mod event;
pub(crate) mod opening;
pub(crate) mod outbox;
mod parts;
mod presence;
pub(crate) mod sends;
mod service;

use std::sync::Arc;

use futures_util::FutureExt as _;
use ringway_proto::v1::gateway_frame::Frame;
use ringway_proto::v1::worker_frame::Frame as WorkerFrame;
use ringway_proto::v1::{
    Arrived, ClientMessage, ClientSent, Detach, EventKind, GatewayFrames, Gone, Hello, StatePart, Welcome,
    WorkerFrames, Written,
};
use ringway_proto::{LINK_PROTOCOL, Reason, Refusal};
use ringway_session::{Address, Channel, CloseCode, LinkId, Message, Payload, SessionId};
use tokio_stream::{Stream, StreamExt as _};
use tracing::{debug, info};

use self::opening::Openings;
use self::parts::StateParts;
use self::sends::Sends;
use crate::config::OnClientMessage;
use crate::convert::kind_from_proto;
use crate::hub::Leaving;
use crate::link::outbox::Outbox;
use crate::worker::Shared;

pub(crate) use service::LinkService;

/// Takes a link's first frame and serves the rest of it in a task. Gives back the worker's half.
///
/// # Errors
/// When the stream does not begin with a `Hello` of our protocol, or the worker is about to leave.
pub(crate) async fn attach<S>(
    shared: Arc<Shared>,
    mut frames: S,
) -> Result<impl Stream<Item = WorkerFrames> + Send + 'static, Refusal>
where
    S: Stream<Item = GatewayFrames> + Send + Unpin + 'static,
{
    let batch = frames.next().await.unwrap_or_default();
    let mut rest = batch.frames.into_iter().filter_map(|frame| frame.frame);
    let hello = check_hello(rest.next())?;
    let leaving =
        |Leaving| Refusal::new(Reason::Draining, "this worker is about to leave and takes no links");
    let (id, outbox) = shared.hub.attach(&hello.gateway_id).map_err(leaving)?;
    outbox.push(WorkerFrame::Welcome(Welcome {
        worker_id: shared.config.id.to_string(),
        incarnation: shared.incarnation,
        ring_version: shared.views.current().version().as_u64(),
        window_bytes: shared.config.policy.window_bytes,
    }));
    info!(gateway = hello.gateway_id, link = id.0, "a gateway has attached");
    let link = AttachedLink {
        shared: Arc::clone(&shared),
        id,
        gateway: hello.gateway_id,
        openings: Openings::default(),
        parts: StateParts::new(shared.config.state_bytes_max()),
        sends: Sends::default(),
    };
    let first = rest.collect();
    let end = Arc::clone(&outbox);
    tokio::spawn(link.run(first, frames, end));
    Ok(outbound(Outbound { shared, id, outbox }))
}

fn check_hello(frame: Option<Frame>) -> Result<Hello, Refusal> {
    let Some(Frame::Hello(hello)) = frame else {
        return Err(Refusal::new(Reason::InvalidArgument, "a link begins with a Hello frame"));
    };
    if hello.protocol != LINK_PROTOCOL {
        let message =
            format!("the gateway speaks link protocol {}, this worker {LINK_PROTOCOL}", hello.protocol);
        return Err(Refusal::new(Reason::InvalidArgument, message));
    }
    if hello.gateway_id.is_empty() {
        return Err(Refusal::new(
            Reason::InvalidArgument,
            "Hello.gateway_id is empty; give the gateway a name",
        ));
    }
    Ok(hello)
}

/// The worker's half as a stream.
fn outbound(outbound: Outbound) -> impl Stream<Item = WorkerFrames> + Send + 'static {
    futures_util::stream::unfold(outbound, |outbound| async move {
        let batch = outbound.outbox.next().await?;
        if batch.message_bytes > 0 {
            outbound.shared.hub.taken(outbound.id, batch.message_bytes);
        }
        Some((batch.frames, outbound))
    })
}

/// The worker's half. Dropping it ends the link: the gateway takes nothing any more.
struct Outbound {
    shared: Arc<Shared>,
    id: LinkId,
    outbox: Arc<Outbox>,
}

impl Drop for Outbound {
    fn drop(&mut self) {
        self.outbox.close();
    }
}

/// One gateway's link, from its Hello to its end. Dropping it detaches the link.
struct AttachedLink {
    shared: Arc<Shared>,
    id: LinkId,
    gateway: String,
    /// Sessions that are asked for and not there yet.
    openings: Openings,
    /// States that come in pieces.
    parts: StateParts,
    /// What its clients send to others.
    sends: Sends,
}

impl AttachedLink {
    async fn run<S>(mut self, first: Vec<Frame>, mut frames: S, outbox: Arc<Outbox>)
    where
        S: Stream<Item = GatewayFrames> + Unpin,
    {
        self.take_batch(first).await;
        loop {
            let batch = tokio::select! {
                biased;
                // Cancel-safe: it only looks.
                () = outbox.closed() => break,
                // Cancel-safe: a stream's next item stays in the stream until it is taken.
                batch = frames.next() => batch,
            };
            let Some(batch) = batch else { break };
            self.take_batch(batch.frames.into_iter().filter_map(|frame| frame.frame)).await;
        }
    }

    /// Takes frames in their order; reports that stand side by side are taken together, so that what waited for them at
    /// many sessions crosses the link once.
    async fn take_batch(&mut self, frames: impl IntoIterator<Item = Frame>) {
        let mut written = Vec::new();
        for frame in frames {
            if let Frame::Written(Written { channels, bytes }) = frame {
                written.extend(channels.into_iter().map(Channel).zip(bytes));
                continue;
            }
            self.take_written(&mut written);
            self.take(frame).await;
        }
        self.take_written(&mut written);
    }

    fn take_written(&self, written: &mut Vec<(Channel, u64)>) {
        if !written.is_empty() {
            self.shared.hub.written(self.id, written.drain(..));
        }
    }

    async fn take(&mut self, frame: Frame) {
        match frame {
            Frame::Open(mut open) => {
                let channel = open.channel;
                if let Some(reopen) = &mut open.reopen {
                    self.parts.complete(channel, &mut reopen.state);
                }
                opening::open(&self.shared, self.address(channel), &self.openings, open);
            }
            Frame::StatePart(StatePart { channel, state }) => self.parts.add(channel, &state),
            Frame::Message(message) => self.take_message(message).await,
            Frame::Gone(Gone { channel, code, may_resume }) => {
                self.openings.cancel(channel);
                self.parts.forget(channel);
                if let Some(session) = self.gone(channel, code, may_resume) {
                    debug!(%session, code, may_resume, "a client has gone");
                }
            }
            Frame::Detach(Detach { channel }) => self.detach(channel),
            Frame::Arrived(Arrived { channel }) => self.shared.hub.arrived(self.address(channel)),
            Frame::Hello(_) => debug!(gateway = self.gateway, "a second Hello was passed over"),
            Frame::Written(Written { channels, bytes }) => {
                self.shared.hub.written(self.id, channels.into_iter().map(Channel).zip(bytes));
            }
        }
    }

    fn gone(&self, channel: u64, code: u32, may_resume: bool) -> Option<SessionId> {
        let code = CloseCode::from_u16(u16::try_from(code).unwrap_or_default());
        self.shared.hub.gone(self.address(channel), code, may_resume)
    }

    async fn take_message(&self, message: ClientMessage) {
        let metrics = &self.shared.metrics;
        metrics.client_messages.increment(1);
        metrics.client_bytes.increment(message.payload.len() as u64);
        let address = self.address(message.channel);
        if self.shared.hub.is_framed(address) {
            return self.take_client_frame(address, &message.payload);
        }
        self.tell_message(address, &message).await;
        if self.shared.config.on_client_message == OnClientMessage::Discard {
            return;
        }
        let kind = kind_from_proto(message.kind());
        let Ok(payload) = Payload::new(message.payload, kind) else {
            debug!(gateway = self.gateway, "a text message that is not UTF-8 was passed over");
            return;
        };
        let crowded = self.shared.hub.echo(address, &Message::of(payload));
        self.shared.wait_for_room(&crowded).await;
    }

    /// Lets subscribers to events have a raw client's message.
    async fn tell_message(&self, address: Address, message: &ClientMessage) {
        if self.shared.events.wants(EventKind::Message) {
            self.shared.events.room().await;
            let (payload, kind) = (message.payload.clone(), message.kind);
            let sent = ClientSent { payload, kind, ..ClientSent::default() };
            self.shared.events.message(self.shared.hub.session_at(address), sent);
        }
    }

    /// Lets a session go, when what its client has sent to others has its answers.
    fn detach(&self, channel: u64) {
        let (shared, address) = (Arc::clone(&self.shared), self.address(channel));
        let detach = move || {
            if shared.hub.detach(address).is_none() {
                debug!(link = address.link.0, channel, "a session that is not here was asked to go");
            }
        };
        match self.sends.settled(channel) {
            None => detach(),
            Some(settled) => _ = tokio::spawn(settled.map(move |()| detach())),
        }
    }

    fn address(&self, channel: u64) -> Address {
        Address { link: self.id, channel: Channel(channel) }
    }
}

impl Drop for AttachedLink {
    fn drop(&mut self) {
        let sessions = self.shared.hub.link_gone(self.id);
        info!(gateway = self.gateway, link = self.id.0, sessions, "a gateway's link is gone");
    }
}
