//! What can be wrong with a client's frame.

use std::fmt;

use crate::table::TooManyWatches;

/// The longest `message` of an error frame, in bytes: what a client sent does not come back to it at full length.
pub const ERROR_MESSAGE_BYTES_MAX: usize = 256;

/// An error's name for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// It is no frame, or one whose members are not what its type asks for.
    Unreadable,
    /// It is a frame of a type that this server does not know.
    UnknownType,
    /// It acknowledges what was not sent.
    AckOutOfRange,
    /// A name, a topic or an id breaks a rule.
    Invalid,
    /// The client may not do that.
    NotPermitted,
    /// The session is in as many groups as it may be.
    TooManyGroups,
    /// The message is larger than the cluster takes.
    TooLarge,
    /// The client's frames come too fast.
    RateLimited,
    /// Too many of the client's sends are under way, or the cluster has no room now.
    Busy,
    /// The cluster cannot do it now.
    Unavailable,
    /// Nobody knows whether it was done.
    OutcomeUnknown,
    /// A defect.
    Internal,
    /// Its client would watch more users than it may.
    TooManyWatches,
}

impl ErrorCode {
    /// All of them.
    pub const ALL: [ErrorCode; 13] = [
        ErrorCode::Unreadable,
        ErrorCode::UnknownType,
        ErrorCode::AckOutOfRange,
        ErrorCode::Invalid,
        ErrorCode::NotPermitted,
        ErrorCode::TooManyGroups,
        ErrorCode::TooLarge,
        ErrorCode::RateLimited,
        ErrorCode::Busy,
        ErrorCode::Unavailable,
        ErrorCode::OutcomeUnknown,
        ErrorCode::Internal,
        ErrorCode::TooManyWatches,
    ];

    /// As it stands in the frame.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorCode::Unreadable => "unreadable",
            ErrorCode::UnknownType => "unknown_type",
            ErrorCode::AckOutOfRange => "ack_out_of_range",
            ErrorCode::Invalid => "invalid",
            ErrorCode::NotPermitted => "not_permitted",
            ErrorCode::TooManyGroups => "too_many_groups",
            ErrorCode::TooLarge => "too_large",
            ErrorCode::RateLimited => "rate_limited",
            ErrorCode::Busy => "busy",
            ErrorCode::Unavailable => "unavailable",
            ErrorCode::OutcomeUnknown => "outcome_unknown",
            ErrorCode::Internal => "internal",
            ErrorCode::TooManyWatches => "too_many_watches",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a client's frame was not acted upon.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// It is no frame of the protocol.
    #[error("the frame cannot be read: {0}")]
    Unreadable(String),
    /// It is a frame of the protocol which this server does not act upon.
    #[error("there is no frame of type {0:?}")]
    UnknownType(String),
    /// It acknowledges an offset that no message has had.
    #[error("offset {offset} cannot be acknowledged: the last one sent is {sent}")]
    AckOutOfRange {
        /// What was acknowledged.
        offset: u64,
        /// The highest offset that was sent.
        sent: u64,
    },
    /// What breaks which rule.
    #[error("{0}")]
    Invalid(String),
    /// What the client wanted to do.
    #[error("this client may not {0}")]
    NotPermitted(String),
    /// The session is in as many groups as it may be.
    #[error("the session is in {max} groups already, and may be in no more; leave one first")]
    TooManyGroups {
        /// How many those are.
        max: usize,
    },
    /// How large it is, and how large it may be.
    #[error("{0}")]
    TooLarge(String),
    /// The client's frames come too fast.
    #[error("frames come too fast: {per_second} a second are allowed; wait, and send it again")]
    RateLimited {
        /// How many may come.
        per_second: u32,
    },
    /// Of what there is too much.
    #[error("{0}")]
    Busy(String),
    /// What is not there.
    #[error("{0}")]
    Unavailable(String),
    /// What went wrong after it was sent on.
    #[error("it may or may not have been done: {0}")]
    OutcomeUnknown(String),
    /// What went wrong.
    #[error("{0}")]
    Internal(String),
    /// The client would watch more users than it may.
    #[error(transparent)]
    TooManyWatches(#[from] TooManyWatches),
}

impl FrameError {
    /// The same for programs.
    pub fn code(&self) -> ErrorCode {
        match self {
            FrameError::Unreadable(_) => ErrorCode::Unreadable,
            FrameError::UnknownType(_) => ErrorCode::UnknownType,
            FrameError::AckOutOfRange { .. } => ErrorCode::AckOutOfRange,
            FrameError::Invalid(_) => ErrorCode::Invalid,
            FrameError::NotPermitted(_) => ErrorCode::NotPermitted,
            FrameError::TooManyGroups { .. } => ErrorCode::TooManyGroups,
            FrameError::TooLarge(_) => ErrorCode::TooLarge,
            FrameError::RateLimited { .. } => ErrorCode::RateLimited,
            FrameError::Busy(_) => ErrorCode::Busy,
            FrameError::Unavailable(_) => ErrorCode::Unavailable,
            FrameError::OutcomeUnknown(_) => ErrorCode::OutcomeUnknown,
            FrameError::Internal(_) => ErrorCode::Internal,
            FrameError::TooManyWatches(_) => ErrorCode::TooManyWatches,
        }
    }

    /// The same in words, at most [`ERROR_MESSAGE_BYTES_MAX`] bytes.
    pub fn words(&self) -> String {
        let mut words = self.to_string();
        if words.len() > ERROR_MESSAGE_BYTES_MAX {
            words.truncate(words.floor_char_boundary(ERROR_MESSAGE_BYTES_MAX - "…".len()));
            words.push('…');
        }
        words
    }
}
