//! One row of the table, pure: what was wanted, what came of it, and whether that is a failure.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A row takes too long beyond so many times what was wanted.
const TIME_FACTOR_MAX: f64 = 1.5;

/// Threads that start one after the other over a time and send one message after the other: what JMeter calls a thread group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// How many threads.
    pub threads: u32,
    /// The time over which they start.
    pub ramp_up: Duration,
    /// How many messages each sends.
    pub loops: u32,
}

/// Why a text is no row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not THREADS:SECONDS or THREADS:SECONDS:LOOPS, such as 5000:1, with numbers above 0")]
pub struct StepError(String);

/// What came of a step.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) step: Step,
    /// From the first start to the last answer.
    pub(crate) real: Duration,
    /// Sends that failed, or reached nobody, by cause.
    pub(crate) errors: BTreeMap<&'static str, u64>,
    /// Messages that were said to have reached the group and did not come to a member.
    pub(crate) lost: u64,
    /// From the call to its answer, in milliseconds.
    pub(crate) mean_ms: f64,
    pub(crate) p99_ms: f64,
    /// Processor time of the watched processes for each sample, in microseconds.
    pub(crate) cpu_us: Option<f64>,
}

impl Step {
    /// The rows that the table is known by: 1,000 and 5,000 over 10, 5 and 1 seconds.
    pub fn known(loops: u32) -> Vec<Self> {
        let step = |threads, seconds| Self { threads, ramp_up: Duration::from_secs(seconds), loops };
        [1_000, 5_000]
            .into_iter()
            .flat_map(|threads| [10, 5, 1].map(|seconds| step(threads, seconds)))
            .collect()
    }

    /// Twice as many threads in the same time; none: more than there may be.
    pub(crate) fn doubled(self, threads_max: u32) -> Option<Self> {
        let threads = self.threads.checked_mul(2).filter(|threads| *threads <= threads_max)?;
        Some(Self { threads, ..self })
    }

    /// When a thread starts.
    pub(crate) fn starts_at(self, thread: u32) -> Duration {
        self.ramp_up.mul_f64(f64::from(thread) / f64::from(self.threads))
    }

    /// How many messages are sent.
    pub(crate) fn samples(self) -> u64 {
        u64::from(self.threads) * u64::from(self.loops)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} threads over {} s", self.threads, self.ramp_up.as_secs_f64())
    }
}

impl FromStr for Step {
    type Err = StepError;

    fn from_str(text: &str) -> Result<Self, StepError> {
        let wrong = || StepError(text.to_owned());
        let mut parts = text.split(':');
        let mut next = || parts.next().unwrap_or_default();
        let threads = next().parse().ok().filter(|threads| *threads > 0).ok_or_else(wrong)?;
        let seconds: f64 = next().parse().map_err(|_| wrong())?;
        let ramp_up =
            Duration::try_from_secs_f64(seconds).ok().filter(|time| !time.is_zero()).ok_or_else(wrong)?;
        let loops = match next() {
            "" => 1,
            loops => loops.parse().ok().filter(|loops| *loops > 0).ok_or_else(wrong)?,
        };
        if parts.next().is_some() { Err(wrong()) } else { Ok(Self { threads, ramp_up, loops }) }
    }
}

impl Row {
    /// Sends that failed.
    pub(crate) fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Their share, in percent.
    pub(crate) fn error_percent(&self) -> f64 {
        100.0 * self.failed() as f64 / self.step.samples() as f64
    }

    /// Samples in a second, failed ones included, as JMeter counts them.
    pub(crate) fn throughput(&self) -> f64 {
        self.step.samples() as f64 / self.real.as_secs_f64().max(f64::EPSILON)
    }

    /// What went wrong; nothing: it was as wanted.
    pub(crate) fn failure(&self) -> Option<String> {
        let Step { ramp_up, .. } = self.step;
        if self.failed() > 0 {
            let causes: Vec<_> =
                self.errors.iter().map(|(cause, count)| format!("{count} {cause}")).collect();
            return Some(format!("{:.2} % of the sends failed: {}", self.error_percent(), causes.join(", ")));
        }
        if self.lost > 0 {
            return Some(format!("{} messages did not arrive", self.lost));
        }
        let too_slow = self.real.as_secs_f64() > TIME_FACTOR_MAX * ramp_up.as_secs_f64();
        too_slow.then(|| {
            let (real, wanted) = (self.real.as_secs_f64(), ramp_up.as_secs_f64());
            format!(
                "it took {real:.2} s instead of {wanted} s: no more than {:.0} a second",
                self.throughput()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(threads: u32, real_ms: u64, lost: u64, errors: &[(&'static str, u64)]) -> Row {
        Row {
            step: Step { threads, ramp_up: Duration::from_secs(1), loops: 2 },
            real: Duration::from_millis(real_ms),
            errors: errors.iter().copied().collect(),
            lost,
            mean_ms: 0.0,
            p99_ms: 0.0,
            cpu_us: None,
        }
    }

    #[test]
    fn the_known_rows() {
        let rows: Vec<_> = Step::known(1).iter().map(|step| (step.threads, step.ramp_up.as_secs())).collect();
        assert_eq!(rows, [(1_000, 10), (1_000, 5), (1_000, 1), (5_000, 10), (5_000, 5), (5_000, 1)]);
    }

    #[test]
    fn a_row_is_read() {
        let read =
            |text: &str| text.parse::<Step>().ok().map(|it| (it.threads, it.ramp_up.as_millis(), it.loops));
        assert_eq!(read("5000:1"), Some((5_000, 1_000, 1)));
        assert_eq!(read("10:0.5:3"), Some((10, 500, 3)));
        for wrong in ["", "5000", "0:1", "1:0", "1:-1", "1:1:0", "1:1:1:1", "a:1"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn steps_double_up_to_a_bound() {
        let step = Step { threads: 5_000, ramp_up: Duration::from_secs(1), loops: 1 };
        assert_eq!(
            step.doubled(20_000).and_then(|step| step.doubled(20_000)).map(|step| step.threads),
            Some(20_000)
        );
        assert_eq!(step.doubled(9_999), None);
    }

    #[test]
    fn threads_start_evenly() {
        let step = Step { threads: 1_000, ramp_up: Duration::from_secs(10), loops: 1 };
        assert_eq!([0, 1, 500].map(|thread| step.starts_at(thread).as_millis()), [0, 10, 5_000]);
        let at_once = Step { ramp_up: Duration::ZERO, ..step };
        assert_eq!(at_once.starts_at(999), Duration::ZERO);
    }

    #[test]
    fn a_row_says_what_failed() {
        let told = |row: &Row| row.failure().unwrap_or_default();
        assert_eq!(told(&row(1_000, 1_500, 0, &[])), "");
        assert_eq!(
            told(&row(1_000, 2_000, 0, &[])),
            "it took 2.00 s instead of 1 s: no more than 1000 a second"
        );
        assert_eq!(told(&row(1_000, 1_000, 3, &[])), "3 messages did not arrive");
        let failed = row(1_000, 1_000, 3, &[("OVERLOADED", 500), ("no_session", 10)]);
        assert_eq!(told(&failed), "25.50 % of the sends failed: 500 OVERLOADED, 10 no_session");
        assert!((failed.throughput() - 2_000.0).abs() < 0.1);
    }
}
