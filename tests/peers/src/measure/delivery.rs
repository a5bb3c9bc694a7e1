//! Message servers: one message to everybody, messages to users as fast as they go, and at a rate.

use anyhow::Result;
use tokio::runtime::Runtime;

use super::{Figures, SETTLE, idle};
use crate::crowd::Crowd;
use crate::load::{self, Call, Outcome, Pace, Plan, Receivers};
use crate::options::Size;
use crate::system::System;
use crate::systems::Kind;

pub(super) const KINDS: [Kind; 7] = [
    Kind::Bare,
    Kind::Ringway { workers: 1 },
    Kind::Nats,
    Kind::Nchan,
    Kind::Pushpin,
    Kind::Socketio,
    Kind::Broadcast { workers: 2 },
];

pub(super) fn measure(kind: Kind, runtime: &Runtime, size: &Size) -> Result<Figures> {
    let size = match kind {
        Kind::Pushpin => &size.of_slow_ones().of_those_that_drop(),
        Kind::Socketio => &size.of_slow_ones(),
        _ => size,
    };
    let mut system = kind.start(runtime)?;
    let group_door = system.group_door.as_ref().unwrap_or(&system.door);
    let (mut crowd, mut figures) = idle::gather(&system, group_door, size.members)?;
    let fan_out = fan_out(&system, &crowd, size)?;
    if system.group_door.is_some() {
        drop(crowd);
        std::thread::sleep(SETTLE);
        crowd = Crowd::gather(&system.door, size.members)?;
        std::thread::sleep(SETTLE);
    }
    let pace = Pace::Saturated { outstanding_max: size.unicasts_outstanding };
    let plan = Plan { count: size.unicasts, to: Receivers::Users, pace, call: Call::Publish };
    let saturated = load::run(&system, &crowd, &plan)?;
    let at_the_rate = |call| paced(&system, &crowd, size, call);
    let paced = at_the_rate(Call::Unary)?;
    figures.extend([
        ("fan_out_us", fan_out.cpu_us()),
        ("fan_out_per_second", fan_out.rate()),
        ("unicast_us", saturated.cpu_us()),
        ("unicast_per_second", saturated.rate()),
        ("paced_us", paced.cpu_us()),
        ("paced_all_us", paced.cpu_all_us()),
        ("paced_p50_ms", paced.p50_us as f64 / 1e3),
        ("paced_p99_ms", paced.p99_us as f64 / 1e3),
        ("failed", (fan_out.failed + saturated.failed + paced.failed) as f64),
        ("lost", (fan_out.lost + saturated.lost + paced.lost) as f64),
    ]);
    if let Kind::Ringway { .. } = kind {
        let published = at_the_rate(Call::Publish)?;
        figures.extend([
            ("published_us", published.cpu_us()),
            ("published_all_us", published.cpu_all_us()),
            ("published_p50_ms", published.p50_us as f64 / 1e3),
            ("published_p99_ms", published.p99_us as f64 / 1e3),
            ("published_failed", (published.failed + published.lost) as f64),
        ]);
    }
    system.assert_sound()?;
    Ok(figures)
}

fn fan_out(system: &System, crowd: &Crowd, size: &Size) -> Result<Outcome> {
    let outstanding_max = size.fan_outs_outstanding * size.members as u64;
    let plan = Plan {
        count: size.fan_outs,
        to: Receivers::All,
        pace: Pace::Saturated { outstanding_max },
        call: Call::Publish,
    };
    load::run(system, crowd, &plan)
}

fn paced(system: &System, crowd: &Crowd, size: &Size, call: Call) -> Result<Outcome> {
    let (count, pace) = (size.rate * size.seconds, Pace::PerSecond(size.rate));
    load::run(system, crowd, &Plan { count, to: Receivers::Users, pace, call })
}
