//! A user's message while there are more and more workers. At a rate that all of them carry: as fast as it goes, few workers would
//! put more messages into a write than many, which is another question.

use anyhow::Result;
use tokio::runtime::Runtime;

use super::{Figures, SETTLE};
use crate::crowd::Crowd;
use crate::load::{self, Call, Pace, Plan, Receivers};
use crate::options::Size;
use crate::systems::Kind;

pub(super) const KINDS: [Kind; 6] = [
    Kind::Ringway { workers: 2 },
    Kind::Broadcast { workers: 2 },
    Kind::Ringway { workers: 8 },
    Kind::Broadcast { workers: 8 },
    Kind::Ringway { workers: 32 },
    Kind::Broadcast { workers: 32 },
];

pub(super) fn measure(kind: Kind, runtime: &Runtime, size: &Size) -> Result<Figures> {
    let mut system = kind.start(runtime)?;
    let crowd = Crowd::gather(&system.door, size.users)?;
    std::thread::sleep(SETTLE);
    let plan = Plan {
        count: size.scaling_rate * size.seconds,
        to: Receivers::Users,
        pace: Pace::PerSecond(size.scaling_rate),
        call: Call::Unary,
    };
    let sent = load::run(&system, &crowd, &plan)?;
    system.assert_sound()?;
    Ok(vec![
        ("user_us", sent.cpu_us()),
        ("user_all_us", sent.cpu_all_us()),
        ("user_p99_ms", sent.p99_us as f64 / 1e3),
        ("lost", sent.lost as f64),
    ])
}
