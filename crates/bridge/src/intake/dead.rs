//! What a dead letter looks like, pure: the message as it came, and why it is dead in headers.

use lapin::BasicProperties;
use lapin::types::AMQPValue;

use super::verdict::DeadReason;

/// The header with the reason's word.
pub const REASON_HEADER: &str = "ringway-reason";
/// The header with the reason in a sentence.
pub const DETAIL_HEADER: &str = "ringway-detail";
/// The header with the number of attempts.
pub const ATTEMPTS_HEADER: &str = "ringway-attempts";
/// The header with the queue that the message came from.
pub const QUEUE_HEADER: &str = "ringway-queue";

/// The longest detail, in bytes: a frame of headers has to fit into what the broker takes (`frame_max`).
const DETAIL_BYTES_MAX: usize = 1024;
/// Kept on disk (AMQP 0-9-1, basic properties).
const PERSISTENT: u8 = 2;

/// The properties of a delivery with the reason added. An expiration is taken away: a dead letter waits for somebody to look at it.
pub(super) fn properties(
    of: &BasicProperties,
    reason: &DeadReason,
    attempts: u32,
    queue: &str,
) -> BasicProperties {
    let mut headers = of.headers().clone().unwrap_or_default();
    let mut detail = reason.detail.clone();
    detail.truncate(detail.floor_char_boundary(DETAIL_BYTES_MAX));
    let text = |text: &str| AMQPValue::LongString(text.into());
    headers.insert(REASON_HEADER.into(), text(reason.word));
    headers.insert(DETAIL_HEADER.into(), text(&detail));
    headers.insert(ATTEMPTS_HEADER.into(), AMQPValue::LongUInt(attempts));
    headers.insert(QUEUE_HEADER.into(), text(queue));
    let kept = BasicProperties::default().with_headers(headers).with_delivery_mode(PERSISTENT);
    let add = |kept: BasicProperties, add: Option<BasicProperties>| add.unwrap_or(kept);
    let kept = add(kept.clone(), of.content_type().clone().map(|it| kept.with_content_type(it)));
    let kept = add(kept.clone(), of.content_encoding().clone().map(|it| kept.with_content_encoding(it)));
    let kept = add(kept.clone(), of.message_id().clone().map(|it| kept.with_message_id(it)));
    let kept = add(kept.clone(), of.correlation_id().clone().map(|it| kept.with_correlation_id(it)));
    let kept = add(kept.clone(), of.reply_to().clone().map(|it| kept.with_reply_to(it)));
    let kept = add(kept.clone(), of.kind().clone().map(|it| kept.with_type(it)));
    let kept = add(kept.clone(), of.app_id().clone().map(|it| kept.with_app_id(it)));
    add(kept.clone(), of.timestamp().map(|it| kept.with_timestamp(it)))
}

#[cfg(test)]
mod tests {
    use lapin::types::FieldTable;

    use super::*;

    #[test]
    fn a_dead_letter_says_why_and_keeps_what_it_was() {
        let mut headers = FieldTable::default();
        headers.insert("mine".into(), AMQPValue::Boolean(true));
        let came = BasicProperties::default()
            .with_headers(headers)
            .with_content_type("application/json".into())
            .with_message_id("m1".into())
            .with_expiration("1000".into());
        let reason = DeadReason::new("no_session", "ä".repeat(2_000));
        let dead = properties(&came, &reason, 3, "ringway.in");
        let headers = dead.headers().clone().unwrap_or_default();
        let text = |name: &str| {
            headers.inner().get(name).and_then(|value| value.as_long_string()).map(ToString::to_string)
        };
        assert_eq!(text(REASON_HEADER).as_deref(), Some("no_session"));
        assert_eq!(text(QUEUE_HEADER).as_deref(), Some("ringway.in"));
        assert_eq!(text(DETAIL_HEADER).map(|detail| detail.len()), Some(DETAIL_BYTES_MAX));
        assert_eq!(headers.inner().get(ATTEMPTS_HEADER), Some(&AMQPValue::LongUInt(3)));
        assert_eq!(headers.inner().get("mine"), Some(&AMQPValue::Boolean(true)));
        assert_eq!(dead.content_type(), came.content_type());
        assert_eq!(dead.message_id(), came.message_id());
        assert_eq!((dead.expiration(), dead.delivery_mode()), (&None, &Some(PERSISTENT)));
    }
}
