//! The laws of a book, over random histories.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::entry::{LeftOut, PageBounds};

const LIMITS: Limits = Limits {
    entries_max: 6,
    bytes_max: 60,
    time_to_live: Duration::from_secs(100),
    idempotency_window: Duration::from_secs(5),
    device_forget_after: Duration::from_secs(40),
    devices_max: 2,
    mailbox_forget_after: Duration::from_secs(200),
};

const ALL: PageBounds = PageBounds { entries_max: usize::MAX, bytes_max: u64::MAX };

#[derive(Clone, Debug)]
enum Step {
    Append {
        cost_bytes: u64,
        lives_secs: u64,
    },
    Acknowledge {
        device: u8,
        back: u64,
    },
    Withdraw {
        back: u64,
    },
    Wait {
        secs: u64,
    },
    Trim,
    /// What is held in memory is lost, and the book made from what is on the medium.
    Restart {
        lost: Option<u64>,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1u64..30, 1u64..30).prop_map(|(cost_bytes, lives_secs)| Step::Append { cost_bytes, lives_secs }),
        2 => (0u8..3, 0u64..6).prop_map(|(device, back)| Step::Acknowledge { device, back }),
        1 => (0u64..8).prop_map(|back| Step::Withdraw { back }),
        2 => (0u64..15).prop_map(|secs| Step::Wait { secs }),
        3 => Just(Step::Trim),
        1 => prop::option::weighted(0.2, 0u64..8).prop_map(|lost| Step::Restart { lost }),
    ]
}

/// A mailbox on a medium that keeps everything, and what each device was told.
struct World {
    book: Book<u64>,
    now: UnixTime,
    /// What was ever acknowledged by a device, by device.
    acknowledged: [u64; 3],
    withdrawn: BTreeSet<u64>,
    expires_at: Vec<UnixTime>,
    removed: BTreeSet<u64>,
}

impl World {
    fn new() -> Self {
        let now = UnixTime(1_000_000);
        let epoch = Epoch::from_number(7).unwrap();
        let (withdrawn, removed) = (BTreeSet::new(), BTreeSet::new());
        Self {
            book: Book::new(epoch, now),
            now,
            acknowledged: [0; 3],
            withdrawn,
            expires_at: Vec::new(),
            removed,
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Append { cost_bytes, lives_secs } => {
                self.append(cost_bytes, Duration::from_secs(lives_secs));
            }
            Step::Acknowledge { device, back } => self.acknowledge(device, back),
            Step::Withdraw { back } => self.withdraw(back),
            Step::Wait { secs } => self.now = self.now.plus(Duration::from_secs(secs)),
            Step::Trim => self.trim(),
            Step::Restart { lost } => self.restart(lost),
        }
    }

    fn append(&mut self, cost_bytes: u64, lives: Duration) {
        let (offset, expires_at) = (self.book.next(), self.now.plus(lives));
        self.book.push(Mark { stored_at: self.now, expires_at, cost_bytes, place: Some(offset.0) });
        self.expires_at.push(expires_at);
    }

    fn acknowledge(&mut self, device: u8, back: u64) {
        let offset = Offset((self.book.next().0 - 1).saturating_sub(back));
        let place = Place { epoch: self.book.epoch(), offset };
        let known = DeviceId::new(&device.to_string()).unwrap();
        self.book.acknowledge(&known, place, self.now, &LIMITS).unwrap();
        let most = &mut self.acknowledged[usize::from(device)];
        *most = offset.0.max(*most);
    }

    fn withdraw(&mut self, back: u64) {
        let offset = Offset((self.book.next().0 - 1).saturating_sub(back));
        if self.book.withdraw(self.book.epoch(), &[offset]).unwrap() {
            self.withdrawn.insert(offset.0);
        }
    }

    fn trim(&mut self) {
        let before: Vec<_> = self.book.numbered().map(|(offset, mark)| (offset, *mark)).collect();
        let known: Vec<_> = self.book.devices.clone().into_values().collect();
        let count = |book: &Book<u64>| (book.marks.len() as u64, book.cost_bytes());
        let (entries, bytes) = count(&self.book);
        let trimmed = self.book.trim(self.now, &LIMITS);
        assert!(!self.book.is_too_much(&LIMITS));
        let needed = |offset: u64| {
            let silent = |device: &Device| self.now.since(device.seen_at) > LIMITS.device_forget_after;
            let expired = self.expires_at[offset as usize - 1] <= self.now;
            let listening = known.iter().filter(|device| !silent(device)).collect::<Vec<_>>();
            let acknowledged = !listening.is_empty() && listening.iter().all(|d| d.offset.0 >= offset);
            !expired && !acknowledged && !self.withdrawn.contains(&offset)
        };
        let (mut entries, mut bytes) = (entries, bytes);
        for (offset, mark) in before.iter().filter(|(offset, _)| *offset < self.book.first()) {
            let crowded = entries > LIMITS.entries_max || bytes > LIMITS.bytes_max;
            let spent = mark.place.is_none() || (!needed(offset.0) && !mark.is_recent(self.now, &LIMITS));
            assert!(crowded || spent, "{offset} went without need");
            entries -= 1;
            bytes -= mark.cost_bytes;
        }
        self.removed.extend(trimmed.places);
    }

    fn restart(&mut self, lost: Option<u64>) {
        let head = self.book.head();
        let next = head.next;
        let mut book = Book::from_head(head);
        let lost = lost.map(|back| Offset(next.0.saturating_sub(back)));
        let there: Vec<_> =
            self.book.numbered().filter(|(_, m)| m.place.is_some()).map(|(o, m)| (o, *m)).collect();
        for (offset, mark) in there.into_iter().filter(|(offset, _)| Some(*offset) != lost) {
            assert!(book.load(offset, mark));
        }
        book.complete(next);
        if lost.is_none() && self.book.marks.iter().all(|mark| mark.place.is_some()) {
            assert_eq!(book, self.book);
        }
        self.book = book;
    }

    fn check(&self) {
        let book = &self.book;
        assert_eq!(book.cost_bytes(), book.marks.iter().map(|mark| mark.cost_bytes).sum::<u64>());
        assert!(book.first() <= book.next() && book.intact_from() <= book.next());
        assert_eq!(book.next().0, self.expires_at.len() as u64 + 1, "an offset was lost or given twice");
        let state = book.state(self.now, &LIMITS, |place| Ok::<_, ()>(Some(place.to_string()))).unwrap();
        for (device, position) in &state.positions {
            let recovery = state.recovery(Some(device), None);
            assert_eq!(recovery.after.offset, *position);
            if recovery.missed.is_ok() {
                self.check_served(*position);
            }
        }
        // Somebody of whom nothing is known has missed something exactly if anything has gone that was not withdrawn.
        assert!(state.first <= state.whole_from && state.intact_from <= state.whole_from);
        for (behind, is_told) in [(0, false), (1, true)] {
            let Some(offset) = state.whole_from.0.checked_sub(1 + behind) else { continue };
            let stranger = Place { epoch: state.epoch, offset: Offset(offset) };
            assert_eq!(state.recovery(None, Some(stranger)).missed.is_err(), is_told);
        }
    }

    /// Who is told to have missed nothing is given everything behind its position that is of use.
    fn check_served(&self, position: Offset) {
        let reading = self.book.read(position, ALL, self.now);
        let given: BTreeSet<_> = reading.places.iter().map(|(offset, _)| offset.0).collect();
        for offset in position.0 + 1..self.book.next().0 {
            let useful = !self.withdrawn.contains(&offset);
            assert!(!useful || given.contains(&offset), "{offset} is missing, and the device was not told");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_goes_without_need_and_no_gap_is_silent(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
            world.check();
        }
    }

    #[test]
    fn pages_are_whole_and_do_not_overlap(
        costs in prop::collection::vec((1u64..9, 0u64..3), 0..30),
        (entries_max, bytes_max) in (1usize..6, 1u64..20),
        after in 0u64..35,
    ) {
        let mut world = World::new();
        for (cost_bytes, lives_secs) in costs {
            world.append(cost_bytes, Duration::from_secs(lives_secs));
        }
        world.now = world.now.plus(Duration::from_secs(1));
        let whole = world.book.read(Offset(after), ALL, world.now);
        prop_assert!(whole.is_last);
        let (mut read, mut left_out, mut place) = (Vec::new(), LeftOut::default(), Offset(after));
        loop {
            let page = world.book.read(place, PageBounds { entries_max, bytes_max }, world.now);
            prop_assert!(page.places.len() <= entries_max);
            read.extend(page.places);
            left_out.expired += page.left_out.expired;
            if page.is_last {
                break;
            }
            prop_assert!(page.read_to > place, "no page stands still");
            place = page.read_to;
        }
        prop_assert_eq!(read, whole.places);
        prop_assert_eq!(left_out, whole.left_out);
    }
}

#[test]
fn what_is_too_much_leaves_a_gap_and_what_everybody_has_does_not() {
    for (what, acknowledged, expected) in [("nobody has it", None, 4), ("everybody has it", Some(6), 1)] {
        let mut world = World::new();
        for _ in 0..9 {
            world.append(1, Duration::from_secs(50));
        }
        if let Some(back) = acknowledged {
            world.acknowledge(0, 9 - back);
        }
        world.trim();
        assert_eq!((world.book.first(), world.book.intact_from()), (Offset(4), Offset(expected)), "{what}");
    }
}

#[test]
fn an_unused_mailbox_is_forgotten_only_when_it_is_empty() {
    let mut world = World::new();
    world.append(1, Duration::from_secs(50));
    let later = world.now.plus(Duration::from_secs(201));
    assert!(!world.book.is_forgettable(later, &LIMITS));
    world.book.trim(later, &LIMITS);
    assert!(world.book.is_forgettable(later, &LIMITS));
    assert!(!world.book.is_forgettable(
        later.plus(Duration::ZERO),
        &Limits { mailbox_forget_after: LIMITS.mailbox_forget_after * 2, ..LIMITS }
    ));
}
