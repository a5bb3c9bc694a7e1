//! Senders that wait until one of their user's devices has acknowledged a message.

use std::collections::HashMap;

use parking_lot::Mutex;
use ringway_session::{MailboxPlace, UserId};
use tokio::sync::oneshot;

/// Each ends when it is answered or its sender gives up, so there are no more than calls under way.
#[derive(Default)]
pub(super) struct Waits(Mutex<HashMap<UserId, Vec<Wait>>>);

struct Wait {
    place: MailboxPlace,
    acknowledged: oneshot::Sender<()>,
}

impl Waits {
    pub(super) fn add(&self, user: &UserId, place: MailboxPlace, acknowledged: oneshot::Sender<()>) {
        let mut waits = self.0.lock();
        let waits = waits.entry(user.clone()).or_default();
        waits.retain(|wait| !wait.acknowledged.is_closed());
        waits.push(Wait { place, acknowledged });
    }

    /// A device has everything up to a place.
    pub(super) fn taken(&self, user: &UserId, upto: MailboxPlace) {
        let mut waits = self.0.lock();
        let Some(of_user) = waits.get_mut(user) else { return };
        let has = |wait: &mut Wait| wait.place.epoch == upto.epoch && wait.place.offset <= upto.offset;
        // A sender that has given up need not hear it.
        of_user.extract_if(.., has).for_each(|wait| _ = wait.acknowledged.send(()));
        of_user.retain(|wait| !wait.acknowledged.is_closed());
        if of_user.is_empty() {
            waits.remove(user);
        }
    }
}
