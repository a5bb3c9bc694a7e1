//! The standard gRPC health service of a node (`grpc.health.v1`): one state for the node and all of its services.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::Stream;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::WatchStream;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// Says whether a node serves. A cheap handle; it begins as "not serving".
#[derive(Clone, Debug)]
pub struct HealthHandle {
    serving: Arc<watch::Sender<bool>>,
    services: Arc<Mutex<BTreeSet<&'static str>>>,
}

impl HealthHandle {
    /// A node that does not serve yet.
    pub fn new() -> Self {
        HealthHandle { serving: Arc::new(watch::Sender::new(false)), services: Arc::default() }
    }

    /// From now on the node serves.
    pub fn set_serving(&self) {
        self.serving.send_replace(true);
    }

    /// From now on the node does not serve, such as while it drains.
    pub fn set_not_serving(&self) {
        self.serving.send_replace(false);
    }

    /// Whether the node serves.
    pub fn is_serving(&self) -> bool {
        *self.serving.borrow()
    }

    pub(super) fn add(&self, service: &'static str) {
        self.services.lock().insert(service);
    }

    pub(super) fn server(self) -> HealthServer<HealthService> {
        HealthServer::new(HealthService(self))
    }

    /// The empty name stands for the node as a whole.
    fn knows(&self, service: &str) -> bool {
        service.is_empty() || self.services.lock().contains(service)
    }
}

impl Default for HealthHandle {
    fn default() -> Self {
        HealthHandle::new()
    }
}

#[derive(Debug)]
pub(super) struct HealthService(HealthHandle);

#[tonic::async_trait]
impl Health for HealthService {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let service = &request.get_ref().service;
        if !self.0.knows(service) {
            return Err(Status::not_found("this node does not serve a service of that name"));
        }
        Ok(Response::new(answer(status(self.0.is_serving()))))
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let known = self.0.knows(&request.get_ref().service);
        let states = WatchStream::new(self.0.serving.subscribe());
        Ok(Response::new(Box::pin(states.map(move |serving| {
            Ok(answer(if known { status(serving) } else { ServingStatus::ServiceUnknown }))
        }))))
    }
}

fn status(serving: bool) -> ServingStatus {
    if serving { ServingStatus::Serving } else { ServingStatus::NotServing }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}
