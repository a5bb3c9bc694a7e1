//! Where a value stands on an axis, and at which values an axis is marked.

use crate::report::{Scale, shown};

/// An axis: the values that it covers, in the units in which it is even.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
}

/// How many nines are told apart: beyond there are too few samples.
const NINES_MAX: f64 = 6.0;

impl Axis {
    /// An axis for these values, with about so many marks.
    pub(crate) fn of(scale: Scale, values: impl Iterator<Item = f64>, marks: usize) -> Self {
        let even = values.filter_map(|value| even(scale, value));
        let (low, high) =
            even.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), it| (low.min(it), high.max(it)));
        if low > high {
            return Self { scale, low: 0.0, high: 1.0 };
        }
        let (low, high) = match scale {
            Scale::Linear => {
                let low = low.min(0.0);
                let step = step((high - low) / marks as f64);
                ((low / step).floor() * step, (high / step).ceil() * step)
            }
            Scale::Log => (low.floor(), high.ceil()),
            Scale::Nines => (low, high),
        };
        Self { scale, low, high: if high > low { high } else { low + 1.0 } }
    }

    /// The same, from the first value to the last: for time.
    pub(crate) fn tight(mut self, values: impl Iterator<Item = f64>) -> Self {
        let last = values.filter_map(|value| even(self.scale, value)).fold(self.low, f64::max);
        if last > self.low && self.scale == Scale::Linear {
            self.high = last;
        }
        self
    }

    /// Where a value stands, 0 to 1; nowhere, if the axis has no place for it.
    pub(crate) fn place(&self, value: f64) -> Option<f64> {
        even(self.scale, value).map(|even| (even - self.low) / (self.high - self.low))
    }

    /// Where the axis is marked, and with what; about so many marks.
    pub(crate) fn marks(&self, about: usize) -> Vec<(f64, String)> {
        let marks: Vec<f64> = match self.scale {
            Scale::Linear => {
                let step = step((self.high - self.low) / about as f64);
                let (first, last) =
                    ((self.low / step).ceil() as i64, (self.high / step + 1e-9).floor() as i64);
                (first..=last).map(|it| it as f64 * step).collect()
            }
            Scale::Log => {
                let parts: &[f64] = if self.high - self.low <= 2.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
                let powers = self.low as i32..=self.high as i32;
                powers.flat_map(|it| parts.iter().map(move |part| part * 10_f64.powi(it))).collect()
            }
            Scale::Nines => (0..=self.high as i32).map(|nines| 1.0 - 10_f64.powi(-nines)).collect(),
        };
        let placed = marks.into_iter().filter_map(|mark| Some((self.place(mark)?, self.told(mark))));
        placed.filter(|(place, _)| (-1e-9..=1.0 + 1e-9).contains(place)).collect()
    }

    fn told(&self, mark: f64) -> String {
        match self.scale {
            // What adding steps has made of 0.3 is 0.30000000000000004.
            Scale::Linear | Scale::Log => shown((mark * 1e9).round() / 1e9),
            Scale::Nines if mark == 0.0 => "0".to_owned(),
            Scale::Nines => format!("{} %", shown((mark * 1e8).round() / 1e6)),
        }
    }
}

/// The value in units in which the axis is even.
fn even(scale: Scale, value: f64) -> Option<f64> {
    let even = match scale {
        Scale::Linear => value,
        Scale::Log => value.log10(),
        Scale::Nines => -(1.0 - value).max(10_f64.powf(-NINES_MAX)).log10(),
    };
    Some(even).filter(|even| even.is_finite())
}

/// 1, 2 or 5 times a power of ten: the smallest such that is not below.
fn step(least: f64) -> f64 {
    if !(least.is_finite() && least > 0.0) {
        return 1.0;
    }
    let power = 10_f64.powf(least.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= least * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(scale: Scale, values: &[f64]) -> Vec<String> {
        let axis = Axis::of(scale, values.iter().copied(), 5);
        axis.marks(5).into_iter().map(|(_, told)| told).collect()
    }

    #[test]
    fn marks_are_round_numbers() {
        assert_eq!(marks(Scale::Linear, &[3.0, 97.0]), ["0", "20", "40", "60", "80", "100"]);
        assert_eq!(marks(Scale::Linear, &[0.01, 0.3]), ["0", "0.1", "0.2", "0.3"]);
        assert_eq!(marks(Scale::Linear, &[-0.9, 1.0]), ["-1", "-0.5", "0", "0.5", "1"]);
        assert_eq!(marks(Scale::Linear, &[0.0, 0.0]), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        assert_eq!(marks(Scale::Linear, &[]), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        assert_eq!(marks(Scale::Log, &[0.02, 4_000.0]), ["0.01", "0.1", "1", "10", "100", "1,000", "10,000"]);
        assert_eq!(marks(Scale::Log, &[0.0, 1.5, 7.0]), ["1", "2", "5", "10"]);
        assert_eq!(marks(Scale::Nines, &[0.0, 0.5, 0.9999]), ["0", "90 %", "99 %", "99.9 %", "99.99 %"]);
    }

    #[test]
    fn values_have_their_places() {
        let place = |scale, values: &[f64], value| Axis::of(scale, values.iter().copied(), 5).place(value);
        let check = |found: Option<f64>, expected: f64| {
            assert!((found.unwrap() - expected).abs() < 1e-9, "{found:?}");
        };
        check(place(Scale::Linear, &[0.0, 100.0], 25.0), 0.25);
        check(place(Scale::Log, &[1.0, 100.0], 10.0), 0.5);
        check(place(Scale::Nines, &[0.0, 0.9999], 0.99), 0.5);
        check(place(Scale::Nines, &[0.0, 1.0], 1.0), 1.0);
        assert_eq!(place(Scale::Log, &[1.0, 100.0], 0.0), None);
    }

    #[test]
    fn time_ends_with_its_last_value() {
        let axis = Axis::of(Scale::Linear, [0.0, 61.0].into_iter(), 5).tight([0.0, 61.0].into_iter());
        assert_eq!(axis.place(61.0), Some(1.0));
        assert_eq!(axis.marks(5).last().unwrap().1, "60");
    }
}
