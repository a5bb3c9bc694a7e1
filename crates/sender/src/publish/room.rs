//! The room for messages that are not at their end.
//!
//! Three quarters of it are for whoever comes. The last quarter is only for messages whose worker has room on its stream: so a
//! worker that takes nothing, with what waits for it until its deadline, does not use up the room for the others.

use std::sync::Arc;

use ringway_dispatch::SplitPublisher;
use ringway_proto::Refusal;
use ringway_proto::v1::publish_request::Send as Request;
use ringway_rpc::payload_bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{PublishConfig, ended};

#[derive(Debug)]
pub(super) struct Rooms {
    common: Part,
    spare: Part,
}

/// The room that a message takes until it has come to its end.
#[derive(Debug)]
pub(super) struct Room {
    _message: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct Part {
    messages: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    bytes_max: u32,
}

impl Rooms {
    pub(super) fn new(config: PublishConfig) -> Self {
        let (messages, bytes) = (config.in_flight_max.max(1), config.in_flight_bytes_max.max(1));
        let (spare_messages, spare_bytes) = (messages / 4, bytes / 4);
        Rooms {
            common: Part::new(messages - spare_messages, bytes - spare_bytes),
            spare: Part::new(spare_messages, spare_bytes),
        }
    }

    /// Waits for room for a message.
    pub(super) async fn take(
        &self,
        publisher: &SplitPublisher,
        request: &mut Request,
    ) -> Result<Room, Refusal> {
        let bytes = payload_bytes(request);
        if let Some(room) = self.common.try_take(bytes) {
            return Ok(room);
        }
        tokio::select! {
            biased;
            room = self.common.take(bytes) => room,
            Ok(room) = self.take_spare(publisher, request) => Ok(room),
        }
    }

    async fn take_spare(&self, publisher: &SplitPublisher, request: &mut Request) -> Result<Room, Refusal> {
        let bytes = payload_bytes(request);
        // That there is some is all that counts: the pipeline takes it by itself.
        drop(publisher.reserve(request).await?);
        self.spare.take(bytes).await
    }
}

impl Part {
    fn new(messages_max: u32, bytes_max: u32) -> Self {
        Part {
            messages: Arc::new(Semaphore::new(messages_max as usize)),
            bytes: Arc::new(Semaphore::new(bytes_max as usize)),
            bytes_max,
        }
    }

    /// One message that is larger than all of the room counts as this much.
    fn share(&self, bytes: usize) -> u32 {
        u32::try_from(bytes).unwrap_or(self.bytes_max).min(self.bytes_max)
    }

    fn try_take(&self, bytes: usize) -> Option<Room> {
        Some(Room {
            _message: Arc::clone(&self.messages).try_acquire_owned().ok()?,
            _bytes: Arc::clone(&self.bytes).try_acquire_many_owned(self.share(bytes)).ok()?,
        })
    }

    async fn take(&self, bytes: usize) -> Result<Room, Refusal> {
        let message = Arc::clone(&self.messages).acquire_owned().await.map_err(|_| ended())?;
        let bytes = Arc::clone(&self.bytes).acquire_many_owned(self.share(bytes)).await;
        Ok(Room { _message: message, _bytes: bytes.map_err(|_| ended())? })
    }
}
