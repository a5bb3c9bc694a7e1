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
    /// From here on nothing has gone: what is missing before it, the client is told of by this.
    pub whole_from: u64,
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
    Opening(Past),
    /// It is read.
    Open(Reader),
}

/// What is known of a client before its mailbox is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Past {
    /// What it says to have, or had when it was told of its mailbox last and has not acknowledged that.
    pub(crate) has: Option<MailboxPlace>,
    /// What another worker has read, or this one before: the client need not notice that it goes on.
    pub(crate) left: Option<MailboxReader>,
}

/// That a client was told from where on it is served, and has not acknowledged it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Telling {
    /// What it had before. Should this worker die, it is told again.
    had: MailboxPlace,
    /// It has heard of it once it has taken this.
    heard_at: u64,
}

/// How a client finds its mailbox when it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// It goes on where it was.
    AsItWas,
    /// It is to be told from where on it is served.
    Otherwise,
}

/// After so many stored messages that a client has taken, its gateway's copy of the session is renewed: it may get as many twice
/// when its worker dies.
const KEPT_OFFSETS: u64 = 64;

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
    /// What is missing before this, the client was told of when the mailbox was opened.
    pub(crate) whole_from: u64,
    /// What the client had taken by its gateway's copy of the session.
    kept: u64,
    telling: Option<Telling>,
}

impl Reading {
    /// That of a session which is to find out what there is.
    pub(crate) fn begun(has: Option<MailboxPlace>) -> Self {
        Reading::Opening(Past { has, left: None })
    }

    /// What the client has or is about to get, as far as anybody says so.
    pub(crate) fn known(&self) -> Option<MailboxPlace> {
        let left = self.left().map(|left| MailboxPlace { epoch: left.epoch, offset: left.read_to });
        left.or(self.has())
    }

    /// What the client had when it was told of its mailbox last, until it has acknowledged that.
    pub(crate) fn has(&self) -> Option<MailboxPlace> {
        match self {
            Reading::Nothing => None,
            Reading::Opening(past) => past.has,
            Reading::Open(reader) => reader.telling.map(|telling| telling.had),
        }
    }

    pub(crate) fn reader(&mut self) -> Option<&mut Reader> {
        match self {
            Reading::Open(reader) => Some(reader),
            Reading::Nothing | Reading::Opening(_) => None,
        }
    }

    /// What another worker needs to go on.
    pub(crate) fn left(&self) -> Option<MailboxReader> {
        match self {
            Reading::Nothing => None,
            Reading::Opening(past) => past.left,
            Reading::Open(reader) => Some(reader.at),
        }
    }

    /// It is open. Gives back how the client finds it.
    pub(crate) fn open(&mut self, opened: MailboxOpened) -> Found {
        let MailboxPlace { epoch, offset } = opened.after;
        let before = self.left().filter(|before| before.epoch == epoch);
        let taken = before.map_or(offset, |before| before.taken.min(offset));
        let found = if before.is_some() && opened.recovered { Found::AsItWas } else { Found::Otherwise };
        *self = Reading::Open(Reader {
            at: MailboxReader { epoch, read_to: offset, taken },
            end: opened.end,
            is_asked: false,
            next_bytes: 0,
            whole_from: opened.whole_from,
            kept: taken,
            telling: self.has().map(|had| Telling { had, heard_at: offset }),
        });
        found
    }

    /// What is in it must be found out anew.
    pub(crate) fn close(&mut self) {
        if let Reading::Open(_) = self {
            *self = Reading::Opening(Past { has: self.has(), left: self.left() });
        }
    }

    /// What was sent and not taken must be read again, since nobody knows whether the client has it.
    pub(crate) fn go_back(&mut self) {
        match self {
            Reading::Opening(Past { left: Some(left), .. }) => left.read_to = left.taken,
            Reading::Open(reader) => (reader.at.read_to, reader.is_asked) = (reader.at.taken, false),
            Reading::Nothing | Reading::Opening(Past { left: None, .. }) => {}
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

    /// The client is told how it was opened.
    pub(crate) fn tell(&mut self, opened: MailboxOpened) {
        let had = self.telling.map_or(opened.has.unwrap_or(opened.after), |telling| telling.had);
        self.telling = Some(Telling { had, heard_at: opened.after.offset });
    }

    /// Takes note of what the client has taken. Gives back whether its gateway's copy of the session should be renewed.
    pub(crate) fn took(&mut self, upto: MailboxPlace) -> bool {
        if upto.epoch != self.at.epoch {
            return false;
        }
        self.at.taken = self.at.taken.max(upto.offset);
        let has_heard = self.telling.take_if(|telling| telling.heard_at <= upto.offset).is_some();
        let is_old = has_heard || self.at.taken >= self.kept + KEPT_OFFSETS;
        if is_old {
            self.kept = self.at.taken;
        }
        is_old
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
