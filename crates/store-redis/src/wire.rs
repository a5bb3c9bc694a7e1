//! Entries and heads as Redis holds them.

use std::collections::HashMap;

use redis::{Cmd, Pipeline, Value};
use ringway_session::{Kind, Payload};
use ringway_store::book::{Device, Head};
use ringway_store::{DeviceId, Entry, Epoch, Offset, UnixTime};

/// How the fields of a head begin; behind it the tenure that wrote them, and a device's name.
const STATE: &str = "state@";
const DEVICE: &str = "device@";

/// Appends entries one after the other, the first of which fails if it is not the next: then none is appended. What stands
/// before the first argument is let go of.
pub(crate) const ADD_ALL: &str = r#"
local added
for at = 2, #ARGV, 15 do
  added = redis.call("XADD", KEYS[1], "NOMKSTREAM", "MINID", "~", ARGV[1], unpack(ARGV, at, at + 14))
  if not added then return added end
end
return added
"#;

/// The keys and arguments of [`ADD_ALL`].
pub(crate) fn add_all(command: &mut Cmd, log: &str, first: Offset, entries: &[Entry]) {
    command.arg(1).arg(log).arg(id(first));
    entries.iter().for_each(|entry| add_fields(command, entry));
}

/// Appends an entry to a stream that is there, and lets go of what stands before `first`.
pub(crate) fn add(log: &str, first: Offset, entry: &Entry) -> Cmd {
    let mut command = redis::cmd("XADD");
    command.arg(log).arg("NOMKSTREAM");
    if first > Offset::FIRST {
        command.arg("MINID").arg("~").arg(id(first));
    }
    add_fields(&mut command, entry);
    command
}

/// Behind a kind: the message is for the device that takes it first.
const UNTIL_FIRST_ACK: &str = ",until_first_ack";

/// The id and seven fields.
fn add_fields(command: &mut Cmd, entry: &Entry) {
    command.arg(id(entry.offset));
    command.arg("id").arg(&entry.message_id).arg("topic").arg(&entry.topic).arg("from").arg(&entry.from);
    command.arg("kind").arg(kind_text(entry)).arg("payload").arg(entry.payload.bytes().as_ref());
    command.arg("stored").arg(entry.stored_at.0).arg("expires").arg(entry.expires_at.0);
}

/// Entries from an offset on.
pub(crate) fn range(log: &str, from: Offset, to: Option<Offset>, count: usize) -> Cmd {
    let to = to.map_or_else(|| "+".to_owned(), id);
    let mut command = redis::cmd("XRANGE");
    command.arg(log).arg(id(from)).arg(to).arg("COUNT").arg(count);
    command
}

/// Lets go of what stands before `first`.
pub(crate) fn trim(log: &str, first: Offset) -> Cmd {
    let mut command = redis::cmd("XTRIM");
    command.arg(log).arg("MINID").arg(id(first));
    command
}

/// Writes a head down, as that of a tenure: nothing of another one's is touched. Values bear the epoch.
pub(crate) fn write_head(key: &str, tenure: u64, head: &Head, pipeline: &mut Pipeline) {
    let epoch = head.epoch;
    let mut command = redis::cmd("HSET");
    let state = format!("{epoch} {} {} {} {}", head.first, head.intact_from, head.used_at.0, head.withdrawn);
    command.arg(key).arg(state_field(tenure)).arg(state.trim_end());
    for (id, device) in &head.devices {
        let value = format!("{epoch} {} {}", device.offset, device.seen_at.0);
        command.arg(device_field(tenure, id)).arg(value);
    }
    pipeline.add_command(command).ignore();
}

/// Takes fields out of a head.
pub(crate) fn forget(key: &str, fields: &[String], pipeline: &mut Pipeline) {
    let mut command = redis::cmd("HDEL");
    command.arg(key).arg(fields);
    pipeline.add_command(command).ignore();
}

/// The field with a device's position, as a tenure knows it.
pub(crate) fn device_field(tenure: u64, id: &DeviceId) -> String {
    format!("{DEVICE}{tenure}:{id}")
}

fn state_field(tenure: u64) -> String {
    format!("{STATE}{tenure}")
}

/// The epoch and the tenure that the fields of a hash say, if it is a head.
pub(crate) fn read_term(fields: &HashMap<String, String>) -> Option<(Epoch, u64)> {
    fields.get("epoch")?.parse().ok().zip(fields.get("tenure")?.parse().ok())
}

/// What other tenures than this one have left.
pub(crate) fn left_fields(fields: &HashMap<String, String>, tenure: u64) -> Vec<String> {
    let written_in = |field: &str| {
        let state = field.strip_prefix(STATE);
        state.or_else(|| field.strip_prefix(DEVICE)?.split(':').next())?.parse::<u64>().ok()
    };
    fields.keys().filter(|field| written_in(field).is_some_and(|other| other != tenure)).cloned().collect()
}

/// The head that the fields of a hash say, if they say one: the state by the present tenure, and each device as the one knows it
/// that knows it to have the most.
pub(crate) fn read_head(fields: &HashMap<String, String>, now: UnixTime) -> Option<Head> {
    let (epoch, tenure) = read_term(fields)?;
    let mut head = Head::new(epoch, now);
    if let Some(words) = fields.get(&state_field(tenure)).and_then(|state| words_of(epoch, state)) {
        let number = |index: usize| words.get(index).and_then(|word| word.parse().ok());
        head.first = number(0).map_or(head.first, Offset);
        head.intact_from = number(1).map_or(head.intact_from, Offset);
        head.used_at = number(2).map_or(head.used_at, UnixTime);
        head.withdrawn = words.get(3).and_then(|ranges| ranges.parse().ok()).unwrap_or_default();
    }
    head.next = head.first;
    for (id, device) in fields.iter().filter_map(|(field, value)| device(epoch, field, value)) {
        let known = head.devices.entry(id).or_insert(device);
        *known = known.joined(device);
    }
    Some(head)
}

fn device(epoch: Epoch, field: &str, value: &str) -> Option<(DeviceId, Device)> {
    let id = DeviceId::new(field.strip_prefix(DEVICE)?.split_once(':')?.1).ok()?;
    let words = words_of(epoch, value)?;
    let [offset, seen_at] = [0, 1].map(|index| words.get(index).and_then(|word| word.parse().ok()));
    Some((id, Device { offset: Offset(offset?), seen_at: UnixTime(seen_at?) }))
}

/// The words behind the epoch, if it is this one.
fn words_of(epoch: Epoch, value: &str) -> Option<Vec<&str>> {
    let mut words = value.split(' ');
    (words.next()?.parse() == Ok(epoch)).then(|| words.collect())
}

/// The entries of an answer to XRANGE; `None` in the place of those that cannot be read.
pub(crate) fn read_entries(answer: &Value) -> Vec<(Offset, Option<Entry>)> {
    let Value::Array(items) = answer else { return Vec::new() };
    items.iter().filter_map(read_item).collect()
}

/// An offset from an id of a stream: `7` from `7-0`.
pub(crate) fn offset_of(id: &str) -> Option<Offset> {
    id.split('-').next()?.parse().ok().map(Offset)
}

fn read_item(item: &Value) -> Option<(Offset, Option<Entry>)> {
    let Value::Array(parts) = item else { return None };
    let offset = offset_of(text(parts.first()?)?)?;
    // The mark with which a stream begins is no entry.
    if offset < Offset::FIRST {
        return None;
    }
    let Value::Array(fields) = parts.get(1)? else { return Some((offset, None)) };
    Some((offset, read_fields(offset, fields)))
}

fn read_fields(offset: Offset, fields: &[Value]) -> Option<Entry> {
    let value =
        |name: &str| fields.chunks_exact(2).find(|pair| text(&pair[0]) == Some(name)).map(|pair| &pair[1]);
    let number = |name: &str| value(name).and_then(text)?.parse().ok();
    let Value::BulkString(payload) = value("payload")? else { return None };
    let (kind, until_first_ack) = read_kind(text(value("kind")?)?)?;
    let payload = Payload::new(payload.clone().into(), kind).ok()?;
    let message_id = text(value("id")?)?.to_owned();
    let (topic, from) = (text(value("topic")?)?.to_owned(), text(value("from")?)?.to_owned());
    let (stored_at, expires_at) = (UnixTime(number("stored")?), UnixTime(number("expires")?));
    Some(Entry { offset, message_id, topic, from, payload, stored_at, expires_at, until_first_ack })
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

fn id(offset: Offset) -> String {
    format!("{offset}-0")
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Json => "json",
        Kind::Binary => "binary",
    }
}

/// A kind, and whether the message is for the device that takes it first.
fn kind_text(entry: &Entry) -> String {
    let name = kind_name(entry.payload.kind());
    if entry.until_first_ack { format!("{name}{UNTIL_FIRST_ACK}") } else { name.to_owned() }
}

fn read_kind(kind_text: &str) -> Option<(Kind, bool)> {
    let name = kind_text.strip_suffix(UNTIL_FIRST_ACK);
    let kinds = [Kind::Text, Kind::Json, Kind::Binary];
    let kind = kinds.into_iter().find(|kind| kind_name(*kind) == name.unwrap_or(kind_text))?;
    Some((kind, name.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch() -> Epoch {
        Epoch::from_number(10).expect("an epoch")
    }

    #[test]
    fn heads_are_read_as_they_were_written() {
        let mut head = Head::new(epoch(), UnixTime(5));
        (head.first, head.next, head.intact_from) = (Offset(4), Offset(4), Offset(2));
        for withdrawn in [&[][..], &[6, 7, 9]] {
            withdrawn.iter().for_each(|offset| _ = head.withdrawn.insert(Offset(*offset)));
            let device = Device { offset: Offset(3), seen_at: UnixTime(4) };
            head.devices.insert(DeviceId::new("a phone").expect("a name"), device);
            let mut pipeline = redis::pipe();
            write_head("key", 3, &head, &mut pipeline);
            let written = pipeline.cmd_iter().next().expect("a command");
            let words = written.args_iter().filter_map(|argument| match argument {
                redis::Arg::Simple(bytes) => Some(String::from_utf8(bytes.to_vec()).expect("a text")),
                _ => None,
            });
            let words: Vec<_> = words.skip(2).collect();
            let mut fields: HashMap<_, _> =
                words.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
            assert_eq!(read_head(&fields, UnixTime(0)), None, "without an epoch there is no mailbox");
            fields.insert("epoch".into(), epoch().to_string());
            fields.insert("tenure".into(), "3".into());
            assert_eq!(read_head(&fields, UnixTime(0)), Some(head.clone()));
            fields.insert("epoch".into(), "000000000000000b".into());
            let other = Epoch::from_number(11).expect("an epoch");
            assert_eq!(
                read_head(&fields, UnixTime(0)),
                Some(Head::new(other, UnixTime(0))),
                "of another epoch"
            );
        }
    }

    #[test]
    fn what_is_no_entry_is_seen_as_a_hole() {
        let bulk = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let item = |id: &str, fields: Vec<Value>| Value::Array(vec![bulk(id), Value::Array(fields)]);
        let answer = Value::Array(vec![item("0-1", vec![]), item("3-0", vec![bulk("x"), bulk("y")])]);
        assert_eq!(read_entries(&answer), [(Offset(3), None)]);
    }
}
