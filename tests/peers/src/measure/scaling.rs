//! A user's message while there are more and more workers. One after the other: otherwise few workers would put more messages into a
//! write than many, which is another question. What the processes use when nothing is sent is taken off: there are more of them, and
//! each has its clocks. And, to compare, as fast as it goes. The system has one processor, and clients and sender another ([`Apart`]).

use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::runtime::Runtime;

use super::{Figures, SETTLE};
use crate::cores::Apart;
use crate::crowd::Crowd;
use crate::load::{self, Call, Pace, Plan, Receivers};
use crate::options::Size;
use crate::systems::Kind;

pub(super) const KINDS: [Kind; 9] = [
    Kind::Ringway { workers: 2 },
    Kind::RingwayUp { workers: 2 },
    Kind::Broadcast { workers: 2 },
    Kind::Ringway { workers: 8 },
    Kind::RingwayUp { workers: 8 },
    Kind::Broadcast { workers: 8 },
    Kind::Ringway { workers: 32 },
    Kind::RingwayUp { workers: 32 },
    Kind::Broadcast { workers: 32 },
];

/// How long nothing is sent, to see what that costs.
const IDLE: Duration = Duration::from_secs(2);

pub(super) fn measure(kind: Kind, runtime: &Runtime, size: &Size) -> Result<Figures> {
    let mut system = kind.start(runtime)?;
    let family = system.family();
    let _apart = Apart::keep(&family)?;
    let crowd = Crowd::gather(&system.door, size.users)?;
    std::thread::sleep(SETTLE);
    let began = Instant::now();
    let before = family.cpu();
    std::thread::sleep(IDLE);
    let idle = family.cpu().saturating_sub(before).as_secs_f64() / began.elapsed().as_secs_f64();
    let plan = Plan {
        count: size.one_by_one,
        to: Receivers::Users,
        pace: Pace::Saturated { outstanding_max: 0 },
        call: Call::Unary,
    };
    let sent = load::run(&system, &crowd, &plan)?;
    let saturated = Pace::Saturated { outstanding_max: size.unicasts_outstanding };
    let plan = Plan { count: 10 * size.one_by_one, pace: saturated, call: Call::Publish, ..plan };
    let streamed = load::run(&system, &crowd, &plan)?;
    system.assert_sound()?;
    let idle_us = idle * sent.time.as_secs_f64() * 1e6 / sent.deliveries.max(1) as f64;
    Ok(vec![
        ("user_us", sent.cpu_us() - idle_us),
        ("user_gross_us", sent.cpu_us()),
        ("idle_percent", idle * 100.0),
        ("user_all_us", sent.cpu_all_us()),
        ("user_switches", sent.switches_each()),
        ("user_per_second", sent.rate()),
        ("user_p99_ms", sent.p99_us as f64 / 1e3),
        ("streamed_us", streamed.cpu_us()),
        ("streamed_switches", streamed.switches_each()),
        ("failed", (sent.failed + streamed.failed) as f64),
        ("lost", (sent.lost + streamed.lost) as f64),
    ])
}
