use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use proptest::prelude::*;
use ringway_ring::{MemberId, Ring, RingMember, Strategy as Placement};

use super::*;

const WORKERS: [&str; 3] = ["w1", "w2", "w3"];

fn worker(index: usize) -> MemberId {
    MemberId::new(WORKERS[index]).unwrap()
}

fn group(number: u8) -> GroupId {
    GroupId::new(&format!("g{number}")).unwrap()
}

fn ring(workers: usize) -> Arc<Ring> {
    let members = (0..workers).map(|index| RingMember::new(worker(index)));
    Arc::new(Ring::build(Placement::Slots, members).unwrap())
}

#[derive(Clone, Debug)]
enum Step {
    /// A group appears at, or vanishes from, a worker.
    Toggle { at: usize, group: u8 },
    /// A worker's reports to a home go out.
    Send { from: usize, to: usize },
    /// The oldest report under way arrives.
    Arrive { from: usize, to: usize },
    /// The oldest acknowledgement under way arrives.
    Acknowledge { from: usize, to: usize },
    /// The stream breaks with all that is under way, and a new one begins.
    Break { from: usize, to: usize },
    /// A node sees the ring with this many workers.
    See { at: usize, workers: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let pair = || (0..3usize, 0..3usize);
    prop_oneof![
        4 => (0..3usize, 0..6u8).prop_map(|(at, group)| Step::Toggle { at, group }),
        6 => pair().prop_map(|(from, to)| Step::Send { from, to }),
        6 => pair().prop_map(|(from, to)| Step::Arrive { from, to }),
        6 => pair().prop_map(|(from, to)| Step::Acknowledge { from, to }),
        1 => pair().prop_map(|(from, to)| Step::Break { from, to }),
        1 => (0..3usize, 2..4usize).prop_map(|(at, workers)| Step::See { at, workers }),
    ]
}

/// Three workers, each a home too, and the reports and acknowledgements between them.
struct World {
    locals: Vec<LocalInterest>,
    homes: Vec<HomeInterest>,
    rings: Vec<Arc<Ring>>,
    groups: Vec<HashSet<GroupId>>,
    reports: HashMap<(usize, usize), VecDeque<Report>>,
    acknowledgements: HashMap<(usize, usize), VecDeque<u64>>,
    streams: BTreeMap<(usize, usize), StreamId>,
    next_stream: u64,
}

impl World {
    fn new() -> Self {
        let mut world = World {
            locals: (0..3).map(|index| LocalInterest::new(worker(index), ring(3))).collect(),
            homes: (0..3).map(|_| HomeInterest::default()).collect(),
            rings: vec![ring(3); 3],
            groups: vec![HashSet::new(); 3],
            reports: HashMap::new(),
            acknowledgements: HashMap::new(),
            streams: BTreeMap::new(),
            next_stream: 0,
        };
        for at in 0..3 {
            world.step(&Step::See { at, workers: 3 });
        }
        world
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Toggle { at, group: number } => {
                let group = group(number);
                if self.groups[at].remove(&group) {
                    self.locals[at].vanished(&group);
                } else {
                    self.locals[at].appeared(&group);
                    self.groups[at].insert(group);
                }
            }
            Step::Send { from, to } if from != to => {
                if !self.streams.contains_key(&(from, to)) {
                    self.connect(from, to);
                }
                let report = self.locals[from].next_report(&worker(to));
                self.reports.entry((from, to)).or_default().extend(report);
            }
            Step::Arrive { from, to } if from != to => {
                let Some(report) = self.reports.entry((from, to)).or_default().pop_front() else { return };
                assert!(self.homes[to].report(&worker(from), self.streams[&(from, to)], &report));
                self.acknowledgements.entry((from, to)).or_default().push_back(report.sequence);
            }
            Step::Acknowledge { from, to } => {
                let Some(sequence) = self.acknowledgements.entry((from, to)).or_default().pop_front() else {
                    return;
                };
                self.locals[from].acknowledged(&worker(to), sequence);
            }
            Step::Break { from, to } if self.streams.contains_key(&(from, to)) => {
                self.homes[to].end(&worker(from), self.streams[&(from, to)]);
                self.connect(from, to);
            }
            Step::See { at, workers } => {
                self.rings[at] = ring(workers);
                self.locals[at].ring_changed(ring(workers), (0..3).map(worker));
            }
            _ => {}
        }
    }

    fn connect(&mut self, from: usize, to: usize) {
        self.reports.remove(&(from, to));
        self.acknowledgements.remove(&(from, to));
        self.next_stream += 1;
        let stream = StreamId(self.next_stream);
        self.streams.insert((from, to), stream);
        self.homes[to].begin(worker(from), stream);
        self.locals[from].restart(&worker(to));
    }

    /// Never silent: where a worker takes a group for settled, whoever takes itself for the group's home sends the
    /// group's messages there.
    fn check_never_silent(&self) {
        let all: Vec<_> = (0..3).map(worker).collect();
        for (from, groups) in self.groups.iter().enumerate() {
            for group in groups.iter().filter(|group| self.locals[from].settled(group)) {
                let is_home = |home: &usize| self.rings[*home].owner(group.as_str()) == Some(&all[*home]);
                for home in (0..3).filter(is_home).filter(|home| *home != from) {
                    let audience = self.homes[home].audience(group, self.rings[home].version(), &all);
                    assert!(
                        audience.contains(&&all[from]),
                        "{group} at {from} is unknown at its home {home}"
                    );
                }
            }
        }
    }

    /// Lets everything arrive until nothing is left to say.
    fn settle(&mut self) {
        for _ in 0..20 {
            for from in 0..3 {
                for to in 0..3 {
                    for step in
                        [Step::Send { from, to }, Step::Arrive { from, to }, Step::Acknowledge { from, to }]
                    {
                        self.step(&step);
                    }
                }
            }
        }
    }

    /// As narrow as can be: with one ring everywhere and nothing under way, exactly the workers with members are asked.
    fn check_exact(&self) {
        let all: Vec<_> = (0..3).map(worker).collect();
        for number in 0..6 {
            let group = group(number);
            let home = (0..3).find(|&to| self.rings[0].owner(group.as_str()) == Some(&all[to])).unwrap();
            let others = all.iter().filter(|member| **member != all[home]);
            let audience = self.homes[home].audience(&group, self.rings[home].version(), others);
            let expected: Vec<_> = (0..3)
                .filter(|&at| at != home && self.groups[at].contains(&group))
                .map(|at| &all[at])
                .collect();
            assert_eq!(audience, expected, "{group}");
        }
    }
}

proptest! {
    #[test]
    fn no_group_message_is_silently_lost(steps in proptest::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
            world.check_never_silent();
        }
        for at in 0..3 {
            world.step(&Step::See { at, workers: 3 });
        }
        world.settle();
        world.check_exact();
        for group in 0..6 {
            world.step(&Step::Toggle { at: usize::from(group) % 3, group });
        }
        world.settle();
        world.check_never_silent();
        world.check_exact();
    }
}

#[test]
fn a_long_list_goes_out_in_parts_and_is_complete_with_the_last() {
    let mut local = LocalInterest::new(worker(0), ring(2));
    local.ring_changed(ring(2), [worker(1)]);
    let groups: Vec<_> = (0..6_000).map(|n| GroupId::new(&format!("group {n}")).unwrap()).collect();
    groups.iter().for_each(|group| local.appeared(group));
    let mut home = HomeInterest::default();
    home.begin(worker(0), StreamId(1));
    let mut reports = Vec::new();
    while let Some(report) = local.next_report(&worker(1)) {
        assert!(report.joined.len() <= 1_000);
        home.report(&worker(0), StreamId(1), &report);
        reports.push((report.restart, report.complete));
    }
    assert!(reports.len() >= 3, "about half of 6,000 groups have their home at w2");
    assert!(reports.iter().enumerate().all(|(at, report)| *report == (at == 0, at == reports.len() - 1)));
    assert_eq!(home.complete(ring(2).version()), 1);
}

#[test]
fn nobody_waits_for_a_home_that_is_overdue_until_it_has_caught_up() {
    let mut local = LocalInterest::new(worker(0), ring(3));
    local.ring_changed(ring(3), (0..3).map(worker));
    let acknowledge = |local: &mut LocalInterest, home: usize| {
        let report = local.next_report(&worker(home)).unwrap();
        local.acknowledged(&worker(home), report.sequence)
    };
    assert!(!acknowledge(&mut local, 1), "it was in time");
    let own = (0..).map(group).find(|group| ring(3).owner(group.as_str()) == Some(&worker(0))).unwrap();
    local.appeared(&own);
    assert!(!local.settled(&own), "w3 may go by an older ring");
    assert_eq!(local.give_up_waiting(), [worker(2)]);
    assert_eq!(local.give_up_waiting(), []);
    assert!(local.settled(&own));
    assert!(acknowledge(&mut local, 2), "it has caught up");
    local.ring_changed(ring(2), (0..3).map(worker));
    assert!(!local.settled(&own), "and is waited for again");
}

#[test]
fn a_report_of_a_void_stream_does_not_count() {
    let mut home = HomeInterest::default();
    home.begin(worker(0), StreamId(1));
    home.begin(worker(0), StreamId(2));
    let report = Report {
        sequence: 1,
        ring_version: ring(2).version(),
        restart: true,
        complete: true,
        joined: vec![group(1)],
        left: vec![],
    };
    assert!(!home.report(&worker(0), StreamId(1), &report));
    home.end(&worker(0), StreamId(1));
    assert!(home.report(&worker(0), StreamId(2), &report));
    assert_eq!(home.complete(ring(2).version()), 1);
}
