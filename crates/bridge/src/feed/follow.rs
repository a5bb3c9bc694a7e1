//! Who is followed: the workers of each view.

use std::collections::HashSet;

use ringway_cluster::Views;
use ringway_ring::MemberId;
use ringway_rpc::NodePool;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Feed;
use super::stream::WorkerFeed;
use crate::config::{FeedConfig, Workers};

/// How many batches may wait for whoever takes them, of all workers together.
const BATCHES_MAX: usize = 2;

/// Subscribes at all these workers, also at those that join later.
pub fn follow_events(views: Views, pool: NodePool, workers: Workers, config: FeedConfig) -> Feed {
    let (batches, taken) = mpsc::channel(BATCHES_MAX);
    let end = CancellationToken::new();
    let task = FollowTask { views, pool, workers, config, batches, followed: HashSet::new() };
    let until = end.clone();
    tokio::spawn(async move { until.run_until_cancelled(task.run()).await });
    Feed::new(taken, end)
}

struct FollowTask {
    views: Views,
    pool: NodePool,
    workers: Workers,
    config: FeedConfig,
    batches: mpsc::Sender<super::Batch>,
    followed: HashSet<MemberId>,
}

impl FollowTask {
    /// Dropping it ends all subscriptions.
    async fn run(mut self) {
        let mut views = self.views.subscribe();
        let mut feeds = JoinSet::new();
        loop {
            self.follow_new(&mut feeds);
            tokio::select! {
                biased;
                // Cancel-safe, both.
                Some(ended) = feeds.join_next(), if !feeds.is_empty() => {
                    if let Ok(worker) = ended {
                        self.followed.remove(&worker);
                    }
                }
                // It fails only when nobody shows views any more, and `self.views` are here.
                _ = views.changed() => {}
            }
        }
    }

    fn follow_new(&mut self, feeds: &mut JoinSet<MemberId>) {
        let view = self.views.current();
        for member in view.workers().iter().filter(|member| self.workers.has(&member.id)) {
            if self.followed.insert(member.id.clone()) {
                let worker = member.id.clone();
                let feed = WorkerFeed {
                    worker: worker.clone(),
                    views: self.views.clone(),
                    pool: self.pool.clone(),
                    config: self.config.clone(),
                    batches: self.batches.clone(),
                };
                feeds.spawn(async move {
                    feed.run().await;
                    worker
                });
            }
        }
    }
}

impl Workers {
    fn has(&self, id: &MemberId) -> bool {
        match self {
            Workers::All => true,
            Workers::Only(only) => only == id,
        }
    }
}
