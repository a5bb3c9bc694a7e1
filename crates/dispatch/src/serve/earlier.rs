//! What a message finds before it: the earlier ones for the same target on the same stream.
//!
//! The law: messages that are under way together go the same way, so that they keep their order. One that would go another
//! way waits until those before it are answered; and if one of these was refused, it does not go, if it said that it follows.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use ringway_proto::v1::Turn;
use ringway_proto::{Reason, Refusal};
use ringway_rpc::StreamId;

/// The way that a message takes from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It is carried out by this node.
    Here,
    /// Into a store. It can refuse one while the next is on its way already, so they go one by one.
    Store,
    /// To another node, on this stream.
    Stream(StreamId),
}

/// The earlier messages for the target of one message, as that message sees them.
#[derive(Debug)]
pub struct Earlier {
    /// `None`: nothing is under way.
    lane: Option<Arc<Ahead>>,
    turn: Turn,
}

impl Earlier {
    /// For the first message of all.
    pub(super) fn none(turn: Turn) -> Self {
        Earlier { lane: None, turn }
    }

    pub(super) fn behind(ahead: Arc<Ahead>, turn: Turn) -> Self {
        Earlier { lane: Some(ahead), turn }
    }

    /// Waits until a message may go this way: until what is under way goes the same way, or is answered. It may go at once; after
    /// an await the way may be another one.
    ///
    /// # Errors
    /// `OUT_OF_TURN` if an earlier one was refused meanwhile.
    pub async fn give_way(&self, way: Way) -> Result<(), Refusal> {
        match &self.lane {
            Some(ahead) => poll_fn(|cx| ahead.poll_way(way, self.turn, cx)).await,
            None => Ok(()),
        }
    }

    /// Whether the message may go this way at once, so that [`Earlier::give_way`] would not wait, nor refuse it.
    pub fn lets_pass(&self, way: Way) -> bool {
        self.lane.as_ref().is_none_or(|ahead| ahead.lets_pass(way, self.turn))
    }

    /// How the message stands on a stream to the next node, and the stream on which it has to be, if it has to follow others.
    pub(crate) fn onward(&self) -> (Turn, Option<StreamId>) {
        let way = self.lane.as_ref().and_then(|ahead| ahead.way());
        match (self.turn, way) {
            (turn, Some(Way::Stream(stream))) => (follows(turn), Some(stream)),
            (Turn::Unspecified, _) => (Turn::Unspecified, None),
            _ => (Turn::First, None),
        }
    }
}

fn follows(turn: Turn) -> Turn {
    match turn {
        Turn::Unspecified => Turn::Unspecified,
        Turn::First | Turn::Follows => Turn::Follows,
    }
}

/// The messages of one lane that are under way. Only one message at a time looks at it: those behind wait for that one.
#[derive(Debug, Default)]
pub(super) struct Ahead(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    under_way: usize,
    /// Of those under way.
    way: Option<Way>,
    /// Whether one was refused that the caller may send again.
    is_broken: bool,
    waker: Option<Waker>,
}

impl Ahead {
    /// A message is under way.
    pub(super) fn go(&self, way: Way) {
        let mut state = self.0.lock();
        state.under_way += 1;
        state.way = Some(way);
    }

    /// One that was under way is answered.
    pub(super) fn arrive(&self, answer: Answer) {
        let mut state = self.0.lock();
        state.under_way -= 1;
        if state.under_way == 0 {
            state.way = None;
        }
        state.is_broken |= answer == Answer::Refused;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// One that was not under way is answered.
    pub(super) fn note(&self, answer: Answer) {
        self.0.lock().is_broken |= answer == Answer::Refused;
    }

    /// Whether a message may begin now. One that begins again mends the lane.
    pub(super) fn admit(&self, turn: Turn) -> Result<(), Refusal> {
        let mut state = self.0.lock();
        state.is_broken &= turn != Turn::First;
        state.check(turn)
    }

    pub(super) fn mend(&self) {
        self.0.lock().is_broken = false;
    }

    pub(super) fn is_broken(&self) -> bool {
        self.0.lock().is_broken
    }

    pub(super) fn is_idle(&self) -> bool {
        self.0.lock().under_way == 0
    }

    fn way(&self) -> Option<Way> {
        self.0.lock().way
    }

    fn lets_pass(&self, way: Way, turn: Turn) -> bool {
        let state = self.0.lock();
        !state.bars(way) && state.check(turn).is_ok()
    }

    fn poll_way(&self, way: Way, turn: Turn, cx: &Context<'_>) -> Poll<Result<(), Refusal>> {
        let mut state = self.0.lock();
        if state.bars(way) {
            state.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(state.check(turn))
    }
}

impl State {
    /// Whether those under way go another way.
    fn bars(&self, way: Way) -> bool {
        self.way.is_some_and(|theirs| theirs != way || way == Way::Store)
    }

    fn check(&self, turn: Turn) -> Result<(), Refusal> {
        if self.is_broken && turn == Turn::Follows {
            let message = "an earlier message for the same target was refused; send this one again behind it";
            return Err(Refusal::new(Reason::OutOfTurn, message));
        }
        Ok(())
    }
}

/// What an answer means to the messages that follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// They may go.
    Final,
    /// The message may come again, and they shall not overtake it.
    Refused,
}
