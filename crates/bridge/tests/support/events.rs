//! A worker whose events the test makes up, and that keeps what is not acknowledged, as a real one does.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::{Stream, StreamExt as _};
use parking_lot::Mutex;
use ringway_cluster::{Lease, Member, MemoryRegistry, Registry as _, Views, views};
use ringway_proto::v1::event::What;
use ringway_proto::v1::events_server::Events;
use ringway_proto::v1::subscribe_request::Request as Said;
use ringway_proto::v1::{Connected, Event, SubscribeRequest, SubscribeResponse};
use ringway_ring::{MemberId, Strategy};
use ringway_rpc::{HealthHandle, NodePool, NodeServices, NodeUrl, PoolConfig, ServerConfig, serve_node};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Request, Response, Status, Streaming};

use super::fake::secret;

/// The worker.
pub(crate) struct EventSource {
    pub(crate) views: Views,
    pub(crate) pool: NodePool,
    kept: Arc<Kept>,
    _lease: Box<dyn Lease>,
    _end: DropGuard,
}

struct Kept {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    events: Vec<Event>,
    acknowledged: u64,
}

impl EventSource {
    pub(crate) async fn start() -> Self {
        // What is counted before somebody counts is not seen.
        super::counter("");
        let shutdown = CancellationToken::new();
        let registry = MemoryRegistry::new();
        let views = views(&registry, Strategy::Slots, shutdown.clone());
        let pool = NodePool::new(secret(), PoolConfig::default());
        let kept = Arc::new(Kept { state: Mutex::default(), changed: watch::Sender::new(()) });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = NodeUrl::from(listener.local_addr().unwrap());
        let service = pool.limits().events_server(Service(Arc::clone(&kept)));
        let services = NodeServices::new(HealthHandle::new()).with(service);
        let serving = serve_node(listener, services, secret(), ServerConfig::default(), shutdown.clone());
        tokio::spawn(async move { serving.await.unwrap() });
        let lease = registry.join(Member::new(MemberId::new("w1").unwrap(), url)).await.unwrap();
        EventSource { views, pool, kept, _lease: lease, _end: shutdown.drop_guard() }
    }

    /// A session of this user was opened. Gives back the event's sequence.
    pub(crate) fn tell(&self, user: &str) -> u64 {
        let mut state = self.kept.state.lock();
        let sequence = state.events.len() as u64 + 1;
        let what = Some(What::Connected(Connected::default()));
        let (id, worker) = (self.id(sequence), "w1".to_owned());
        state.events.push(Event { id, sequence, worker, user: user.to_owned(), what, ..Event::default() });
        self.kept.changed.send_replace(());
        sequence
    }

    /// The id of an event.
    pub(crate) fn id(&self, sequence: u64) -> String {
        format!("w1-1-{sequence}")
    }

    /// Up to where everything is acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.kept.state.lock().acknowledged
    }
}

struct Service(Arc<Kept>);

#[tonic::async_trait]
impl Events for Service {
    type SubscribeStream = Pin<Box<dyn Stream<Item = Result<SubscribeResponse, Status>> + Send>>;

    async fn subscribe(
        &self,
        request: Request<Streaming<SubscribeRequest>>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let mut says = request.into_inner();
        let kept = Arc::clone(&self.0);
        let sent = kept.state.lock().acknowledged;
        tokio::spawn(async move {
            while let Some(Ok(SubscribeRequest { request: Some(said) })) = says.next().await {
                if let Said::Ack(ack) = said {
                    let mut state = kept.state.lock();
                    state.acknowledged = state.acknowledged.max(ack.upto);
                }
            }
        });
        let changed = self.0.changed.subscribe();
        let events = futures_util::stream::unfold((Arc::clone(&self.0), changed, sent), next);
        Ok(Response::new(Box::pin(events)))
    }
}

type Served = (Arc<Kept>, watch::Receiver<()>, u64);

async fn next((kept, mut changed, sent): Served) -> Option<(Result<SubscribeResponse, Status>, Served)> {
    loop {
        changed.borrow_and_update();
        let events: Vec<Event> = kept.state.lock().events[sent as usize..].to_vec();
        if let Some(last) = events.last().map(|event| event.sequence) {
            let response = SubscribeResponse { worker: "w1".into(), events, ..SubscribeResponse::default() };
            return Some((Ok(response), (kept, changed, last)));
        }
        changed.changed().await.ok()?;
    }
}
