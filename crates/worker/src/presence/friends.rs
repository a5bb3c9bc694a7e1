//! Users whom clients here watch: followed at their owners, which may be this worker itself.

use std::sync::Arc;

use ringway_dispatch::PresenceFollower;
use ringway_session::presence::Scope;

use crate::hub::Friend;
use crate::worker::Shared;

/// Follows them for as long as the worker works.
pub(crate) async fn follow_friends(shared: &Arc<Shared>) {
    let grace = shared.config.moves.resume_window;
    let follower = PresenceFollower::start(shared.dispatcher.clone(), Scope::Named, grace);
    loop {
        tokio::select! {
            biased;
            // Both are cancel-safe.
            friends = shared.hub.friends() => {
                // Whoever begins to watch a user anew knows nothing: the follower forgets what it has told.
                follower.unwatch(friends.keys());
                let followed = friends.iter().filter(|(_, friend)| **friend == Friend::Followed);
                follower.watch(followed.map(|(user, _)| user));
            }
            news = follower.next() => shared.hub.presence_changed(&news.changes),
        }
    }
}
