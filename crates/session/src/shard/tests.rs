//! The main transitions of a worker's share, one situation after the other.

mod late;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use ringway_ring::{MemberId, Ring, RingMember, Slot, Strategy, hash_of};

use super::arrivals::Audience;
use super::*;
use crate::directive::Fate;
use crate::frame::SUBPROTOCOL;
use crate::message::Message;
use crate::name::{GroupId, UserId};
use crate::payload::Kind;
use crate::policy::OnConflict;
use crate::session::Opening;
use crate::table::{Attached, Reach, ResumeError};

const ME: &str = "w0";
const OTHER: &str = "w1";
const THIRD: &str = "w2";

fn member(id: &str) -> MemberId {
    MemberId::new(id).unwrap()
}

/// The ring of one of the three workers, which owns everything then. Built once.
fn ring_of(owner: &str) -> Arc<Ring> {
    static RINGS: OnceLock<[Arc<Ring>; 4]> = OnceLock::new();
    let build = |ids: &[&str]| {
        let members = ids.iter().map(|id| RingMember::new(member(id)));
        Arc::new(Ring::build(Strategy::Slots, members).unwrap())
    };
    let rings = RINGS.get_or_init(|| [build(&[ME]), build(&[OTHER]), build(&[THIRD]), build(&[])]);
    let place = [ME, OTHER, THIRD, ""].iter().position(|id| *id == owner).unwrap();
    Arc::clone(&rings[place])
}

fn alice() -> UserId {
    UserId::new("alice").unwrap()
}

fn id(number: u128) -> SessionId {
    SessionId::new(Slot::of(b"alice"), number)
}

fn at(link: u64, channel: u64) -> Address {
    Address { link: LinkId(link), channel: Channel(channel) }
}

fn message(text: &str) -> Message {
    Message::new(
        text.to_owned(),
        String::new(),
        Payload::new(Bytes::from(text.to_owned()), Kind::Text).unwrap(),
    )
}

fn held(number: u128) -> HeldSession {
    HeldSession { id: id(number), user_hash: hash_of(b"alice"), term: 0 }
}

/// What the clients of a history are sent, and the directives that are not that.
#[derive(Default)]
struct Out(Vec<Directive>);

impl Out {
    /// The messages for clients at each channel in order, since it was asked last.
    fn delivered(&mut self) -> Vec<(u64, String)> {
        let mut delivered = Vec::new();
        self.0.retain(|directive| {
            let Directive::Deliver { channels, payload, .. } = directive else { return true };
            let text = std::str::from_utf8(payload.bytes()).unwrap();
            if !text.contains("welcome") {
                delivered.extend(channels.iter().map(|channel| (*channel, text.to_owned())));
            }
            false
        });
        delivered
    }

    fn fates(&mut self) -> Vec<Fate> {
        let fate = |directive: &Directive| match directive {
            Directive::Settled { fate, .. } => Some(*fate),
            _ => None,
        };
        let fates = self.0.iter().filter_map(fate).collect();
        self.0.retain(|directive| fate(directive).is_none());
        fates
    }

    fn has(&self, what: impl Fn(&Directive) -> bool) -> bool {
        self.0.iter().any(what)
    }

    fn detached(&self) -> SessionState {
        let state = self.0.iter().rev().find_map(|directive| match directive {
            Directive::Detached { state, .. } | Directive::HandOver { state, .. } => Some(state),
            _ => None,
        });
        (**state.expect("a session has left")).clone()
    }
}

struct Test {
    shard: Shard,
    out: Out,
    now: Moment,
}

impl Test {
    fn new() -> Self {
        Test::with(MovePolicy::default())
    }

    fn with(moves: MovePolicy) -> Self {
        let shard = Shard::new(member(ME), Policy::default(), moves, ring_of(""));
        Test { shard, out: Out::default(), now: Moment(1_000) }
    }

    /// A worker that owns everything, and knows it.
    fn settled() -> Self {
        let mut test = Test::new();
        test.adopt(ME, &[]);
        test
    }

    fn adopt(&mut self, owner: &str, others: &[&str]) {
        self.shard.adopt(ring_of(owner), others.iter().map(|id| member(id)), self.now, &mut self.out.0);
    }

    fn open(&mut self, number: u128, address: Address, subprotocol: &str) -> Result<(), NotOpened> {
        self.open_when(0, number, address, subprotocol)
    }

    fn open_when(
        &mut self,
        opened_at_ms: u64,
        number: u128,
        address: Address,
        subprotocol: &str,
    ) -> Result<(), NotOpened> {
        let opening = Opening {
            id: id(number),
            user: alice(),
            groups: vec![GroupId::new("all").unwrap()],
            permissions: Arc::default(),
            address,
            remote_address: "".into(),
            subprotocol: subprotocol.into(),
            opened_at_ms,
            epoch: 7,
            resume_token: "token".into(),
            device: "".into(),
            has: None,
        };
        self.shard.open(opening, self.now, &mut self.out.0)
    }

    fn reopen(
        &mut self,
        state: SessionState,
        complete: bool,
        passed_offset: u64,
        address: Address,
    ) -> Result<SessionId, NotOpened> {
        let reopening = Reopening { address, state, complete, passed_offset, passed_messages: 0 };
        self.shard.reopen(reopening, self.now, &mut self.out.0)
    }

    fn resume(
        &mut self,
        user: &str,
        groups: &[&str],
        offset: u64,
        address: Address,
    ) -> Result<Attached, NotOpened> {
        let resuming = resuming(user, groups, offset, address);
        self.shard.resume(resuming, self.now, &mut self.out.0)
    }

    fn attempt(&mut self, attempt: u64, address: Address) -> Result<Attached, NotOpened> {
        let resuming = Resuming { attempt, ..resuming("alice", &["all"], 0, address) };
        self.shard.resume(resuming, self.now, &mut self.out.0)
    }

    fn send(&mut self, text: &str) -> Result<Sent, NotHere> {
        self.shard.send_to_user(&alice(), Sending::of(&message(text)), self.now, &mut self.out.0)
    }

    fn send_to_group(&mut self, text: &str) -> Sent {
        let group = GroupId::new("all").unwrap();
        self.shard.send_to_group(&group, Sending::of(&message(text)), self.now, &mut self.out.0)
    }

    fn holding(&mut self, holder: &str, sessions: &[u128]) {
        let sessions: Vec<_> = sessions.iter().map(|number| held(*number)).collect();
        self.shard.holding(&member(holder), &sessions, &mut self.out.0);
        self.shard.heard(&member(holder), Duration::ZERO, self.now, &mut self.out.0);
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
        self.shard.expire(self.now, &mut self.out.0);
    }
}

/// The state of a raw session that left another worker.
fn state_from_elsewhere(subprotocol: &str) -> SessionState {
    let mut test = Test::settled();
    test.open(1, at(9, 9), subprotocol).unwrap();
    test.adopt(OTHER, &[OTHER]);
    test.shard.detach(at(9, 9), test.now, &mut test.out.0);
    test.out.detached()
}

fn awaited(sent: &Sent) -> Vec<Option<SessionId>> {
    sent.tickets.iter().map(|ticket| ticket.session()).collect()
}

fn resuming(user: &str, groups: &[&str], offset: u64, address: Address) -> Resuming {
    let user = UserId::new(user).unwrap();
    let groups = groups.iter().map(|name| GroupId::new(name).unwrap()).collect();
    let (permissions, resume_token) = (Arc::default(), "token".into());
    Resuming { id: id(1), user, groups, permissions, address, offset, attempt: 0, resume_token }
}

#[test]
fn a_worker_acts_for_those_whom_it_owns_once_all_have_been_heard() {
    let check = |test: &mut Test, expected: Result<u32, NotHere>| {
        assert_eq!(test.send("m").map(|sent| sent.reach.sessions), expected);
    };
    let mut test = Test::new();
    check(&mut test, Err(NotHere::NotOwner));
    test.adopt(ME, &[OTHER]);
    check(&mut test, Err(NotHere::Unsettled));
    assert_eq!(test.open(1, at(1, 1), ""), Err(NotOpened::Unsettled));
    test.holding(OTHER, &[]);
    check(&mut test, Ok(0));
    test.open(1, at(1, 1), "").unwrap();
    check(&mut test, Ok(1));
    test.adopt(ME, &[OTHER, THIRD]);
    check(&mut test, Ok(1)); // It owned them before.
    test.adopt(OTHER, &[OTHER, THIRD]);
    check(&mut test, Err(NotHere::NotOwner));
    test.adopt(ME, &[OTHER, THIRD]);
    check(&mut test, Err(NotHere::Unsettled)); // Another worker may have acted meanwhile.
}

#[test]
fn a_lapsed_lease_fences_until_it_is_renewed() {
    let mut test = Test::settled();
    test.open(1, at(1, 1), "").unwrap();
    test.shard.set_valid_until(Some(test.now));
    assert_eq!(test.send("m").unwrap_err(), NotHere::NotOwner);
    assert_eq!(test.open(2, at(1, 2), ""), Err(NotOpened::NotOwner));
    assert_eq!(test.shard.held_at_all(), [held(1)], "it still says what it has");
    test.shard.set_valid_until(Some(test.now + Duration::from_secs(1)));
    assert_eq!(test.send("m").unwrap().reach.sessions, 1);
}

#[test]
fn a_session_moves_out_with_what_waits_for_it() {
    let mut test = Test::new();
    test.shard.table = SessionTable::new(Policy { window_bytes: 1, ..Policy::default() });
    test.adopt(ME, &[]);
    test.open(1, at(1, 5), "").unwrap();
    for text in ["a", "b", "c"] {
        test.send(text).unwrap();
    }
    assert_eq!(test.out.delivered(), [(5, "a".to_owned())]);
    test.adopt(OTHER, &[OTHER]);
    assert_eq!(test.shard.held_for(&member(OTHER)), [held(1)]);
    assert_eq!(test.shard.begin_moves(10, test.now, &mut test.out.0), 1);
    assert!(test.out.has(|it| *it == Directive::Move { link: LinkId(1), channels: vec![5] }));
    assert_eq!(test.shard.detach(at(1, 5), test.now, &mut test.out.0), Some(id(1)));
    let waiting: Vec<_> = test.out.detached().waiting.iter().map(|it| it.payload.bytes().clone()).collect();
    assert_eq!(waiting, ["b", "c"]);
    assert_eq!((test.shard.table().len(), test.shard.in_transit()), (0, 1));
    assert_eq!(test.shard.held_for(&member(OTHER)), [held(1)], "it is still to be expected from here");
    test.shard.arrived(at(1, 5), test.now, &mut test.out.0);
    assert!(test.out.has(|it| *it == Directive::Released { session: id(1) }));
    assert_eq!((test.shard.in_transit(), test.shard.followed()), (0, 1));
    test.pass(10);
    assert_eq!(test.shard.followed(), 0);
}

#[test]
fn a_session_that_ends_on_its_way_out_makes_room_for_the_next() {
    let mut test = Test::settled();
    test.shard.policy.moves_under_way_max = 1;
    test.open(1, at(1, 1), "").unwrap();
    test.open(2, at(1, 2), "").unwrap();
    test.adopt(OTHER, &[OTHER]);
    assert_eq!(test.shard.begin_moves(10, test.now, &mut test.out.0), 1);
    assert_eq!(test.shard.begin_moves(10, test.now, &mut test.out.0), 0);
    test.shard.close(&Target::Session(id(1)), CloseCode::CLOSED_BY_BACKEND, "", &mut test.out.0);
    assert_eq!(test.shard.begin_moves(10, test.now, &mut test.out.0), 1);
}

/// The channels of those whose gateways are told to let them go now.
fn told(test: &mut Test) -> Vec<u64> {
    test.out.0.clear();
    test.shard.begin_moves(10, test.now, &mut test.out.0);
    let channels = |directive: &Directive| match directive {
        Directive::Move { channels, .. } => channels.clone(),
        _ => Vec::new(),
    };
    test.out.0.iter().flat_map(channels).collect()
}

#[test]
fn a_gateway_that_does_not_answer_holds_up_its_own_sessions_only() {
    let mut test = Test::settled();
    test.shard.policy.moves_under_way_max = 1;
    for (number, address) in (1..).zip([at(1, 11), at(1, 12), at(1, 13), at(2, 21), at(2, 22)]) {
        test.open(number, address, SUBPROTOCOL).unwrap();
    }
    test.adopt(OTHER, &[OTHER]);
    assert_eq!(told(&mut test), [11, 21]);
    test.shard.detach(at(2, 21), test.now, &mut test.out.0);
    assert_eq!(told(&mut test), [0; 0], "it has not arrived yet");
    test.shard.arrived(at(2, 21), test.now, &mut test.out.0);
    assert_eq!(told(&mut test), [22]);
    assert!(test.shard.has_moves(), "two of the first link wait");
    test.shard.close(&Target::Session(id(1)), CloseCode::CLOSED_BY_BACKEND, "", &mut test.out.0);
    assert_eq!(told(&mut test), [12]);
    test.shard.link_gone(LinkId(1), test.now);
    test.shard.begin_moves(10, test.now, &mut test.out.0);
    assert_eq!(test.shard.in_transit(), 1, "one at a time also of those that go by themselves");
    test.shard.handed_over(id(2), test.now, &mut test.out.0);
    test.shard.handed_over(id(3), test.now, &mut test.out.0);
    test.shard.begin_moves(10, test.now, &mut test.out.0);
    assert!(test.shard.in_transit() == 1 && !test.shard.has_moves());
}

#[test]
fn those_for_whom_somebody_waits_go_before_the_others_in_the_order_of_asking() {
    let mut test = Test::settled();
    test.shard.policy.moves_under_way_max = 1;
    (1..=5).for_each(|number| test.open(number, at(1, number as u64), "").unwrap());
    test.adopt(OTHER, &[OTHER]);
    test.shard.hasten(&[id(4), id(3)]);
    let mut order = Vec::new();
    while test.shard.has_moves() {
        for channel in told(&mut test) {
            order.push(channel);
            if channel == 4 {
                test.shard.hasten(&[id(5)]); // One of those that are held up.
            }
            test.shard.detach(at(1, channel), test.now, &mut test.out.0);
            test.shard.arrived(at(1, channel), test.now, &mut test.out.0);
        }
    }
    assert_eq!(order, [4, 3, 5, 1, 2]);
}

#[test]
fn what_goes_to_many_is_sent_after_a_session_also_when_it_has_arrived() {
    let mut test = Test::settled();
    test.open(1, at(1, 5), "").unwrap();
    test.adopt(OTHER, &[OTHER]);
    let onward = |test: &mut Test| test.send_to_group("m").onward.into_values().flatten().collect::<Vec<_>>();
    assert_eq!(onward(&mut test), []);
    test.shard.detach(at(1, 5), test.now, &mut test.out.0);
    assert_eq!(onward(&mut test), [id(1)]);
    test.shard.arrived(at(1, 5), test.now, &mut test.out.0);
    assert_eq!(onward(&mut test), [id(1)]);
    test.pass(10);
    assert_eq!(onward(&mut test), []);
}

#[test]
fn messages_are_kept_for_a_session_that_is_to_arrive_and_follow_what_it_brings() {
    let mut test = Test::new();
    test.adopt(ME, &[OTHER]);
    test.holding(OTHER, &[1]);
    let sent = test.send("kept").unwrap();
    assert_eq!((sent.reach, awaited(&sent)), (Reach::default(), vec![Some(id(1))]));
    assert!(test.out.has(|it| *it == Directive::Hasten { holder: member(OTHER), session: id(1) }));
    let mut state = state_from_elsewhere("");
    state.waiting =
        vec![crate::Numbered { offset: 0, payload: message("brought").payload().clone(), stored: None }];
    test.reopen(state, true, 0, at(1, 1)).unwrap();
    test.send("after").unwrap();
    let texts: Vec<_> = test.out.delivered().into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["brought", "kept", "after"]);
    assert_eq!(test.out.fates(), [Fate::Taken]);
    assert_eq!(test.shard.expected(), 0);
}

#[test]
fn the_ends_of_a_wait() {
    type Event = fn(&mut Test);
    let check = |event: Event, expected: &[Fate]| {
        let mut test = Test::new();
        test.adopt(ME, &[OTHER]);
        test.holding(OTHER, &[1]);
        test.send("m").unwrap();
        event(&mut test);
        assert_eq!(test.out.fates(), expected);
    };
    let take_over: Event = |test| {
        let state = state_from_elsewhere(SUBPROTOCOL);
        test.shard.take_over(state, test.now + Duration::from_secs(9), test.now, &mut test.out.0).unwrap();
    };
    check(take_over, &[Fate::Suspended]);
    check(|test| test.shard.released(&member(OTHER), &[id(1)], test.now, &mut test.out.0), &[Fate::Ended]);
    check(|test| test.shard.released(&member(THIRD), &[id(1)], test.now, &mut test.out.0), &[]);
    let not_named_again: Event = |test| {
        test.adopt(ME, &[OTHER]);
        test.holding(OTHER, &[]);
    };
    check(not_named_again, &[Fate::Ended]);
    check(|test| test.adopt(OTHER, &[OTHER]), &[Fate::Elsewhere]);
    check(|test| test.adopt(ME, &[OTHER]), &[]);
    let lost: Event = |test| {
        test.shard.lost(&member(OTHER), test.now);
        test.pass(4);
    };
    check(lost, &[]);
    let lost_for_long: Event = |test| {
        test.shard.lost(&member(OTHER), test.now);
        test.pass(5);
    };
    check(lost_for_long, &[Fate::Ended]);
    let gone_from_every_view: Event = |test| {
        test.adopt(ME, &[THIRD]);
        test.holding(THIRD, &[]);
        test.pass(5);
    };
    check(gone_from_every_view, &[Fate::Ended]);
}

#[test]
fn a_session_that_two_workers_have_named_is_expected_from_both() {
    let mut test = Test::new();
    test.adopt(ME, &[OTHER, THIRD]);
    test.holding(OTHER, &[1]);
    test.holding(THIRD, &[1]);
    test.send("m").unwrap();
    test.shard.released(&member(OTHER), &[id(1)], test.now, &mut test.out.0);
    assert_eq!((test.out.fates(), test.shard.expects(id(1))), (vec![], true));
    test.shard.released(&member(THIRD), &[id(1)], test.now, &mut test.out.0);
    assert_eq!((test.out.fates(), test.shard.expects(id(1))), (vec![Fate::Ended], false));
}

#[test]
fn a_session_that_was_let_go_may_be_at_somebody_who_was_not_heard() {
    let mut test = Test::new();
    test.adopt(ME, &[OTHER, THIRD]);
    test.holding(OTHER, &[1]);
    test.shard.send_to_sessions(&[id(1)], &message("m"), test.now, &mut test.out.0);
    test.shard.released(&member(OTHER), &[id(1)], test.now, &mut test.out.0);
    test.pass(1);
    assert_eq!(test.out.fates(), []);
    test.holding(THIRD, &[1]);
    assert_eq!((test.out.fates(), test.shard.expects(id(1))), (vec![], true));
    test.shard.released(&member(THIRD), &[id(1)], test.now, &mut test.out.0);
    assert_eq!(test.out.fates(), [Fate::Ended]);
}

#[test]
fn the_user_of_a_session_is_known_once_it_is_named() {
    let mut test = Test::new();
    test.adopt(ME, &[OTHER]);
    let sent = test.shard.send_to_sessions(&[id(1)], &message("to many"), test.now, &mut test.out.0);
    assert_eq!(sent.tickets.len(), 1, "it may be on its way");
    test.holding(OTHER, &[1]);
    assert_eq!(test.shard.expected_of(&alice()), [id(1)]);
    assert_eq!(awaited(&test.send("to alice").unwrap()), [Some(id(1))]);
}

#[test]
fn messages_for_users_of_a_worker_that_died_wait_for_whichever_session_appears() {
    let mut test = Test::new();
    test.adopt(OTHER, &[OTHER]);
    test.holding(OTHER, &[]);
    test.adopt(ME, &[OTHER]);
    test.shard.lost(&member(OTHER), test.now);
    let sent = test.send("m").unwrap();
    assert_eq!(awaited(&sent), [None]);
    test.reopen(state_from_elsewhere(""), false, 0, at(1, 1)).unwrap();
    assert_eq!(test.out.fates(), [Fate::Taken]);
    test.shard.gone(at(1, 1), false, test.now, &mut test.out.0);
    test.send("n").unwrap();
    test.pass(5);
    assert_eq!(test.out.fates(), [Fate::Ended], "nobody has appeared");
}

#[test]
fn a_ring_that_flips_back_brings_the_session_back() {
    let mut test = Test::settled();
    test.open(1, at(1, 5), "").unwrap();
    test.adopt(OTHER, &[OTHER]);
    test.shard.begin_moves(10, test.now, &mut test.out.0);
    test.shard.detach(at(1, 5), test.now, &mut test.out.0);
    let state = test.out.detached();
    test.adopt(ME, &[OTHER]);
    test.holding(OTHER, &[]);
    assert_eq!(awaited(&test.send("m").unwrap()), [Some(id(1))]);
    test.reopen(state, true, 0, at(1, 6)).unwrap();
    assert_eq!(test.out.fates(), [Fate::Taken]);
    assert_eq!((test.shard.expected(), test.shard.in_transit()), (0, 0));
    // And away again: nothing of its first way is left.
    test.adopt(OTHER, &[OTHER]);
    assert_eq!(test.shard.begin_moves(10, test.now, &mut test.out.0), 1);
    assert!(test.out.has(|it| *it == Directive::Move { link: LinkId(1), channels: vec![6] }));
}

/// A worker with a message for a session that has left and belongs here again.
fn left_and_back() -> Test {
    let mut test = Test::settled();
    test.open(1, at(1, 5), "").unwrap();
    test.adopt(OTHER, &[OTHER]);
    test.shard.detach(at(1, 5), test.now, &mut test.out.0);
    test.adopt(ME, &[OTHER]);
    test.send_to_group("m");
    test
}

#[test]
fn a_session_that_arrived_elsewhere_and_belongs_here_by_now_is_still_expected() {
    let mut test = left_and_back();
    test.shard.arrived(at(1, 5), test.now, &mut test.out.0);
    assert_eq!(test.out.fates(), []);
    test.holding(OTHER, &[1]);
    assert_eq!((test.out.fates(), test.shard.expects(id(1))), (vec![], true));
    test.shard.released(&member(OTHER), &[id(1)], test.now, &mut test.out.0);
    assert_eq!((test.out.fates(), test.shard.expected()), (vec![Fate::Ended], 0));
}

#[test]
fn a_session_that_arrived_elsewhere_is_not_expected_when_nobody_has_it() {
    // It has ended there: whether that it had arrived is known before or after what the other one has.
    let mut test = left_and_back();
    test.shard.arrived(at(1, 5), test.now, &mut test.out.0);
    test.holding(OTHER, &[]);
    assert_eq!((test.out.fates(), test.shard.expected()), (vec![Fate::Ended], 0));

    let mut test = left_and_back();
    test.holding(OTHER, &[]);
    assert_eq!((test.out.fates(), test.shard.expected()), (vec![], 1), "it may be on its way");
    test.shard.arrived(at(1, 5), test.now, &mut test.out.0);
    assert_eq!((test.out.fates(), test.shard.expected()), (vec![Fate::Ended], 0));

    // Whoever had it has died, perhaps: its gateway may bring it.
    let mut test = left_and_back();
    test.shard.lost(&member(OTHER), test.now);
    test.shard.arrived(at(1, 5), test.now, &mut test.out.0);
    assert_eq!((test.out.fates(), test.shard.expected()), (vec![], 1));
    test.pass(5);
    assert_eq!((test.out.fates(), test.shard.expected()), (vec![Fate::Ended], 0));
}

#[test]
fn a_message_for_sessions_of_others_is_given_back() {
    let mut test = Test::settled();
    test.open(1, at(1, 5), "").unwrap();
    let send = |test: &mut Test, ids: &[SessionId]| {
        test.shard.send_to_sessions(ids, &message("m"), test.now, &mut test.out.0)
    };
    test.adopt(OTHER, &[OTHER]);
    let sent = send(&mut test, &[id(1), id(2)]);
    assert_eq!((sent.reach.sessions, sent.strayed, sent.tickets.len()), (1, vec![id(2)], 0));
    test.shard.detach(at(1, 5), test.now, &mut test.out.0);
    assert_eq!(send(&mut test, &[id(1)]).strayed, [id(1)], "also if it has left from here");
    test.adopt(ME, &[OTHER]);
    assert_eq!(awaited(&send(&mut test, &[id(1)])), [Some(id(1))]);
}

#[test]
fn what_goes_to_many_is_given_once() {
    let mut old = Test::settled();
    old.open(1, at(1, 5), "").unwrap();
    old.send_to_group("before it is known that it moves");
    old.adopt(OTHER, &[OTHER]);
    old.send_to_group("afterwards");
    old.shard.detach(at(1, 5), old.now, &mut old.out.0);
    let mut new = Test::new();
    new.adopt(ME, &[OTHER]);
    new.holding(OTHER, &[1]);
    new.reopen(old.out.detached(), true, 0, at(2, 1)).unwrap();
    let reached = |new: &mut Test, text: &str| new.send_to_group(text).reach.sessions;
    assert_eq!(reached(&mut new, "before it is known that it moves"), 0);
    assert_eq!(reached(&mut new, "afterwards"), 0);
    assert_eq!(reached(&mut new, "new"), 1);
    assert_eq!(reached(&mut new, "new"), 0);
    new.pass(20);
    assert_eq!(reached(&mut new, "new"), 1, "it does not remember for ever");
}

#[test]
fn a_session_without_a_gateway_is_handed_over() {
    let mut test = Test::settled();
    test.open(1, at(1, 5), SUBPROTOCOL).unwrap();
    test.shard.gone(at(1, 5), true, test.now, &mut test.out.0);
    assert_eq!(test.send("m").unwrap().reach.suspended, 1);
    test.adopt(OTHER, &[OTHER]);
    assert_eq!(test.shard.begin_moves(10, test.now, &mut test.out.0), 1);
    let state = test.out.detached();
    assert_eq!(state.waiting.len(), 1);
    // The owner does not take it: it is here again, and goes again.
    test.shard.hand_over_failed(state, Duration::from_secs(9), test.now, &mut test.out.0);
    assert_eq!(test.shard.table().len(), 1);
    assert_eq!(test.shard.begin_moves(10, test.now, &mut test.out.0), 1);
    test.shard.handed_over(id(1), test.now, &mut test.out.0);
    assert!(test.out.has(|it| *it == Directive::Released { session: id(1) }));
    assert_eq!((test.shard.table().len(), test.shard.in_transit()), (0, 0));
}

#[test]
fn a_session_that_is_not_taken_is_here_again_however_late_that_is_known() {
    let mut test = Test::settled();
    test.open(1, at(1, 5), SUBPROTOCOL).unwrap();
    test.shard.gone(at(1, 5), true, test.now, &mut test.out.0);
    test.adopt(OTHER, &[OTHER]);
    test.shard.begin_moves(10, test.now, &mut test.out.0);
    let state = test.out.detached();
    test.pass(60);
    assert_eq!(test.shard.followed(), 0);
    test.shard.hand_over_failed(state.clone(), Duration::from_secs(9), test.now, &mut test.out.0);
    assert!(test.shard.table().len() == 1 && test.shard.has_moves());
    test.shard.hand_over_failed(state, Duration::from_secs(9), test.now, &mut test.out.0);
    assert_eq!(test.shard.table().len(), 1);
}

#[test]
fn a_handover_whose_answer_was_lost_leaves_no_second_session() {
    let mut test = Test::settled();
    test.open(1, at(1, 5), SUBPROTOCOL).unwrap();
    test.shard.gone(at(1, 5), true, test.now, &mut test.out.0);
    test.adopt(OTHER, &[OTHER]);
    test.shard.begin_moves(10, test.now, &mut test.out.0);
    let state = test.out.detached();
    test.adopt(ME, &[OTHER]);
    test.holding(OTHER, &[1]);
    test.shard.hand_over_failed(state, Duration::from_secs(9), test.now, &mut test.out.0);
    assert_eq!((test.shard.table().len(), test.shard.expects(id(1))), (0, true));
}

#[test]
fn a_client_resumes_where_it_was() {
    let mut test = Test::settled();
    test.open(1, at(1, 5), SUBPROTOCOL).unwrap();
    for text in ["a", "b", "c"] {
        test.send(text).unwrap();
    }
    test.out.delivered();
    test.shard.acknowledge(at(1, 5), 1, &mut test.out.0);
    let mut resume = |user: &str, offset: u64, channel: u64| {
        let resumed = test.resume(user, &["all"], offset, at(2, channel));
        (resumed.map(|attached| attached.complete), test.out.delivered().len())
    };
    assert_eq!(resume("alice", 2, 1), (Ok(true), 1));
    assert_eq!(resume("alice", 0, 2), (Ok(false), 1), "what it said to have is forgotten");
    assert_eq!(resume("alice", 4, 3), (Err(ResumeError::NotTheirs.into()), 0), "never sent");
    assert_eq!(resume("bob", 2, 4), (Err(ResumeError::NotTheirs.into()), 0));
}

#[test]
fn an_attempt_that_comes_late_takes_nothing_from_a_later_one() {
    let mut test = Test::settled();
    test.open(1, at(1, 5), SUBPROTOCOL).unwrap();
    let mut attempt =
        |number, channel| test.attempt(number, at(2, channel)).map(|attached| attached.complete);
    assert_eq!(attempt(2, 1), Ok(true));
    assert_eq!(attempt(1, 2), Err(NotOpened::Outdated));
    assert_eq!(attempt(0, 3), Err(NotOpened::Outdated), "who has numbered them goes on doing so");
    assert_eq!(attempt(2, 4), Ok(true), "the gateway asks once more");
    assert_eq!(attempt(3, 5), Ok(true));
    assert_eq!(test.shard.table().address_of(id(1)), Some(at(2, 5)));

    // The number travels, and decides between two gateways that bring the session.
    let state = test.shard.checkpoint(id(1)).unwrap();
    let mut outdated = state.clone();
    outdated.stream.as_mut().unwrap().attempt = 2;
    let mut next = Test::settled();
    assert_eq!(next.reopen(outdated.clone(), false, 0, at(1, 1)), Ok(id(1)));
    assert_eq!(next.reopen(state, false, 0, at(1, 2)), Ok(id(1)));
    assert_eq!(next.reopen(outdated, false, 0, at(1, 3)), Err(NotOpened::Outdated));
    assert_eq!(next.shard.table().address_of(id(1)), Some(at(1, 2)));
    let resumed = next.attempt(2, at(1, 4));
    assert_eq!(resumed.map(|attached| attached.complete), Err(NotOpened::Outdated));
}

#[test]
fn a_resumed_session_is_in_the_groups_of_its_newest_token_and_in_those_that_it_joined() {
    let mut test = Test::settled();
    test.open(1, at(1, 5), SUBPROTOCOL).unwrap(); // Its token names `all`.
    let join = |test: &mut Test, name: &str| {
        let (target, group) = (Target::Session(id(1)), GroupId::new(name).unwrap());
        test.shard.join(&target, &group, &mut test.out.0).unwrap();
    };
    let check = |test: &mut Test, named: &[&str], channel: u64, expected: &[&str]| {
        test.resume("alice", named, 0, at(2, channel)).unwrap();
        let groups = test.shard.table().session(id(1)).unwrap().groups;
        assert_eq!(groups.iter().map(GroupId::as_str).collect::<Vec<_>>(), expected, "{named:?}");
    };
    join(&mut test, "joined");
    check(&mut test, &["all"], 1, &["all", "joined"]);
    check(&mut test, &["new"], 2, &["joined", "new"]);
    assert_eq!(
        test.send_to_group("m").reach,
        Reach::default(),
        "nothing comes from a group that was revoked"
    );
    check(&mut test, &["joined", "new"], 3, &["joined", "new"]);
    join(&mut test, "new");
    check(&mut test, &[], 4, &["joined", "new"]);
    check(&mut test, &["all"], 5, &["all", "joined", "new"]);

    // It is known at the next worker, too.
    test.adopt(OTHER, &[OTHER]);
    test.shard.detach(at(2, 5), test.now, &mut test.out.0);
    let state = test.out.detached();
    let mut next = Test::settled();
    next.reopen(state, true, 0, at(3, 1)).unwrap();
    check(&mut next, &[], 6, &["joined", "new"]);

    let many: Vec<String> = (0..63).map(|number| format!("g{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let refused = next.resume("alice", &many, 0, at(2, 7));
    assert_eq!(refused, Err(ResumeError::TooManyGroups.into()));
    assert_eq!(next.shard.table().session(id(1)).unwrap().groups.len(), 2, "nothing has changed");
}

#[test]
fn a_client_that_comes_back_in_the_middle_of_a_move_waits_for_its_session() {
    let resume = |test: &mut Test, channel: u64| {
        test.resume("alice", &["all"], 0, at(2, channel)).map(|attached| attached.complete)
    };
    let mut new = Test::new();
    new.adopt(ME, &[OTHER]);
    new.holding(OTHER, &[1]);
    assert_eq!(resume(&mut new, 1), Err(NotOpened::Unsettled));
    new.reopen(state_from_elsewhere(SUBPROTOCOL), true, 0, at(1, 1)).unwrap();
    assert_eq!(
        resume(&mut new, 1),
        Ok(true),
        "its gateway has brought it, and not said yet that the client is gone"
    );
    new.shard.gone(at(1, 1), true, new.now, &mut new.out.0);
    assert_eq!(new.shard.table().place(id(1)), Some(Place::Attached(at(2, 1))));

    let mut old = Test::settled();
    old.open(1, at(1, 5), SUBPROTOCOL).unwrap();
    old.adopt(OTHER, &[OTHER]);
    old.shard.detach(at(1, 5), old.now, &mut old.out.0);
    let state = old.out.detached();
    old.adopt(ME, &[OTHER]);
    old.holding(OTHER, &[]);
    assert_eq!(resume(&mut old, 1), Err(NotOpened::Unsettled), "it is on its way back");
    old.reopen(state, true, 0, at(1, 6)).unwrap();
    assert_eq!(resume(&mut old, 1), Ok(true));
}

#[test]
fn a_checkpoint_goes_on_after_what_was_passed_to_the_client() {
    let mut test = Test::new();
    test.adopt(ME, &[]);
    let state = state_from_elsewhere(SUBPROTOCOL);
    test.reopen(state, false, 5, at(1, 1)).unwrap();
    test.send("m").unwrap();
    let offsets = |directive: &Directive| match directive {
        Directive::Deliver { offsets, .. } => offsets.clone(),
        _ => Vec::new(),
    };
    assert_eq!(test.out.0.iter().flat_map(offsets).collect::<Vec<_>>(), [6]);
}

#[test]
fn what_a_checkpoint_does_not_bring_is_not_said_to_be_there() {
    let check = |offset: u64, expected: bool| {
        let mut old = Test::settled();
        old.open(1, at(1, 5), SUBPROTOCOL).unwrap();
        ["a", "b", "c"].iter().for_each(|text| _ = old.send(text).unwrap());
        let state = old.shard.checkpoint(id(1)).unwrap();
        let mut test = Test::settled();
        test.reopen(state, false, 3, at(1, 6)).unwrap();
        test.shard.gone(at(1, 6), true, test.now, &mut test.out.0);
        let resumed = test.resume("alice", &["all"], offset, at(1, 7));
        assert_eq!(resumed.unwrap().complete, expected, "the client has {offset} of 3");
    };
    check(3, true);
    check(2, false);
}

#[test]
fn what_a_lost_worker_has_passed_to_the_client_is_not_sent_again() {
    let check = |subprotocol: &str, passed_offset: u64, passed_messages: u64, expected: &[&str]| {
        let mut state = state_from_elsewhere(subprotocol);
        let numbers = state.stream.is_some();
        state.waiting = (1..)
            .zip(["a", "b", "c"])
            .map(|(number, text)| crate::Numbered {
                offset: if numbers { number } else { 0 },
                payload: message(text).payload().clone(),
                stored: None,
            })
            .collect();
        state.stream.iter_mut().for_each(|stream| stream.last = 3);
        let mut test = Test::settled();
        let (address, complete) = (at(1, 1), false);
        let reopening = Reopening { address, state, complete, passed_offset, passed_messages };
        test.shard.reopen(reopening, test.now, &mut test.out.0).unwrap();
        let texts: Vec<_> = test.out.delivered().into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, expected, "{subprotocol:?}, {passed_offset}, {passed_messages}");
        // What was passed and not acknowledged can still be had by a client that comes back.
        let state = test.shard.table().state(id(1)).unwrap();
        let unacked = state.stream.map(|stream| stream.unacked.len());
        assert_eq!(unacked, numbers.then_some(if passed_offset > 3 { 0 } else { 3 }));
    };
    check("", 0, 0, &["a", "b", "c"]);
    check("", 0, 2, &["c"]);
    check("", 0, 9, &[]);
    check(SUBPROTOCOL, 0, 0, &["a", "b", "c"]);
    check(SUBPROTOCOL, 2, 2, &["c"]);
    check(SUBPROTOCOL, 2, 9, &["c"]);
    check(SUBPROTOCOL, 9, 9, &[]);
}

#[test]
fn a_checkpoint_waits_for_whoever_still_has_the_session() {
    let mut test = Test::new();
    test.adopt(ME, &[OTHER]);
    test.holding(OTHER, &[1]);
    let state = state_from_elsewhere("");
    assert_eq!(test.reopen(state.clone(), false, 0, at(1, 1)), Err(NotOpened::Unsettled));
    test.shard.lost(&member(OTHER), test.now);
    assert_eq!(test.reopen(state, false, 0, at(1, 2)), Ok(id(1)));
}

#[test]
fn an_outdated_copy_gives_way() {
    let check = |is_suspended_here: bool, complete: bool, expected_waiting: usize| {
        let mut test = Test::settled();
        test.open(1, at(1, 5), SUBPROTOCOL).unwrap();
        test.shard.link_gone(LinkId(1), test.now);
        test.send("to the copy").unwrap();
        let mut state = test.shard.checkpoint(id(1)).unwrap();
        if is_suspended_here {
            state.term += 1; // It went on elsewhere.
        }
        test.reopen(state, complete, 0, at(1, 6)).unwrap();
        assert_eq!(test.out.delivered().len(), expected_waiting);
    };
    check(false, false, 1);
    check(true, false, 0);
    check(true, true, 0);
}

#[test]
fn users_are_told_apart_by_name_where_their_hashes_are_the_same() {
    let mut test = Test::new();
    test.adopt(OTHER, &[OTHER]);
    test.holding(OTHER, &[]);
    test.adopt(ME, &[OTHER]);
    test.shard.lost(&member(OTHER), test.now);
    let mut kept = |user: &str| {
        let (message, user) = (message("m"), UserId::new(user).unwrap());
        // The test says that they have one hash.
        let audience = Audience::User(user, Arc::new([]));
        test.shard.arrivals.keep_for_orphan(user_hash(&alice()), &message, audience, test.now).unwrap()
    };
    let (hers, _theirs) = (kept("alice"), kept("mallory"));
    test.reopen(state_from_elsewhere(""), false, 0, at(1, 1)).unwrap();
    assert!(test.out.has(|it| *it == Directive::Settled { ticket: hers, fate: Fate::Taken }));
    assert_eq!(test.out.fates(), [Fate::Taken], "what is for the other one waits");
    test.pass(5);
    assert_eq!(test.out.fates(), [Fate::Ended]);
}

#[test]
fn what_is_kept_has_a_bound_and_room_comes_back() {
    let mut test = Test::with(MovePolicy { kept_bytes_max: 1_000, ..MovePolicy::default() });
    test.adopt(OTHER, &[OTHER]);
    test.holding(OTHER, &[]);
    test.adopt(ME, &[OTHER]);
    test.shard.lost(&member(OTHER), test.now);
    let mut tickets = Vec::new();
    let refused = loop {
        match test.send("0123456789") {
            Ok(sent) => tickets.extend(sent.tickets),
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused, NotHere::Crowded);
    assert!((1..=100).contains(&tickets.len()));
    test.shard.withdraw(tickets[0]);
    assert!(test.send("0123456789").is_ok());
    assert_eq!(test.send("0123456789"), Err(NotHere::Crowded));
    test.pass(5);
    assert_eq!(test.out.fates().len(), tickets.len());
    assert!(test.send("0123456789").unwrap().tickets.is_empty(), "nobody is an orphan any more");
}

#[test]
fn users_of_a_worker_that_has_started_again_are_waited_for() {
    let mut test = Test::new();
    test.adopt(OTHER, &[OTHER]);
    test.holding(OTHER, &[]);
    // Its former life had these users; its new one says that it has none.
    test.shard.reborn(&member(OTHER), ring_of(OTHER), test.now);
    test.adopt(ME, &[OTHER]);
    test.holding(OTHER, &[]);
    assert_eq!(awaited(&test.send("m").unwrap()), [None]);
    test.reopen(state_from_elsewhere(""), false, 0, at(1, 1)).unwrap();
    assert_eq!(test.out.fates(), [Fate::Taken]);
}

#[test]
fn a_worker_that_has_started_again_waits_for_its_own_users() {
    let mut test = Test::new();
    test.shard.reborn(&member(ME), ring_of(ME), test.now);
    test.adopt(ME, &[]);
    assert_eq!(awaited(&test.send("m").unwrap()), [None]);
    test.pass(5);
    assert_eq!(test.out.fates(), [Fate::Ended]);
    assert!(test.send("m").unwrap().tickets.is_empty());
}

#[test]
fn whoever_takes_over_from_one_that_waits_for_orphans_waits_too() {
    let (mut interim, mut owner) = (Test::new(), Test::new());
    interim.shard.reborn(&member(ME), ring_of(ME), interim.now);
    interim.pass(2);
    let orphans_for = interim.shard.orphans_for(interim.now);
    assert_eq!(orphans_for, Duration::from_secs(3));

    owner.adopt(OTHER, &[OTHER]);
    owner.holding(OTHER, &[]);
    owner.adopt(ME, &[OTHER]);
    owner.shard.heard(&member(OTHER), orphans_for, owner.now, &mut owner.out.0);
    assert_eq!(awaited(&owner.send("m").unwrap()), [None]);
    owner.pass(3);
    assert_eq!(owner.out.fates(), [Fate::Ended]);
}

/// A worker that has lost its lease, with a session that has left and one that waits for its client.
fn lapsed() -> Test {
    let mut test = Test::settled();
    test.open(1, at(1, 1), "").unwrap();
    test.open(2, at(1, 2), SUBPROTOCOL).unwrap();
    test.shard.detach(at(1, 1), test.now, &mut test.out.0);
    test.shard.gone(at(1, 2), true, test.now, &mut test.out.0);
    test.shard.set_valid_until(Some(test.now));
    test
}

#[test]
fn a_lapsed_worker_says_after_whom_it_cannot_send() {
    let mut test = lapsed();
    let sent = test.send_to_group("m");
    assert_eq!((sent.strayed, sent.tickets.len(), sent.onward.len()), (vec![id(1)], 0, 0));
}

#[test]
fn a_lapsed_worker_says_of_nobody_that_he_did_not_come() {
    let mut test = Test::new();
    test.shard.reborn(&member(ME), ring_of(ME), test.now);
    test.adopt(ME, &[]);
    assert_eq!(awaited(&test.send("m").unwrap()), [None]);
    test.shard.set_valid_until(Some(test.now + Duration::from_secs(4)));
    test.pass(5);
    assert_eq!(test.out.fates(), [Fate::Elsewhere]);

    // Whoever was asked by a newer ring has taken the session.
    let mut test = Test::settled();
    test.open(1, at(1, 5), "").unwrap();
    test.shard.detach(at(1, 5), test.now, &mut test.out.0);
    assert_eq!(awaited(&test.send("m").unwrap()), [Some(id(1))]);
    test.shard.set_valid_until(Some(test.now));
    test.shard.arrived(at(1, 5), test.now, &mut test.out.0);
    assert_eq!(test.out.fates(), [Fate::Elsewhere]);
}

#[test]
fn a_lapsed_worker_surrenders_what_waits_for_its_client_and_tells_of_what_ends() {
    let mut test = lapsed();
    let released =
        |test: &Test, number| test.out.has(|it| *it == Directive::Released { session: id(number) });
    assert!(test.shard.surrender(id(1), test.now, &mut test.out.0).is_none(), "it has left");
    assert_eq!(test.shard.held_at_all().len(), 2);
    let (state, resumable_for) = test.shard.surrender(id(2), test.now, &mut test.out.0).unwrap();
    assert_eq!((state.id, resumable_for), (id(2), MovePolicy::default().resume_window));
    assert!(released(&test, 2));

    let mut test = lapsed();
    test.shard.held_at_all();
    test.pass(30);
    assert!(released(&test, 2), "it has ended, and is not to be expected any more");

    let mut valid = Test::settled();
    valid.open(2, at(1, 2), SUBPROTOCOL).unwrap();
    valid.shard.gone(at(1, 2), true, valid.now, &mut valid.out.0);
    assert!(valid.shard.surrender(id(2), valid.now, &mut valid.out.0).is_none());
}

#[test]
fn a_user_has_no_more_sessions_than_allowed_when_all_have_arrived() {
    use OnConflict::{Refuse, ReplaceOldest};
    /// Each session with the time at which it was opened: one on the way here, and one whose client comes meanwhile.
    fn check(
        on_conflict: OnConflict,
        known: bool,
        [arriving, login]: [u64; 2],
        stays: Option<u128>,
        closed: &[CloseCode],
    ) {
        let what = format!("{on_conflict:?}, known: {known}, {arriving}, {login}");
        let mut test = Test::new();
        let policy = Policy { per_user: Some((1, on_conflict)), ..Policy::default() };
        test.shard = Shard::new(member(ME), policy, MovePolicy::default(), ring_of(""));
        test.adopt(ME, &[OTHER]);
        test.holding(OTHER, if known { &[1] } else { &[] });
        let opened = test.open_when(login, 2, at(1, 2), "");
        let kept = test.send("m").unwrap();
        let is_refused = opened == Err(NotOpened::Table(OpenError::TooManySessions { max: 1 }));
        assert_eq!(is_refused, known && on_conflict == Refuse, "{what}");
        let state = SessionState { opened_at_ms: arriving, ..state_from_elsewhere("") };
        test.reopen(state, known, 0, at(1, 1)).unwrap();

        let here: Vec<SessionId> = test.shard.table().ids().map(|(id, _)| id).collect();
        assert_eq!(here, stays.map(id).into_iter().collect::<Vec<_>>(), "{what}");
        let codes: Vec<CloseCode> = test
            .out
            .0
            .iter()
            .filter_map(|directive| match directive {
                Directive::Close { code, .. } => Some(*code),
                _ => None,
            })
            .collect();
        assert_eq!(codes, closed, "{what}");
        assert_eq!(
            test.out.fates().len(),
            kept.tickets.len(),
            "{what}: nobody waits for one that was closed"
        );
        assert_eq!(test.shard.expected(), 0);
    }
    check(ReplaceOldest, true, [1, 2], Some(2), &[CloseCode::REPLACED]);
    check(ReplaceOldest, true, [3, 2], Some(1), &[CloseCode::REPLACED]);
    // Nobody had said that there is one: its worker has died.
    check(ReplaceOldest, false, [1, 2], Some(2), &[CloseCode::REPLACED]);
    check(Refuse, true, [1, 2], Some(1), &[]);
    check(Refuse, false, [1, 2], Some(1), &[CloseCode::TRY_AGAIN_LATER]);
    check(Refuse, false, [3, 2], Some(2), &[CloseCode::TRY_AGAIN_LATER]);
}

#[test]
fn a_handover_that_failed_brings_no_session_beyond_the_bound_back() {
    let mut test = Test::new();
    let policy = Policy { per_user: Some((1, OnConflict::ReplaceOldest)), ..Policy::default() };
    test.shard = Shard::new(member(ME), policy, MovePolicy::default(), ring_of(""));
    test.adopt(ME, &[]);
    test.open_when(1, 1, at(1, 1), SUBPROTOCOL).unwrap();
    test.shard.gone(at(1, 1), true, test.now, &mut test.out.0);
    test.adopt(OTHER, &[OTHER]);
    test.shard.begin_moves(1, test.now, &mut test.out.0);
    let state = test.out.detached();
    test.adopt(ME, &[OTHER]);
    test.holding(OTHER, &[]);
    test.open_when(2, 2, at(1, 2), "").unwrap();
    test.out.0.clear();
    test.shard.hand_over_failed(state, Duration::from_secs(9), test.now, &mut test.out.0);
    assert!(test.shard.table().session(id(1)).is_none() && test.shard.table().session(id(2)).is_some());
    assert!(test.out.has(|directive| *directive == Directive::Released { session: id(1) }));
}

#[test]
fn a_copy_of_a_session_that_has_gone_on_elsewhere_takes_nothing_any_more() {
    let check = |term: u64, expected: (u32, Vec<Option<SessionId>>)| {
        let mut test = Test::settled();
        test.open(1, at(1, 1), SUBPROTOCOL).unwrap();
        test.shard.link_gone(LinkId(1), test.now);
        test.shard.unsettle();
        test.adopt(ME, &[OTHER]);
        test.shard.holding(&member(OTHER), &[HeldSession { term, ..held(1) }], &mut test.out.0);
        test.shard.heard(&member(OTHER), Duration::ZERO, test.now, &mut test.out.0);
        let sent = test.send("m").unwrap();
        assert_eq!((sent.reach.suspended, awaited(&sent)), expected, "{term}");
    };
    check(0, (1, vec![]));
    check(1, (0, vec![Some(id(1))]));
}

/// A worker with a session that has lost its gateway, and whose user was another's for a while.
fn doubtful_copy() -> Test {
    let mut test = Test::settled();
    test.open(1, at(1, 1), SUBPROTOCOL).unwrap();
    test.shard.link_gone(LinkId(1), test.now);
    test.adopt(OTHER, &[OTHER]);
    test.adopt(ME, &[OTHER]);
    test.out.0.clear();
    test
}

#[test]
fn what_is_sent_after_a_session_does_not_go_to_a_copy_that_may_be_outdated() {
    let mut test = doubtful_copy();
    let sent = test.shard.send_to_sessions(&[id(1)], &message("m"), test.now, &mut test.out.0);
    assert_eq!((sent.reach, awaited(&sent)), (Reach::default(), vec![Some(id(1))]));
    test.shard.holding(&member(OTHER), &[HeldSession { term: 1, ..held(1) }], &mut test.out.0);
    test.shard.heard(&member(OTHER), Duration::ZERO, test.now, &mut test.out.0);
    let state = SessionState { term: 1, ..state_from_elsewhere(SUBPROTOCOL) };
    test.reopen(state, true, 0, at(2, 1)).unwrap();
    assert_eq!(test.out.fates(), [Fate::Taken]);
}
