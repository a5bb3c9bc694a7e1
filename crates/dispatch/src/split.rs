//! Pipelined publishing to the whole cluster: one stream to each worker, each message on its owner's.
//!
//! Order: of two messages for one user, the one whose `publish` returned first is taken by the cluster first. All of a
//! user's messages go over one stream, to the owner, and that stream keeps their order. When the ring changes, the
//! messages that are under way by the old ring are waited for before the first goes out by the new one, for at most
//! `order_wait`: beyond that, a message to a user that moved may overtake one that a stuck worker still holds.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use ringway_cluster::View;
use ringway_proto::Refusal;
use ringway_proto::v1::Routing;
use ringway_proto::v1::publish_request::Send;
use ringway_rpc::{NodeUrl, PublishTicket, Publisher, PublisherConfig};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

use crate::dispatcher::{Dispatcher, no_workers};
use crate::hops::Hops;
use crate::rules::name_message;

/// The bounds of a [`SplitPublisher`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitConfig {
    /// The bounds of the stream to each worker.
    pub publisher: PublisherConfig,
    /// How long a ring change may hold publishing up, for the sake of order.
    pub order_wait: Duration,
}

impl Default for SplitConfig {
    fn default() -> Self {
        SplitConfig { publisher: PublisherConfig::default(), order_wait: Duration::from_secs(4) }
    }
}

/// Publishes to the owners of users and groups. A cheap handle: clones share the streams.
#[derive(Clone, Debug)]
pub struct SplitPublisher(Arc<Split>);

#[derive(Debug)]
struct Split {
    dispatcher: Dispatcher,
    hops: Hops,
    config: SplitConfig,
    streams: Mutex<Streams>,
    /// Ends with this.
    _companion: JoinSet<()>,
}

/// The view by which messages are placed, and a stream for each worker that was needed so far.
#[derive(Debug)]
struct Streams {
    view: Arc<View>,
    by_url: HashMap<NodeUrl, Publisher>,
}

impl SplitPublisher {
    /// Needs a tokio runtime.
    pub(crate) fn new(dispatcher: Dispatcher, hops: Hops, config: SplitConfig) -> Self {
        let (view, views) = (dispatcher.views().current(), dispatcher.views().subscribe());
        let streams = Mutex::new(Streams { view, by_url: HashMap::new() });
        SplitPublisher(Arc::new_cyclic(|split| {
            let mut companion = JoinSet::new();
            companion.spawn(let_go_of_departed(Weak::clone(split), views));
            Split { dispatcher, hops, config, streams, _companion: companion }
        }))
    }

    /// Puts a message on its owner's stream, after waiting for room on it. Dropping the future before it is done sends
    /// nothing. A message without an id gets one.
    ///
    /// # Errors
    /// `NoWorkers`: the ring is empty.
    pub async fn publish(&self, mut send: Send) -> Result<PublishTicket, Refusal> {
        let publisher = self.0.stream_for(&mut send).await?;
        publisher.publish(send).await
    }
}

impl Split {
    /// The stream on which this message goes, with the message's routing set.
    async fn stream_for(&self, send: &mut Send) -> Result<Publisher, Refusal> {
        let mut streams = self.streams.lock().await;
        streams.follow(self.dispatcher.views().current(), self.config.order_wait).await;
        let version = streams.view.version();
        let (key, routing) = key_and_routing(send);
        let owner = streams.view.owner(key).ok_or_else(|| no_workers(version))?;
        *routing = self.hops.routing(version);
        let url = owner.rpc_url.clone();
        let publisher = streams.by_url.entry(url).or_insert_with_key(|url| {
            Publisher::new(self.dispatcher.pool().node(url), self.config.publisher)
        });
        Ok(publisher.clone())
    }

    async fn let_go(&self) {
        let view = self.dispatcher.views().current();
        let departed: Vec<Publisher> = {
            let streams = self.streams.lock().await;
            let departed = streams.by_url.iter().filter(|(url, _)| !has(&view, url));
            departed.map(|(_, publisher)| publisher.clone()).collect()
        };
        let answered = join_all(departed.iter().map(Publisher::flush));
        // Those of which something is still unanswered go with the next message.
        _ = tokio::time::timeout(self.config.order_wait, answered).await;
        let mut streams = self.streams.lock().await;
        streams.by_url.retain(|url, publisher| has(&view, url) || publisher.in_flight() > 0);
    }
}

impl Streams {
    /// Goes over to a new view. If this is dropped in the middle, the old view stays until the next call.
    async fn follow(&mut self, view: Arc<View>, order_wait: Duration) {
        if Arc::ptr_eq(&self.view, &view) {
            return;
        }
        if self.view.version() != view.version() {
            self.flush(order_wait).await;
        }
        self.by_url.retain(|url, _| has(&view, url));
        self.view = view;
    }

    async fn flush(&self, order_wait: Duration) {
        let busy = self.by_url.values().filter(|publisher| publisher.in_flight() > 0);
        let answered = join_all(busy.map(Publisher::flush));
        if tokio::time::timeout(order_wait, answered).await.is_err() {
            tracing::warn!(
                order_wait_ms = order_wait.as_millis() as u64,
                "the ring changed and messages are still under way by the old one: going on without them"
            );
        }
    }
}

/// Ends the streams to workers that have left, also while nothing is published: a worker that shuts down waits for the end of
/// the streams that it serves.
async fn let_go_of_departed(split: Weak<Split>, mut views: watch::Receiver<Arc<View>>) {
    while views.changed().await.is_ok() {
        let Some(split) = split.upgrade() else { return };
        split.let_go().await;
    }
}

fn has(view: &View, url: &NodeUrl) -> bool {
    view.workers().iter().any(|worker| worker.rpc_url == *url)
}

fn key_and_routing(send: &mut Send) -> (&str, &mut Option<Routing>) {
    match send {
        Send::ToUser(request) => (&request.user, &mut request.routing),
        Send::ToGroup(request) => (&request.group, &mut request.routing),
        Send::ToAll(request) => (name_message(&mut request.message), &mut request.routing),
    }
}
