//! The gossip's socket: UDP, every datagram sealed.
//!
//! No error of the socket ends the gossip. A datagram that cannot be sent is as good as one that was lost, and the next
//! round sends another.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chitchat::transport::{Socket, Transport};
use chitchat::{ChitchatMessage, Deserializable as _, Serializable as _};
use parking_lot::Mutex;
use tokio::net::UdpSocket;
use tracing::{debug, trace};

use crate::pulse::Pulse;
use crate::seal::{Mark, Seal};

/// The largest UDP payload over IPv4 (RFC 768, RFC 791).
const DATAGRAM_BYTES_MAX: usize = 65_507;
/// How long to rest when the socket has an error for us.
const ERROR_REST: Duration = Duration::from_millis(50);

/// Gives the bound socket to chitchat, once.
pub(crate) struct SealedTransport(Mutex<Option<SealedSocket>>);

impl SealedTransport {
    /// Over this socket.
    pub(crate) fn new(socket: UdpSocket, seal: Seal, pulse: Arc<Pulse>) -> Self {
        let inbox = vec![0; DATAGRAM_BYTES_MAX].into_boxed_slice();
        Self(Mutex::new(Some(SealedSocket { socket, seal, pulse, asked: None, inbox, outbox: Vec::new() })))
    }
}

#[async_trait]
impl Transport for SealedTransport {
    async fn open(&self, _: SocketAddr) -> anyhow::Result<Box<dyn Socket>> {
        let socket = self.0.lock().take();
        socket
            .map(|socket| Box::new(socket) as Box<dyn Socket>)
            .ok_or_else(|| anyhow::anyhow!("opened before"))
    }
}

struct SealedSocket {
    socket: UdpSocket,
    seal: Seal,
    pulse: Arc<Pulse>,
    /// Who asked last, with which mark: chitchat answers a question before it receives anything else.
    asked: Option<(SocketAddr, Mark)>,
    inbox: Box<[u8]>,
    outbox: Vec<u8>,
}

#[async_trait]
impl Socket for SealedSocket {
    async fn send(&mut self, to: SocketAddr, message: ChitchatMessage) -> anyhow::Result<()> {
        let mark = self.mark_for(to, &message);
        self.seal.close(mark, &mut self.outbox, |datagram| message.serialize(datagram));
        match self.socket.send_to(&self.outbox, to).await {
            Ok(_) if matches!(message, ChitchatMessage::Ack { .. }) => self.pulse.told(),
            Ok(_) => {}
            Err(error) => unsent(&error, to, self.outbox.len()),
        }
        Ok(())
    }

    /// Cancel-safe: the only wait that holds anything is the socket's own.
    async fn recv(&mut self) -> anyhow::Result<(SocketAddr, ChitchatMessage)> {
        loop {
            match self.socket.recv_from(&mut self.inbox).await {
                Ok((length, from)) => {
                    if let Some(message) = self.read(length, from) {
                        return Ok((from, message));
                    }
                }
                // Not ours to mend: some systems tell here that an earlier datagram did not arrive.
                Err(error) => {
                    debug!(%error, "the gossip's socket");
                    tokio::time::sleep(ERROR_REST).await;
                }
            }
        }
    }
}

impl SealedSocket {
    /// A question bears our mark, an answer that of its question.
    fn mark_for(&mut self, to: SocketAddr, message: &ChitchatMessage) -> Mark {
        match message {
            ChitchatMessage::Syn { .. } => self.pulse.mark(),
            ChitchatMessage::SynAck { .. } => {
                self.asked.take().filter(|(from, _)| *from == to).map(|(_, mark)| mark).unwrap_or_default()
            }
            ChitchatMessage::Ack { .. } | ChitchatMessage::BadCluster => Mark::default(),
        }
    }

    /// The message in the inbox, if it is from one of us and not from ourselves.
    fn read(&mut self, length: usize, from: SocketAddr) -> Option<ChitchatMessage> {
        let (mark, mut message) = match self.seal.open(&self.inbox[..length]) {
            Ok(opened) => opened,
            Err(unsealed) => {
                dropped(unsealed.as_str(), from);
                return None;
            }
        };
        let Ok(message) = ChitchatMessage::deserialize(&mut message) else {
            dropped("malformed", from);
            return None;
        };
        match &message {
            // A seed may be this node itself.
            ChitchatMessage::Syn { .. } if self.pulse.is_ours(mark) => return None,
            ChitchatMessage::Syn { .. } => self.asked = Some((from, mark)),
            ChitchatMessage::SynAck { .. } if self.pulse.is_ours(mark) => self.pulse.answered(mark),
            // The answer to a former process at this address.
            ChitchatMessage::SynAck { .. } => return None,
            ChitchatMessage::Ack { .. } | ChitchatMessage::BadCluster => {}
        }
        Some(message)
    }
}

fn dropped(reason: &'static str, from: SocketAddr) {
    metrics::counter!("ringway_gossip_dropped_total", "reason" => reason).increment(1);
    debug!(reason, %from, "a datagram was dropped");
}

fn unsent(error: &io::Error, to: SocketAddr, bytes: usize) {
    metrics::counter!("ringway_gossip_unsent_total").increment(1);
    trace!(%error, %to, bytes, "a datagram could not be sent");
}
