//! The lanes of one served stream: one for each target of which something waits or is under way, or was refused.
//!
//! In a lane one message after the other is put on its way. Lanes do not wait for each other. A lane is found by a hash of its
//! target: two targets that share one are in order without need, which harms nobody.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use ringway_proto::v1::PublishRequest;
use ringway_proto::v1::publish_request::Send as Target;
use ringway_proto::{Refusal, Retry};
use ringway_rpc::payload_bytes;

use super::earlier::{Ahead, Answer, Earlier, Way};

/// How many lanes remember that a message was refused; beyond it the oldest forget. Each is needed only until the caller has
/// seen the refusal.
const BROKEN_MAX: usize = 16 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct LaneKey(u64);

#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: HashMap<LaneKey, Lane>,
    hasher: RandomState,
    /// Lanes that were broken, the oldest first; some are whole again.
    broken: VecDeque<LaneKey>,
    waiting: Load,
}

#[derive(Debug, Default)]
struct Lane {
    ahead: Arc<Ahead>,
    is_placing: bool,
    waiting: VecDeque<PublishRequest>,
}

/// What waits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Load {
    pub(super) requests: usize,
    pub(super) payload_bytes: usize,
}

/// What becomes of a request now.
#[derive(Debug)]
pub(super) enum Step {
    /// It may be put on its way, behind these.
    Place(PublishRequest, Earlier),
    /// It is refused.
    Refuse(u64, Refusal),
    /// It waits behind another one.
    Wait,
}

impl Lanes {
    /// The lane of a request.
    pub(super) fn key(&self, request: &PublishRequest) -> LaneKey {
        LaneKey(match &request.send {
            Some(Target::ToUser(request)) => self.hasher.hash_one((1, &request.user)),
            Some(Target::ToGroup(request)) => self.hasher.hash_one((2, &request.group)),
            Some(Target::ToAll(_)) | None => self.hasher.hash_one(3),
        })
    }

    /// What waits in all lanes.
    pub(super) fn waiting(&self) -> Load {
        self.waiting
    }

    /// A request has come.
    pub(super) fn arrive(&mut self, key: LaneKey, request: PublishRequest) -> Step {
        let Some(lane) = self.lanes.get_mut(&key) else {
            let turn = request.turn();
            return Step::Place(request, Earlier::none(turn));
        };
        if lane.is_placing || !lane.waiting.is_empty() {
            self.waiting.add(&request);
            lane.waiting.push_back(request);
            return Step::Wait;
        }
        lane.begin(request)
    }

    /// A request could not be put on its way at once: those behind it wait.
    pub(super) fn hold(&mut self, key: LaneKey) {
        self.lanes.entry(key).or_default().is_placing = true;
    }

    /// A request was put on its way.
    pub(super) fn go(&mut self, key: LaneKey, way: Way) {
        let lane = self.lanes.entry(key).or_default();
        lane.is_placing = false;
        lane.ahead.go(way);
    }

    /// A request came to its end without being under way.
    pub(super) fn end(&mut self, key: LaneKey, refusal: Option<&Refusal>) {
        let answer = answer_of(refusal);
        if answer == Answer::Final && !self.lanes.contains_key(&key) {
            return;
        }
        let lane = self.lanes.entry(key).or_default();
        lane.is_placing = false;
        let was_broken = lane.ahead.is_broken();
        lane.ahead.note(answer);
        self.after(key, was_broken);
    }

    /// A request that was under way is answered.
    pub(super) fn answered(&mut self, key: LaneKey, refusal: Option<&Refusal>) {
        let Some(lane) = self.lanes.get(&key) else { return };
        let was_broken = lane.ahead.is_broken();
        lane.ahead.arrive(answer_of(refusal));
        self.after(key, was_broken);
    }

    /// The next request of a lane in which nothing is being put on its way.
    pub(super) fn next(&mut self, key: LaneKey) -> Option<Step> {
        let lane = self.lanes.get_mut(&key).filter(|lane| !lane.is_placing)?;
        let request = lane.waiting.pop_front()?;
        self.waiting.remove(&request);
        let step = lane.begin(request);
        self.close_if_idle(key);
        Some(step)
    }

    fn after(&mut self, key: LaneKey, was_broken: bool) {
        if !was_broken && self.lanes.get(&key).is_some_and(|lane| lane.ahead.is_broken()) {
            self.broken.push_back(key);
            self.forget_oldest();
        }
        self.close_if_idle(key);
    }

    fn forget_oldest(&mut self) {
        while self.broken.len() > BROKEN_MAX {
            let Some(oldest) = self.broken.pop_front() else { return };
            if let Some(lane) = self.lanes.get(&oldest) {
                lane.ahead.mend();
                self.close_if_idle(oldest);
            }
        }
    }

    fn close_if_idle(&mut self, key: LaneKey) {
        if self.lanes.get(&key).is_some_and(Lane::is_idle) {
            self.lanes.remove(&key);
        }
    }
}

impl Lane {
    fn begin(&self, request: PublishRequest) -> Step {
        let turn = request.turn();
        match self.ahead.admit(turn) {
            Ok(()) => Step::Place(request, Earlier::behind(Arc::clone(&self.ahead), turn)),
            Err(refusal) => Step::Refuse(request.sequence, refusal),
        }
    }

    fn is_idle(&self) -> bool {
        !self.is_placing && self.waiting.is_empty() && self.ahead.is_idle() && !self.ahead.is_broken()
    }
}

impl Load {
    fn add(&mut self, request: &PublishRequest) {
        self.requests += 1;
        self.payload_bytes += request.send.as_ref().map_or(0, payload_bytes);
    }

    fn remove(&mut self, request: &PublishRequest) {
        self.requests -= 1;
        self.payload_bytes -= request.send.as_ref().map_or(0, payload_bytes);
    }
}

fn answer_of(refusal: Option<&Refusal>) -> Answer {
    match refusal.map(|refusal| refusal.reason.retry()) {
        None | Some(Retry::Never) => Answer::Final,
        Some(Retry::Safe | Retry::Ambiguous) => Answer::Refused,
    }
}

#[cfg(test)]
mod tests {
    use ringway_proto::Reason;
    use ringway_proto::v1::{Message, SendToUserRequest, Turn};

    use super::*;

    fn request(user: &str, sequence: u64, turn: Turn) -> PublishRequest {
        let message = Some(Message { payload: vec![0; 10].into(), ..Message::default() });
        let send = Target::ToUser(SendToUserRequest {
            user: user.to_owned(),
            message,
            ..SendToUserRequest::default()
        });
        PublishRequest { sequence, send: Some(send), turn: turn.into() }
    }

    /// The sequence number of what may begin, or is refused, or nothing.
    fn seen(step: Option<Step>) -> Option<Result<u64, u64>> {
        match step? {
            Step::Place(request, _) => Some(Ok(request.sequence)),
            Step::Refuse(sequence, refusal) => {
                assert_eq!(refusal.reason, Reason::OutOfTurn);
                Some(Err(sequence))
            }
            Step::Wait => None,
        }
    }

    fn arrive(lanes: &mut Lanes, sequence: u64, turn: Turn) -> (LaneKey, Option<Result<u64, u64>>) {
        let request = request("alice", sequence, turn);
        let key = lanes.key(&request);
        (key, seen(Some(lanes.arrive(key, request))))
    }

    fn refusal() -> Option<Refusal> {
        Some(Refusal::new(Reason::NotOwner, "the test says so"))
    }

    #[test]
    fn what_ends_at_once_leaves_nothing() {
        let mut lanes = Lanes::default();
        for sequence in 1..4 {
            let (key, step) = arrive(&mut lanes, sequence, Turn::First);
            assert_eq!(step, Some(Ok(sequence)));
            lanes.end(key, None);
        }
        let (key, _) = arrive(&mut lanes, 4, Turn::First);
        lanes.end(key, Some(&Refusal::new(Reason::InvalidArgument, "not to be sent again")));
        assert!(lanes.lanes.is_empty() && lanes.broken.is_empty());
    }

    #[test]
    fn those_behind_one_that_waits_go_one_by_one_and_the_lane_is_gone_at_the_end() {
        let mut lanes = Lanes::default();
        let (key, _) = arrive(&mut lanes, 1, Turn::First);
        lanes.hold(key);
        for sequence in [2, 3] {
            assert_eq!(arrive(&mut lanes, sequence, Turn::Follows).1, None);
        }
        assert_eq!((lanes.waiting().requests, lanes.waiting().payload_bytes), (2, 20));
        assert_eq!(seen(lanes.next(key)), None, "the first one has no place yet");
        lanes.go(key, Way::Here);
        assert_eq!(seen(lanes.next(key)), Some(Ok(2)));
        lanes.hold(key);
        assert_eq!(seen(lanes.next(key)), None);
        lanes.end(key, None);
        assert_eq!(seen(lanes.next(key)), Some(Ok(3)));
        lanes.go(key, Way::Here);
        assert_eq!(seen(lanes.next(key)), None);
        lanes.answered(key, None);
        assert_eq!(lanes.lanes.len(), 1);
        lanes.answered(key, None);
        assert!(lanes.lanes.is_empty());
        assert_eq!((lanes.waiting().requests, lanes.waiting().payload_bytes), (0, 0));
    }

    #[test]
    fn a_refusal_is_for_all_that_follow_until_one_begins_again() {
        let mut lanes = Lanes::default();
        let (key, _) = arrive(&mut lanes, 1, Turn::First);
        lanes.hold(key);
        for (sequence, turn) in
            [(2, Turn::Follows), (3, Turn::Unspecified), (4, Turn::First), (5, Turn::Follows)]
        {
            arrive(&mut lanes, sequence, turn);
        }
        lanes.end(key, refusal().as_ref());
        for expected in [Err(2), Ok(3), Ok(4), Ok(5)] {
            assert_eq!(seen(lanes.next(key)), Some(expected));
        }
        lanes.end(key, None);
        assert!(lanes.lanes.is_empty());
    }

    #[test]
    fn a_broken_lane_is_remembered_but_not_without_a_bound() {
        let mut lanes = Lanes::default();
        for user in 0..=BROKEN_MAX as u64 {
            let request = request(&user.to_string(), user, Turn::First);
            let key = lanes.key(&request);
            lanes.arrive(key, request);
            lanes.end(key, refusal().as_ref());
        }
        assert_eq!((lanes.lanes.len(), lanes.broken.len()), (BROKEN_MAX, BROKEN_MAX));
        for (user, expected) in [(0, Ok(7)), (1, Err(7))] {
            let request = request(&user.to_string(), 7, Turn::Follows);
            let key = lanes.key(&request);
            assert_eq!(seen(Some(lanes.arrive(key, request))), Some(expected), "{user}");
        }
    }
}
