//! Pipelined publishing to the whole cluster: one stream to each worker, each message on its owner's.
//!
//! All of a user's messages go over one stream, to the owner, and that stream keeps their order. When the owner has changed,
//! or the stream broke, the next message goes on another stream, and whoever publishes must not let it enter before those
//! under way are answered: [`Reserved`] tells the stream before anything enters it.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use ringway_cluster::View;
use ringway_proto::Refusal;
use ringway_proto::v1::Routing;
use ringway_proto::v1::publish_request::Send;
use ringway_ring::MemberId;
use ringway_rpc::{Entered, NodeUrl, Publisher, PublisherConfig, Reserved, Unentered};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::dispatcher::{Dispatcher, no_workers};
use crate::hops::Hops;
use crate::rules::name_message;
use crate::serve::{Earlier, Way};

/// Publishes to the owners of users and groups. A cheap handle: clones share the streams.
#[derive(Clone, Debug)]
pub struct SplitPublisher(Arc<Split>);

#[derive(Debug)]
struct Split {
    dispatcher: Dispatcher,
    hops: Hops,
    config: PublisherConfig,
    /// A stream for each worker that was needed so far.
    by_url: Mutex<HashMap<NodeUrl, Publisher>>,
    /// Ends with this.
    _companion: JoinSet<()>,
}

impl SplitPublisher {
    /// Needs a tokio runtime.
    pub(crate) fn new(dispatcher: Dispatcher, hops: Hops, config: PublisherConfig) -> Self {
        let views = dispatcher.views().subscribe();
        SplitPublisher(Arc::new_cyclic(|split| {
            let mut companion = JoinSet::new();
            companion.spawn(let_go_of_departed(Weak::clone(split), views));
            Split { dispatcher, hops, config, by_url: Mutex::default(), _companion: companion }
        }))
    }

    /// Waits for room for a message on the stream of its owner, whoever that is when there is some. Sets the message's routing; one
    /// without an id gets one.
    ///
    /// # Errors
    /// `NoWorkers`: the ring is empty.
    pub async fn reserve(&self, send: &mut Send) -> Result<Reserved, Refusal> {
        if let Some(reserved) = self.route(send)?.try_reserve(send) {
            return Ok(reserved);
        }
        let mut views = self.views();
        loop {
            let publisher = self.route(send)?;
            tokio::select! {
                biased;
                // Cancel-safe: what was reserved and is not used is given back.
                reserved = publisher.reserve(send) => return reserved,
                Ok(()) = views.changed() => {}
            }
        }
    }

    /// Whose message it is by the present view; nobody's if the ring is empty. One without an id gets one.
    pub fn owner(&self, send: &mut Send) -> Option<MemberId> {
        let (key, _) = key_and_routing(send);
        self.0.dispatcher.views().current().owner(key).map(|owner| owner.id.clone())
    }

    /// The stream of a message's owner by the present view. Sets the message's routing; one without an id gets one.
    ///
    /// # Errors
    /// `NoWorkers`: the ring is empty.
    pub(crate) fn route(&self, send: &mut Send) -> Result<Publisher, Refusal> {
        self.0.stream_for(send)
    }

    /// Tells when another view may give messages other owners.
    pub(crate) fn views(&self) -> watch::Receiver<Arc<View>> {
        self.0.dispatcher.views().subscribe()
    }

    /// Puts a message that came on a served stream on its owner's, behind the [`Earlier`] ones. Dropping the future before it
    /// is done sends nothing.
    ///
    /// # Errors
    /// As [`reserve`](SplitPublisher::reserve); `OutOfTurn` if an earlier one was refused.
    pub async fn forward(&self, mut send: Send, earlier: &Earlier) -> Result<Entered, Refusal> {
        loop {
            let reserved = self.reserve(&mut send).await?;
            earlier.give_way(Way::Stream(reserved.stream())).await?;
            let (turn, after) = earlier.onward();
            match reserved.enter(send, turn, after) {
                Ok(entered) => return Ok(entered),
                Err(Unentered::OtherStream(back)) => send = *back,
                Err(Unentered::Gone(refusal)) => return Err(refusal),
            }
        }
    }
}

impl Split {
    fn stream_for(&self, send: &mut Send) -> Result<Publisher, Refusal> {
        let view = self.dispatcher.views().current();
        let version = view.version();
        let (key, routing) = key_and_routing(send);
        let owner = view.owner(key).ok_or_else(|| no_workers(version))?;
        *routing = self.hops.routing(version);
        let mut by_url = self.by_url.lock();
        if let Some(publisher) = by_url.get(&owner.rpc_url) {
            return Ok(publisher.clone());
        }
        let publisher = Publisher::new(self.dispatcher.pool().node(&owner.rpc_url), self.config);
        by_url.insert(owner.rpc_url.clone(), publisher.clone());
        Ok(publisher)
    }

    /// What is under way there is answered all the same.
    fn let_go_of_departed(&self, view: &View) {
        let has = |url: &NodeUrl| view.workers().iter().any(|worker| worker.rpc_url == *url);
        self.by_url.lock().retain(|url, _| has(url));
    }
}

/// Ends the streams to workers that have left, also while nothing is published: a worker that shuts down waits for the end of
/// the streams that it serves.
async fn let_go_of_departed(split: Weak<Split>, mut views: watch::Receiver<Arc<View>>) {
    while views.changed().await.is_ok() {
        let Some(split) = split.upgrade() else { return };
        split.let_go_of_departed(&views.borrow_and_update());
    }
}

fn key_and_routing(send: &mut Send) -> (&str, &mut Option<Routing>) {
    match send {
        Send::ToUser(request) => (&request.user, &mut request.routing),
        Send::ToGroup(request) => (&request.group, &mut request.routing),
        Send::ToAll(request) => (name_message(&mut request.message), &mut request.routing),
    }
}
