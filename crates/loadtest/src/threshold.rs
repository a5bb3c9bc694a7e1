//! What a report's figures are required to be: `--require latency_p99_ms<=5`. Somebody's limit, held against what was measured.
//!
//! Names are checked before a test begins ([`check_names`]), not after an hour of it. A figure that could not be measured meets nothing.

use std::fmt;
use std::str::FromStr;

use crate::report::{Report, shown};

/// A limit of one figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Requirement {
    /// The figure's name.
    pub name: String,
    /// On which side of the limit it must be.
    pub comparison: Comparison,
    /// In the unit of the figure.
    pub limit: f64,
}

/// On which side of its limit a figure must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<=`
    AtMost,
    /// `>=`
    AtLeast,
}

/// Why a text is no requirement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequirementError {
    /// Neither `<=` nor `>=`.
    #[error("{0:?} must be NAME<=VALUE or NAME>=VALUE, such as 'latency_p99_ms<=5'; quote it for the shell")]
    Malformed(String),
    /// No number behind the sign.
    #[error(
        "{value:?} in {text:?} must be a number, such as 5 or 0.25, in the unit with which the name ends"
    )]
    NoNumber {
        /// The whole text.
        text: String,
        /// What should have been a number.
        value: String,
    },
}

/// A requirement for a figure that a test does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("--require {requirement}: there is no figure {name:?}; there are {known}")]
pub struct UnknownFigure {
    requirement: String,
    name: String,
    known: String,
}

/// What became of a requirement.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// What was required.
    pub requirement: Requirement,
    /// What was measured, if it could be.
    pub value: Option<f64>,
}

/// Whether there are figures of all names that are required.
///
/// # Errors
/// The first that there is none of.
pub fn check_names(requirements: &[Requirement], known: &[String]) -> Result<(), UnknownFigure> {
    match requirements.iter().find(|requirement| !known.contains(&requirement.name)) {
        None => Ok(()),
        Some(unknown) => Err(UnknownFigure {
            requirement: unknown.to_string(),
            name: unknown.name.clone(),
            known: known.join(", "),
        }),
    }
}

impl Requirement {
    /// Holds it against what was measured.
    pub fn judge(&self, report: &Report) -> Verdict {
        Verdict { requirement: self.clone(), value: report.value(&self.name) }
    }
}

impl Verdict {
    /// Whether the figure is as required.
    pub fn is_met(&self) -> bool {
        let Requirement { comparison, limit, .. } = &self.requirement;
        self.value.is_some_and(|value| match comparison {
            Comparison::AtMost => value <= *limit,
            Comparison::AtLeast => value >= *limit,
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (requirement, name) = (&self.requirement, &self.requirement.name);
        match self.value {
            None => write!(f, "missed: {requirement}, but {name} could not be measured"),
            Some(value) if self.is_met() => write!(f, "met: {requirement} ({})", shown(value)),
            Some(value) => write!(f, "missed: {requirement}, but {name} is {}", shown(value)),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AtMost => "<=",
            Self::AtLeast => ">=",
        })
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, comparison, limit } = self;
        write!(f, "{name}{comparison}{limit}")
    }
}

impl FromStr for Requirement {
    type Err = RequirementError;

    fn from_str(text: &str) -> Result<Self, RequirementError> {
        let split =
            |sign: Comparison| text.split_once(&sign.to_string()).map(|(name, limit)| (name, sign, limit));
        let parts = split(Comparison::AtMost).or_else(|| split(Comparison::AtLeast));
        let (name, comparison, value) = parts.ok_or_else(|| RequirementError::Malformed(text.to_owned()))?;
        let (name, value) = (name.trim().to_owned(), value.trim());
        if name.is_empty() {
            return Err(RequirementError::Malformed(text.to_owned()));
        }
        let no_number = || RequirementError::NoNumber { text: text.to_owned(), value: value.to_owned() };
        let limit = value.parse().ok().filter(|limit: &f64| limit.is_finite()).ok_or_else(no_number)?;
        Ok(Self { name, comparison, limit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Figure;

    fn report() -> Report {
        let figures = [Figure::new("p99_ms", 5.0, "ms", "a"), Figure::missing("lost", "", "b")];
        figures.into_iter().fold(Report::new("send", "A test"), Report::figure)
    }

    #[test]
    fn a_limit_is_held_against_what_was_measured() {
        for (text, is_met, told) in [
            ("p99_ms<=5", true, "met: p99_ms<=5 (5)"),
            ("p99_ms >= 5.0", true, "met: p99_ms>=5 (5)"),
            ("p99_ms<=4.9", false, "missed: p99_ms<=4.9, but p99_ms is 5"),
            ("p99_ms>=1e3", false, "missed: p99_ms>=1000, but p99_ms is 5"),
            ("lost<=0", false, "missed: lost<=0, but lost could not be measured"),
        ] {
            let verdict = text.parse::<Requirement>().unwrap().judge(&report());
            assert_eq!((verdict.is_met(), verdict.to_string().as_str()), (is_met, told), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_what_would_be_right() {
        for (text, told) in [
            ("p99_ms", "must be NAME<=VALUE or NAME>=VALUE, such as"),
            ("p99_ms<5", "must be NAME<=VALUE or NAME>=VALUE, such as"),
            ("<=5", "must be NAME<=VALUE or NAME>=VALUE, such as"),
            ("p99_ms<=5ms", "\"5ms\" in \"p99_ms<=5ms\" must be a number, such as 5"),
            ("p99_ms<=", "must be a number, such as 5"),
            ("p99_ms<=NaN", "must be a number, such as 5"),
            ("p99_ms<=inf", "must be a number, such as 5"),
        ] {
            let error = text.parse::<Requirement>().unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
    }

    #[test]
    fn names_are_checked_and_told() {
        let (known, one) = (["a", "b"].map(str::to_owned), |text: &str| [text.parse().unwrap()]);
        assert_eq!(check_names(&one("b<=1"), &known), Ok(()));
        let error = check_names(&one("c<=1"), &known).unwrap_err().to_string();
        assert_eq!(error, "--require c<=1: there is no figure \"c\"; there are a, b");
    }
}
