//! A message in the pipeline, and its end.

use std::sync::Arc;

use ringway_dispatch::{Allowance, Attempts, Parcel};
use ringway_proto::v1::publish_request::Send as Request;
use ringway_proto::{Reason, Refusal, v1};
use tokio::sync::oneshot;

use super::room::Room;
use crate::error::SendError;
use crate::measure;
use crate::message::Target;
use crate::receipt::Receipt;
use crate::send::Prepared;

#[derive(Debug)]
pub(super) struct Item {
    pub(super) prepared: Prepared,
    pub(super) answer: oneshot::Sender<Result<Receipt, SendError>>,
    pub(super) room: Room,
}

impl Parcel for Item {
    type Target = Arc<Target>;

    fn target(&self) -> Arc<Target> {
        Arc::clone(&self.prepared.target)
    }

    fn request(&self) -> Request {
        self.prepared.request.clone()
    }

    fn allowance(&self) -> Allowance {
        self.prepared.allowance
    }

    fn retried(&self, reason: Reason) {
        measure::retried(reason);
    }

    fn conclude(self, answer: Result<v1::Receipt, Refusal>, attempts: Attempts) {
        let prepared = &self.prepared;
        let result = answer.and_then(Receipt::try_from);
        let result = result.map_err(|refusal| SendError::after(attempts, refusal, &prepared.message_id));
        measure::sent(&prepared.target, &result, prepared.started.elapsed());
        drop(self.room);
        // A ticket that nobody waits for any more is no error.
        let _ = self.answer.send(result);
    }
}
