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
    /// Its client may not do that.
    NotPermitted,
    /// Its client would watch more users than it may.
    TooManyWatches,
}

impl ErrorCode {
    /// All of them.
    pub const ALL: [ErrorCode; 5] = [
        ErrorCode::Unreadable,
        ErrorCode::UnknownType,
        ErrorCode::AckOutOfRange,
        ErrorCode::NotPermitted,
        ErrorCode::TooManyWatches,
    ];

    /// As it stands in the frame.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorCode::Unreadable => "unreadable",
            ErrorCode::UnknownType => "unknown_type",
            ErrorCode::AckOutOfRange => "ack_out_of_range",
            ErrorCode::NotPermitted => "not_permitted",
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
    /// The client may not do what it asks for.
    #[error("{0} is not permitted")]
    NotPermitted(&'static str),
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
            FrameError::NotPermitted(_) => ErrorCode::NotPermitted,
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
