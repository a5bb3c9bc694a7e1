//! The simulation sees what each protection is good for: without it, a promise is broken before long. Only the terms of sessions
//! are needed too rarely for that: the tests of the state itself hold them.

use ringway_session::Protections;
use ringway_simulation::{Check, GatewayProtections, History, HomeProtections, Nature};

/// Within how many histories it must be noticed that a protection is missing.
const HISTORIES_MAX: u64 = 20_000;

const ALL: Protections = Protections::ALL;
const ALL_AT_GATEWAYS: GatewayProtections =
    GatewayProtections { keeping: true, passed_offset: true, finishing: true };
const ALL_AT_HOMES: HomeProtections = HomeProtections { unreported: true, settling: true };

fn with_all(seed: u64, nature: Nature) -> History {
    History { seed, nature, protections: ALL, gateway: ALL_AT_GATEWAYS, homes: ALL_AT_HOMES }
}

/// Looks at histories without a protection until a promise is broken that is kept with all of them, and compares which.
fn check(name: &str, nature: Nature, without: impl Fn(u64) -> History, expected: &[Check]) {
    let is_kept = |seed| with_all(seed, nature).run().is_ok();
    let broken = (0..HISTORIES_MAX)
        .find_map(|seed| Some((seed, without(seed).run().err()?)).filter(|_| is_kept(seed)));
    let Some((seed, violation)) = broken else {
        panic!("{HISTORIES_MAX} histories without {name} keep every promise");
    };
    println!("without {name}, {nature:?} history {seed}: {violation:?}");
    assert!(expected.contains(&violation.check), "without {name}: {violation:?}, and not {expected:?}");
}

fn check_workers(name: &str, nature: Nature, protections: Protections, expected: &[Check]) {
    check(name, nature, |seed| History { protections, ..with_all(seed, nature) }, expected);
}

fn check_gateways(name: &str, nature: Nature, gateway: GatewayProtections, expected: &[Check]) {
    check(name, nature, |seed| History { gateway, ..with_all(seed, nature) }, expected);
}

fn check_homes(name: &str, homes: HomeProtections) {
    let nature = Nature::Planned;
    let without = |seed| History { homes, ..with_all(seed, nature) };
    check(name, nature, without, &[Check::Lost, Check::NoSession]);
}

#[test]
fn at_workers() {
    use Check::{Lost, NoSession, Numbers, Order, Resumed, Twice};
    use Nature::{Faulty, Planned};
    check_workers("fence", Planned, Protections { fence: false, ..ALL }, &[NoSession, Order, Lost, Resumed]);
    check_workers("keeping", Planned, Protections { keeping: false, ..ALL }, &[NoSession, Lost]);
    check_workers("flush", Planned, Protections { flush: false, ..ALL }, &[Lost, Numbers]);
    check_workers("once", Planned, Protections { once: false, ..ALL }, &[Twice]);
    check_workers("follow", Planned, Protections { follow: false, ..ALL }, &[Lost]);
    check_workers("orphans", Faulty, Protections { orphans: false, ..ALL }, &[NoSession]);
    check_workers("hearsay", Faulty, Protections { hearsay: false, ..ALL }, &[NoSession]);
}

#[test]
fn at_gateways() {
    use Nature::Planned;
    check_gateways(
        "keeping",
        Planned,
        GatewayProtections { keeping: false, ..ALL_AT_GATEWAYS },
        &[Check::Lost],
    );
    let unknown = GatewayProtections { passed_offset: false, ..ALL_AT_GATEWAYS };
    check_gateways("passed_offset", Planned, unknown, &[Check::Numbers]);
    let unfinished = GatewayProtections { finishing: false, ..ALL_AT_GATEWAYS };
    check_gateways("finishing", Planned, unfinished, &[Check::Resumed, Check::Lost]);
}

#[test]
fn at_homes() {
    check_homes("unreported", HomeProtections { unreported: false, ..ALL_AT_HOMES });
    check_homes("settling", HomeProtections { settling: false, ..ALL_AT_HOMES });
}
