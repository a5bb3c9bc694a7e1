//! How the process ends. The numbers are part of the interface: scripts rely on them, and `--help` tells them.

use std::process::ExitCode;

/// What a command that did not fail has to say by its exit code. A failure is 1, wrong usage is 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// 0: it was done.
    Done,
    /// 1: a test was carried out, and its figures are not as required. That has been told.
    Missed,
    /// 3: nobody was there: a message reached no session, or a user has none.
    NobodyThere,
    /// 4: there are sessions, but every one of them was too slow to take the message.
    Overflowed,
    /// 5: the handshake was refused.
    Refused,
    /// 6: the socket was closed by the other side, with a code that is no normal end.
    ClosedByServer,
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::from(match ending {
            Ending::Done => 0,
            Ending::Missed => 1,
            Ending::NobodyThere => 3,
            Ending::Overflowed => 4,
            Ending::Refused => 5,
            Ending::ClosedByServer => 6,
        })
    }
}
