//! Close codes: each tells the client what to do next. The same table is in `docs/close-codes.md`.
//!
//! Codes below 4000 are those of RFC 6455 section 7.4 and the IANA registry. Ours go by the hundred: 4300 to 4399
//! refresh the token, 4400 to 4499 do not come back.

use std::fmt;

/// What a close code asks of a client whose socket it closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Advice {
    /// Connect again, after a moment that is chosen at random.
    ReconnectNow,
    /// Connect again, after some seconds: what was wrong is not over at once.
    ReconnectLater,
    /// Get a new token, then connect again.
    RefreshToken,
    /// Stay away: it would end the same way, or it is meant so.
    Never,
}

/// A WebSocket close code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// The session ended as intended.
    pub const NORMAL: CloseCode = CloseCode(1000);
    /// The gateway shuts down: reconnect.
    pub const GOING_AWAY: CloseCode = CloseCode(1001);
    /// The client broke the WebSocket protocol.
    pub const PROTOCOL: CloseCode = CloseCode(1002);
    /// The client's close frame had no code. Never sent (RFC 6455 section 7.4.1).
    pub const NO_STATUS: CloseCode = CloseCode(1005);
    /// The connection ended without a close frame. Never sent (RFC 6455 section 7.4.1).
    pub const ABNORMAL: CloseCode = CloseCode(1006);
    /// A text message was not UTF-8.
    pub const INVALID_PAYLOAD: CloseCode = CloseCode(1007);
    /// The client broke a rule of the cluster.
    pub const POLICY: CloseCode = CloseCode(1008);
    /// A message was larger than the cluster takes.
    pub const TOO_BIG: CloseCode = CloseCode(1009);
    /// A defect of the cluster: reconnect after a delay.
    pub const INTERNAL: CloseCode = CloseCode(1011);
    /// The session's worker is gone: reconnect now.
    pub const RESTART: CloseCode = CloseCode(1012);
    /// The client was too slow to take its messages: reconnect after a delay.
    pub const TRY_AGAIN_LATER: CloseCode = CloseCode(1013);
    /// The token has expired: get a new one, then reconnect.
    pub const TOKEN_EXPIRED: CloseCode = CloseCode(4300);
    /// A newer session of the same user took this one's place: do not reconnect.
    pub const REPLACED: CloseCode = CloseCode(4400);
    /// The session goes on over another socket: do not reconnect this one.
    pub const RESUMED: CloseCode = CloseCode(4402);
    /// The back end closed the session: do not reconnect.
    pub const CLOSED_BY_BACKEND: CloseCode = CloseCode(4401);

    /// A code that a back end may choose (RFC 6455 section 7.4.2): 1000, 1001, 1008, 1011 to 1013, 3000 to 4999.
    pub fn chosen(code: u32) -> Option<CloseCode> {
        match code {
            1000 | 1001 | 1008 | 1011..=1013 | 3000..=4999 => Some(CloseCode(code as u16)),
            _ => None,
        }
    }

    /// Any code, as it stands in a close frame.
    pub fn from_u16(code: u16) -> CloseCode {
        CloseCode(code)
    }

    /// The code as a metric's label: our own and the standard ones each, all others by the thousand, so that nobody can make
    /// labels up.
    pub fn label(self) -> &'static str {
        match self.0 {
            1000 => "1000",
            1001 => "1001",
            1002 => "1002",
            1005 => "1005",
            1006 => "1006",
            1007 => "1007",
            1008 => "1008",
            1009 => "1009",
            1011 => "1011",
            1012 => "1012",
            1013 => "1013",
            4300 => "4300",
            4400 => "4400",
            4401 => "4401",
            4402 => "4402",
            3000..=3999 => "3xxx",
            4000..=4999 => "4xxx",
            _ => "other",
        }
    }

    /// What it asks of the client. Codes that a later version or a back end makes up count as their hundred does, and
    /// beyond that as [`Advice::ReconnectLater`].
    pub fn advice(self) -> Advice {
        match self.0 {
            1001 | 1005 | 1006 | 1012 => Advice::ReconnectNow,
            4300..=4399 => Advice::RefreshToken,
            1000 | 1002 | 1007 | 1008 | 4400..=4499 => Advice::Never,
            _ => Advice::ReconnectLater,
        }
    }

    /// The number.
    pub fn as_u16(self) -> u16 {
        self.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The longest close reason, in bytes (RFC 6455 section 5.5: a control frame has at most 125, two are the code).
pub const REASON_BYTES_MAX: usize = 123;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_few_labels() {
        let labels: std::collections::HashSet<_> =
            (0..=u16::MAX).map(|code| CloseCode::from_u16(code).label()).collect();
        assert_eq!(labels.len(), 18);
        for code in [CloseCode::NORMAL, CloseCode::RESTART, CloseCode::TOKEN_EXPIRED, CloseCode::REPLACED] {
            assert_eq!(code.label(), code.to_string());
        }
    }

    #[test]
    fn codes_go_by_the_hundred() {
        use Advice::{Never, ReconnectLater, ReconnectNow, RefreshToken};
        let check = |code, advice| assert_eq!(CloseCode::from_u16(code).advice(), advice, "{code}");
        check(1006, ReconnectNow);
        check(1012, ReconnectNow);
        check(1013, ReconnectLater);
        for (code, advice) in [(4299, ReconnectLater), (4300, RefreshToken), (4399, RefreshToken)] {
            check(code, advice);
        }
        for (code, advice) in [(4400, Never), (4499, Never), (4500, ReconnectLater), (3000, ReconnectLater)] {
            check(code, advice);
        }
    }

    /// The third column of the table in docs/close-codes.md begins with one of these words.
    #[test]
    fn the_document_says_the_same() {
        let page = include_str!("../../../docs/close-codes.md");
        let rows = page.lines().filter_map(|line| {
            let mut cells = line.split('|').map(str::trim).skip(1);
            Some((cells.next()?.parse().ok()?, cells.nth(1)?))
        });
        let rows: Vec<(u16, &str)> = rows.collect();
        assert_eq!(rows.len(), 13);
        for (code, told) in rows {
            let words = match CloseCode::from_u16(code).advice() {
                Advice::ReconnectNow => "reconnect now",
                Advice::ReconnectLater => "reconnect after a delay",
                Advice::RefreshToken => "get a new token",
                Advice::Never => "not reconnect",
            };
            assert!(told.starts_with(words), "{code}: {told}");
        }
    }

    #[test]
    fn a_back_end_may_not_choose_reserved_codes() {
        let check =
            |code: u32, allowed: bool| assert_eq!(CloseCode::chosen(code).is_some(), allowed, "{code}");
        for code in [1000, 1001, 1008, 1011, 1012, 1013, 3000, 4401, 4999] {
            check(code, true);
        }
        for code in [0, 999, 1002, 1004, 1005, 1006, 1007, 1009, 1010, 1014, 1015, 2999, 5000, 70_536] {
            check(code, false);
        }
    }
}
