//! What can go wrong with a store, and what its caller does then.

use crate::names::Offset;

/// Why a store did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Somebody else has appended meanwhile, or the mailbox began anew. Nothing was appended.
    #[error("the mailbox is not as expected: another worker has it, or its history was lost")]
    Conflict,
    /// The store cannot be asked now. What was to be appended may have been stored or not: after opening the mailbox again its
    /// stored ids tell.
    #[error("the store {store} cannot be reached: {reason}")]
    Unavailable {
        /// Which store.
        store: &'static str,
        /// What happened.
        reason: String,
    },
    /// The store takes nothing more for now. Nothing was appended.
    #[error("the store {store} is full: {reason}")]
    Full {
        /// Which store.
        store: &'static str,
        /// What it says.
        reason: String,
    },
    /// The store will not do this for us. Nothing was appended.
    #[error("the store {store} refuses: {reason}")]
    Refused {
        /// Which store.
        store: &'static str,
        /// What it says.
        reason: String,
    },
    /// An entry that no mailbox can hold.
    #[error("the message takes {bytes} bytes in a mailbox, which holds {bytes_max}")]
    TooLarge {
        /// How much it takes.
        bytes: u64,
        /// How much there is.
        bytes_max: u64,
    },
    /// An offset that was never given out.
    #[error("offset {offset} was acknowledged, but the next one to be given is {next}")]
    NeverAppended {
        /// The acknowledged one.
        offset: Offset,
        /// The next one.
        next: Offset,
    },
}

/// What helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Open the mailbox again, look whether the message is in there, and append anew.
    Reopen,
    /// The same, a while later; until then refuse what would have to be stored as unavailable.
    Later,
    /// Nothing: asking again gives the same answer.
    GiveUp,
}

impl StoreError {
    /// What the caller can do about it.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Conflict => Advice::Reopen,
            Self::Unavailable { .. } | Self::Full { .. } => Advice::Later,
            Self::Refused { .. } | Self::TooLarge { .. } | Self::NeverAppended { .. } => Advice::GiveUp,
        }
    }
}
