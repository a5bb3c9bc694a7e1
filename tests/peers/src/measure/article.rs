//! The load that this design is known by: thousands of sends at once to a group with one member online; and how many of them a second
//! go on and on.

use anyhow::{Context as _, Result};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::{Figures, SETTLE};
use crate::crowd::Crowd;
use crate::load::{self, Call, Outcome, Pace, Plan, Receivers};
use crate::options::Size;
use crate::systems::Kind;

pub(super) const KINDS: [Kind; 1] = [Kind::Ringway { workers: 1 }];

/// How many sends may be unanswered when they go as fast as they can.
const OUTSTANDING: u64 = 8192;

pub(super) fn measure(kind: Kind, runtime: &Runtime, size: &Size) -> Result<Figures> {
    let mut system = kind.start(runtime)?;
    let crowd = Crowd::gather(&system.door, 1)?;
    std::thread::sleep(SETTLE);
    let plan = Plan {
        count: size.article,
        to: Receivers::All,
        pace: Pace::PerSecond(size.article),
        call: Call::Unary,
    };
    let in_a_second = load::run(&system, &crowd, &plan)?;
    let saturated = Pace::Saturated { outstanding_max: OUTSTANDING };
    let plan = Plan { count: size.sustained, pace: saturated, call: Call::Publish, ..plan };
    let sustained = load::run(&system, &crowd, &plan)?;
    system.assert_sound()?;
    Ok(vec![
        ("article_errors_percent", errors_percent(&in_a_second)?),
        ("article_per_second", size.article as f64 / told(&in_a_second, "seconds")?),
        ("article_p99_ms", in_a_second.p99_us as f64 / 1e3),
        ("sustained_errors_percent", errors_percent(&sustained)?),
        ("sustained_per_second", size.sustained as f64 / told(&sustained, "seconds")?),
        ("sustained_us", sustained.cpu_us()),
        ("lost", (in_a_second.lost + sustained.lost) as f64),
    ])
}

fn errors_percent(outcome: &Outcome) -> Result<f64> {
    let (failed, delivered) = (told(outcome, "failed")?, told(outcome, "delivered")?);
    Ok(100.0 * failed / (failed + delivered).max(1.0))
}

fn told(outcome: &Outcome, key: &str) -> Result<f64> {
    let told = outcome.sender.as_ref().and_then(|told| told.get(key)).and_then(Value::as_f64);
    told.with_context(|| format!("the sender told no {key}"))
}
