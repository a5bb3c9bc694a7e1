//! The two ways of giving slots to members.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::RingError;

/// How slots are given to members. Every process of a cluster must use the same strategy.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// Weighted rendezvous hashing over slots: the evenest loads, and the least movement possible.
    #[default]
    Slots,
    /// The classic ring of virtual points (crate `hashring`), 160 for each unit of weight.
    Hashring,
}

impl Strategy {
    /// Both strategies, the default one first.
    pub const ALL: [Self; 2] = [Self::Slots, Self::Hashring];

    /// The name used in configuration, in vectors and in the ring version.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Slots => "slots",
            Self::Hashring => "hashring",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Strategy {
    type Err = RingError;

    fn from_str(name: &str) -> Result<Self, RingError> {
        let known = Self::ALL.into_iter().find(|strategy| strategy.as_str() == name);
        known.ok_or_else(|| RingError::UnknownStrategy { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_writing_a_strategy_agrees() {
        for strategy in Strategy::ALL {
            assert_eq!(strategy.to_string().parse(), Ok(strategy));
            assert_eq!(serde_json::to_value(strategy).unwrap(), strategy.as_str());
        }
        assert_eq!(Strategy::default().as_str(), "slots");
        assert_eq!("Slots".parse::<Strategy>(), Err(RingError::UnknownStrategy { name: "Slots".into() }));
    }
}
