//! Senders that wait until one of their user's devices has acknowledged a message.

use std::collections::HashMap;

use parking_lot::Mutex;
use ringway_session::{MailboxPlace, UserId};
use tokio::sync::oneshot;

/// After so many further waits, those are forgotten whose senders have given up.
const LOOK_AFTER: usize = 1024;

/// Each ends when it is answered or its sender gives up, so there are few more than calls under way.
#[derive(Default)]
pub(super) struct Waits(Mutex<State>);

#[derive(Default)]
struct State {
    by_user: HashMap<UserId, Vec<Wait>>,
    /// Since those were forgotten whose senders have given up.
    added: usize,
}

struct Wait {
    place: MailboxPlace,
    acknowledged: oneshot::Sender<()>,
}

impl Waits {
    pub(super) fn add(&self, user: &UserId, place: MailboxPlace, acknowledged: oneshot::Sender<()>) {
        let mut state = self.0.lock();
        state.added += 1;
        if state.added >= LOOK_AFTER {
            state.added = 0;
            state.by_user.retain(|_, waits| {
                waits.retain(|wait| !wait.acknowledged.is_closed());
                !waits.is_empty()
            });
        }
        state.by_user.entry(user.clone()).or_default().push(Wait { place, acknowledged });
    }

    /// A device has everything up to a place.
    pub(super) fn taken(&self, user: &UserId, upto: MailboxPlace) {
        let mut state = self.0.lock();
        let Some(of_user) = state.by_user.get_mut(user) else { return };
        let has = |wait: &mut Wait| wait.place.epoch == upto.epoch && wait.place.offset <= upto.offset;
        // A sender that has given up need not hear it.
        of_user.extract_if(.., has).for_each(|wait| _ = wait.acknowledged.send(()));
        of_user.retain(|wait| !wait.acknowledged.is_closed());
        if of_user.is_empty() {
            state.by_user.remove(user);
        }
    }
}
