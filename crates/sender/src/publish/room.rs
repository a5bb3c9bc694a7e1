//! The room for messages that are not at their end, shared so that no worker gets all of it.
//!
//! A worker may hold at most three times as much as is free (a dynamic threshold: Choudhury and Hahne, "Dynamic Queue Length Thresholds
//! for Shared-Memory Packet Switches", IEEE/ACM Transactions on Networking 6(2), 1998). So one that takes nothing, with what waits for
//! it until its deadline, has three quarters of the room at most, two of them have six sevenths, and there is always some for the others.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use ringway_ring::MemberId;
use tokio::sync::oneshot;

use super::PublishConfig;

/// How many times as much as is free a worker may hold.
const TIMES_FREE: i64 = 3;

/// A worker; `None` stands for messages that none is there for.
type Owner = Option<MemberId>;

/// All of the room. A cheap handle.
#[derive(Clone, Debug)]
pub(super) struct Rooms(Arc<Mutex<Ledger>>);

#[derive(Debug)]
struct Ledger {
    /// Bytes may be below zero: whoever finds some free gets in, however large its message is.
    free: Load,
    shares: HashMap<Owner, Share>,
    next_place: u64,
}

/// What a worker has, and who waits for more of it.
#[derive(Debug, Default)]
struct Share {
    held: Load,
    waiting: BTreeMap<u64, Waiter>,
}

#[derive(Debug)]
struct Waiter {
    load: Load,
    given: oneshot::Sender<Room>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Load {
    messages: i64,
    bytes: i64,
}

/// The room that a message takes until it has come to its end.
#[derive(Debug)]
pub(super) struct Room {
    /// Nothing once it has been taken back.
    rooms: Option<Rooms>,
    owner: Owner,
    load: Load,
}

/// A place among those that wait, given up when it is dropped.
struct Place {
    rooms: Rooms,
    owner: Owner,
    number: u64,
}

impl Rooms {
    pub(super) fn new(config: PublishConfig) -> Self {
        let messages = config.in_flight_max.max(1).into();
        let bytes = config.in_flight_bytes_max.max(1).into();
        let free = Load { messages, bytes };
        Rooms(Arc::new(Mutex::new(Ledger { free, shares: HashMap::new(), next_place: 0 })))
    }

    /// Waits for room for a message with this many bytes for this worker. Those for one worker get it in the order in which they came.
    pub(super) async fn take(&self, owner: Owner, bytes: usize) -> Room {
        let load = Load { messages: 1, bytes: i64::try_from(bytes).unwrap_or(i64::MAX / 2) };
        let (place, given) = match self.enter(owner, load) {
            Ok(room) => return room,
            Err(waiting) => waiting,
        };
        let room = given
            .await
            .expect("the ledger keeps whoever waits until it has room, and its place holds the ledger");
        drop(place);
        room
    }

    fn enter(&self, owner: Owner, load: Load) -> Result<Room, (Place, oneshot::Receiver<Room>)> {
        let mut ledger = self.0.lock();
        let Ledger { free, shares, next_place } = &mut *ledger;
        let share = shares.entry(owner.clone()).or_default();
        if share.waiting.is_empty() && share.may_grow(*free) {
            share.held.add(load);
            free.subtract(load);
            return Ok(Room { rooms: Some(self.clone()), owner, load });
        }
        let (given, receiver) = oneshot::channel();
        let number = *next_place;
        *next_place += 1;
        share.waiting.insert(number, Waiter { load, given });
        Err((Place { rooms: self.clone(), owner, number }, receiver))
    }

    /// Gives what is free to those who wait, the oldest of those first that may have it.
    fn hand_out(&self, ledger: &mut Ledger) {
        while let Some((owner, waiter)) = ledger.next_waiter() {
            let load = waiter.load;
            let room = Room { rooms: Some(self.clone()), owner: owner.clone(), load };
            match waiter.given.send(room) {
                Ok(()) => {
                    ledger.free.subtract(load);
                    ledger.shares.entry(owner).or_default().held.add(load);
                }
                // It does not wait any more, and has taken nothing.
                Err(mut room) => room.rooms = None,
            }
        }
    }
}

impl Ledger {
    /// Takes out who may have room now and has waited for the longest time.
    fn next_waiter(&mut self) -> Option<(Owner, Waiter)> {
        let may = self.shares.iter_mut().filter(|(_, share)| share.may_grow(self.free));
        let first = may.filter_map(|(owner, share)| {
            let number = *share.waiting.first_key_value()?.0;
            Some((number, owner, share))
        });
        let (number, owner, share) = first.min_by_key(|(number, ..)| *number)?;
        Some((owner.clone(), share.waiting.remove(&number)?))
    }

    fn forget_idle(&mut self, owner: &Owner) {
        if self.shares.get(owner).is_some_and(|share| share.held.messages == 0 && share.waiting.is_empty()) {
            self.shares.remove(owner);
        }
    }
}

impl Share {
    fn may_grow(&self, free: Load) -> bool {
        free.messages > 0
            && free.bytes > 0
            && self.held.messages < TIMES_FREE * free.messages
            && self.held.bytes < TIMES_FREE * free.bytes
    }
}

impl Load {
    fn add(&mut self, other: Load) {
        self.messages += other.messages;
        self.bytes += other.bytes;
    }

    fn subtract(&mut self, other: Load) {
        self.messages -= other.messages;
        self.bytes -= other.bytes;
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let Some(rooms) = self.rooms.take() else { return };
        let mut ledger = rooms.0.lock();
        ledger.free.add(self.load);
        if let Some(share) = ledger.shares.get_mut(&self.owner) {
            share.held.subtract(self.load);
        }
        rooms.hand_out(&mut ledger);
        ledger.forget_idle(&self.owner);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut ledger = self.rooms.0.lock();
        if let Some(share) = ledger.shares.get_mut(&self.owner) {
            share.waiting.remove(&self.number);
        }
        ledger.forget_idle(&self.owner);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn rooms(messages: u32, bytes: u32) -> Rooms {
        Rooms::new(PublishConfig { in_flight_max: messages, in_flight_bytes_max: bytes })
    }

    fn worker(name: &str) -> Owner {
        Some(MemberId::new(name).expect("a name"))
    }

    /// As many as get in at once.
    fn fill(rooms: &Rooms, name: &str, bytes: usize) -> Vec<Room> {
        std::iter::from_fn(|| rooms.take(worker(name), bytes).now_or_never()).collect()
    }

    fn is_untouched(rooms: &Rooms, messages: i64, bytes: i64) -> bool {
        let ledger = rooms.0.lock();
        ledger.shares.is_empty() && ledger.free == Load { messages, bytes }
    }

    #[test]
    fn workers_that_take_nothing_leave_room_for_the_others() {
        for (messages, expected) in [(1, &[1, 0][..]), (4, &[3, 1]), (8, &[6, 2]), (8192, &[6144, 1536, 384])]
        {
            let rooms = rooms(messages, u32::MAX);
            let held: Vec<_> = (0..expected.len()).map(|n| fill(&rooms, &format!("w{n}"), 10)).collect();
            assert_eq!(held.iter().map(Vec::len).collect::<Vec<_>>(), expected, "of {messages}");
            drop(held);
            assert!(is_untouched(&rooms, messages.into(), u32::MAX.into()));
        }
    }

    #[test]
    fn bytes_count_too_and_one_large_message_finds_its_way() {
        let rooms = rooms(1000, 1000);
        let (hung, other) = (fill(&rooms, "w1", 100), fill(&rooms, "w2", 100));
        assert_eq!((hung.len(), other.len()), (8, 2));
        drop((hung, other));
        assert_eq!(fill(&rooms, "w1", 5000).len(), 1, "larger than all of the room");
        assert!(is_untouched(&rooms, 1000, 1000));
    }

    #[test]
    fn what_is_given_back_goes_to_the_oldest_that_may_have_it() {
        let rooms = rooms(8, 1000);
        let (mut busy, mut hung) = (fill(&rooms, "w1", 1), fill(&rooms, "w2", 1));
        let mut waiting = ["w2", "w1", "w1", "w2"].map(|name| Box::pin(rooms.take(worker(name), 1)));
        assert!(waiting.iter_mut().all(|place| place.now_or_never().is_none()));
        drop(busy.split_off(3));
        let given = waiting.each_mut().map(|place| place.now_or_never());
        let names = given.each_ref().map(|room| room.as_ref().map(|room| room.owner.clone()));
        assert_eq!(
            names,
            [Some(worker("w2")), Some(worker("w1")), None, None],
            "w1 has 4 of 8 then, w2 has 3"
        );
        hung.clear();
        assert!(waiting[2].as_mut().now_or_never().is_some());
    }

    #[test]
    fn who_does_not_wait_any_more_takes_nothing() {
        let rooms = rooms(1, 1000);
        let held = fill(&rooms, "w1", 1);
        let mut gone = Box::pin(rooms.take(worker("w1"), 1));
        let mut given = Box::pin(rooms.take(worker("w2"), 1));
        assert!(gone.as_mut().now_or_never().is_none() && given.as_mut().now_or_never().is_none());
        drop(gone);
        drop(held);
        // It was given the room, and leaves without it.
        drop(given);
        assert!(is_untouched(&rooms, 1, 1000));
    }
}
