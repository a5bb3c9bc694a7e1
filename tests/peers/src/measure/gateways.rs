//! Gateways: what a handshake costs, and a message that a client sends and gets back.

use anyhow::Result;
use tokio::runtime::Runtime;

use super::{Figures, idle};
use crate::load::{self, Call, Pace, Plan, Receivers};
use crate::options::Size;
use crate::systems::{Auth, Kind};

pub(super) const KINDS: [Kind; 5] = [
    Kind::Upstream,
    Kind::Nginx,
    Kind::Haproxy,
    Kind::RingwayEcho(Auth::Jwt),
    Kind::RingwayEcho(Auth::Plain),
];

pub(super) fn measure(kind: Kind, runtime: &Runtime, size: &Size) -> Result<Figures> {
    let mut system = kind.start(runtime)?;
    let (crowd, mut figures) = idle::gather(&system, &system.door, size.handshakes)?;
    let plan = Plan {
        count: size.rate * size.seconds,
        to: Receivers::Users,
        pace: Pace::PerSecond(size.rate),
        call: Call::Unary,
    };
    let echoed = load::run(&system, &crowd, &plan)?;
    figures.extend([
        ("echo_us", echoed.cpu_us()),
        ("echo_p50_ms", echoed.p50_us as f64 / 1e3),
        ("echo_p99_ms", echoed.p99_us as f64 / 1e3),
        ("lost", echoed.lost as f64),
    ]);
    system.assert_sound()?;
    Ok(figures)
}
