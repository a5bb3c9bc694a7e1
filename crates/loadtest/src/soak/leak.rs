//! What may not grow, pure: a row of values, and whether its line rises by more than is allowed.

use std::time::Duration;

use super::slope::{Limit, Trend};

/// Something that is watched for growth.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) values: Vec<(Duration, f64)>,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Resident memory, in bytes.
    Resident,
    /// Open files of a process.
    Files,
    /// Tasks of all nodes that tell.
    Tasks,
    /// Sessions of the cluster, without those of clients that are there.
    Sessions,
}

impl Kind {
    /// What counts as growth. Sessions and clients are not counted at the same moment, so there may be a few too many or too few.
    fn limit(self) -> Limit {
        match self {
            Self::Resident => Limit { share: 0.05, least: 8.0 * 1024.0 * 1024.0 },
            Self::Files | Self::Tasks => Limit { share: 0.05, least: 32.0 },
            Self::Sessions => Limit { share: 0.0, least: 10.0 },
        }
    }
}

impl Series {
    /// An empty one.
    pub(crate) fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self { name: name.into(), kind, values: Vec::new() }
    }

    /// Its trend; none: there are too few values.
    pub(crate) fn trend(&self) -> Option<Trend> {
        Trend::of(&self.values)
    }

    /// Whether it grows by more than it may.
    pub(crate) fn is_leaking(&self) -> bool {
        self.trend().is_some_and(|trend| trend.against(self.kind.limit()) > 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Kind, start: f64, each_second: f64, is_leaking: bool) {
        let mut series = Series::new("x", kind);
        series.values =
            (0..=100).map(|at| (Duration::from_secs(at), start + each_second * at as f64)).collect();
        assert_eq!(series.is_leaking(), is_leaking, "{series:?}");
    }

    #[test]
    fn a_little_is_no_leak() {
        check(Kind::Resident, 100e6, 0.1e6, false);
        check(Kind::Resident, 100e6, 0.3e6, true);
        check(Kind::Files, 100.0, 0.5, false);
        check(Kind::Files, 100.0, 1.0, true);
        check(Kind::Tasks, 10_000.0, 5.0, false);
        check(Kind::Tasks, 10_000.0, 20.0, true);
        check(Kind::Sessions, 0.0, 0.1, false);
        check(Kind::Sessions, 0.0, 0.3, true);
        check(Kind::Sessions, 0.0, -5.0, false);
    }
}
