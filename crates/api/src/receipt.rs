//! A receipt as JSON: here, and in what `ringway send --json` prints.

use ringway_sender::Receipt;
use serde_json::{Value, json};

/// The receipt for programs. The outcome is a word; the ring's version is 16 hexadecimal digits.
pub fn receipt_json(receipt: &Receipt) -> Value {
    json!({
        "outcome": receipt.outcome.as_str(),
        "sessions": receipt.sessions,
        "sessions_overflowed": receipt.sessions_overflowed,
        "sessions_suspended": receipt.sessions_suspended,
        "sessions_missed": receipt.sessions_missed,
        "message_id": receipt.message_id,
        "ring_version": receipt.ring_version.to_string(),
        "workers_unreached": receipt.workers_unreached,
        "stored_offset": receipt.stored_offset,
        "is_duplicate": receipt.is_duplicate,
        "is_acknowledged": receipt.is_acknowledged,
    })
}
