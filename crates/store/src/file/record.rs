//! Entries and heads of mailboxes as bytes.
//!
//! A record is a format number, fields of fixed size in little-endian, texts with their lengths before them, and at its end
//! the XXH64 of all that. What does not read back whole is nothing.

use bytes::{Buf, BufMut, Bytes};
use ringway_session::{DeviceId, Kind, Payload, UserId};
use xxhash_rust::xxh64::xxh64;

use crate::book::{Device, Head};
use crate::clock::UnixTime;
use crate::entry::Entry;
use crate::names::{Epoch, Offset};

const FORMAT: u8 = 1;
const CHECKSUM_BYTES: usize = 8;
/// Beside a kind: the message is for the device that takes it first.
const UNTIL_FIRST_ACK: u8 = 0x80;

/// An entry of a user's mailbox.
pub(super) fn write_entry(user: &UserId, epoch: Epoch, entry: &Entry) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128 + entry.payload.bytes().len());
    bytes.put_u8(FORMAT);
    put_text(&mut bytes, user.as_str());
    for number in [epoch.number(), entry.offset.0, entry.stored_at.0, entry.expires_at.0] {
        bytes.put_u64_le(number);
    }
    put_text(&mut bytes, &entry.message_id);
    put_text(&mut bytes, &entry.topic);
    put_text(&mut bytes, &entry.from);
    bytes.put_u8(kind_number(entry.payload.kind()) | if entry.until_first_ack { UNTIL_FIRST_ACK } else { 0 });
    bytes.put_slice(entry.payload.bytes());
    sealed(bytes)
}

/// Whose entry it is, in which epoch, and the entry.
pub(super) fn read_entry(record: &[u8]) -> Option<(UserId, Epoch, Entry)> {
    let mut bytes = opened(record)?;
    let user = UserId::new(text(&mut bytes)?).ok()?;
    let epoch = Epoch::from_number(number(&mut bytes)?)?;
    let offset = Offset(number(&mut bytes)?);
    let (stored_at, expires_at) = (UnixTime(number(&mut bytes)?), UnixTime(number(&mut bytes)?));
    let message_id = text(&mut bytes)?.to_owned();
    let (topic, from) = (text(&mut bytes)?.to_owned(), text(&mut bytes)?.to_owned());
    let flags = bytes.try_get_u8().ok()?;
    let (kind, until_first_ack) = (kind(flags & !UNTIL_FIRST_ACK)?, flags & UNTIL_FIRST_ACK != 0);
    let payload = Payload::new(Bytes::copy_from_slice(bytes), kind).ok()?;
    let entry = Entry { offset, message_id, topic, from, payload, stored_at, expires_at, until_first_ack };
    Some((user, epoch, entry))
}

/// What is written down of a mailbox.
pub(super) fn write_head(head: &Head) -> Vec<u8> {
    let mut bytes = vec![FORMAT];
    for number in [head.epoch.number(), head.first.0, head.next.0, head.intact_from.0, head.used_at.0] {
        bytes.put_u64_le(number);
    }
    put_text(&mut bytes, &head.withdrawn.to_string());
    for (id, device) in &head.devices {
        put_text(&mut bytes, id.as_str());
        bytes.put_u64_le(device.offset.0);
        bytes.put_u64_le(device.seen_at.0);
    }
    sealed(bytes)
}

/// What was written down.
pub(super) fn read_head(record: &[u8]) -> Option<Head> {
    let mut bytes = opened(record)?;
    let mut head = Head::new(Epoch::from_number(number(&mut bytes)?)?, UnixTime(0));
    (head.first, head.next) = (Offset(number(&mut bytes)?), Offset(number(&mut bytes)?));
    (head.intact_from, head.used_at) = (Offset(number(&mut bytes)?), UnixTime(number(&mut bytes)?));
    head.withdrawn = text(&mut bytes)?.parse().ok()?;
    while !bytes.is_empty() {
        let id = DeviceId::new(text(&mut bytes)?).ok()?;
        let device = Device { offset: Offset(number(&mut bytes)?), seen_at: UnixTime(number(&mut bytes)?) };
        head.devices.insert(id, device);
    }
    Some(head)
}

fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.put_u64_le(xxh64(&bytes, 0));
    bytes
}

fn opened(record: &[u8]) -> Option<&[u8]> {
    let (body, checksum) = record.split_at_checked(record.len().checked_sub(CHECKSUM_BYTES)?)?;
    let (format, body_behind) = body.split_first()?;
    (*format == FORMAT && xxh64(body, 0).to_le_bytes() == checksum).then_some(body_behind)
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.put_u32_le(u32::try_from(text.len()).unwrap_or(u32::MAX));
    bytes.put_slice(text.as_bytes());
}

fn text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::try_from(bytes.try_get_u32_le().ok()?).ok()?;
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    std::str::from_utf8(text).ok()
}

fn number(bytes: &mut &[u8]) -> Option<u64> {
    bytes.try_get_u64_le().ok()
}

fn kind_number(kind: Kind) -> u8 {
    match kind {
        Kind::Text => 0,
        Kind::Binary => 1,
        Kind::Json => 2,
    }
}

fn kind(number: u8) -> Option<Kind> {
    [Kind::Text, Kind::Binary, Kind::Json].into_iter().find(|kind| kind_number(*kind) == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: Kind) -> (UserId, Epoch, Entry) {
        let payload = Payload::new(Bytes::from_static(b"[1]"), kind).unwrap();
        let [message_id, topic, from] = ["m", "töpic", "ö"].map(str::to_owned);
        let (stored_at, expires_at) = (UnixTime(5), UnixTime(u64::MAX));
        let until_first_ack = kind == Kind::Json;
        let entry = Entry {
            offset: Offset(9),
            message_id,
            topic,
            from,
            payload,
            stored_at,
            expires_at,
            until_first_ack,
        };
        (UserId::new("ålice").unwrap(), Epoch::random(), entry)
    }

    #[test]
    fn entries_are_read_as_they_were_written_and_damaged_ones_are_not() {
        for kind in [Kind::Text, Kind::Binary, Kind::Json] {
            let (user, epoch, entry) = entry(kind);
            let record = write_entry(&user, epoch, &entry);
            assert_eq!(read_entry(&record), Some((user, epoch, entry)));
            damaged(&record, |record| read_entry(record).is_none());
        }
    }

    #[test]
    fn heads_are_read_as_they_were_written_and_damaged_ones_are_not() {
        let mut head = Head::new(Epoch::random(), UnixTime(3));
        (head.first, head.next, head.intact_from) = (Offset(4), Offset(9), Offset(5));
        head.withdrawn.insert(Offset(6));
        let device = Device { offset: Offset(4), seen_at: UnixTime(2) };
        head.devices.insert(DeviceId::new("phone").unwrap(), device);
        let record = write_head(&head);
        assert_eq!(read_head(&record), Some(head));
        damaged(&record, |record| read_head(record).is_none());
    }

    /// Every bit turned, every shorter record.
    fn damaged(record: &[u8], refused: impl Fn(&[u8]) -> bool) {
        for bit in 0..record.len() * 8 {
            let mut damaged = record.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(refused(&damaged), "bit {bit}");
        }
        assert!((0..record.len()).all(|length| refused(&record[..length])));
    }
}
