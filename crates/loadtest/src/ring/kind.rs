//! The strategies that are compared.

use std::fmt;
use std::str::FromStr;

/// How keys are given to nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Strategy `slots` of ringway.
    Slots,
    /// The classic ring, as the crate `hashring` keeps it, with so many points for each unit of weight. Strategy `hashring` of ringway
    /// has 160, and looks them up by slots.
    Hashring {
        /// For each unit of weight.
        points: u16,
    },
    /// The remainder of the hash divided by the number of nodes: what not to do. It knows no weights.
    Modulo,
}

/// Why a text is no strategy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} must be slots, modulo, hashring, or hashring:POINTS with 1 to 1000 points for each unit of weight"
)]
pub struct KindError(String);

/// The most points for each unit of weight.
const POINTS_MAX: u16 = 1_000;

/// What `hashring` means by itself.
const POINTS_USUAL: u16 = 160;

impl Kind {
    /// Those that are compared if nothing else is asked for.
    pub const USUAL: [Self; 5] = [
        Self::Slots,
        Self::Hashring { points: 1_000 },
        Self::Hashring { points: 160 },
        Self::Hashring { points: 100 },
        Self::Modulo,
    ];

    /// With what its figures' names begin.
    pub(crate) fn prefix(self) -> String {
        match self {
            Self::Hashring { points } => format!("hashring{points}"),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slots => f.write_str("slots"),
            Self::Hashring { points } => write!(f, "hashring:{points}"),
            Self::Modulo => f.write_str("modulo"),
        }
    }
}

impl FromStr for Kind {
    type Err = KindError;

    fn from_str(text: &str) -> Result<Self, KindError> {
        let wrong = || KindError(text.to_owned());
        match text.split_once(':').unwrap_or((text, "")) {
            ("slots", "") => Ok(Self::Slots),
            ("modulo", "") => Ok(Self::Modulo),
            ("hashring", "") => Ok(Self::Hashring { points: POINTS_USUAL }),
            ("hashring", points) => {
                let points = points.parse().ok().filter(|points| (1..=POINTS_MAX).contains(points));
                Ok(Self::Hashring { points: points.ok_or_else(wrong)? })
            }
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strategies_are_read_as_they_are_written() {
        for kind in Kind::USUAL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert_eq!("hashring".parse(), Ok(Kind::Hashring { points: 160 }));
        for wrong in ["", "Slots", "slots:1", "hashring:0", "hashring:1001", "hashring:x", "modulo:3"] {
            assert_eq!(wrong.parse::<Kind>(), Err(KindError(wrong.to_owned())));
        }
    }
}
