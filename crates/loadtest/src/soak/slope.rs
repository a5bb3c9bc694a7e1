//! Whether something grows, pure: the straight line through the second half of its values (least squares).
//!
//! The first half does not count: caches fill, pools grow and allocators take what they need, once.

use std::time::Duration;

/// Fewer values in the second half say nothing.
const VALUES_MIN: usize = 5;

/// How something went on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Trend {
    /// The mean of the second half.
    pub(crate) mean: f64,
    /// By how much the line rises over the second half.
    pub(crate) rise: f64,
    /// By how much it rises in an hour, if it goes on so.
    pub(crate) per_hour: f64,
}

/// What counts as growth: more than a share of the mean, and more than so much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limit {
    /// A share of the mean.
    pub(crate) share: f64,
    /// In the unit of the values.
    pub(crate) least: f64,
}

impl Trend {
    /// The trend of values with their times; none if there are too few.
    pub(crate) fn of(values: &[(Duration, f64)]) -> Option<Self> {
        let (first, last) = (values.first()?.0, values.last()?.0);
        let middle = first + (last - first) / 2;
        let half: Vec<(f64, f64)> = values
            .iter()
            .filter(|(at, _)| *at >= middle)
            .map(|(at, value)| ((*at - middle).as_secs_f64(), *value))
            .collect();
        if half.len() < VALUES_MIN {
            return None;
        }
        let count = half.len() as f64;
        let mean_of = |pick: fn(&(f64, f64)) -> f64| half.iter().map(pick).sum::<f64>() / count;
        let (time, mean) = (mean_of(|it| it.0), mean_of(|it| it.1));
        let covariance: f64 = half.iter().map(|it| (it.0 - time) * (it.1 - mean)).sum();
        let variance: f64 = half.iter().map(|it| (it.0 - time).powi(2)).sum();
        let per_second = if variance > 0.0 { covariance / variance } else { 0.0 };
        let rise = per_second * (last - middle).as_secs_f64();
        Some(Self { mean, rise, per_hour: per_second * 3_600.0 })
    }

    /// By how many times its limit it has grown: above 1 it leaks.
    pub(crate) fn against(&self, limit: Limit) -> f64 {
        (self.rise / limit.least.max(limit.share * self.mean)).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit { share: 0.05, least: 10.0 };

    fn trend(value: impl Fn(u64) -> f64) -> Trend {
        let values: Vec<_> = (0..=100).map(|at| (Duration::from_secs(at), value(at))).collect();
        Trend::of(&values).unwrap()
    }

    fn check(value: impl Fn(u64) -> f64, rise: f64, leaks: bool) {
        let trend = trend(value);
        assert!((trend.rise - rise).abs() < 0.5, "{trend:?}");
        assert_eq!(trend.against(LIMIT) > 1.0, leaks, "{trend:?}");
    }

    #[test]
    fn what_grows_is_told_from_what_is_full() {
        check(|_| 1_000.0, 0.0, false);
        check(|at| 1_000.0 + 2.0 * at as f64, 100.0, true);
        check(|at| 1_000.0 + (20.0 * at as f64).min(900.0), 0.0, false);
        check(|at| 1_000.0 - at as f64, -50.0, false);
        check(|at| 1_000.0 + if at % 2 == 0 { 100.0 } else { -100.0 }, 0.0, false);
        check(|at| 10_000.0 + 2.0 * at as f64, 100.0, false);
        check(|at| 0.5 * at as f64, 25.0, true);
    }

    #[test]
    fn a_trend_is_told_by_the_hour() {
        assert!((trend(|at| at as f64).per_hour - 3_600.0).abs() < 1.0);
    }

    #[test]
    fn few_values_say_nothing() {
        let values = |count: u64| (0..count).map(|at| (Duration::from_secs(at), 1.0)).collect::<Vec<_>>();
        assert_eq!(Trend::of(&[]), None);
        assert_eq!(Trend::of(&values(8)), None);
        assert!(Trend::of(&values(10)).is_some());
    }
}
