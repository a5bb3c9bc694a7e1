//! `ringway send`: one message, and its receipt.

use std::io::{self, IsTerminal as _, Read as _};

use anyhow::{Context as _, bail};
use ringway_api::receipt_json;
use ringway_sender::{Outcome, Payload, Receipt, SendCall, Sender, SenderConfig};

use super::node;
use crate::cli::{Content, SendArgs, SendTarget, TextKind};
use crate::exit::Ending;
use crate::output::{self, count};

/// Sends a message and prints what became of it.
pub(crate) async fn send(args: SendArgs) -> anyhow::Result<Ending> {
    let content = args.target.content();
    let payload = payload(content)?;
    let sender = connect(content).await?;
    let call = match &args.target {
        SendTarget::User { name, .. } => sender.send_to_user(name, payload),
        SendTarget::Group { name, .. } => sender.send_to_group(name, payload),
        SendTarget::All { .. } => sender.send_to_all(payload),
    };
    let call = call.message_id(content.message_id.clone().unwrap_or_default());
    let call = call.topic(content.topic.clone().unwrap_or_default());
    let call = call.exclude_sessions(content.exclude.iter().copied()).deadline(content.timeout);
    let receipt = kept(call, content).await.map_err(|error| {
        let maybe_delivered = error.maybe_delivered();
        let told = node::refused(error.refusal, &content.node.node);
        if maybe_delivered { told.context("it may have been delivered, nobody knows") } else { told }
    })?;
    if content.json {
        output::json(&receipt_json(&receipt))?;
    } else {
        output::line(receipt_text(&receipt, &args.target))?;
    }
    Ok(match receipt.outcome {
        Outcome::Delivered | Outcome::Suspended | Outcome::Stored => Ending::Done,
        Outcome::NoSession => Ending::NobodyThere,
        Outcome::Overflowed => Ending::Overflowed,
    })
}

/// Whether it is stored, and how.
fn kept(call: SendCall, content: &Content) -> SendCall {
    if !content.at_least_once {
        return call;
    }
    let call = call.at_least_once();
    let call = call.time_to_live(content.time_to_live.unwrap_or_default());
    let call = call.wait_acknowledged(content.wait_acknowledged.unwrap_or_default());
    if content.until_first_ack { call.until_first_ack() } else { call }
}

async fn connect(content: &Content) -> anyhow::Result<Sender> {
    let url = &content.node.node;
    let config = SenderConfig::new([url.clone()], node::secret(&content.node)?);
    let config = SenderConfig { pool: node::pool(), ..config };
    let connecting = tokio::time::timeout(content.timeout, Sender::connect(config));
    let connected = connecting.await.with_context(|| format!("{url} did not answer in time (--timeout)"))?;
    connected.map_err(|error| node::not_followed(error, url))
}

fn payload(content: &Content) -> anyhow::Result<Payload> {
    if let Some(path) = &content.binary_file {
        let bytes = std::fs::read(path).with_context(|| format!("--binary-file {}", path.display()))?;
        return Ok(Payload::binary(bytes));
    }
    let text = match content.text.as_deref() {
        Some("-") => from_stdin()?,
        None if io::stdin().is_terminal() => {
            bail!("what shall be sent? Give a TEXT, - for stdin, or --binary-file FILE")
        }
        None => from_stdin()?,
        Some(text) => text.to_owned(),
    };
    Ok(match content.kind {
        TextKind::Text => Payload::text(text),
        TextKind::Json => Payload::json_text(text),
    })
}

/// All of stdin as text; the line break that `echo` and its like put at the end does not count.
fn from_stdin() -> anyhow::Result<String> {
    let mut text = String::new();
    io::stdin()
        .lock()
        .read_to_string(&mut text)
        .context("stdin (text must be UTF-8; --binary-file sends any bytes)")?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

fn receipt_text(receipt: &Receipt, target: &SendTarget) -> String {
    let nobody = match target {
        SendTarget::User { name, .. } => format!("{name} is not connected"),
        SendTarget::Group { name, .. } => format!("nobody in {name} is connected"),
        SendTarget::All { .. } => "nobody is connected".to_owned(),
    };
    let mut text = match receipt.outcome {
        Outcome::Delivered => format!("delivered to {}", count(receipt.sessions, "session")),
        Outcome::NoSession => format!("no session: {nobody}"),
        Outcome::Overflowed => "overflowed: every session was too slow to take it".to_owned(),
        Outcome::Suspended => {
            format!("suspended: waiting for {} to come back", count(receipt.sessions_suspended, "session"))
        }
        Outcome::Stored => "stored: no session has it yet".to_owned(),
    };
    if receipt.outcome == Outcome::Delivered && receipt.sessions_suspended > 0 {
        text.push_str(&format!(", waiting for {} to come back", receipt.sessions_suspended));
    }
    if receipt.outcome != Outcome::Overflowed && receipt.sessions_overflowed > 0 {
        text.push_str(&format!(", {} too slow to take it", receipt.sessions_overflowed));
    }
    if receipt.sessions_missed > 0 {
        text.push_str(&format!(", {} between two workers for too long", receipt.sessions_missed));
    }
    if receipt.is_duplicate {
        text.push_str(", sent before");
    }
    if receipt.is_acknowledged {
        text.push_str(", acknowledged");
    }
    match receipt.stored_offset {
        Some(offset) => text.push_str(&format!(" (message {}, offset {offset})", receipt.message_id)),
        None => text.push_str(&format!(" (message {})", receipt.message_id)),
    }
    if !receipt.workers_unreached.is_empty() {
        text.push_str(&format!("\nnot complete: no answer from {}", receipt.workers_unreached.join(", ")));
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use ringway_sender::RingVersion;

    use super::*;
    use crate::cli::{Cli, Command};

    fn check(line: &str, receipt: &Receipt, expected: &str) {
        let Command::Send(args) = Cli::parse_from(line.split_whitespace()).command else { panic!("{line}") };
        assert_eq!(receipt_text(receipt, &args.target), expected);
    }

    fn receipt(
        outcome: Outcome,
        [reached, overflowed, suspended, missed]: [u32; 4],
        unreached: &[&str],
    ) -> Receipt {
        Receipt {
            outcome,
            sessions: reached,
            sessions_overflowed: overflowed,
            sessions_suspended: suspended,
            sessions_missed: missed,
            message_id: "m1".to_owned(),
            ring_version: RingVersion::from_u64(1),
            workers_unreached: unreached.iter().map(ToString::to_string).collect(),
            stored_offset: None,
            is_duplicate: false,
            is_acknowledged: false,
        }
    }

    #[test]
    fn a_receipt_says_what_became_of_the_message() {
        use Outcome::{Delivered, NoSession, Overflowed, Suspended};
        let user = |outcome, counts, expected: &str| {
            check(
                "ringway send user alice hi",
                &receipt(outcome, counts, &[]),
                &format!("{expected} (message m1)"),
            );
        };
        user(Delivered, [1, 0, 0, 0], "delivered to 1 session");
        user(Delivered, [2, 1, 0, 0], "delivered to 2 sessions, 1 too slow to take it");
        user(
            Delivered,
            [2, 1, 3, 0],
            "delivered to 2 sessions, waiting for 3 to come back, 1 too slow to take it",
        );
        user(Delivered, [1, 0, 0, 2], "delivered to 1 session, 2 between two workers for too long");
        user(NoSession, [0, 0, 0, 0], "no session: alice is not connected");
        user(Overflowed, [0, 2, 0, 0], "overflowed: every session was too slow to take it");
        user(Suspended, [0, 0, 1, 0], "suspended: waiting for 1 session to come back");
        user(
            Suspended,
            [0, 1, 2, 0],
            "suspended: waiting for 2 sessions to come back, 1 too slow to take it",
        );
    }

    #[test]
    fn a_receipt_says_where_the_message_is_stored() {
        let stored = Receipt { stored_offset: Some(7), ..receipt(Outcome::Stored, [0; 4], &[]) };
        let line = "ringway send user alice hi --at-least-once";
        check(line, &stored, "stored: no session has it yet (message m1, offset 7)");
        let again = Receipt { is_duplicate: true, ..stored.clone() };
        check(line, &again, "stored: no session has it yet, sent before (message m1, offset 7)");
        let (outcome, sessions) = (Outcome::Delivered, 1);
        let acknowledged = Receipt { outcome, sessions, is_acknowledged: true, ..stored };
        check(line, &acknowledged, "delivered to 1 session, acknowledged (message m1, offset 7)");
    }

    #[test]
    fn a_receipt_names_the_target_and_who_was_not_asked() {
        check(
            "ringway send group g hi",
            &receipt(Outcome::NoSession, [0; 4], &["w2", "w3"]),
            "no session: nobody in g is connected (message m1)\nnot complete: no answer from w2, w3",
        );
        check(
            "ringway send all hi",
            &receipt(Outcome::NoSession, [0; 4], &[]),
            "no session: nobody is connected (message m1)",
        );
    }
}
