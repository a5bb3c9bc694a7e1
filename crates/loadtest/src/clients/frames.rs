//! WebSocket frames as a client reads and writes them (RFC 6455 section 5), pure.
//!
//! A test holds many clients, of which most are idle, so a reader keeps no buffer of its own: bytes are read into one that
//! all clients of a thread share, and only the beginning of a frame whose end has not come stays here. A server's frames are
//! not masked; ours are, with a key of zeros, which is as good as any other against a server that is under test.

/// Beyond this a reader gives the memory of a long message back.
const REST_KEPT_MAX: usize = 4 * 1024;

/// The longest message that a client takes: that of the largest that a cluster can be told to pass on, and its frame.
const MESSAGE_BYTES_MAX: u64 = 96 << 20;

/// What came from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// A text message.
    Text(&'a [u8]),
    /// A binary message.
    Binary(&'a [u8]),
    /// To be answered with a pong of the same content.
    Ping(&'a [u8]),
    /// The socket ends, with this code: 1005 if the frame has none.
    Close(u16),
}

/// Bytes that are no frames of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    /// A server must not mask.
    #[error("a masked frame from the server")]
    Masked,
    /// Reserved bits without an extension, or an opcode that there is not.
    #[error("a frame of an unknown kind: {0:#04x}")]
    Unknown(u8),
    /// Longer than anything that is sent.
    #[error("a frame of {0} bytes")]
    TooLong(u64),
}

/// Finds the frames in what comes.
#[derive(Debug, Default)]
pub(crate) struct FrameReader {
    /// The beginning of a frame.
    rest: Vec<u8>,
    /// The message of which fragments have come, if one has: its opcode and content.
    fragments: Option<(u8, Vec<u8>)>,
}

/// Where a frame is in a buffer.
struct Header {
    first: u8,
    content: std::ops::Range<usize>,
}

impl FrameReader {
    /// Takes what has come and gives away every frame that is complete.
    pub(crate) fn feed(&mut self, bytes: &[u8], mut take: impl FnMut(Frame<'_>)) -> Result<(), FrameError> {
        if self.rest.is_empty() {
            let used = self.frames(bytes, &mut take)?;
            self.rest.extend_from_slice(&bytes[used..]);
            return Ok(());
        }
        let mut rest = std::mem::take(&mut self.rest);
        rest.extend_from_slice(bytes);
        let used = self.frames(&rest, &mut take)?;
        rest.drain(..used);
        if rest.len() < REST_KEPT_MAX && rest.capacity() > REST_KEPT_MAX {
            rest.shrink_to(REST_KEPT_MAX);
        }
        self.rest = rest;
        Ok(())
    }

    /// Gives the frames at the beginning away, and tells how many bytes they were.
    fn frames(&mut self, bytes: &[u8], take: &mut impl FnMut(Frame<'_>)) -> Result<usize, FrameError> {
        let mut used = 0;
        while let Some(header) = Header::read(&bytes[used..])? {
            let content = &bytes[used + header.content.start..used + header.content.end];
            self.frame(header.first, content, take)?;
            used += header.content.end;
        }
        Ok(used)
    }

    fn frame(
        &mut self,
        first: u8,
        content: &[u8],
        take: &mut impl FnMut(Frame<'_>),
    ) -> Result<(), FrameError> {
        match (first, &mut self.fragments) {
            (0x81, _) => take(Frame::Text(content)),
            (0x82, _) => take(Frame::Binary(content)),
            (0x01 | 0x02, fragments) => *fragments = Some((first, content.to_vec())),
            (0x00, Some((_, message))) => message.extend_from_slice(content),
            (0x80, Some((_, message))) => {
                message.extend_from_slice(content);
                match self.fragments.take() {
                    Some((0x01, message)) => take(Frame::Text(&message)),
                    Some((_, message)) => take(Frame::Binary(&message)),
                    None => {}
                }
            }
            (0x88, _) => take(Frame::Close(match content {
                [high, low, ..] => u16::from_be_bytes([*high, *low]),
                _ => 1005,
            })),
            (0x89, _) => take(Frame::Ping(content)),
            (0x8A, _) => {}
            (first, _) => return Err(FrameError::Unknown(first)),
        }
        Ok(())
    }
}

impl Header {
    /// The header of a frame that is all there.
    fn read(bytes: &[u8]) -> Result<Option<Self>, FrameError> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        if second & 0x80 != 0 {
            return Err(FrameError::Masked);
        }
        let (length, header) = match (second, rest) {
            (126, [a, b, ..]) => (u64::from(u16::from_be_bytes([*a, *b])), 4),
            (127, [a, b, c, d, e, f, g, h, ..]) => (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), 10),
            (126 | 127, _) => return Ok(None),
            (short, _) => (u64::from(*short), 2),
        };
        let long = || FrameError::TooLong(length);
        let end =
            usize::try_from(length).ok().filter(|_| length <= MESSAGE_BYTES_MAX).ok_or_else(long)? + header;
        Ok((bytes.len() >= end).then_some(Self { first: *first, content: header..end }))
    }
}

/// A text message of a client.
pub(crate) fn text(content: &str) -> Vec<u8> {
    masked(0x81, content.as_bytes())
}

/// The answer to a ping.
pub(crate) fn pong(content: &[u8]) -> Vec<u8> {
    masked(0x8A, content)
}

/// The end of a socket, with this code.
pub(crate) fn close(code: u16) -> Vec<u8> {
    masked(0x88, &code.to_be_bytes())
}

fn masked(first: u8, content: &[u8]) -> Vec<u8> {
    const MASK: u8 = 0x80;
    let mut frame = Vec::with_capacity(content.len() + 14);
    frame.push(first);
    match content.len() {
        // Each is in the range of its type.
        short @ 0..=125 => frame.push(MASK | short as u8),
        medium @ 126..=0xFFFF => {
            frame.push(MASK | 126);
            frame.extend_from_slice(&(medium as u16).to_be_bytes());
        }
        long => {
            frame.push(MASK | 127);
            frame.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(content);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(chunks: &[&[u8]]) -> Result<Vec<String>, FrameError> {
        let (mut reader, mut told) = (FrameReader::default(), Vec::new());
        for chunk in chunks {
            reader.feed(chunk, |frame| {
                told.push(match frame {
                    Frame::Text(content) => format!("text {}", String::from_utf8_lossy(content)),
                    Frame::Binary(content) => format!("binary {content:?}"),
                    Frame::Ping(content) => format!("ping {content:?}"),
                    Frame::Close(code) => format!("close {code}"),
                });
            })?;
        }
        Ok(told)
    }

    #[test]
    fn frames_are_found_however_they_are_cut() {
        let stream =
            b"\x81\x02hi\x82\x01\x07\x89\x01p\x01\x01a\x00\x01b\x80\x01c\x8A\x00\x88\x02\x03\xE8\x88\x00";
        let expected = ["text hi", "binary [7]", "ping [112]", "text abc", "close 1000", "close 1005"];
        assert_eq!(read(&[stream]).unwrap(), expected);
        for cut in 1..stream.len() {
            assert_eq!(read(&[&stream[..cut], &stream[cut..]]).unwrap(), expected, "cut at {cut}");
        }
        let single: Vec<_> = stream.chunks(1).collect();
        assert_eq!(read(&single).unwrap(), expected);
    }

    #[test]
    fn lengths_take_as_many_bytes_as_they_need() {
        for length in [0_usize, 125, 126, 65_535, 65_536] {
            let content = vec![b'x'; length];
            let mut frame = masked(0x81, &content);
            // As a server would have sent it: without the mask.
            frame[1] &= 0x7F;
            let header = frame.len() - length;
            frame.drain(header - 4..header);
            let told = read(&[&frame]).unwrap();
            assert_eq!(told[0].len(), "text ".len() + length);
        }
    }

    #[test]
    fn what_no_server_sends_is_refused() {
        assert_eq!(read(&[b"\x81\x80\0\0\0\0"]), Err(FrameError::Masked));
        assert_eq!(read(&[b"\xC1\x00"]), Err(FrameError::Unknown(0xC1)));
        assert_eq!(read(&[b"\x80\x00"]), Err(FrameError::Unknown(0x80)));
        assert_eq!(read(&[b"\x81\x7F\xFF\0\0\0\0\0\0\0"]), Err(FrameError::TooLong(0xFF << 56)));
    }

    #[test]
    fn a_long_message_leaves_no_memory_behind() {
        let mut reader = FrameReader::default();
        let mut frame = vec![0x82, 126, 0xFF, 0xFF];
        frame.resize(4 + 65_535, 0);
        reader.feed(&frame[..60_000], |_| panic!("not complete")).unwrap();
        let mut came = 0;
        reader.feed(&frame[60_000..], |_| came += 1).unwrap();
        assert_eq!((came, reader.rest.capacity() <= REST_KEPT_MAX), (1, true));
    }

    #[test]
    fn a_clients_frames_are_masked() {
        assert_eq!(text("hi"), b"\x81\x82\0\0\0\0hi");
        assert_eq!(pong(b"p"), b"\x8A\x81\0\0\0\0p");
        assert_eq!(close(1000), b"\x88\x82\0\0\0\0\x03\xE8");
    }
}
