//! Who is online, as far as this worker can say; and the clients here that watch others.

use ringway_ring::Slot;

use super::{Fenced, Shard, user_hash};
use crate::directive::{Address, Directive};
use crate::moment::Moment;
use crate::name::UserId;
use crate::presence::Standing;
use crate::table::TooManyWatches;

impl Shard {
    /// What this worker can say of a user's presence.
    pub fn standing(&self, user: &UserId, now: Moment) -> Standing {
        let hash = user_hash(user);
        match self.fence(Slot::of_hash(hash), now) {
            Err(Fenced::NotOwner | Fenced::Lapsed) => return Standing::NotOurs,
            Err(Fenced::Unsettled) => return Standing::Unsettled,
            Ok(()) => {}
        }
        let (here, since_ms) = self.table.presence_of(user);
        let coming = u32::try_from(self.arrivals.of_user(hash).len()).unwrap_or(u32::MAX);
        match here + coming {
            1.. => Standing::Online { here, coming, since_ms },
            0 if self.arrivals.doubts(hash, now) => Standing::InDoubt,
            0 => Standing::Offline,
        }
    }

    /// The client at an address watches these users from now on. Gives back whether there is such a session.
    ///
    /// # Errors
    /// [`TooManyWatches`].
    pub fn watch(
        &mut self,
        address: Address,
        users: &[UserId],
        out: &mut Vec<Directive>,
    ) -> Result<bool, TooManyWatches> {
        self.table.watch(address, users, out)
    }

    /// The client at an address watches these users no more.
    pub fn unwatch(&mut self, address: Address, users: &[UserId], out: &mut Vec<Directive>) {
        self.table.unwatch(address, users, out);
    }

    /// Whether users are online, for the clients that watch them.
    pub fn presence_changed(&mut self, changes: &[(UserId, bool)], out: &mut Vec<Directive>) {
        self.table.presence_changed(changes, out);
    }
}
