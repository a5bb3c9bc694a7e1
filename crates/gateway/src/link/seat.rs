//! One session at this gateway: the queue to its client, which stays, and its place at a worker, which may change.
//!
//! What is to become of the place is decided by a [`Relay`] (crate `session`), under the seat's lock, and carried out under
//! the same lock: so what is said to workers about a session is said in the order of the decisions. The order of locks is:
//! a link's table, then a seat, then a link's queue, the mover's lists or the client's queue. So whoever holds a seat
//! never looks into a table; channels that are over are forgotten afterwards, and until then what comes on them is passed
//! over by the relay. What is written to the client directly is written under the locks of its seat and its queue.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use parking_lot::Mutex;
use ringway_proto::v1::gateway_frame::Frame;
use ringway_proto::v1::{Open, Opened, Reopen, StatePart};
use ringway_session::relay::{Action, Origin, Phase, Refusal};
use ringway_session::{CloseCode, Relay, SessionId, frame};
use tokio::time::Instant;
use tungstenite::Message;

use super::outbound::{End, Outbound, Untold};
use super::post::{FromClient, Post};
use super::queue::WaitingSince;
use crate::moving::{Moves, Outcome, Slot, Trip};

/// The largest part of a state (StatePart in link.proto).
const STATE_PART_BYTES_MAX: usize = 128 * 1024;

/// One session.
pub(crate) struct Seat {
    outbound: Outbound,
    place: Mutex<Place>,
    user: Box<str>,
    moves: Arc<Moves>,
}

struct Place {
    relay: Relay<Post, FromClient>,
    session_id: SessionId,
    /// Whether the client speaks the frames of `ringway.v1.json`.
    speaks_frames: bool,
    /// Whether the client can come back for the session: it speaks them, or has done so before.
    is_resumable: bool,
    /// While it is on its way from one worker to another.
    trip: Option<Box<Trip>>,
}

type Actions = Vec<Action<Post, FromClient>>;

impl Seat {
    /// A session that is about to be asked for at `post`; `resumes` says whether the client wants an earlier one.
    pub(crate) fn new(
        post: Post,
        session_id: SessionId,
        user: &str,
        resumes: bool,
        moves: &Arc<Moves>,
    ) -> Arc<Self> {
        let (relay, speaks_frames, is_resumable) = (Relay::new(post), false, resumes);
        let place = Place { relay, session_id, speaks_frames, is_resumable, trip: None };
        let outbound = Outbound::new(Arc::clone(moves.meters()));
        Arc::new(Self { outbound, place: Mutex::new(place), user: user.into(), moves: Arc::clone(moves) })
    }

    /// What there is for the client.
    pub(crate) fn outbound(&self) -> &Outbound {
        &self.outbound
    }

    /// Whose session it is. Not for logs: it may be a token.
    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    /// Its id, as its worker has said; until then, the one that it was asked for by.
    pub(crate) fn session_id(&self) -> SessionId {
        self.place.lock().session_id
    }

    pub(crate) fn phase(&self) -> Phase {
        self.place.lock().relay.phase()
    }

    /// Passes a client's message on, or keeps it.
    pub(crate) fn send(&self, message: FromClient) {
        let mut place = self.place.lock();
        if let Some((post, message)) = place.relay.client_message(message) {
            post.pass(message);
        }
    }

    /// Whether the client may be read: its link, or what is kept of it, has room. If not, its task is woken when it may.
    pub(crate) fn poll_room(&self, cx: &Context<'_>, since: &mut WaitingSince) -> Poll<()> {
        let place = self.place.lock();
        match place.relay.settled_at() {
            Some(post) => post.link.queue().poll_room(cx, since),
            None if place.relay.has_room(self.moves.config().kept_bytes_max) => Poll::Ready(()),
            None => Poll::Pending,
        }
    }

    /// Notes that messages of this cost have left for the client. Only a worker that has the session is told.
    pub(crate) fn written(self: &Arc<Self>, cost_bytes: u64) {
        let place = self.place.lock();
        let untold = self.outbound.written(cost_bytes);
        self.tell(&place, untold);
    }

    /// Passes to the client what a post has for it, if the session is there. Says whether the caller is to see to it that
    /// [`Seat::write_out`] is called.
    pub(crate) fn deliver(&self, post: &Post, offset: Option<u64>, message: Message) -> bool {
        let mut place = self.place.lock();
        place.relay.delivered(post, offset) && self.outbound.push(message)
    }

    /// Writes to the client what waits for it, if its task has left that to others.
    pub(crate) fn write_out(self: &Arc<Self>) {
        let place = self.place.lock();
        if let Some(untold) = self.outbound.write_out() {
            self.tell(&place, untold);
        }
    }

    fn tell(self: &Arc<Self>, place: &Place, untold: Untold) {
        if let Some(post) = place.relay.settled_at() {
            post.link.queue().written(post.number, self, untold);
        }
    }

    /// The worker's answer to the first `Open`, or to one that asks for a place.
    pub(crate) fn opened(self: &Arc<Self>, post: &Post, opened: &Opened) {
        // It ends by this only if its client is gone: then its worker is told so now.
        self.finish(Outcome::ClientLeft, |place| {
            let is_first = place.relay.settled_at() == Some(post);
            let is_here = is_first || place.relay.waits_for() == Some(post);
            let actions = place.relay.opened(post, apart(&opened.state));
            if is_here {
                place.session_id = SessionId::from_bytes(&opened.session_id).unwrap_or(place.session_id);
            }
            if is_first {
                place.speaks_frames = opened.subprotocol == frame::SUBPROTOCOL;
                place.is_resumable = place.speaks_frames;
            }
            actions
        });
    }

    /// The worker has no place for it.
    pub(crate) fn refused(self: &Arc<Self>, post: &Post, refusal: Refusal) {
        self.finish(Outcome::Refused, |place| place.relay.refused(post, refusal));
    }

    /// The worker has closed the session.
    pub(crate) fn closed(self: &Arc<Self>, post: &Post, end: End) {
        self.finish(Outcome::Closed, |place| {
            let actions = place.relay.closed(post, end.code);
            if actions.iter().any(|action| matches!(action, Action::End(_))) {
                // The worker's own words are better than the usual ones, and the first word counts.
                self.outbound.end(end);
            }
            actions
        });
    }

    /// The worker says with what the session is to be opened elsewhere if it is lost.
    pub(crate) fn checkpoint(&self, post: &Post, state: &[u8]) {
        self.place.lock().relay.checkpoint(post, apart(state));
    }

    /// Begins to leave this worker. Where the gateway has no links to others the session stays with the worker, which brings it
    /// to its owner for the client to resume it there.
    pub(crate) fn depart(self: &Arc<Self>, post: &Post) {
        if self.moves.stays() {
            return self.finish(Outcome::Elsewhere, |place| {
                let actions = place.relay.dismiss(post, CloseCode::RESTART);
                if !actions.is_empty() {
                    self.moves.meters().moved(Outcome::Elsewhere.as_str());
                }
                actions
            });
        }
        self.happen(|place| place.relay.depart(post).into_iter().collect());
    }

    /// A part of the state of a session that leaves.
    pub(crate) fn state_part(self: &Arc<Self>, post: &Post, part: Bytes) {
        let bytes_max = self.moves.config().state_bytes_max;
        self.happen(|place| place.relay.state_part(post, part, bytes_max));
    }

    /// The worker has let the session go.
    pub(crate) fn detached(self: &Arc<Self>, post: &Post, state: Bytes) {
        self.happen(|place| {
            let actions = place.relay.detached(post, state);
            // A worker that lets go what it was not asked for has broken the protocol, and the session is lost to it.
            if place.relay.settled_at() == Some(post) { place.relay.lost(post) } else { actions }
        });
    }

    /// The post's link broke.
    pub(crate) fn lost(self: &Arc<Self>, post: &Post) {
        self.happen(|place| place.relay.lost(post));
    }

    /// The post is not waited for any more.
    pub(crate) fn give_up(self: &Arc<Self>, post: &Post) {
        self.happen(|place| place.relay.give_up(post));
    }

    /// Its first question for a place was refused: there is nobody to be told of it.
    pub(crate) fn lost_before_open(&self, post: &Post) {
        _ = self.place.lock().relay.closed(post, CloseCode::ABNORMAL);
    }

    /// Nobody could be asked for a place now.
    pub(crate) fn try_later(self: &Arc<Self>) {
        let mut place = self.place.lock();
        let is_homeless = place.relay.phase() == Phase::Homeless;
        let Some(trip) = place.trip.as_mut().filter(|_| is_homeless) else { return };
        let tries = trip.fail();
        let is_lost = self.moves.find(self, tries).is_err();
        drop(place);
        if is_lost {
            self.abandon(Outcome::TooLate);
        }
    }

    /// There is no place for it.
    pub(crate) fn abandon(self: &Arc<Self>, outcome: Outcome) {
        self.finish(outcome, |place| place.relay.abandon(CloseCode::RESTART));
    }

    /// The client is gone. A session that it may come back for, and that is between two workers, is brought to the next one first.
    pub(crate) fn leave(self: &Arc<Self>, code: CloseCode, may_resume: bool) {
        self.finish(Outcome::ClientLeft, |place| match may_resume && place.is_resumable {
            true => place.relay.suspend(code),
            false => place.relay.leave(code, may_resume),
        });
    }

    /// Tells the client to go, because the gateway does.
    pub(crate) fn farewell(&self, end: End, delay_ms: u64) {
        if self.place.lock().speaks_frames {
            self.outbound.push_own(Message::text(frame::reconnect(delay_ms)));
        }
        self.outbound.end(end);
    }

    /// Asks for a place at `post`, if one is wanted; says whether it was. To be called under the lock of the link's table,
    /// so that the link does not break in between.
    pub(crate) fn ask(&self, post: &Post, slot: Slot) -> bool {
        let mut place = self.place.lock();
        let Some(asking) = place.relay.ask(post.clone()) else { return false };
        self.outbound.hand_over();
        if let Some(trip) = &mut place.trip {
            trip.ask(slot);
        }
        let queue = post.link.queue();
        let (parts, last) = pieces(asking.state);
        for state in parts {
            queue.push(Frame::StatePart(StatePart { channel: post.number, state }));
        }
        let reopen = Reopen {
            state: last,
            passed_offset: asking.passed_offset,
            checkpoint: asking.origin == Origin::Checkpoint,
            passed_messages: asking.passed_messages,
        };
        queue.push(Frame::Open(Open {
            channel: post.number,
            session_id: Bytes::copy_from_slice(&place.session_id.to_bytes()),
            user: self.user.to_string(),
            reopen: Some(reopen),
            ..Open::default()
        }));
        true
    }

    /// Ends a way that has taken too long. Says whether the session is still on its way. How long a worker takes for an answer is
    /// of no matter while its link lives: the answer, and the question, may be behind much else, and the session is in it.
    pub(crate) fn check(self: &Arc<Self>, now: Instant) -> bool {
        let mut place = self.place.lock();
        let Some(trip) = &mut place.trip else { return false };
        trip.make_way(now, self.moves.config());
        let is_too_late = trip.is_too_late(now, self.moves.config());
        drop(place);
        if is_too_late {
            self.abandon(Outcome::TooLate);
        }
        true
    }

    /// Lets something happen by which the session does not end.
    fn happen(self: &Arc<Self>, event: impl FnOnce(&mut Place) -> Actions) {
        self.finish(Outcome::TooLate, event);
    }

    /// Lets something happen to the place, and does what is to be done then. `outcome` is what has become of the session if
    /// it was on its way and has ended by this.
    fn finish(self: &Arc<Self>, outcome: Outcome, event: impl FnOnce(&mut Place) -> Actions) {
        let mut place = self.place.lock();
        let (before, origin) = (place.relay.phase(), place.relay.origin());
        let actions = event(&mut place);
        let phase = place.relay.phase();
        if before == Phase::Settled && phase != Phase::Settled {
            self.set_off(&mut place);
        }
        let Done { over, is_lost } = self.carry_out(&place, actions);
        match phase {
            Phase::Settled if before == Phase::Asking => self.arrive(&mut place, origin),
            Phase::Leaving if before == Phase::Asking => self.pass_through(&mut place),
            Phase::Settled | Phase::Leaving | Phase::Asking => {}
            Phase::Homeless => place.trip.iter_mut().for_each(|trip| trip.rest()),
            Phase::Over => place.trip.take().into_iter().for_each(|trip| trip.end(outcome)),
        }
        drop(place);
        over.iter().for_each(|post| post.link.forget(post.number));
        if is_lost {
            self.abandon(Outcome::TooLate);
        }
    }

    /// The session leaves its worker, which is told nothing more of what was written.
    fn set_off(self: &Arc<Self>, place: &mut Place) {
        self.outbound.hand_over();
        if place.relay.phase() != Phase::Over {
            place.trip = Some(Box::new(self.moves.begin(self)));
        }
    }

    /// The session is at its next worker.
    fn arrive(&self, place: &mut Place, origin: Option<Origin>) {
        let outcome = if origin == Some(Origin::Detached) { Outcome::Moved } else { Outcome::Reopened };
        place.trip.take().into_iter().for_each(|trip| trip.end(outcome));
        let bytes = self.outbound.tell_all();
        if let Some(post) = place.relay.settled_at().filter(|_| bytes > 0) {
            post.written(bytes);
        }
        self.outbound.wake();
    }

    /// The session is at a worker that it leaves at once.
    fn pass_through(&self, place: &mut Place) {
        place.trip.iter_mut().for_each(|trip| trip.rest());
        self.outbound.wake();
    }

    /// Does what is to be done.
    fn carry_out(self: &Arc<Self>, place: &Place, actions: Actions) -> Done {
        let mut done = Done::default();
        for action in actions {
            match action {
                Action::Detach(post) => post.detach(),
                Action::Find => {
                    let tries = place.trip.as_ref().map_or(0, |trip| trip.tries());
                    done.is_lost = self.moves.find(self, tries).is_err();
                }
                Action::Pass(post, message) => post.pass(message),
                Action::Arrived(post) => post.arrived(),
                Action::Gone { post, code, may_resume } => {
                    post.gone(code, may_resume);
                    done.over.push(post);
                }
                Action::End(code) => self.outbound.end(End::without_place(code)),
            }
        }
        done
    }
}

/// What is left to do when the lock is gone.
#[derive(Default)]
struct Done {
    /// Channels to be forgotten.
    over: Vec<Post>,
    /// Whether nobody looks for the session's worker any more.
    is_lost: bool,
}

/// A copy with memory of its own: a slice of a worker's batch would keep all of it, for as long as the session lasts.
fn apart(state: &[u8]) -> Bytes {
    Bytes::copy_from_slice(state)
}

/// A state as it is sent: parts that are no larger than they may be, and the last piece.
fn pieces(state: Vec<Bytes>) -> (Vec<Bytes>, Bytes) {
    let mut pieces = Vec::with_capacity(state.len());
    for mut piece in state {
        while piece.len() > STATE_PART_BYTES_MAX {
            pieces.push(piece.split_to(STATE_PART_BYTES_MAX));
        }
        pieces.push(piece);
    }
    let last = pieces.pop().unwrap_or_default();
    (pieces, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_cut_into_parts_that_may_be_sent() {
        let check = |lengths: &[usize], expected: &[usize]| {
            let state: Vec<Bytes> = lengths.iter().map(|length| vec![7; *length].into()).collect();
            let (parts, last) = pieces(state);
            let cut: Vec<usize> = parts.iter().chain([&last]).map(Bytes::len).collect();
            assert_eq!(cut, expected, "{lengths:?}");
        };
        let max = STATE_PART_BYTES_MAX;
        check(&[], &[0]);
        check(&[0], &[0]);
        check(&[max], &[max]);
        check(&[max + 1], &[max, 1]);
        check(&[3 * max], &[max, max, max]);
        check(&[max, 10], &[max, 10]);
        check(&[max + 5, 10], &[max, 5, 10]);
    }
}
