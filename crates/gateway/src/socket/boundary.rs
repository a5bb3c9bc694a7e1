//! Where in the byte stream of a client we are.
//!
//! The protocol engine keeps its buffers to itself, so nobody can ask it whether it holds half a message. A
//! [`FrameBoundary`] watches the same bytes and reads only the frames' headers (RFC 6455 section 5.2). When it stands
//! [`between_messages`](FrameBoundary::between_messages) and the engine has asked for more bytes, then the engine holds
//! nothing, and can be put away.
//!
//! It judges nothing: what is wrong with a frame is for the engine to find.

/// A frame's header at its longest: two bytes, eight of length, four of mask.
const HEADER_BYTES_MAX: usize = 14;

/// Follows a stream of frames from the first byte of a message on.
#[derive(Clone, Debug, Default)]
pub(crate) struct FrameBoundary {
    /// What there is of the present frame's header, until it is complete.
    header: [u8; HEADER_BYTES_MAX],
    header_bytes: u8,
    /// Whether a message has begun whose last fragment has not.
    fragments_open: bool,
    /// What is to come of the present frame's payload.
    payload_left: u64,
}

impl FrameBoundary {
    /// Takes the next bytes of the stream. Says whether a message ended among them.
    pub(crate) fn observe(&mut self, mut bytes: &[u8]) -> bool {
        let mut ended = false;
        while !bytes.is_empty() {
            if self.payload_left > 0 {
                let skipped =
                    usize::try_from(self.payload_left).map_or(bytes.len(), |left| left.min(bytes.len()));
                self.payload_left -= skipped as u64;
                bytes = &bytes[skipped..];
            } else {
                bytes = self.take_header(bytes);
            }
            ended |= self.between_messages();
        }
        ended
    }

    /// Whether the last byte ended a message, or there was none yet.
    pub(crate) fn between_messages(&self) -> bool {
        self.header_bytes == 0 && self.payload_left == 0 && !self.fragments_open
    }

    /// Moves one byte of header over; the header's length is known from its second byte on.
    fn take_header<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let at = usize::from(self.header_bytes);
        self.header[at] = bytes[0];
        self.header_bytes += 1;
        if at > 0 && at + 1 == header_length(self.header[1]) {
            self.begin_payload();
        }
        &bytes[1..]
    }

    fn begin_payload(&mut self) {
        let [first, second, ..] = self.header;
        let is_control = first & 0x08 != 0;
        if !is_control {
            self.fragments_open = first & 0x80 == 0;
        }
        self.payload_left = match second & 0x7f {
            126 => u64::from(u16::from_be_bytes([self.header[2], self.header[3]])),
            127 => self.header[2..10].iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
            length => u64::from(length),
        };
        self.header_bytes = 0;
    }
}

fn header_length(second: u8) -> usize {
    let length = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    2 + length + mask
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tungstenite::protocol::frame::FrameHeader;
    use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

    use super::*;

    /// One message as the lengths of its fragments, and whether a ping stands between them.
    type Message = (Vec<usize>, bool);

    fn encode(messages: &[Message]) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut ends) = (Vec::new(), vec![0]);
        for (fragments, with_ping) in messages {
            for (index, length) in fragments.iter().enumerate() {
                if *with_ping {
                    push(&mut bytes, OpCode::Control(Control::Ping), true, 3);
                    if index == 0 {
                        ends.push(bytes.len());
                    }
                }
                let opcode = if index == 0 { Data::Binary } else { Data::Continue };
                let last = index + 1 == fragments.len();
                push(&mut bytes, OpCode::Data(opcode), last, *length);
            }
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    fn push(bytes: &mut Vec<u8>, opcode: OpCode, is_final: bool, length: usize) {
        let header = FrameHeader { is_final, opcode, mask: Some([1, 2, 3, 4]), ..FrameHeader::default() };
        header.format(length as u64, bytes).expect("a vector takes every header");
        bytes.resize(bytes.len() + length, 0x81);
    }

    fn lengths() -> impl Strategy<Value = usize> {
        prop_oneof![0..4usize, 120..130usize, 65_530..65_540usize]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn it_stands_between_messages_exactly_at_their_ends(
            messages in prop::collection::vec((prop::collection::vec(lengths(), 1..4), any::<bool>()), 1..6),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        ) {
            let (bytes, ends) = encode(&messages);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend(&ends);
            cuts.sort_unstable();
            let (mut boundary, mut at) = (FrameBoundary::default(), 0);
            for cut in cuts {
                let ended = boundary.observe(&bytes[at..cut]);
                prop_assert_eq!(ended, ends.iter().any(|end| (at + 1..=cut).contains(end)), "up to {}", cut);
                at = cut;
                prop_assert_eq!(boundary.between_messages(), ends.contains(&at), "after {} bytes", at);
            }
        }

        #[test]
        fn any_bytes_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut whole = FrameBoundary::default();
            let ended = whole.observe(&bytes);
            let mut single = FrameBoundary::default();
            let ends = bytes.iter().filter(|byte| single.observe(std::slice::from_ref(byte))).count();
            prop_assert_eq!(ended, ends > 0);
            prop_assert_eq!(whole.between_messages(), single.between_messages());
        }
    }
}
