use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use proptest::prelude::*;
use ringway_ring::{MemberId, Ring, RingMember, Strategy as Placement};

use super::*;
use crate::moment::Moment;
use crate::name::UserId;

const WORKERS: [&str; 3] = ["w1", "w2", "w3"];
const USERS: u8 = 8;
const GRACE: Duration = Duration::from_millis(1_000);

fn worker(index: usize) -> MemberId {
    MemberId::new(WORKERS[index]).unwrap()
}

fn user(number: u8) -> UserId {
    UserId::new(&format!("user{number}")).unwrap()
}

/// The ring with the first so many workers. Building one takes longer than a history.
fn ring(workers: usize) -> Arc<Ring> {
    static RINGS: LazyLock<[Arc<Ring>; 4]> = LazyLock::new(|| {
        std::array::from_fn(|workers| {
            let members = (0..workers).map(|index| RingMember::new(worker(index)));
            Arc::new(Ring::build(Placement::Slots, members).unwrap())
        })
    });
    Arc::clone(&RINGS[workers])
}

fn online() -> Standing {
    Standing::Online { here: 1, coming: 0, since_ms: 1 }
}

#[derive(Clone, Debug)]
enum Step {
    /// A user comes online or goes offline.
    Toggle(u8),
    /// The watcher names a user, or does so no more.
    Watch(u8),
    Unwatch(u8),
    /// What the watcher asks goes to a worker.
    Ask(usize),
    /// A worker says up to so many.
    Say(usize, usize),
    /// The oldest that a worker has said arrives.
    Arrive(usize),
    /// The stream to a worker breaks, and a new one begins.
    Break(usize),
    /// The workers act by the ring with this many of them.
    Move(usize),
    /// The watcher sees the ring as it is.
    See,
    /// Time passes.
    Pass(u64),
    /// The watcher's news are taken.
    Take,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..USERS).prop_map(Step::Toggle),
        2 => (0..USERS).prop_map(Step::Watch),
        1 => (0..USERS).prop_map(Step::Unwatch),
        6 => (0..3usize).prop_map(Step::Ask),
        6 => (0..3usize, 1..4usize).prop_map(|(at, most)| Step::Say(at, most)),
        6 => (0..3usize).prop_map(Step::Arrive),
        1 => (0..3usize).prop_map(Step::Break),
        1 => (1..4usize).prop_map(Step::Move),
        2 => Just(Step::See),
        1 => (1..2_000u64).prop_map(Step::Pass),
        3 => Just(Step::Take),
    ]
}

/// One watcher, three workers, and the streams between them. The truth is one set of users; who is their owner may say it.
struct World {
    truth: BTreeSet<UserId>,
    workers: usize,
    owners: Vec<Announcements>,
    /// The stream of the watcher to each worker, while it is open.
    streams: BTreeMap<usize, WatchId>,
    under_way: HashMap<usize, VecDeque<Said>>,
    watching: Watching,
    scope: Scope,
    named: BTreeSet<UserId>,
    /// Those who were named since something was told of them: their state is told, also if they are still offline.
    asked_anew: BTreeSet<UserId>,
    /// What the watcher's user was told last.
    told: BTreeMap<UserId, bool>,
    now: Moment,
    next: u64,
}

impl World {
    fn new(scope: Scope) -> Self {
        World {
            truth: BTreeSet::new(),
            workers: 3,
            owners: (0..3).map(|_| Announcements::default()).collect(),
            streams: BTreeMap::new(),
            under_way: HashMap::new(),
            watching: Watching::new(scope, GRACE, ring(3)),
            scope,
            named: BTreeSet::new(),
            asked_anew: BTreeSet::new(),
            told: BTreeMap::new(),
            now: Moment(1),
            next: 0,
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Toggle(number) => {
                if !self.truth.remove(&user(number)) {
                    self.truth.insert(user(number));
                }
                self.owners.iter_mut().for_each(|owner| _ = owner.changed(&user(number)));
            }
            Step::Watch(number) => {
                self.watching.watch(&user(number));
                if self.named.insert(user(number)) {
                    self.asked_anew.insert(user(number));
                }
            }
            Step::Unwatch(number) => {
                self.watching.unwatch(&user(number));
                self.named.remove(&user(number));
                if self.scope == Scope::Named {
                    self.told.remove(&user(number));
                }
            }
            Step::Ask(at) => self.ask(at),
            Step::Say(at, most) => self.say(at, most),
            Step::Arrive(at) => self.arrive(at),
            Step::Break(at) => {
                if self.streams.contains_key(&at) {
                    self.end(at);
                    self.watching.lost(&worker(at), self.now);
                }
            }
            Step::Move(workers) => {
                self.workers = workers;
                self.owners.iter_mut().for_each(|owner| _ = owner.ring_changed());
                // Their sessions leave and arrive.
                for user in &self.truth {
                    self.owners.iter_mut().for_each(|owner| _ = owner.changed(user));
                }
            }
            Step::See => self.watching.ring_changed(ring(self.workers)),
            Step::Pass(millis) => {
                self.now = self.now + Duration::from_millis(millis);
                self.watching.expire(self.now);
                self.owners.iter_mut().for_each(|owner| _ = owner.look_again());
            }
            Step::Take => self.take(),
        }
        self.keep_streams();
    }

    fn keep_streams(&mut self) {
        let needed: BTreeSet<MemberId> = self.watching.owners().cloned().collect();
        for at in 0..3 {
            match (needed.contains(&worker(at)), self.streams.contains_key(&at)) {
                (true, false) => {
                    self.next += 1;
                    let id = WatchId(self.next);
                    self.owners[at].begin(id, self.scope);
                    self.streams.insert(at, id);
                    self.watching.begin(&worker(at));
                }
                (false, true) => self.end(at),
                _ => {}
            }
        }
    }

    fn end(&mut self, at: usize) {
        if let Some(id) = self.streams.remove(&at) {
            self.owners[at].end(id);
            self.under_way.remove(&at);
        }
    }

    fn ask(&mut self, at: usize) {
        let Some(&id) = self.streams.get(&at) else { return };
        if let Some(Asking { watch, unwatch }) = self.watching.next_asking(&worker(at), 2) {
            if !watch.is_empty() {
                self.owners[at].watch(id, watch);
            }
            self.owners[at].unwatch(id, &unwatch);
        }
    }

    fn say(&mut self, at: usize, most: usize) {
        let Some(&id) = self.streams.get(&at) else { return };
        let (truth, ring) = (&self.truth, ring(self.workers));
        let owns = |user: &UserId| ring.owner(user.as_str()) == Some(&worker(at));
        if self.owners[at].cursor(id).is_some() {
            let here: Vec<UserId> = truth.iter().filter(|user| owns(user)).cloned().collect();
            self.owners[at].listed(id, here, None);
        }
        let said = self.owners[at].take(id, most, |user| match (owns(user), truth.contains(user)) {
            (false, _) => Standing::NotOurs,
            (true, true) => online(),
            (true, false) => Standing::Offline,
        });
        self.under_way.entry(at).or_default().push_back(said);
    }

    fn arrive(&mut self, at: usize) {
        if let Some(said) = self.under_way.get_mut(&at).and_then(VecDeque::pop_front) {
            let Said { changes, complete, heard, .. } = said;
            self.watching.said(&worker(at), Answer { changes, complete, heard }, self.now);
        }
    }

    /// The watcher's user takes the news. Nothing is told twice.
    fn take(&mut self) {
        while let Some(news) = self.watching.take_news(3) {
            for (user, online) in news.changes {
                let before = self.told.insert(user.clone(), online);
                let is_asked = self.asked_anew.remove(&user) && !online;
                assert!(before != Some(online) || is_asked, "{user} was told to be so already");
            }
        }
    }

    /// Lets everything arrive until nothing is left to say.
    fn settle(&mut self) {
        self.step(&Step::See);
        for round in 0..60 {
            for at in 0..3 {
                for step in [Step::Ask(at), Step::Say(at, 10), Step::Arrive(at), Step::Arrive(at)] {
                    self.step(&step);
                }
            }
            self.step(&Step::Pass(if round == 30 { 10_000 } else { 1 }));
            self.step(&Step::Take);
        }
    }

    /// The watcher's user knows the truth.
    fn check_true(&mut self) {
        let known = |world: &World, user: &UserId| world.told.get(user).copied();
        for number in 0..USERS {
            let (user, told) = (user(number), known(self, &user(number)));
            let is_online = self.truth.contains(&user);
            match self.scope {
                _ if self.named.contains(&user) => assert_eq!(told, Some(is_online), "{user}"),
                Scope::Everyone => assert_eq!(told.unwrap_or(false), is_online, "{user}"),
                Scope::Named => assert_eq!(told, None, "{user} is not watched"),
            }
        }
        assert_eq!(self.watching.take_news(1), None);
    }
}

fn run(scope: Scope, steps: &[Step]) {
    let mut world = World::new(scope);
    world.keep_streams();
    for step in steps {
        world.step(step);
    }
    world.settle();
    world.check_true();
}

proptest! {
    #[test]
    fn whoever_watches_somebody_knows_the_truth_in_the_end(steps in proptest::collection::vec(step(), 1..120)) {
        run(Scope::Named, &steps);
    }

    #[test]
    fn whoever_watches_everybody_knows_the_truth_in_the_end(steps in proptest::collection::vec(step(), 1..120)) {
        run(Scope::Everyone, &steps);
    }

    /// Nobody goes offline: then nobody is ever told to be, whatever the ring and the streams do.
    #[test]
    fn nobody_flickers(steps in proptest::collection::vec(step(), 1..120)) {
        for scope in [Scope::Named, Scope::Everyone] {
            let mut world = World::new(scope);
            for number in 0..USERS {
                world.step(&Step::Toggle(number));
                world.step(&Step::Watch(number));
            }
            world.settle();
            for step in steps.iter().filter(|step| !matches!(step, Step::Toggle(_) | Step::Unwatch(_))) {
                world.step(step);
                prop_assert!(world.told.values().all(|online| *online));
            }
        }
    }
}

/// The answer to the first question.
fn answer(user: &UserId, online: bool, complete: bool) -> Answer {
    Answer { changes: vec![(user.clone(), online)], complete, heard: 1 }
}

/// A watcher of alice who was told that she is online.
fn watching_alice() -> (Watching, UserId, MemberId) {
    let alice = UserId::new("alice").unwrap();
    let ring = ring(2);
    let owner = ring.owner("alice").unwrap().clone();
    let mut watching = Watching::new(Scope::Named, GRACE, ring);
    watching.watch(&alice);
    watching.begin(&owner);
    watching.next_asking(&owner, 10).unwrap();
    watching.said(&owner, answer(&alice, true, true), Moment(0));
    let news = watching.take_news(10).unwrap();
    assert_eq!((news.changes, news.complete), (vec![(alice.clone(), true)], true));
    (watching, alice, owner)
}

#[test]
fn after_a_broken_stream_an_offline_counts_when_the_grace_is_over() {
    let (mut watching, alice, owner) = watching_alice();
    watching.lost(&owner, Moment(0));
    let news = watching.take_news(10).unwrap();
    assert_eq!((news.changes, news.complete, news.unreached), (vec![], false, vec![owner.clone()]));
    watching.begin(&owner);
    watching.next_asking(&owner, 10).unwrap();
    watching.said(&owner, answer(&alice, false, true), Moment(10));
    assert_eq!(watching.take_news(10).unwrap().changes, vec![]);
    assert_eq!(watching.next_expiry(), Some(Moment(1_000)));
    watching.expire(Moment(999));
    assert_eq!(watching.take_news(10), None);
    watching.expire(Moment(1_000));
    assert_eq!(watching.take_news(10).unwrap().changes, vec![(alice, false)]);
}

#[test]
fn whoever_comes_back_in_the_grace_was_never_away() {
    let (mut watching, alice, owner) = watching_alice();
    watching.lost(&owner, Moment(0));
    watching.begin(&owner);
    watching.said(&owner, answer(&alice, false, false), Moment(10));
    watching.said(&owner, answer(&alice, true, false), Moment(20));
    watching.expire(Moment(5_000));
    assert_eq!(watching.take_news(10).unwrap().changes, vec![]);
    watching.said(&owner, answer(&alice, false, false), Moment(30));
    assert_eq!(watching.take_news(10).unwrap().changes, vec![(alice, false)], "the grace is over with that");
}

#[test]
fn what_answers_an_earlier_question_is_not_all() {
    let (mut watching, alice, owner) = watching_alice();
    let other = (0..).map(user).find(|user| ring(2).owner(user.as_str()) == Some(&owner)).unwrap();
    watching.watch(&other);
    watching.next_asking(&owner, 10).unwrap();
    watching.said(&owner, answer(&alice, true, true), Moment(1));
    assert!(!watching.take_news(10).unwrap().complete);
    let both = Answer { heard: 2, ..answer(&other, true, true) };
    watching.said(&owner, both, Moment(1));
    assert!(watching.take_news(10).unwrap().complete);
}

#[test]
fn an_offline_of_the_owner_counts_at_once() {
    let (mut watching, alice, owner) = watching_alice();
    watching.said(&owner, answer(&alice, false, true), Moment(10));
    assert_eq!(watching.take_news(10).unwrap().changes, vec![(alice, false)]);
}

#[test]
fn of_a_user_in_doubt_nothing_is_said_until_it_is_decided() {
    let (alice, id) = (UserId::new("alice").unwrap(), WatchId(1));
    let mut announcements = Announcements::default();
    announcements.begin(id, Scope::Named);
    announcements.watch(id, [alice.clone()]);
    for doubt in [Standing::NotOurs, Standing::Unsettled, Standing::InDoubt] {
        let said = announcements.take(id, 10, |_| doubt);
        let nothing = Said { heard: 1, is_drained: true, ..Said::default() };
        assert_eq!(said, nothing, "{doubt:?}");
        assert_eq!(announcements.look_again(), [id]);
    }
    let said = announcements.take(id, 10, |_| Standing::Offline);
    assert_eq!((said.changes, said.complete), (vec![(alice, false)], true));
    assert_eq!(announcements.look_again(), []);
}

#[test]
fn a_session_on_its_way_is_looked_at_until_it_has_arrived() {
    let (alice, id) = (UserId::new("alice").unwrap(), WatchId(1));
    let coming = Standing::Online { here: 0, coming: 1, since_ms: 0 };
    let mut announcements = Announcements::default();
    announcements.begin(id, Scope::Named);
    announcements.watch(id, [alice.clone()]);
    assert_eq!(announcements.take(id, 10, |_| coming).changes, vec![(alice.clone(), true)]);
    assert_eq!(announcements.look_again(), [id]);
    assert_eq!(announcements.take(id, 10, |_| coming).changes, vec![]);
    assert_eq!(announcements.look_again(), [id]);
    assert_eq!(announcements.take(id, 10, |_| Standing::Offline).changes, vec![(alice, false)]);
}

#[test]
fn a_stream_that_has_ended_says_nothing() {
    let mut announcements = Announcements::default();
    announcements.begin(WatchId(1), Scope::Everyone);
    announcements.watch(WatchId(1), [user(1)]);
    announcements.end(WatchId(1));
    assert!(announcements.is_empty() && announcements.changed(&user(1)).is_empty());
    assert!(announcements.take(WatchId(1), 10, |_| online()).is_drained);
}
