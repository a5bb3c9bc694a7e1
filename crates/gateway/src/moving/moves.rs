//! The lists of the sessions that are on their way.
//!
//! A session is on the list of all from its set-off until a look finds it settled or over. If it is homeless, it is also
//! either ready to be asked for, or resting until it is tried again, or in the mover's hands: never twice. So no list is
//! longer than there are clients (`http.connections_max`), but for those that came and went between two looks, and those whose
//! clients are gone and may come back: each of these for `reopen_deadline` at the most.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rand::RngExt;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::trip::{Outcome, Trip};
use crate::config::{MovingConfig, Routing};
use crate::link::Seat;
use crate::metrics::Meters;

/// The bound of the pause after the first try that came to nothing; it doubles with each, up to the last.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// How often it is looked whether anybody is on the way.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// Who is on the way. Shared by all seats and the mover.
pub(crate) struct Moves {
    lists: Mutex<Lists>,
    changed: Notify,
    config: MovingConfig,
    /// Whether there are links to one worker only.
    stays: bool,
    meters: Arc<Meters>,
}

#[derive(Default)]
struct Lists {
    all: Vec<Arc<Seat>>,
    ready: VecDeque<Arc<Seat>>,
    resting: Vec<Resting>,
    under_way: usize,
    closed: bool,
}

/// A session that was tried in vain.
struct Resting {
    seat: Arc<Seat>,
    until: Instant,
}

/// Nobody looks for workers any more: the gateway ends.
#[derive(Debug)]
pub(crate) struct Closed;

/// The right to have one question for a place under way.
pub(crate) struct Slot(Arc<Moves>);

impl Moves {
    pub(crate) fn new(routing: &Routing, config: MovingConfig, meters: Arc<Meters>) -> Arc<Self> {
        let stays = matches!(routing, Routing::OnlyHere(_));
        Arc::new(Self { lists: Mutex::default(), changed: Notify::new(), config, stays, meters })
    }

    /// Whether there are links to one worker only, so that no session can be taken to another one.
    pub(crate) fn stays(&self) -> bool {
        self.stays
    }

    /// Waits until nobody is on the way any more. Cancel-safe.
    pub(crate) async fn done(&self) {
        while !self.is_empty() {
            sleep(LOOK_INTERVAL).await;
        }
    }

    pub(crate) fn config(&self) -> &MovingConfig {
        &self.config
    }

    pub(crate) fn meters(&self) -> &Arc<Meters> {
        &self.meters
    }

    /// A session sets off.
    pub(crate) fn begin(&self, seat: &Arc<Seat>) -> Trip {
        self.lists.lock().all.push(Arc::clone(seat));
        self.changed.notify_one();
        Trip::begin(Arc::clone(&self.meters))
    }

    /// A session is homeless, and was tried so often in vain.
    pub(crate) fn find(&self, seat: &Arc<Seat>, tries: u32) -> Result<(), Closed> {
        let mut lists = self.lists.lock();
        if lists.closed {
            return Err(Closed);
        }
        let seat = Arc::clone(seat);
        if tries == 0 {
            lists.ready.push_back(seat);
        } else {
            lists.resting.push(Resting { seat, until: Instant::now() + pause(tries) });
        }
        drop(lists);
        self.changed.notify_one();
        Ok(())
    }

    /// Everybody on the way.
    pub(crate) fn seats(&self) -> Vec<Arc<Seat>> {
        self.lists.lock().all.clone()
    }

    /// Waits until somebody set off, is ready, or has made room for another. Cancel-safe.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Whether anybody is on the way.
    pub(super) fn is_empty(&self) -> bool {
        self.lists.lock().all.is_empty()
    }

    /// The next to be asked for, if one more may be.
    pub(super) fn next(self: &Arc<Self>) -> Option<(Arc<Seat>, Slot)> {
        let mut lists = self.lists.lock();
        if lists.under_way >= self.config.opens_max {
            return None;
        }
        let seat = lists.ready.pop_front()?;
        lists.under_way += 1;
        drop(lists);
        Some((seat, Slot(Arc::clone(self))))
    }

    /// There are news: those who rest need not any longer.
    pub(super) fn rouse(&self) {
        self.rouse_those(|_| true);
    }

    /// Looks at everybody: who has rested is ready again, and who is not on the way any more is let go.
    pub(super) fn sweep(&self, now: Instant) {
        self.rouse_those(|resting| resting.until <= now);
        // Not under the lock: a seat's lock comes before it.
        let mut all = std::mem::take(&mut self.lists.lock().all);
        all.retain(|seat| seat.check(now));
        self.lists.lock().all.append(&mut all);
    }

    /// Ends the search for whoever is on the way, and for whoever sets off from now on.
    pub(crate) fn close(&self) {
        let mut lists = self.lists.lock();
        lists.closed = true;
        let all = std::mem::take(&mut *lists).all;
        lists.closed = true;
        drop(lists);
        all.iter().for_each(|seat| seat.abandon(Outcome::TooLate));
    }

    fn rouse_those(&self, wanted: impl Fn(&Resting) -> bool) {
        let mut lists = self.lists.lock();
        let (roused, resting) = std::mem::take(&mut lists.resting).into_iter().partition(wanted);
        lists.resting = resting;
        let roused: Vec<Resting> = roused;
        lists.ready.extend(roused.into_iter().map(|resting| resting.seat));
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut lists = self.0.lists.lock();
        lists.under_way = lists.under_way.saturating_sub(1);
        drop(lists);
        self.0.changed.notify_one();
    }
}

/// Full jitter.
fn pause(tries: u32) -> Duration {
    let bound = PAUSE_MIN.saturating_mul(1 << (tries - 1).min(8)).min(PAUSE_MAX);
    bound.mul_f64(rand::rng().random_range(0.0..=1.0))
}

#[cfg(test)]
mod tests {
    use ringway_proto::v1::Open;
    use ringway_ring::{MemberId, Slot as RingSlot};
    use ringway_session::SessionId;

    use super::*;
    use crate::link::{Channel, Link};

    /// Clients on one link, and what they share.
    fn clients(count: u128, opens_max: usize) -> (Arc<Moves>, Arc<Link>, Vec<Channel>) {
        let config = MovingConfig { opens_max, ..MovingConfig::default() };
        let moves = Moves::new(&Routing::Everywhere, config, Meters::new());
        let link = Link::new(MemberId::new("w1").expect("an id"), 1024, Arc::clone(&moves));
        let open = |number| {
            let id = SessionId::new(RingSlot::of(b"alice"), number);
            link.open(id, Open::default()).expect("it is up").0
        };
        let channels = (0..count).map(open).collect();
        (moves, link, channels)
    }

    #[test]
    fn who_was_tried_in_vain_rests_until_there_are_news() {
        let (moves, link, _clients) = clients(2, 10);
        let seats = link.seats();
        moves.find(&seats[0], 5).expect("it is open");
        assert!(moves.next().is_none(), "it rests");
        moves.find(&seats[1], 0).expect("it is open");
        let (first, _slot) = moves.next().expect("this one was not tried before");
        assert!(Arc::ptr_eq(&first, &seats[1]));
        moves.rouse();
        let (second, _slot) = moves.next().expect("there are news");
        assert!(Arc::ptr_eq(&second, &seats[0]));
        assert!(moves.next().is_none());
    }

    #[test]
    fn whoever_comes_first_is_served_first_and_only_so_many_at_a_time() {
        let (moves, link, _clients) = clients(4, 2);
        let seats = link.seats();
        seats.iter().for_each(|seat| moves.find(seat, 0).expect("it is open"));
        let mut served = vec![moves.next().expect("room"), moves.next().expect("room")];
        assert!(moves.next().is_none(), "two are under way");
        drop(served.remove(0).1);
        served.push(moves.next().expect("room again"));
        assert!(moves.next().is_none());
        assert!(Arc::ptr_eq(&served[0].0, &seats[1]) && Arc::ptr_eq(&served[1].0, &seats[2]));
    }

    #[test]
    fn pauses_are_drawn_below_a_bound_that_grows_to_its_own() {
        for tries in 1..40 {
            assert!(pause(tries) <= PAUSE_MIN.saturating_mul(1 << (tries - 1).min(8)).min(PAUSE_MAX));
        }
    }

    #[test]
    fn nobody_is_found_a_place_after_the_end() {
        let (moves, link, _clients) = clients(1, 1);
        moves.close();
        assert!(moves.find(&link.seats()[0], 0).is_err());
    }
}
