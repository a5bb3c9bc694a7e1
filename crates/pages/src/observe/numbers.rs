//! Numbers as dashboards get them: what there is, and how fast what is counted grows.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use ringway_cluster::{Member, View};
use ringway_proto::session_json;
use ringway_proto::v1::{NodeStatus, Session};
use ringway_ring::{MemberId, SLOT_COUNT, Slot};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::gather::Gathered;
use crate::trial::share;

/// Of how many slots, evenly over all, the owners are told.
const SAMPLED_SLOTS: usize = 360;
/// How many slow sessions of the whole cluster are told.
const SLOWEST_MAX: usize = 10;

/// What was gathered last, to tell how fast it grows.
#[derive(Default)]
pub(super) struct Numbers {
    last: BTreeMap<MemberId, (Instant, NodeStatus)>,
}

impl Numbers {
    /// What dashboards are told of what was gathered at a moment.
    pub(super) fn tell(&mut self, view: &View, gathered: &Gathered, now: Instant) -> Value {
        let workers: Vec<Value> =
            view.workers().iter().map(|member| self.worker(view, member, gathered, now)).collect();
        let told = json!({
            "at_ms": SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64,
            "ring": {
                "version": view.version(),
                "strategy": view.ring().strategy(),
                "slots": sampled(view),
            },
            "workers": workers,
            "gateways": gateways(gathered),
            "slowest": slowest(gathered),
        });
        let known =
            |(id, status): (&MemberId, &Option<NodeStatus>)| Some((id.clone(), (now, status.clone()?)));
        self.last = gathered.iter().filter_map(known).collect();
        told
    }

    fn worker(&self, view: &View, member: &Member, gathered: &Gathered, now: Instant) -> Value {
        let status = gathered.get(&member.id).and_then(Option::as_ref);
        let mut told = json!({
            "id": member.id,
            "state": member.state.as_str(),
            "weight": member.weight.get(),
            "zone": member.zone,
            "rpc_url": member.rpc_url.as_str(),
            "share": share(view.ring().slots_of(&member.id)),
            "answers": status.is_some(),
        });
        if let Some(status) = status {
            told["has"] = holdings(status);
            told["per_second"] =
                self.last.get(&member.id).map_or(Value::Null, |last| rates(last, status, now));
        }
        told
    }
}

/// Who owns the sampled slots: positions in the list of workers, or nobody.
fn sampled(view: &View) -> Vec<Option<usize>> {
    let owner = |number: usize| {
        let slot = Slot::new((number * SLOT_COUNT / SAMPLED_SLOTS) as u32).ok()?;
        let owner = view.ring().owner_of_slot(slot)?;
        view.workers().iter().position(|member| member.id == *owner)
    };
    (0..SAMPLED_SLOTS).map(owner).collect()
}

fn holdings(status: &NodeStatus) -> Value {
    json!({
        "sessions": status.sessions,
        "users": status.users,
        "groups": status.groups,
        "in_transit": status.sessions_in_transit,
        "expected": status.sessions_expected,
        "queue_bytes": status.queue_bytes,
        "overflows": status.overflows,
        "messages": status.messages,
        "deliveries": status.deliveries,
    })
}

/// How fast a worker's counters grow; nothing if it has begun anew.
fn rates((then, before): &(Instant, NodeStatus), status: &NodeStatus, now: Instant) -> Value {
    let seconds = now.duration_since(*then).as_secs_f64();
    if before.incarnation != status.incarnation || seconds <= 0.0 {
        return Value::Null;
    }
    let rate = |count: fn(&NodeStatus) -> u64| {
        (10.0 * count(status).saturating_sub(count(before)) as f64 / seconds).round() / 10.0
    };
    json!({
        "messages": rate(|status| status.messages),
        "deliveries": rate(|status| status.deliveries),
        "delivered_bytes": rate(|status| status.delivered_bytes),
        "client_messages": rate(|status| status.client_messages),
        "overflows": rate(|status| status.overflows),
        "left": rate(|status| status.sessions_left),
        "arrived": rate(|status| status.sessions_arrived),
    })
}

/// How many sessions have their sockets at each gateway.
fn gateways(gathered: &Gathered) -> Vec<Value> {
    let mut gateways = BTreeMap::<&str, u64>::new();
    for share in gathered.values().flatten().flat_map(|status| &status.gateways) {
        *gateways.entry(share.gateway.as_str()).or_default() += share.sessions;
    }
    gateways.into_iter().map(|(id, sessions)| json!({ "id": id, "sessions": sessions })).collect()
}

fn slowest(gathered: &Gathered) -> Vec<Value> {
    let mut slowest: Vec<&Session> = gathered
        .values()
        .flatten()
        .flat_map(|status| &status.slowest)
        .filter(|session| session.queue_bytes > 0)
        .collect();
    slowest.sort_by_key(|session| std::cmp::Reverse(session.queue_bytes));
    slowest.into_iter().take(SLOWEST_MAX).map(session_json).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ringway_cluster::MemberState;
    use ringway_ring::Strategy;

    use super::*;

    fn view(ids: &[&str]) -> View {
        let member = |id: &&str| {
            let member =
                Member::new(id.parse().expect("an id"), "http://127.0.0.1:1".parse().expect("a url"));
            Member { state: MemberState::Active, ..member }
        };
        View::build(Strategy::Slots, ids.iter().map(member)).expect("a view")
    }

    fn gathered(numbers: &[(&str, u64, u64)]) -> Gathered {
        let status = |(id, incarnation, messages): &(&str, u64, u64)| {
            let status =
                NodeStatus { incarnation: *incarnation, messages: *messages, ..NodeStatus::default() };
            (id.parse().expect("an id"), Some(status))
        };
        numbers.iter().map(status).collect()
    }

    #[test]
    fn rates_are_differences_over_time_and_begin_anew_with_a_worker() {
        let (view, began) = (view(&["w1", "w2"]), Instant::now());
        let mut numbers = Numbers::default();
        let mut rate = |after: Duration, figures: &[(&str, u64, u64)]| {
            let told = numbers.tell(&view, &gathered(figures), began + after);
            told["workers"][0]["per_second"]["messages"].as_f64()
        };
        assert_eq!(rate(Duration::ZERO, &[("w1", 1, 100)]), None, "nothing to compare with");
        assert_eq!(rate(Duration::from_secs(2), &[("w1", 1, 110)]), Some(5.0));
        assert_eq!(rate(Duration::from_secs(3), &[("w1", 2, 7)]), None, "another life");
        assert_eq!(rate(Duration::from_secs(4), &[]), None, "it does not answer");
        assert_eq!(rate(Duration::from_secs(5), &[("w1", 2, 9)]), None);
        assert_eq!(rate(Duration::from_secs(6), &[("w1", 2, 10)]), Some(1.0));
    }

    #[test]
    fn the_ring_is_told_by_a_sample_of_its_slots() {
        let mut numbers = Numbers::default();
        let told = numbers.tell(&view(&["w1", "w2"]), &Gathered::new(), Instant::now());
        let slots = told["ring"]["slots"].as_array().expect("slots");
        assert_eq!(slots.len(), SAMPLED_SLOTS);
        let of_first = slots.iter().filter(|owner| **owner == 0).count();
        assert!((140..220).contains(&of_first), "{of_first}");
        let empty = numbers.tell(&View::empty(Strategy::Slots), &Gathered::new(), Instant::now());
        assert!(empty["ring"]["slots"][0].is_null());
    }
}
