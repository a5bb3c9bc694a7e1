//! Why a client has no socket, or has none any more, in words that can be counted.

use std::io;

use super::frames::FrameError;
use super::handshake::AnswerError;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectFailure {
    /// Nobody listens there, or the system has no port or file left.
    #[error("{}", told(.0))]
    Tcp(io::Error),
    /// The answer took too long.
    #[error("timeout")]
    Timeout,
    /// Another answer than 101.
    #[error("HTTP {0}")]
    Http(u16),
    /// The names make no token.
    #[error("no token can be made of the names")]
    Token,
    /// The answer is none of a handshake.
    #[error("{0}")]
    Answer(#[from] AnswerError),
}

/// How a socket ended that was open.
#[derive(Debug, thiserror::Error)]
pub(crate) enum End {
    /// It was closed with this code.
    #[error("closed with {0}")]
    Closed(u16),
    /// The connection broke.
    #[error("broken: {}", told(.0))]
    Broken(io::Error),
    /// What came is no WebSocket.
    #[error("{0}")]
    Frame(#[from] FrameError),
    /// The client itself wanted it.
    #[error("left")]
    Left,
}

impl From<io::Error> for ConnectFailure {
    fn from(error: io::Error) -> Self {
        Self::Tcp(error)
    }
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

impl End {
    /// The close code as `ringway.v1.json` has it.
    pub(crate) fn code(&self) -> u16 {
        match self {
            Self::Closed(code) => *code,
            _ => 1006,
        }
    }
}

/// The same words for the same cause: without addresses and numbers.
fn told(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "refused".to_owned(),
        io::ErrorKind::ConnectionReset => "reset".to_owned(),
        io::ErrorKind::UnexpectedEof => "end without a close frame".to_owned(),
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse => {
            "no port left at this source address (give more with --source)".to_owned()
        }
        io::ErrorKind::TimedOut => "timeout".to_owned(),
        kind => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_in_words_that_can_be_counted() {
        let failures: [(ConnectFailure, &str); 4] = [
            (io::Error::from(io::ErrorKind::ConnectionRefused).into(), "refused"),
            (ConnectFailure::Timeout, "timeout"),
            (ConnectFailure::Http(401), "HTTP 401"),
            (AnswerError::NotHttp.into(), "the answer is no HTTP/1.1"),
        ];
        for (failure, expected) in failures {
            assert_eq!(failure.to_string(), expected);
        }
        let ends: [(End, &str, u16); 3] = [
            (End::Closed(1001), "closed with 1001", 1001),
            (io::Error::from(io::ErrorKind::ConnectionReset).into(), "broken: reset", 1006),
            (FrameError::Masked.into(), "a masked frame from the server", 1006),
        ];
        for (end, expected, code) in ends {
            assert_eq!((end.to_string().as_str(), end.code()), (expected, code));
        }
    }
}
