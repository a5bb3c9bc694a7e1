//! How a session reads its user's mailbox.
//!
//! Everything that is stored for the user has an offset, and a session reads the offsets in their order: what is stored while it
//! is up to date goes straight into its queue, anything else is read when there is room. So a slow client costs no memory, there
//! is no gap between what was stored before and what comes now, and nothing comes twice. What the client has taken is told once.

use std::fmt;
use std::str::FromStr;

/// A place in a mailbox: the client has everything up to this offset, or nothing yet if it is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailboxPlace {
    /// The name of the numbering; never 0.
    pub epoch: u64,
    /// The number in it.
    pub offset: u64,
}

/// A text that is no place in a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a place in a mailbox is an epoch of 16 hexadecimal digits, a dot, and a decimal offset")]
pub struct MailboxPlaceError;

impl fmt::Display for MailboxPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}.{}", self.epoch, self.offset)
    }
}

impl FromStr for MailboxPlace {
    type Err = MailboxPlaceError;

    fn from_str(text: &str) -> Result<Self, MailboxPlaceError> {
        let (epoch, offset) = text.split_once('.').ok_or(MailboxPlaceError)?;
        let is_hex = epoch.len() == 16 && epoch.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_decimal = !offset.is_empty() && offset.bytes().all(|byte| byte.is_ascii_digit());
        if !is_hex || !is_decimal {
            return Err(MailboxPlaceError);
        }
        let epoch = u64::from_str_radix(epoch, 16).ok().filter(|epoch| *epoch != 0);
        let offset = offset.parse().ok();
        epoch.zip(offset).map(|(epoch, offset)| Self { epoch, offset }).ok_or(MailboxPlaceError)
    }
}

/// Where a message is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its own place.
    pub place: MailboxPlace,
    /// Whether it is for the device that takes it first.
    pub until_first_ack: bool,
}

/// A mailbox that was opened for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailboxOpened {
    /// What the client had, as the [wish](crate::MailboxWish) said.
    pub has: Option<MailboxPlace>,
    /// The client has everything up to here, or what it has not is lost.
    pub after: MailboxPlace,
    /// The last offset that was given.
    pub end: u64,
    /// Whether nothing is missing between what the client has and what comes now.
    pub recovered: bool,
}

/// What a client has taken of the mailbox, to be told to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// It has everything up to here.
    pub upto: MailboxPlace,
    /// Of that, what was for whoever takes it first.
    pub withdrawn: Vec<u64>,
}

/// How far a session has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailboxReader {
    /// The numbering.
    pub epoch: u64,
    /// Everything up to here is among its messages or behind them.
    pub read_to: u64,
    /// The client has everything up to here.
    pub taken: u64,
}

/// How a session stands to the mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reading {
    /// There is none.
    #[default]
    Nothing,
    /// What is in it is not known yet.
    Opening {
        /// What the client says to have.
        has: Option<MailboxPlace>,
        /// What another worker has read, or this one before: the client need not notice that it goes on.
        left: Option<MailboxReader>,
    },
    /// It is read.
    Open(Reader),
}

/// A mailbox that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reader {
    pub(crate) at: MailboxReader,
    /// The last offset that was given, as far as is known.
    pub(crate) end: u64,
    /// What stands behind `read_to` was asked for and has not come.
    pub(crate) is_asked: bool,
    /// What the next one needs, as far as is known.
    pub(crate) next_bytes: u64,
    /// What the client is to be told of it and was not.
    pub(crate) untold: Option<MailboxOpened>,
}

impl Reading {
    /// That of a session which is to find out what there is.
    pub(crate) fn begun(has: Option<MailboxPlace>) -> Self {
        Reading::Opening { has, left: None }
    }

    /// That of a session which another worker had.
    pub(crate) fn restored(left: Option<MailboxReader>) -> Self {
        Reading::Opening { has: None, left }
    }

    /// What the client has or is about to get, as far as anybody says so.
    pub(crate) fn known(&self) -> Option<MailboxPlace> {
        let left = self.left().map(|left| MailboxPlace { epoch: left.epoch, offset: left.read_to });
        match self {
            Reading::Opening { has, .. } => left.or(*has),
            Reading::Nothing | Reading::Open(_) => left,
        }
    }

    pub(crate) fn reader(&mut self) -> Option<&mut Reader> {
        match self {
            Reading::Open(reader) => Some(reader),
            Reading::Nothing | Reading::Opening { .. } => None,
        }
    }

    /// What another worker needs to go on.
    pub(crate) fn left(&self) -> Option<MailboxReader> {
        match self {
            Reading::Nothing => None,
            Reading::Opening { left, .. } => *left,
            Reading::Open(reader) => Some(reader.at),
        }
    }

    /// It is open. The client need not be told if it has noticed nothing: it goes on where it was.
    pub(crate) fn open(&mut self, opened: MailboxOpened) {
        let MailboxPlace { epoch, offset } = opened.after;
        let before = self.left().filter(|before| before.epoch == epoch);
        let taken = before.map_or(offset, |before| before.taken.min(offset));
        let goes_on = before.is_some() && opened.recovered;
        *self = Reading::Open(Reader {
            at: MailboxReader { epoch, read_to: offset, taken },
            end: opened.end,
            is_asked: false,
            next_bytes: 0,
            untold: (!goes_on).then_some(opened),
        });
    }

    /// What is in it must be found out anew.
    pub(crate) fn close(&mut self) {
        if let Reading::Open(_) = self {
            *self = Reading::restored(self.left());
        }
    }

    /// What was sent and not taken must be read again, since nobody knows whether the client has it.
    pub(crate) fn go_back(&mut self) {
        match self {
            Reading::Opening { left: Some(left), .. } => left.read_to = left.taken,
            Reading::Open(reader) => (reader.at.read_to, reader.is_asked) = (reader.at.taken, false),
            Reading::Nothing | Reading::Opening { left: None, .. } => {}
        }
    }
}

impl Reader {
    /// Whether something is there that was not read.
    pub(crate) fn is_behind(&self) -> bool {
        self.at.read_to < self.end
    }

    pub(crate) fn place(&self) -> MailboxPlace {
        MailboxPlace { epoch: self.at.epoch, offset: self.at.read_to }
    }

    /// What the client has surely taken.
    pub(crate) fn taken(&self) -> MailboxPlace {
        MailboxPlace { epoch: self.at.epoch, offset: self.at.taken }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_as_text() {
        let place = MailboxPlace { epoch: 0x5f, offset: 17 };
        assert_eq!(place.to_string(), "000000000000005f.17");
        assert_eq!("000000000000005F.17".parse(), Ok(place));
        for wrong in ["", ".", "5f.17", "0000000000000000.17", "000000000000005f.", "000000000000005f.-1"] {
            assert_eq!(wrong.parse::<MailboxPlace>(), Err(MailboxPlaceError), "{wrong}");
        }
        assert_eq!("000000000000005f.18446744073709551616".parse::<MailboxPlace>(), Err(MailboxPlaceError));
    }
}
