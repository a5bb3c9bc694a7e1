//! Every event in every phase as a table, and random histories against a model that only keeps lists.

use proptest::prelude::*;

use super::*;

/// A post, by its number.
type Post = u8;

/// A message of the client, by its number. Counts ten bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said(u32);

impl Cost for Said {
    fn cost_bytes(&self) -> usize {
        10
    }
}

type Doing = Action<Post, Said>;

/// What may happen.
#[derive(Clone, Copy, Debug)]
enum Event {
    Says(u32),
    Delivered(Post, u64),
    Checkpoint(Post),
    Depart(Post),
    Part(Post),
    Detached(Post),
    Lost(Post),
    GiveUp(Post),
    Ask(Post),
    Opened(Post),
    Refused(Post, Refusal),
    Closed(Post, CloseCode),
    Abandon,
    Dismiss(Post),
    Suspend,
    Leave,
}

use Event::*;
use Phase as Ph;

const FULL: Refusal = Refusal::Final(CloseCode::TRY_AGAIN_LATER);
const PARTS_BYTES_MAX: usize = 30;

fn piece(text: &str, post: Post) -> Bytes {
    format!("{text}{post}").into()
}

/// Lets an event happen, and gives what is to be done. A message that is to be passed on now is an action too.
fn happen(relay: &mut Relay<Post, Said>, event: Event) -> Vec<Doing> {
    match event {
        Says(number) => {
            relay.client_message(Said(number)).map(|(to, said)| Action::Pass(*to, said)).into_iter().collect()
        }
        Delivered(post, offset) => {
            _ = relay.delivered(&post, Some(offset));
            Vec::new()
        }
        Checkpoint(post) => {
            relay.checkpoint(&post, piece("checkpoint", post));
            Vec::new()
        }
        Depart(post) => relay.depart(&post).into_iter().collect(),
        Part(post) => relay.state_part(&post, piece("part", post), PARTS_BYTES_MAX),
        Detached(post) => relay.detached(&post, piece("last", post)),
        Lost(post) => relay.lost(&post),
        GiveUp(post) => relay.give_up(&post),
        Ask(post) => {
            _ = relay.ask(post);
            Vec::new()
        }
        Opened(post) => relay.opened(&post, piece("opened", post)),
        Refused(post, refusal) => relay.refused(&post, refusal),
        Closed(post, code) => relay.closed(&post, code),
        Abandon => relay.abandon(CloseCode::RESTART),
        Dismiss(post) => relay.dismiss(&post, CloseCode::RESTART),
        Suspend => relay.suspend(CloseCode::GOING_AWAY),
        Leave => relay.leave(CloseCode::NORMAL, false),
    }
}

fn after(events: &[Event]) -> Relay<Post, Said> {
    let mut relay = Relay::new(1);
    for event in events {
        _ = happen(&mut relay, *event);
    }
    relay
}

fn bye(post: Post, code: CloseCode, may_resume: bool) -> Doing {
    Action::Gone { post, code, may_resume }
}

/// Ways into each phase. The session was opened at post 1; where one was asked, it is post 2.
fn settled() -> Vec<Event> {
    vec![Opened(1)]
}

fn leaving() -> Vec<Event> {
    vec![Opened(1), Depart(1), Says(7)]
}

fn homeless() -> Vec<Event> {
    vec![Opened(1), Depart(1), Says(7), Part(1), Detached(1)]
}

fn asking() -> Vec<Event> {
    [homeless(), vec![Ask(2), Says(8)]].concat()
}

fn orphaned() -> Vec<Event> {
    vec![Opened(1), Lost(1), Ask(2), Says(7)]
}

fn over() -> Vec<Event> {
    vec![Leave]
}

/// Lets `event` happen after `way`, and compares what is to be done and the phase.
fn check(way: fn() -> Vec<Event>, event: Event, phase: Phase, expected: &[Doing]) {
    let mut relay = after(&way());
    let told = format!("{event:?} after {:?}", way());
    assert_eq!(happen(&mut relay, event), expected, "{told}");
    assert_eq!(relay.phase(), phase, "{told}");
}

fn end(code: CloseCode) -> Doing {
    Action::End(code)
}

#[test]
fn every_event_while_settled() {
    let lost = CloseCode::ABNORMAL;
    check(settled, Says(1), Ph::Settled, &[Action::Pass(1, Said(1))]);
    check(settled, Depart(1), Ph::Leaving, &[Action::Detach(1)]);
    check(settled, Depart(2), Ph::Settled, &[]);
    check(settled, Part(1), Ph::Settled, &[]);
    check(settled, Detached(1), Ph::Settled, &[]);
    check(settled, Lost(1), Ph::Homeless, &[Action::Find]);
    check(settled, Lost(2), Ph::Settled, &[]);
    check(settled, GiveUp(1), Ph::Homeless, &[bye(1, lost, false), Action::Find]);
    check(settled, GiveUp(2), Ph::Settled, &[]);
    check(settled, Ask(2), Ph::Settled, &[]);
    check(settled, Opened(2), Ph::Settled, &[]);
    check(settled, Refused(1, FULL), Ph::Settled, &[]);
    check(settled, Closed(1, CloseCode::REPLACED), Ph::Over, &[end(CloseCode::REPLACED)]);
    check(settled, Closed(1, CloseCode::RESTART), Ph::Over, &[end(CloseCode::RESTART)]);
    check(settled, Closed(2, CloseCode::REPLACED), Ph::Settled, &[]);
    check(settled, Abandon, Ph::Settled, &[]);
    check(settled, Leave, Ph::Over, &[bye(1, CloseCode::NORMAL, false)]);
}

#[test]
fn a_session_that_is_to_move_before_it_is_open_leaves_when_it_is() {
    check(Vec::new, Depart(1), Ph::Settled, &[]);
    check(|| vec![Depart(1)], Says(1), Ph::Settled, &[Action::Pass(1, Said(1))]);
    check(|| vec![Depart(1)], Opened(1), Ph::Leaving, &[Action::Detach(1)]);
    check(|| vec![Depart(1), Opened(1)], Opened(1), Ph::Leaving, &[]);
    check(|| vec![Depart(2)], Opened(1), Ph::Settled, &[]);
}

#[test]
fn every_event_while_leaving() {
    let lost = CloseCode::ABNORMAL;
    check(leaving, Says(1), Ph::Leaving, &[]);
    check(leaving, Depart(1), Ph::Leaving, &[]);
    check(leaving, Part(1), Ph::Leaving, &[]);
    check(leaving, Detached(1), Ph::Homeless, &[Action::Find]);
    check(leaving, Detached(2), Ph::Leaving, &[]);
    check(leaving, Lost(1), Ph::Homeless, &[Action::Find]);
    check(leaving, GiveUp(1), Ph::Homeless, &[bye(1, lost, false), Action::Find]);
    check(leaving, GiveUp(2), Ph::Leaving, &[]);
    check(leaving, Ask(2), Ph::Leaving, &[]);
    check(leaving, Opened(1), Ph::Leaving, &[]);
    check(leaving, Refused(1, FULL), Ph::Leaving, &[]);
    check(leaving, Closed(1, CloseCode::REPLACED), Ph::Over, &[end(CloseCode::REPLACED)]);
    check(leaving, Abandon, Ph::Over, &[end(CloseCode::RESTART), bye(1, lost, true)]);
    check(leaving, Leave, Ph::Over, &[bye(1, CloseCode::NORMAL, false)]);
}

#[test]
fn every_event_while_homeless() {
    let lost = CloseCode::ABNORMAL;
    check(homeless, Says(1), Ph::Homeless, &[]);
    check(homeless, Depart(1), Ph::Homeless, &[]);
    check(homeless, Detached(1), Ph::Homeless, &[]);
    check(homeless, Lost(1), Ph::Homeless, &[]);
    check(homeless, GiveUp(1), Ph::Homeless, &[bye(1, lost, false)]);
    check(homeless, Ask(2), Ph::Asking, &[]);
    check(homeless, Opened(2), Ph::Homeless, &[]);
    check(homeless, Refused(2, FULL), Ph::Homeless, &[]);
    check(homeless, Closed(1, CloseCode::REPLACED), Ph::Homeless, &[]);
    check(homeless, Abandon, Ph::Over, &[end(CloseCode::RESTART), bye(1, lost, true)]);
    check(homeless, Leave, Ph::Over, &[bye(1, CloseCode::NORMAL, false)]);
}

#[test]
fn every_event_while_asking() {
    let lost = CloseCode::ABNORMAL;
    check(asking, Says(1), Ph::Asking, &[]);
    check(asking, Depart(2), Ph::Asking, &[]);
    check(asking, Detached(1), Ph::Asking, &[]);
    check(asking, Lost(1), Ph::Asking, &[]);
    check(asking, Lost(2), Ph::Homeless, &[Action::Arrived(1), Action::Find]);
    check(asking, GiveUp(2), Ph::Homeless, &[bye(2, lost, false), Action::Arrived(1), Action::Find]);
    check(asking, Ask(3), Ph::Asking, &[]);
    let arrives = &[Action::Pass(2, Said(7)), Action::Pass(2, Said(8)), Action::Arrived(1)];
    check(asking, Opened(2), Ph::Settled, arrives);
    check(asking, Opened(1), Ph::Asking, &[]);
    check(asking, Refused(2, Refusal::Passing), Ph::Homeless, &[Action::Find]);
    check(asking, Refused(1, FULL), Ph::Asking, &[]);
    check(asking, Refused(2, FULL), Ph::Over, &[end(CloseCode::TRY_AGAIN_LATER), bye(1, lost, true)]);
    check(asking, Closed(2, CloseCode::RESTART), Ph::Homeless, &[Action::Find]);
    check(asking, Closed(2, CloseCode::REPLACED), Ph::Over, &[end(CloseCode::REPLACED), Action::Arrived(1)]);
    check(asking, Closed(1, CloseCode::REPLACED), Ph::Asking, &[]);
    fn moves_on() -> Vec<Event> {
        [asking(), vec![Depart(2), Says(9)]].concat()
    }
    let passes = [7, 8, 9].map(|number| Action::Pass(2, Said(number)));
    check(
        moves_on,
        Opened(2),
        Ph::Leaving,
        &[&passes[..], &[Action::Arrived(1), Action::Detach(2)]].concat(),
    );
    let asked_again = || [moves_on(), vec![Refused(2, Refusal::Passing), Ask(3)]].concat();
    let passes = [7, 8, 9].map(|number| Action::Pass(3, Said(number)));
    check(asked_again, Opened(3), Ph::Settled, &[&passes[..], &[Action::Arrived(1)]].concat());
    check(asking, Abandon, Ph::Over, &[end(CloseCode::RESTART), bye(2, lost, true), bye(1, lost, true)]);
    let left = CloseCode::NORMAL;
    check(asking, Leave, Ph::Over, &[bye(2, left, false), bye(1, left, false)]);
}

#[test]
fn every_event_while_orphaned() {
    check(orphaned, Opened(2), Ph::Settled, &[Action::Pass(2, Said(7))]);
    check(orphaned, Opened(1), Ph::Asking, &[]);
    check(orphaned, Detached(1), Ph::Asking, &[]);
    check(orphaned, Leave, Ph::Over, &[bye(2, CloseCode::NORMAL, false)]);
}

#[test]
fn a_session_whose_client_may_come_back_is_brought_to_a_worker_first() {
    let (lost, left) = (CloseCode::ABNORMAL, CloseCode::GOING_AWAY);
    check(settled, Suspend, Ph::Over, &[bye(1, left, true)]);
    check(leaving, Suspend, Ph::Leaving, &[]);
    check(homeless, Suspend, Ph::Homeless, &[]);
    check(asking, Suspend, Ph::Asking, &[]);
    check(over, Suspend, Ph::Over, &[]);
    fn left_while_leaving() -> Vec<Event> {
        [leaving(), vec![Suspend, Says(9)]].concat()
    }
    check(left_while_leaving, Detached(1), Ph::Homeless, &[Action::Find]);
    check(left_while_leaving, Lost(1), Ph::Homeless, &[Action::Find]);
    check(left_while_leaving, Closed(1, CloseCode::REPLACED), Ph::Over, &[]);
    check(left_while_leaving, Abandon, Ph::Over, &[bye(1, lost, true)]);
    fn left_while_asking() -> Vec<Event> {
        [asking(), vec![Suspend, Says(9), Depart(2)]].concat()
    }
    let passes = [7, 8].map(|number| Action::Pass(2, Said(number)));
    let arrives = [&passes[..], &[Action::Arrived(1), bye(2, left, true)]].concat();
    check(left_while_asking, Opened(2), Ph::Over, &arrives);
    check(left_while_asking, Refused(2, Refusal::Passing), Ph::Homeless, &[Action::Find]);
    check(left_while_asking, Refused(2, FULL), Ph::Over, &[bye(1, lost, true)]);
    check(left_while_asking, Lost(2), Ph::Homeless, &[Action::Arrived(1), Action::Find]);
    check(left_while_asking, Closed(2, CloseCode::RESUMED), Ph::Over, &[Action::Arrived(1)]);
    check(left_while_asking, Abandon, Ph::Over, &[bye(2, lost, true), bye(1, lost, true)]);
    check(
        left_while_asking,
        Leave,
        Ph::Over,
        &[bye(2, CloseCode::NORMAL, false), bye(1, CloseCode::NORMAL, false)],
    );
    let mut relay = after(&left_while_asking());
    assert!(!relay.delivered(&2, Some(9)), "nobody has it");
    assert_eq!(relay.passed_offset(), 0);
}

#[test]
fn a_gateway_that_cannot_follow_leaves_the_session_with_its_worker() {
    check(settled, Dismiss(1), Ph::Over, &[end(CloseCode::RESTART), bye(1, CloseCode::ABNORMAL, true)]);
    check(settled, Dismiss(2), Ph::Settled, &[]);
    check(leaving, Dismiss(1), Ph::Leaving, &[]);
}

#[test]
fn every_event_while_over() {
    for event in [Says(1), Depart(1), Part(1), Detached(1), Lost(1), GiveUp(1), Ask(1), Opened(1)] {
        check(over, event, Ph::Over, &[]);
    }
    for event in [Refused(1, FULL), Closed(1, CloseCode::NORMAL), Abandon, Leave] {
        check(over, event, Ph::Over, &[]);
    }
}

#[test]
fn what_a_post_has_for_the_client_passes_only_while_the_session_is_there() {
    let check = |way: fn() -> Vec<Event>, post: Post, passes: bool| {
        let mut relay = after(&way());
        assert_eq!(relay.delivered(&post, Some(9)), passes, "of {post} after {:?}", way());
        assert_eq!(relay.passed_offset(), if passes { 9 } else { 0 });
        assert_eq!(relay.delivered(&post, None), passes);
        assert_eq!(relay.delivered(&post, Some(3)), passes);
        assert_eq!(relay.passed_offset(), if passes { 9 } else { 0 }, "the highest stays");
    };
    for (way, posts) in [
        (settled as fn() -> Vec<Event>, [true, false]),
        (leaving, [true, false]),
        (homeless, [false, false]),
        (asking, [false, true]),
        (orphaned, [false, true]),
        (over, [false, false]),
    ] {
        check(way, 1, posts[0]);
        check(way, 2, posts[1]);
    }
}

#[test]
fn a_place_is_asked_for_with_what_is_left_of_the_session() {
    let check = |way: Vec<Event>, expected: &[&str], origin: Origin| {
        let mut relay = after(&way);
        assert_eq!(relay.origin(), Some(origin), "after {way:?}");
        let asking = relay.ask(9).expect("it is homeless");
        assert_eq!(asking.state, expected, "after {way:?}");
        assert_eq!(asking.origin, origin, "after {way:?}");
        assert_eq!(asking.passed_offset, 5);
    };
    let opened = vec![Opened(1), Delivered(1, 5)];
    let with = |events: &[Event]| [opened.as_slice(), events].concat();
    check(with(&[Lost(1)]), &["opened1"], Origin::Checkpoint);
    check(with(&[Checkpoint(2), Lost(1)]), &["opened1"], Origin::Checkpoint);
    check(with(&[Checkpoint(1), Lost(1)]), &["checkpoint1"], Origin::Checkpoint);
    check(with(&[Depart(1), Checkpoint(1), Part(1), Lost(1)]), &["checkpoint1"], Origin::Checkpoint);
    check(with(&[Depart(1), Detached(1)]), &["last1"], Origin::Detached);
    check(
        with(&[Depart(1), Part(1), Part(2), Part(1), Detached(1)]),
        &["part1", "part1", "last1"],
        Origin::Detached,
    );
    let detached = with(&[Depart(1), Part(1), Detached(1), Ask(2)]);
    for event in [Refused(2, Refusal::Passing), Closed(2, CloseCode::RESTART)] {
        let way = [detached.as_slice(), &[Checkpoint(2), event]].concat();
        check(way, &["part1", "last1"], Origin::Detached);
    }
    for event in [Lost(2), GiveUp(2)] {
        let way = [detached.as_slice(), &[Checkpoint(2), event]].concat();
        check(way, &["part1", "last1"], Origin::Checkpoint);
    }
    check([detached.as_slice(), &[Opened(2), Lost(2)]].concat(), &["opened2"], Origin::Checkpoint);
}

#[test]
fn what_was_passed_since_the_state_was_given_away_is_counted() {
    let passed = |way: &[Event]| after(way).ask(9).expect("it is homeless").passed_messages;
    let asked =
        [Opened(1), Delivered(1, 0), Depart(1), Delivered(1, 0), Detached(1), Delivered(1, 0), Ask(2)];
    let with = |events: &[Event]| passed(&[&asked[..], events].concat());
    assert_eq!(with(&[Lost(2)]), 0);
    assert_eq!(with(&[Delivered(2, 0), Delivered(1, 0), Delivered(2, 0), Lost(2)]), 2);
    assert_eq!(with(&[Delivered(2, 0), Lost(2), Ask(3), Delivered(3, 0), Closed(3, CloseCode::RESTART)]), 2);
    assert_eq!(with(&[Delivered(2, 0), Opened(2), Depart(2), Delivered(2, 0), Detached(2)]), 0);
}

#[test]
fn a_state_that_is_too_large_is_not_waited_for() {
    let mut relay = after(&[Opened(1), Depart(1)]);
    for _ in 0..PARTS_BYTES_MAX / 5 {
        assert_eq!(happen(&mut relay, Part(1)), []);
    }
    assert_eq!(happen(&mut relay, Part(1)), [bye(1, CloseCode::ABNORMAL, false), Action::Find]);
    assert_eq!(relay.origin(), Some(Origin::Checkpoint));
}

#[test]
fn there_is_room_until_the_bound_is_crossed() {
    let mut relay = after(&[Opened(1)]);
    for _ in 0..10 {
        _ = happen(&mut relay, Says(0));
    }
    assert!(relay.has_room(1), "nothing is kept while it is settled");
    _ = happen(&mut relay, Depart(1));
    for (bytes, has_room) in [(0, true), (10, true), (20, false), (30, false)] {
        assert_eq!((relay.kept_bytes(), relay.has_room(15)), (bytes, has_room));
        _ = happen(&mut relay, Says(0));
    }
    for event in [Detached(1), Ask(2), Opened(2)] {
        assert_eq!((relay.kept_bytes(), relay.has_room(15)), (40, false));
        _ = happen(&mut relay, event);
    }
    assert!(relay.has_room(1));
}

/// What the outside knows: lists of what was done.
#[derive(Default)]
struct Model {
    said: Vec<u32>,
    passed: Vec<u32>,
    /// Posts that were told of the session, and neither said nor heard that it is over there.
    know: Vec<Post>,
    /// Posts that may be passed messages: open, and not told to let it go.
    open: Vec<Post>,
    ended: bool,
    /// Whether the client is gone, and may come back.
    left: bool,
    /// Whether somebody looks for the session's worker.
    finding: bool,
}

impl Model {
    fn note(&mut self, event: &Event, before: &Relay<Post, Said>, actions: &[Doing]) {
        match event {
            Says(number) if !self.ended && !self.left => self.said.push(*number),
            Ask(post) if before.phase() == Phase::Homeless => {
                self.know.push(*post);
                self.finding = false;
            }
            Opened(post) if before.waits_for() == Some(post) && before.phase() == Phase::Asking => {
                self.open.push(*post);
            }
            Refused(post, _) if before.phase() == Phase::Asking && before.waits_for() == Some(post) => {
                self.forget(*post);
            }
            Closed(post, _) if before.settled_at().or(before.waits_for()) == Some(post) => {
                self.forget(*post);
            }
            Lost(post) => self.forget(*post),
            Leave => self.ended = true,
            Suspend => self.left = true,
            _ => {}
        }
        actions.iter().for_each(|action| self.carry_out(action));
    }

    fn carry_out(&mut self, action: &Doing) {
        match action {
            Action::Detach(post) => self.open.retain(|open| open != post),
            Action::Pass(post, Said(number)) => {
                assert_eq!(self.open, [*post], "{number} is passed to the one post that is open");
                self.passed.push(*number);
            }
            Action::Arrived(post) | Action::Gone { post, .. } => {
                assert!(self.know.contains(post), "{post} is told of what it does not know");
                self.forget(*post);
            }
            Action::End(_) => {
                assert!(!self.ended && !self.left, "it ends once, for a client that is there");
                self.ended = true;
            }
            Action::Find => {
                assert!(!self.finding, "nobody else looks already");
                self.finding = true;
            }
        }
    }

    fn forget(&mut self, post: Post) {
        self.know.retain(|known| *known != post);
        self.open.retain(|open| *open != post);
    }

    fn check(&mut self, relay: &Relay<Post, Said>) {
        self.ended |= self.left && relay.phase() == Phase::Over;
        assert!(self.said.starts_with(&self.passed), "in order, none twice, none left out");
        let phase = relay.phase();
        assert_eq!(phase == Phase::Over, self.ended);
        assert!(self.finding || phase != Phase::Homeless, "somebody looks for its worker");
        match phase {
            Phase::Settled => {
                assert_eq!(self.passed, self.said, "nothing is left behind");
                assert_eq!(relay.settled_at().into_iter().copied().collect::<Vec<_>>(), self.know);
            }
            Phase::Over => assert_eq!(self.know, [0; 0], "all who know have heard the end"),
            Phase::Leaving | Phase::Homeless | Phase::Asking => {
                let kept = self.said.len() - self.passed.len();
                assert_eq!(relay.kept_bytes(), kept * 10, "what is not passed is kept");
            }
        }
    }
}

/// An event by its kind, of the session's own post (mostly) or of another.
fn events() -> impl Strategy<Value = Vec<(u8, bool, u8)>> {
    prop::collection::vec((0..20u8, prop::bool::weighted(0.8), 1..200u8), 0..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_histories_keep_the_laws(history in events()) {
        let mut relay = Relay::new(1);
        let mut model = Model { know: vec![1], open: vec![1], ..Model::default() };
        let (mut last_post, mut last_message) = (1, 0);
        for (kind, is_own, any) in history {
            let own = relay.settled_at().or(relay.waits_for()).copied().unwrap_or(any);
            let post = if is_own { own } else { any % last_post + 1 };
            let event = match kind {
                0..=5 => { last_message += 1; Says(last_message) }
                6 | 7 => Depart(post),
                8 => Part(post),
                9 | 10 => Detached(post),
                11 => Lost(post),
                12 => GiveUp(post),
                13 | 14 => { last_post += 1; Ask(last_post) }
                15 | 16 => Opened(post),
                17 => Refused(post, Refusal::Passing),
                18 => Checkpoint(post),
                _ => match any {
                    0..=20 => Closed(post, CloseCode::REPLACED),
                    21..=40 => Closed(post, CloseCode::RESTART),
                    41..=60 => Refused(post, FULL),
                    61..=70 => Abandon,
                    71..=80 => Leave,
                    81..=100 => Suspend,
                    _ => Delivered(post, u64::from(any)),
                },
            };
            let before = relay.clone();
            let actions = happen(&mut relay, event);
            model.note(&event, &before, &actions);
            model.check(&relay);
        }
        let actions = happen(&mut relay, Leave);
        model.note(&Leave, &relay.clone(), &actions);
        model.check(&relay);
    }
}
