//! The gRPC service `ringway.v1.Ring`: the present view for those who place calls by themselves. Every node serves it.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _};
use ringway_proto::v1::ring_server::Ring;
use ringway_proto::{Reason, Refusal, v1};
use ringway_ring::Slot;
use tokio_stream::wrappers::WatchStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::views::Views;

/// The longest key that can be located, in bytes: that of a user's or a group's name.
const KEY_BYTES_MAX: usize = 255;

/// Answers from a node's views. `ringway_rpc::NodeLimits::ring_server` makes a part of a server of it.
#[derive(Clone)]
pub struct RingService {
    views: Views,
    shutdown: CancellationToken,
}

impl RingService {
    /// The service. Its watch streams end at `shutdown`, so that their readers turn to another node.
    pub fn new(views: Views, shutdown: CancellationToken) -> Self {
        Self { views, shutdown }
    }
}

type Snapshots = Pin<Box<dyn Stream<Item = Result<v1::RingSnapshot, Status>> + Send>>;

#[tonic::async_trait]
impl Ring for RingService {
    type WatchStream = Snapshots;

    async fn get(&self, request: Request<v1::GetRingRequest>) -> Result<Response<v1::RingSnapshot>, Status> {
        Ok(Response::new(self.views.current().to_snapshot(request.get_ref().with_table)))
    }

    async fn watch(&self, request: Request<v1::WatchRingRequest>) -> Result<Response<Snapshots>, Status> {
        let with_table = request.get_ref().with_table;
        let views = WatchStream::new(self.views.subscribe());
        let snapshots = views.map(move |view| Ok(view.to_snapshot(with_table)));
        Ok(Response::new(Box::pin(snapshots.take_until(self.shutdown.clone().cancelled_owned()))))
    }

    async fn locate(&self, request: Request<v1::LocateRequest>) -> Result<Response<v1::Location>, Status> {
        let key = &request.get_ref().key;
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            let message = format!("the key has {} bytes; it must have 1 to {KEY_BYTES_MAX}", key.len());
            return Err(Refusal::new(Reason::InvalidArgument, message).into());
        }
        let view = self.views.current();
        let slot = Slot::of(key.as_bytes());
        Ok(Response::new(v1::Location {
            slot: slot.index(),
            owner: view.owner_of_slot(slot).map(|owner| owner.id.to_string()).unwrap_or_default(),
            successors: view.ring().successors(slot).into_iter().map(ToString::to_string).collect(),
            ring_version: view.version().as_u64(),
        }))
    }
}
