//! Sessions that take long: how long they are waited for, followed and remembered, and by whom.

use super::*;

/// A worker that a session has left a moment ago.
fn left() -> Test {
    let mut test = Test::settled();
    test.open(1, at(1, 5), "").unwrap();
    test.adopt(OTHER, &[OTHER]);
    test.shard.detach(at(1, 5), test.now, &mut test.out.0);
    test
}

#[test]
fn a_session_on_its_way_is_forgotten_when_its_gateway_has_long_given_up() {
    let mut test = left();
    test.pass(39);
    assert_eq!(test.shard.held_for(&member(OTHER)), [held(1)]);
    test.pass(1);
    assert_eq!(test.shard.held_for(&member(OTHER)), []);
    assert!(test.out.has(|it| *it == Directive::Released { session: id(1) }));
}

#[test]
fn of_a_gateway_whose_link_is_gone_a_session_is_waited_for_no_longer_than_one_that_is_here() {
    let mut test = left();
    test.shard.link_gone(LinkId(2), test.now);
    test.pass(10);
    assert_eq!(test.shard.in_transit(), 1);
    test.shard.link_gone(LinkId(1), test.now);
    test.pass(9);
    assert_eq!(test.shard.in_transit(), 1);
    test.pass(1);
    assert_eq!(test.shard.in_transit(), 0);
}

#[test]
fn a_session_is_followed_for_a_while_after_it_has_arrived_however_long_it_took() {
    let mut test = left();
    test.pass(30);
    test.shard.arrived(at(1, 5), test.now, &mut test.out.0);
    test.pass(9);
    assert_eq!(test.shard.followed(), 1);
    test.pass(1);
    assert_eq!(test.shard.followed(), 0);
}

#[test]
fn a_session_that_waits_long_to_leave_remembers_what_it_is_given() {
    let mut old = Test::settled();
    old.open(1, at(1, 5), "").unwrap();
    old.adopt(OTHER, &[OTHER]);
    old.pass(30);
    old.send_to_group("m");
    old.pass(1);
    old.shard.detach(at(1, 5), old.now, &mut old.out.0);
    let mut new = Test::new();
    new.adopt(ME, &[OTHER]);
    new.holding(OTHER, &[1]);
    new.reopen(old.out.detached(), true, 0, at(2, 1)).unwrap();
    assert_eq!(new.send_to_group("m").reach.sessions, 0);
}

/// A worker that has gained users, of whom one worker has named a session, and another one cannot be asked.
fn half_heard() -> Test {
    let mut test = Test::new();
    test.adopt(OTHER, &[OTHER, THIRD]);
    test.holding(OTHER, &[]);
    test.holding(THIRD, &[]);
    test.adopt(ME, &[OTHER, THIRD]);
    test.holding(OTHER, &[1]);
    test.shard.lost(&member(THIRD), test.now);
    test
}

#[test]
fn what_waited_for_a_session_that_does_not_come_is_not_given_to_one_that_has_it() {
    let mut test = half_heard();
    test.open(2, at(1, 2), SUBPROTOCOL).unwrap();
    let sent = test.send("m").unwrap();
    assert_eq!((sent.reach.sessions, awaited(&sent)), (1, vec![Some(id(1))]));
    test.shard.released(&member(OTHER), &[id(1)], test.now, &mut test.out.0);
    assert_eq!(test.out.fates(), [], "one of the user's that was at the third may come");

    // One that has the message comes back from another gateway.
    test.out.delivered();
    let state = test.shard.checkpoint(id(2)).unwrap();
    test.reopen(state, false, 1, at(2, 2)).unwrap();
    assert_eq!((test.out.fates(), test.out.delivered().len()), (vec![], 0));
    test.reopen(SessionState { id: id(3), ..state_from_elsewhere("") }, false, 0, at(2, 3)).unwrap();
    assert_eq!((test.out.fates(), test.out.delivered().len()), (vec![Fate::Taken], 1));
}

#[test]
fn what_was_kept_for_a_session_that_is_not_where_it_was_said_to_be_waits_for_one_from_elsewhere() {
    let mut test = half_heard();
    assert_eq!(awaited(&test.send("m").unwrap()), [Some(id(1))]);
    test.shard.released(&member(OTHER), &[id(1)], test.now, &mut test.out.0);
    assert_eq!(test.out.fates(), [], "it may have gone to the one that cannot be asked");
    test.reopen(state_from_elsewhere(""), false, 0, at(1, 1)).unwrap();
    assert_eq!(test.out.fates(), [Fate::Taken]);

    let mut test = half_heard();
    test.send("m").unwrap();
    test.pass(5);
    test.shard.released(&member(OTHER), &[id(1)], test.now, &mut test.out.0);
    assert_eq!(test.out.fates(), [Fate::Ended], "nobody else can have it");
}

#[test]
fn what_waits_on_can_be_taken_back() {
    let mut test = half_heard();
    let ticket = test.send("m").unwrap().tickets[0];
    test.shard.released(&member(OTHER), &[id(1)], test.now, &mut test.out.0);
    test.shard.withdraw(ticket);
    test.reopen(state_from_elsewhere(""), false, 0, at(1, 1)).unwrap();
    assert_eq!((test.out.fates(), test.out.delivered()), (vec![], vec![]));
}

#[test]
fn whoever_passes_on_what_it_expected_from_one_that_has_left_says_so() {
    let orphans_for = |expected: &[u128], others: &[&str]| {
        let mut interim = Test::new();
        interim.adopt(ME, &[OTHER]);
        interim.holding(OTHER, expected);
        interim.adopt(THIRD, others);
        interim.shard.orphans_for(interim.now)
    };
    assert_eq!(orphans_for(&[1], &[THIRD]), Duration::from_secs(5), "nobody else knows whom to ask");
    assert_eq!(orphans_for(&[1], &[OTHER, THIRD]), Duration::ZERO);
    assert_eq!(orphans_for(&[], &[THIRD]), Duration::ZERO);
}

#[test]
fn an_owner_in_between_that_was_never_heard_may_have_left_users_behind() {
    let mut test = Test::new();
    test.adopt(ME, &[OTHER]);
    test.holding(OTHER, &[]);
    test.adopt(THIRD, &[OTHER, THIRD]);
    test.adopt(ME, &[OTHER]);
    test.holding(OTHER, &[]);
    assert_eq!(awaited(&test.send("m").unwrap()), [None], "the third one may have had her session");
    test.reopen(state_from_elsewhere(""), false, 0, at(1, 1)).unwrap();
    assert_eq!(test.out.fates(), [Fate::Taken]);
}

/// A worker that has gained users, to which somebody sends a message after a session on its way, which nobody has named so far.
fn told_of_one_on_its_way() -> Test {
    let mut test = Test::new();
    test.adopt(OTHER, &[OTHER]);
    test.holding(OTHER, &[]);
    test.adopt(ME, &[OTHER]);
    let sent = test.shard.send_to_sessions(&[id(1)], &message("m"), test.now, &mut test.out.0);
    assert_eq!(awaited(&sent), [Some(id(1))]);
    test
}

#[test]
fn a_session_on_its_way_that_nobody_names_has_ended_where_it_had_arrived() {
    let mut test = told_of_one_on_its_way();
    test.holding(OTHER, &[]);
    assert_eq!(test.out.fates(), [Fate::Ended], "all have been heard");
}

#[test]
fn a_session_on_its_way_that_somebody_names_is_waited_for_until_that_one_has_let_it_go() {
    let mut test = told_of_one_on_its_way();
    test.holding(OTHER, &[1]);
    assert_eq!(test.out.fates(), []);
    test.shard.released(&member(OTHER), &[id(1)], test.now, &mut test.out.0);
    assert_eq!(test.out.fates(), [Fate::Ended]);
}

#[test]
fn a_session_on_its_way_may_have_been_with_a_worker_that_died() {
    let mut test = told_of_one_on_its_way();
    test.shard.lost(&member(OTHER), test.now);
    assert_eq!(test.out.fates(), []);
}

#[test]
fn what_was_kept_for_a_doubtful_copy_is_its_own_when_nobody_else_has_the_session() {
    let mut test = doubtful_copy();
    let sent = test.shard.send_to_sessions(&[id(1)], &message("m"), test.now, &mut test.out.0);
    assert_eq!(awaited(&sent), [Some(id(1))]);
    test.holding(OTHER, &[]);
    assert_eq!(test.out.fates(), [Fate::Suspended]);
}
