//! The keys: generated, or real ones from a file or from stdin, one on each line. Only their hashes are kept, and those only until they are
//! counted, so a hundred million keys take no more memory than a thousand.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::ops::Range;
use std::path::PathBuf;

use anyhow::Context as _;
use parking_lot::Mutex;
use ringway_ring::hash_of;

/// How many keys there may be.
pub const KEYS_MAX: u64 = 100_000_000;

/// The longest key that is read, in bytes.
const KEY_BYTES_MAX: u64 = 64 << 10;

/// How many keys are taken at once.
const BATCH: usize = 32_768;

/// Which keys are spread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// `user-0`, `user-1`, …: so many.
    Generated(u64),
    /// The lines of a file.
    File(PathBuf),
    /// The lines of stdin.
    Stdin,
}

/// Why there are no such keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// A key that goes on and on.
    #[error("line {0} is longer than {KEY_BYTES_MAX} bytes: one key is expected on each line")]
    Long(u64),
    /// Too many.
    #[error("there are more than {KEYS_MAX} keys")]
    Many,
}

/// Where keys come from while they are counted.
pub(crate) struct Source(Mutex<Rest>);

/// What has not been taken yet.
enum Rest {
    Generated(Range<u64>),
    Read { from: Box<dyn BufRead + Send>, lines: u64 },
}

/// Keys that are taken at once.
pub(crate) enum Batch {
    Generated(Range<u64>),
    Read(Vec<u64>),
}

impl Source {
    /// Begins.
    pub(crate) fn open(keys: Keys) -> anyhow::Result<Self> {
        let from: Box<dyn BufRead + Send> = match keys {
            Keys::Generated(count) => return Ok(Self(Mutex::new(Rest::Generated(0..count.min(KEYS_MAX))))),
            Keys::File(path) => {
                let file = File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
                Box::new(BufReader::with_capacity(1 << 20, file))
            }
            Keys::Stdin => Box::new(BufReader::with_capacity(1 << 20, io::stdin())),
        };
        Ok(Self::read(from))
    }

    /// The lines of anything.
    fn read(from: Box<dyn BufRead + Send>) -> Self {
        Self(Mutex::new(Rest::Read { from, lines: 0 }))
    }

    /// How many keys there will be, if that is known.
    pub(crate) fn expected(&self) -> Option<u64> {
        match &*self.0.lock() {
            Rest::Generated(rest) => Some(rest.end - rest.start),
            Rest::Read { .. } => None,
        }
    }

    /// The next keys; none: that was all.
    pub(crate) fn take(&self) -> anyhow::Result<Option<Batch>> {
        match &mut *self.0.lock() {
            Rest::Generated(rest) => {
                let end = rest.end.min(rest.start + BATCH as u64);
                let batch = std::mem::replace(&mut rest.start, end)..end;
                Ok(Some(batch).filter(|batch| !batch.is_empty()).map(Batch::Generated))
            }
            Rest::Read { from, lines } => {
                let hashes = read(from.as_mut(), lines)?;
                Ok(Some(hashes).filter(|hashes| !hashes.is_empty()).map(Batch::Read))
            }
        }
    }
}

impl Batch {
    /// The keys' hashes, in the place of what was there.
    pub(crate) fn hash(self, hashes: &mut Vec<u64>) {
        match self {
            Self::Read(read) => *hashes = read,
            Self::Generated(numbers) => {
                hashes.clear();
                let mut digits = Digits::default();
                hashes.extend(numbers.map(|number| hash_of(digits.key(number))));
            }
        }
    }
}

/// Hashes of the next lines. Empty lines are no keys; a carriage return before the line's end is none of the key.
fn read(from: &mut dyn BufRead, lines: &mut u64) -> anyhow::Result<Vec<u64>> {
    let (mut hashes, mut line) = (Vec::with_capacity(BATCH), Vec::new());
    while hashes.len() < BATCH {
        line.clear();
        let bytes =
            from.take(KEY_BYTES_MAX + 2).read_until(b'\n', &mut line).context("cannot read the keys")?;
        if bytes == 0 {
            break;
        }
        *lines += 1;
        let key = line.strip_suffix(b"\n").unwrap_or(&line);
        let key = key.strip_suffix(b"\r").unwrap_or(key);
        anyhow::ensure!(key.len() as u64 <= KEY_BYTES_MAX, KeysError::Long(*lines));
        anyhow::ensure!(*lines <= KEYS_MAX, KeysError::Many);
        if !key.is_empty() {
            hashes.push(hash_of(key));
        }
    }
    Ok(hashes)
}

/// `user-` and a number, written without an allocation: at a hundred million keys it would show.
struct Digits([u8; 32]);

impl Default for Digits {
    fn default() -> Self {
        Self([b'0'; 32])
    }
}

impl Digits {
    fn key(&mut self, mut number: u64) -> &[u8] {
        let mut start = self.0.len();
        loop {
            start -= 1;
            self.0[start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        start -= 5;
        self.0[start..start + 5].copy_from_slice(b"user-");
        &self.0[start..]
    }
}

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Generated(_) => f.write_str("generated, user-0, user-1, …"),
            Self::File(path) => write!(f, "the lines of {}", path.display()),
            Self::Stdin => f.write_str("the lines of stdin"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(source: &Source) -> anyhow::Result<Vec<u64>> {
        let (mut all, mut some) = (Vec::new(), Vec::new());
        while let Some(batch) = source.take()? {
            batch.hash(&mut some);
            all.append(&mut some);
        }
        Ok(all)
    }

    fn lines(text: Vec<u8>) -> anyhow::Result<Vec<u64>> {
        hashes(&Source::read(Box::new(io::Cursor::new(text))))
    }

    #[test]
    fn generated_keys_are_numbered() {
        let count = BATCH as u64 + 3;
        let source = Source::open(Keys::Generated(count)).unwrap();
        assert_eq!(source.expected(), Some(count));
        let expected: Vec<_> =
            (0..count).map(|number| hash_of(format!("user-{number}").as_bytes())).collect();
        assert_eq!(hashes(&source).unwrap(), expected);
        assert!(Digits::default().key(u64::MAX).ends_with(b"18446744073709551615"));
    }

    #[test]
    fn each_line_is_a_key() {
        let of = |keys: &[&str]| keys.iter().map(|key| hash_of(key.as_bytes())).collect::<Vec<_>>();
        for (text, keys) in [
            ("", &[][..]),
            ("\n\r\n\n", &[]),
            ("alice\nbob", &["alice", "bob"]),
            ("alice\r\n bob \n", &["alice", " bob "]),
            ("żółw\nalice\nalice\n", &["żółw", "alice", "alice"]),
        ] {
            assert_eq!(lines(text.into()).unwrap(), of(keys), "{text:?}");
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let longest = vec![b'x'; KEY_BYTES_MAX as usize];
        assert_eq!(lines([longest.clone(), b"\r\nb".to_vec()].concat()).unwrap().len(), 2);
        let error = lines([b"a\n".to_vec(), longest, b"x".to_vec()].concat()).unwrap_err().to_string();
        assert_eq!(error, "line 2 is longer than 65536 bytes: one key is expected on each line");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Source::open(Keys::File("/nonexistent/keys".into())).err().unwrap().to_string();
        assert_eq!(error, "cannot read /nonexistent/keys");
    }
}
