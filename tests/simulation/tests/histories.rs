//! Thousands of histories, in which every promise is kept.
//!
//! `RINGWAY_SIMULATION_HISTORIES=100000` looks at more of them, `RINGWAY_SIMULATION_SEED=7` at one, and tells what happens.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use ringway_session::Protections;
use ringway_simulation::{GatewayProtections, History, HomeProtections, Nature, Summary, Violation};

/// How many histories of each nature are looked at.
const HISTORIES: u64 = 6_000;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a number, and is {text:?}")))
}

fn history(seed: u64, nature: Nature) -> History {
    let (protections, gateway) = (Protections::default(), GatewayProtections::default());
    History { seed, nature, protections, gateway, homes: HomeProtections::default() }
}

/// The events of a history that broke a promise, or that somebody wants to see.
fn tell(history: &History) -> String {
    let (ended, lines) = history.tell();
    format!("{}\n{history:?}: {ended:?}\n", lines.join("\n"))
}

/// Runs histories on two threads until one of them breaks a promise.
fn run(nature: Nature, histories: u64) -> (Summary, Option<(History, Violation)>) {
    let next = AtomicU64::new(0);
    let work = || {
        let mut sum = Summary::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= histories {
                return (sum, None);
            }
            match history(seed, nature).run() {
                Ok(summary) => sum += summary,
                Err(violation) => {
                    next.store(histories, Ordering::Relaxed);
                    return (sum, Some((history(seed, nature), violation)));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let [a, b] = [scope.spawn(work), scope.spawn(work)].map(|thread| thread.join().expect("no panics"));
        let mut sum = a.0;
        sum += b.0;
        (sum, a.1.or(b.1))
    })
}

fn check(nature: Nature) {
    if let Some(seed) = number("RINGWAY_SIMULATION_SEED") {
        let history = history(seed, nature);
        println!("{}", tell(&history));
        assert_eq!(history.run().err(), None);
        return;
    }
    let histories = number("RINGWAY_SIMULATION_HISTORIES").unwrap_or(HISTORIES);
    let start = Instant::now();
    let (sum, broken) = run(nature, histories);
    println!("{histories} histories in {:?}: {sum:?}", start.elapsed());
    if let Some((history, violation)) = broken {
        let seed = history.seed;
        panic!(
            "{}a promise is broken: {violation:?}\nsee it again with RINGWAY_SIMULATION_SEED={seed}",
            tell(&history)
        );
    }
    assert!(sum.moved > histories, "sessions move, or nothing was shown: {sum:?}");
    let is_doubled = sum.doubled > histories / 100;
    assert_eq!(
        is_doubled,
        nature == Nature::Faulty,
        "only where answers are lost is anything sent twice: {sum:?}"
    );
}

#[test]
fn planned_changes_are_noticed_by_nobody() {
    check(Nature::Planned);
}

#[test]
fn faults_cost_what_the_guarantees_say_and_nothing_else() {
    check(Nature::Faulty);
}

#[test]
fn a_history_follows_from_its_seed() {
    for (seed, nature) in (0..20).flat_map(|seed| [(seed, Nature::Planned), (seed, Nature::Faulty)]) {
        let (first, lines) = history(seed, nature).tell();
        assert_eq!(history(seed, nature).tell(), (first.clone(), lines), "seed {seed}");
        assert_eq!(history(seed, nature).run(), first, "seed {seed}");
    }
    let fingerprints: BTreeSet<_> = (0..100)
        .filter_map(|seed| history(seed, Nature::Planned).run().ok())
        .map(|it| it.fingerprint)
        .collect();
    assert_eq!(fingerprints.len(), 100, "no two are alike");
}
