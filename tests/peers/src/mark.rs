//! What messages carry: a mark that is found in any protocol's bytes, and the time at which the message was due.

/// Every message's length, in bytes.
pub(crate) const BYTES: usize = 64;

const MARK: &[u8] = b"@T=";
const DIGITS: usize = 16;
/// The mark and the time.
const HEAD: usize = MARK.len() + DIGITS;

/// A message that was due at this time.
pub(crate) fn payload(due_ns: u64) -> [u8; BYTES] {
    let mut payload = [b'.'; BYTES];
    payload[..MARK.len()].copy_from_slice(MARK);
    for (place, byte) in payload[MARK.len()..HEAD].iter_mut().enumerate() {
        let digit = (due_ns >> (4 * (DIGITS - 1 - place))) & 15;
        *byte = b"0123456789abcdef"[digit as usize];
    }
    payload
}

/// What a stream of bytes has left over that may be the beginning of a mark.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rest {
    bytes: [u8; HEAD],
    length: u8,
}

impl Rest {
    /// How many bytes are left over: the next read goes behind them.
    pub(crate) fn put(&self, buffer: &mut [u8]) -> usize {
        let length = usize::from(self.length);
        buffer[..length].copy_from_slice(&self.bytes[..length]);
        length
    }

    /// Finds the marks in what was left over and read, tells their times, and keeps what may be the beginning of one.
    pub(crate) fn scan(&mut self, bytes: &[u8], mut found: impl FnMut(u64)) {
        let (finder, mut from) = (memchr::memmem::Finder::new(MARK), 0);
        while let Some(place) = finder.find(&bytes[from..]) {
            let start = from + place;
            let Some(digits) = bytes.get(start + MARK.len()..start + HEAD) else {
                return self.keep(&bytes[start..]);
            };
            found(digits.iter().fold(0, |time, digit| time << 4 | digit_of(*digit)));
            from = start + HEAD;
        }
        // Less than a mark may stand at the end.
        self.keep(&bytes[from.max(bytes.len().saturating_sub(MARK.len() - 1))..]);
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.bytes[..bytes.len()].copy_from_slice(bytes);
        self.length = u8::try_from(bytes.len()).unwrap_or_default();
    }
}

fn digit_of(byte: u8) -> u64 {
    match byte {
        b'0'..=b'9' => u64::from(byte - b'0'),
        _ => u64::from(byte.wrapping_sub(b'a') & 15) + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_however_the_bytes_are_cut() {
        let times = [1, 0x0123_4567_89ab_cdef, u64::MAX];
        let stream: Vec<u8> =
            times.iter().flat_map(|time| [&b"\x81@@T"[..], &payload(*time)].concat()).collect();
        for piece in [1, 2, 3, 7, 19, 20, 64, stream.len()] {
            let (mut rest, mut found, mut buffer) = (Rest::default(), Vec::new(), [0; 512]);
            for bytes in stream.chunks(piece) {
                let kept = rest.put(&mut buffer);
                buffer[kept..kept + bytes.len()].copy_from_slice(bytes);
                rest.scan(&buffer[..kept + bytes.len()], |time| found.push(time));
            }
            assert_eq!(found, times, "in pieces of {piece}");
        }
    }
}
