//! Waiting for lists.

use std::time::Duration;

use ringway_cluster::{Member, MemberList, Registry};
use tokio::sync::watch;

use super::fixture::{Fixture, Reach};

/// One who watches, and gives up in the time that the registry needs at most.
pub(crate) struct Watcher {
    lists: watch::Receiver<MemberList>,
    patience: Duration,
}

impl Watcher {
    /// A watcher with this handle.
    pub(crate) fn new(registry: &dyn Registry, patience: Duration) -> Self {
        Self { lists: registry.watch(), patience }
    }

    /// Waits for a list that is as it should be. `what` says so in words.
    pub(crate) async fn until(&mut self, what: &str, right: impl Fn(&[Member]) -> bool) -> MemberList {
        let waited = tokio::time::timeout(self.patience, self.lists.wait_for(|list| right(list))).await;
        let list = waited.map(|list| list.expect("the registry shows lists for as long as it lives").clone());
        list.unwrap_or_else(|_| panic!("not in {:?}: {what}; it shows {:#?}", self.patience, self.present()))
    }

    /// Holds that nothing of this kind is shown for a while.
    pub(crate) async fn never(&mut self, what: &str, during: Duration, wrong: impl Fn(&[Member]) -> bool) {
        let waited = tokio::time::timeout(during, self.lists.wait_for(|list| wrong(list))).await;
        assert!(waited.is_err(), "{what}");
    }

    /// The list of this moment.
    pub(crate) fn present(&self) -> MemberList {
        self.lists.borrow().clone()
    }
}

/// Two watchers with the handle that the news comes from, and one with another handle if news gets that far.
pub(crate) async fn watchers(fixture: &dyn Fixture, handle: &dyn Registry) -> Vec<Watcher> {
    let patience = fixture.nature().settles_within;
    let mut watchers = vec![Watcher::new(handle, patience), Watcher::new(handle, patience)];
    if fixture.nature().reach == Reach::Cluster {
        watchers.push(Watcher::new(&*fixture.handle().await, patience));
    }
    watchers
}

/// The member of this name in a list.
pub(crate) fn find<'a>(list: &'a [Member], member: &Member) -> Option<&'a Member> {
    list.iter().find(|listed| listed.id == member.id)
}
