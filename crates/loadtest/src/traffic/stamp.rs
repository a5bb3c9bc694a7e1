//! What is written at the beginning of every payload: of which run it is, to which stream it belongs, its number there, and when
//! it should have been sent. It is 44 bytes of ASCII, so that it goes through text messages and JSON frames as it is.

use std::ops::Range;
use std::time::Duration;

/// How long a stamp is, and so the shortest payload.
pub const STAMP_BYTES: usize = 44;

const MARK: &[u8] = b"rw";
const RUN: Range<usize> = 2..10;
const KIND: usize = 10;
const STREAM: Range<usize> = 11..19;
const NUMBER: Range<usize> = 19..27;
const PHASE: usize = 27;
const DUE: Range<usize> = 28..44;

/// The messages to one target, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Stream {
    /// To the user of this client.
    User(u32),
    /// To the group of this number.
    Group(u32),
    /// To everybody.
    All,
}

/// Whether a message counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It only warms up: it must arrive, and its time is not measured.
    WarmUp,
    /// It is measured.
    Measured,
}

/// A stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The run that it belongs to: another one's messages are none of ours.
    pub(crate) run: u32,
    /// The stream.
    pub(crate) stream: Stream,
    /// Its number in the stream, from 0.
    pub(crate) number: u32,
    /// Whether it counts.
    pub(crate) phase: Phase,
    /// When it should have been sent, since the beginning of the run.
    pub(crate) due: Duration,
}

impl Stream {
    /// That of a client's user.
    pub(crate) fn user(client: usize) -> Self {
        Self::User(u32::try_from(client).unwrap_or(u32::MAX))
    }

    /// That of a group.
    pub(crate) fn group(number: usize) -> Self {
        Self::Group(u32::try_from(number).unwrap_or(u32::MAX))
    }
}

impl Stamp {
    /// Writes it to the beginning of a payload, which is long enough.
    pub(crate) fn write(&self, payload: &mut [u8]) {
        let (kind, stream) = match self.stream {
            Stream::User(number) => (b'u', number),
            Stream::Group(number) => (b'g', number),
            Stream::All => (b'a', 0),
        };
        payload[..2].copy_from_slice(MARK);
        payload[KIND] = kind;
        payload[PHASE] = match self.phase {
            Phase::WarmUp => b'w',
            Phase::Measured => b'm',
        };
        write_hex(&mut payload[RUN], self.run.into());
        write_hex(&mut payload[STREAM], stream.into());
        write_hex(&mut payload[NUMBER], self.number.into());
        // A run is shorter than 500 years.
        write_hex(&mut payload[DUE], self.due.as_nanos() as u64);
    }

    /// Reads it from the beginning of a payload; none: nobody here has sent it.
    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        let stamp = payload.get(..STAMP_BYTES).filter(|stamp| stamp.starts_with(MARK))?;
        let number = |at: Range<usize>| read_hex(&stamp[at]);
        let stream = u32::try_from(number(STREAM)?).ok()?;
        Some(Self {
            run: u32::try_from(number(RUN)?).ok()?,
            stream: match stamp[KIND] {
                b'u' => Stream::User(stream),
                b'g' => Stream::Group(stream),
                b'a' => Stream::All,
                _ => return None,
            },
            number: u32::try_from(number(NUMBER)?).ok()?,
            phase: match stamp[PHASE] {
                b'w' => Phase::WarmUp,
                b'm' => Phase::Measured,
                _ => return None,
            },
            due: Duration::from_nanos(number(DUE)?),
        })
    }
}

fn write_hex(places: &mut [u8], mut number: u64) {
    for place in places.iter_mut().rev() {
        *place = b"0123456789abcdef"[(number & 0xF) as usize];
        number >>= 4;
    }
}

fn read_hex(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u64::from(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (stream, phase) in [
            (Stream::User(u32::MAX), Phase::Measured),
            (Stream::Group(7), Phase::WarmUp),
            (Stream::All, Phase::Measured),
        ] {
            let due = Duration::from_nanos(123_456_789_012);
            let stamp = Stamp { run: 0xDEAD_BEEF, stream, number: 42, phase, due };
            let mut payload = vec![b'.'; 100];
            stamp.write(&mut payload);
            assert!(payload.is_ascii());
            assert_eq!(Stamp::read(&payload), Some(stamp));
            assert_eq!(Stamp::read(&payload[..STAMP_BYTES]), Some(stamp));
        }
    }

    #[test]
    fn what_nobody_wrote_is_no_stamp() {
        let mut payload = vec![b'.'; STAMP_BYTES];
        assert_eq!(Stamp::read(&payload), None);
        let due = Duration::ZERO;
        Stamp { run: 1, stream: Stream::All, number: 0, phase: Phase::Measured, due }.write(&mut payload);
        for place in [0, RUN.start, KIND, STREAM.end - 1, NUMBER.start, PHASE, DUE.end - 1] {
            let mut broken = payload.clone();
            broken[place] = b'?';
            assert_eq!(Stamp::read(&broken), None, "byte {place}");
        }
        assert_eq!(Stamp::read(&payload[1..]), None);
    }
}
