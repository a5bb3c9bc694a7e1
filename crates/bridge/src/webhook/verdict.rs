//! What a receiver's answer means, pure.

use http::StatusCode;

/// What is to be done with the events of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The receiver has them.
    Taken,
    /// Post them again after a pause: the receiver is not ready.
    Again,
    /// The receiver does not want them, and will not want them later either.
    Refused,
}

/// 2xx is taken. 408, 425, 429 and 5xx pass with time (RFC 9110 section 15; RFC 8470 section 5.2). Everything else, redirections
/// included, needs somebody to change the configuration.
pub(super) fn judge(status: StatusCode) -> Verdict {
    match status.as_u16() {
        200..=299 => Verdict::Taken,
        408 | 425 | 429 | 500..=599 => Verdict::Again,
        _ => Verdict::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_status_means() {
        let cases = [
            (200, Verdict::Taken),
            (202, Verdict::Taken),
            (204, Verdict::Taken),
            (301, Verdict::Refused),
            (400, Verdict::Refused),
            (401, Verdict::Refused),
            (408, Verdict::Again),
            (410, Verdict::Refused),
            (413, Verdict::Refused),
            (425, Verdict::Again),
            (429, Verdict::Again),
            (500, Verdict::Again),
            (503, Verdict::Again),
        ];
        for (status, expected) in cases {
            assert_eq!(StatusCode::from_u16(status).map(judge).ok(), Some(expected), "{status}");
        }
    }
}
