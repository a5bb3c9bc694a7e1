//! Where a user is: who owns it, whether it is online, and its sessions.

use ringway_proto::{Reason, Refusal as ClusterRefusal, session_json};
use ringway_ring::Slot;
use ringway_sender::{SendError, Sender, SessionFilter, UserId};
use serde_json::{Value, json};

use crate::refusal::Refusal;

/// Asks the user's owner. `online` is null while nothing sure can be said.
pub(crate) async fn user_json(sender: &Sender, name: &str) -> Result<Value, Refusal> {
    let user = UserId::new(name).map_err(|error| Refusal::Invalid(error.to_string()))?;
    let view = sender.views().current();
    let owner = view.owner(name).ok_or_else(no_workers)?;
    let filter = SessionFilter::User(user);
    let (report, list) = tokio::try_join!(sender.presence().get([name]), sender.list_sessions(&filter, 0))?;
    let since_ms = report.users.first().map(|presence| presence.since_ms).filter(|since| *since > 0);
    Ok(json!({
        "user": name,
        "online": report.online(name),
        "since_ms": since_ms,
        "slot": Slot::of(name.as_bytes()).index(),
        "owner": owner.id.as_str(),
        "ring_version": view.version().to_string(),
        "sessions": list.sessions.iter().map(session_json).collect::<Vec<_>>(),
        "total": list.total,
    }))
}

fn no_workers() -> Refusal {
    let refusal = ClusterRefusal::new(Reason::NoWorkers, "no worker is active: wait until one has joined");
    SendError { refusal, message_id: String::new(), attempts: 0, maybe_delivered: false }.into()
}
