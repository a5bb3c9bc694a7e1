//! Where a user is, and why: the hash, the slot, the owner, who comes next, and the sessions.

use ringway_auth::check_user;
use ringway_dispatch::{Dispatcher, Hops};
use ringway_proto::session_json;
use ringway_proto::v1::ListSessionsRequest;
use ringway_proto::v1::list_sessions_request::Filter;
use ringway_ring::{Slot, hash_of};
use serde_json::json;
use tokio::time::Instant;

use crate::answer::{self, Answer};

/// How many sessions of a user are shown.
const SESSIONS_MAX: u32 = 50;
/// How many of those who come next.
const SUCCESSORS_MAX: usize = 5;

/// Looks a user up.
pub(crate) async fn user(dispatcher: &Dispatcher, user: &str, deadline: Instant) -> Answer {
    // The cluster's own users can be looked up, too.
    if let Err(error) = check_user(user)
        && !user.starts_with(ringway_session::RESERVED_PREFIX)
    {
        return answer::invalid(&error.to_string());
    }
    let view = dispatcher.views().current();
    let (ring, hash) = (view.ring(), hash_of(user.as_bytes()));
    let slot = Slot::of_hash(hash);
    let mut placed = json!({
        "user": user,
        "hash": format!("{hash:016x}"),
        "slot": slot.index(),
        "owner": ring.owner_of_slot(slot),
        "successors": ring.successors(slot).into_iter().take(SUCCESSORS_MAX).collect::<Vec<_>>(),
        "ring": ring.version(),
    });
    let filter = Some(Filter::User(user.to_owned()));
    let request = ListSessionsRequest { filter, limit: SESSIONS_MAX, routing: None };
    match dispatcher.list_sessions(request, Hops::FromClient, deadline).await {
        Ok(found) => {
            placed["sessions"] = found.sessions.iter().map(session_json).collect();
            placed["sessions_total"] = json!(found.total);
        }
        // What the ring says is right all the same.
        Err(refusal) => placed["problem"] = json!(refusal.message),
    }
    answer::json(&placed)
}
