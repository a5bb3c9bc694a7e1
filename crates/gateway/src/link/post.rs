//! A session's place at one worker, and what goes there.

use std::sync::Arc;

use bytes::Bytes;
use ringway_proto::v1::gateway_frame::Frame;
use ringway_proto::v1::{Arrived, ClientMessage, Detach, Gone, PayloadKind, Written};
use ringway_session::relay::Cost;
use ringway_session::{CloseCode, MESSAGE_OVERHEAD_BYTES};

use super::table::Link;

/// A channel of a link. Numbers are never used twice on a link, so a post is never taken for another.
#[derive(Clone)]
pub(crate) struct Post {
    pub(crate) link: Arc<Link>,
    pub(crate) number: u64,
}

/// A message of a client, on its way to a worker.
pub(crate) struct FromClient {
    pub(crate) payload: Bytes,
    pub(crate) kind: PayloadKind,
}

impl Post {
    pub(crate) fn pass(&self, message: FromClient) {
        let FromClient { payload, kind } = message;
        let message = ClientMessage { channel: self.number, payload, kind: kind.into() };
        self.link.queue().push(Frame::Message(message));
    }

    pub(crate) fn detach(&self) {
        self.link.queue().push(Frame::Detach(Detach { channel: self.number }));
    }

    pub(crate) fn written(&self, bytes: u64) {
        self.link.queue().push(Frame::Written(Written { channels: vec![self.number], bytes: vec![bytes] }));
    }

    pub(crate) fn arrived(&self) {
        self.link.queue().push(Frame::Arrived(Arrived { channel: self.number }));
    }

    pub(crate) fn gone(&self, code: CloseCode, may_resume: bool) {
        let gone = Gone { channel: self.number, code: code.as_u16().into(), may_resume };
        self.link.queue().push(Frame::Gone(gone));
    }
}

impl PartialEq for Post {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number && Arc::ptr_eq(&self.link, &other.link)
    }
}

impl Eq for Post {}

impl Cost for FromClient {
    fn cost_bytes(&self) -> usize {
        self.payload.len() + MESSAGE_OVERHEAD_BYTES as usize
    }
}
