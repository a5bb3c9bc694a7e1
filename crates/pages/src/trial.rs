//! A change of the ring, tried before it is made: what would move, from whom to whom, and who of those connected.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ringway_cluster::View;
use ringway_dispatch::{Dispatcher, Hops};
use ringway_proto::v1::ListSessionsRequest;
use ringway_ring::{MemberId, Ring, RingError, RingMember, SLOT_COUNT, Weight};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::answer::{self, Answer};

/// How many sessions are looked at.
const SESSIONS_MAX: u32 = 10_000;
/// How many users who would move are named.
const NAMED_MAX: usize = 20;
/// How many changes one trial may have.
const CHANGES_MAX: usize = 64;

/// What is to be tried.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trial {
    changes: Vec<Change>,
}

/// One worker's new weight; none: it leaves. A worker that is not there joins.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    id: MemberId,
    weight: Option<Weight>,
}

/// Tries a change.
pub(crate) async fn trial(dispatcher: &Dispatcher, body: &[u8], deadline: Instant) -> Answer {
    let trial: Trial = match serde_json::from_slice(body) {
        Ok(trial) => trial,
        Err(error) => return answer::invalid(&error.to_string()),
    };
    if trial.changes.len() > CHANGES_MAX {
        return answer::invalid("a trial may have 64 changes");
    }
    let view = dispatcher.views().current();
    let newer = match build(&view, trial.changes).await {
        Ok(newer) => newer,
        Err(error) => return answer::invalid(&error),
    };
    let mut told = figures(view.ring(), &newer);
    told["users"] = users(dispatcher, (view.ring(), &newer), deadline).await;
    answer::json(&told)
}

/// Builds the changed ring, one at a time and beside the clients: with many members of much weight that takes a second.
async fn build(view: &Arc<View>, changes: Vec<Change>) -> Result<Ring, String> {
    static TURN: Semaphore = Semaphore::const_new(1);
    // It is never closed.
    let _turn = TURN.acquire().await;
    let view = Arc::clone(view);
    let built = tokio::task::spawn_blocking(move || changed(view.ring(), &changes)).await;
    built.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

fn changed(ring: &Ring, changes: &[Change]) -> Result<Ring, RingError> {
    let mut members: BTreeMap<MemberId, RingMember> =
        ring.members().iter().map(|member| (member.id.clone(), member.clone())).collect();
    for Change { id, weight } in changes {
        match weight {
            Some(weight) => _ = members.insert(id.clone(), RingMember::new(id.clone()).weighing(*weight)),
            None => _ = members.remove(id),
        }
    }
    ring.with_members(members.into_values())
}

fn figures(older: &Ring, newer: &Ring) -> Value {
    let summary = older.diff(newer).summary();
    let mut loads = BTreeMap::<&MemberId, [u32; 2]>::new();
    for (side, ring) in [older, newer].into_iter().enumerate() {
        for (id, slots) in ring.shares() {
            loads.entry(id).or_default()[side] = slots;
        }
    }
    let load = |(id, [before, after]): (&MemberId, [u32; 2])| json!({ "id": id, "before": share(before), "after": share(after) });
    json!({
        "from": summary.from_version,
        "to": summary.to_version,
        "moved": share(summary.slots_moved),
        "flows": flows(&summary.flows),
        "loads": loads.into_iter().map(load).collect::<Vec<_>>(),
    })
}

/// What moves from whom to whom, as parts of all.
pub(crate) fn flows(flows: &[ringway_ring::Flow]) -> Vec<Value> {
    flows.iter().map(|flow| json!({ "from": flow.from, "to": flow.to, "share": share(flow.slots) })).collect()
}

/// Slots as a part of all.
pub(crate) fn share(slots: u32) -> f64 {
    f64::from(slots) / SLOT_COUNT as f64
}

/// Who of those connected would move.
async fn users(dispatcher: &Dispatcher, (older, newer): (&Ring, &Ring), deadline: Instant) -> Value {
    let request = ListSessionsRequest { filter: None, limit: SESSIONS_MAX, routing: None };
    let found = match dispatcher.list_sessions(request, Hops::FromClient, deadline).await {
        Ok(found) => found,
        Err(refusal) => return json!({ "problem": refusal.message }),
    };
    let users: BTreeSet<&str> = found.sessions.iter().map(|session| session.user.as_str()).collect();
    let moves = |user: &&str| {
        let (from, to) = (older.owner(user), newer.owner(user));
        (from != to).then(|| json!({ "user": user, "from": from, "to": to }))
    };
    let moving: Vec<Value> = users.iter().filter_map(moves).collect();
    json!({
        "looked_at": users.len(),
        "sessions": found.sessions.len(),
        "sessions_total": found.total,
        "moving": moving.len(),
        "named": moving.into_iter().take(NAMED_MAX).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use ringway_ring::Strategy;

    use super::*;

    fn ring(ids: &[&str]) -> Ring {
        let members = ids.iter().map(|id| RingMember::new(id.parse().expect("an id")));
        Ring::build(Strategy::Slots, members).expect("a ring")
    }

    fn changes(text: &str) -> Vec<Change> {
        serde_json::from_str::<Trial>(&format!("{{\"changes\":{text}}}")).expect("changes").changes
    }

    #[test]
    fn workers_join_leave_and_change_their_weight() {
        let three = ring(&["w1", "w2", "w3"]);
        let check = |text: &str, expected: &[(&str, u8)]| {
            let newer = changed(&three, &changes(text)).expect("a ring");
            let members: Vec<_> = newer.members().iter().map(|m| (m.id.as_str(), m.weight.get())).collect();
            assert_eq!(members, expected, "{text}");
        };
        check("[]", &[("w1", 1), ("w2", 1), ("w3", 1)]);
        check(r#"[{"id":"w4","weight":2}]"#, &[("w1", 1), ("w2", 1), ("w3", 1), ("w4", 2)]);
        check(r#"[{"id":"w2","weight":null}]"#, &[("w1", 1), ("w3", 1)]);
        check(r#"[{"id":"w2"},{"id":"w1","weight":0}]"#, &[("w1", 0), ("w3", 1)]);
    }

    #[test]
    fn the_figures_are_those_of_the_ring() {
        let told = figures(&ring(&["w1", "w2"]), &ring(&["w1", "w2", "w3"]));
        let moved = told["moved"].as_f64().expect("a number");
        assert!((0.32..0.35).contains(&moved), "{moved}");
        let loads = told["loads"].as_array().expect("loads");
        assert_eq!(loads.len(), 3);
        assert_eq!(loads[2]["after"], json!(moved), "all that moves goes to the new one");
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for text in [r#"[{"id":""}]"#, r#"[{"id":"w1","weight":101}]"#, r#"[{"id":"w1","wieght":1}]"#, "7"] {
            assert!(serde_json::from_str::<Trial>(&format!("{{\"changes\":{text}}}")).is_err(), "{text}");
        }
    }
}
