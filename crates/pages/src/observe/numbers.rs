//! Numbers as dashboards get them: what there is, and how fast what is counted grows.
//!
//! All of it goes to each dashboard as one message, once a second. So it has a bound, however large the cluster is: so many workers
//! and gateways are told one by one, and the others as a sum. What all of them have together is always told.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use ringway_cluster::{Member, MemberState, View};
use ringway_proto::v1::{NodeStatus, Session};
use ringway_ring::{MemberId, SLOT_COUNT, Slot};
use serde_json::{Map, Value, json};
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

/// What was gathered at a moment, of everybody.
pub(super) struct Told {
    pub(super) at_ms: u64,
    version: Value,
    strategy: Value,
    /// Who owns the sampled slots: positions in the list of workers, or nobody.
    owners: Vec<Option<usize>>,
    workers: Vec<Value>,
    gateways: Vec<(String, u64)>,
    slowest: Vec<Value>,
}

impl Numbers {
    /// What there is to tell of what was gathered at a moment.
    pub(super) fn tell(&mut self, view: &View, gathered: &Gathered, now: Instant) -> Told {
        let slots: BTreeMap<&MemberId, u32> = view.ring().shares().into_iter().collect();
        let worker = |member: &Member| {
            let slots = slots.get(&member.id).copied().unwrap_or_default();
            self.worker(member, share(slots), gathered, now)
        };
        let told = Told {
            at_ms: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64,
            version: json!(view.version()),
            strategy: json!(view.ring().strategy()),
            owners: owners(view),
            workers: view.workers().iter().map(worker).collect(),
            gateways: gateways(gathered),
            slowest: slowest(gathered),
        };
        let known =
            |(id, status): (&MemberId, &Option<NodeStatus>)| Some((id.clone(), (now, status.clone()?)));
        self.last = gathered.iter().filter_map(known).collect();
        told
    }

    fn worker(&self, member: &Member, share: f64, gathered: &Gathered, now: Instant) -> Value {
        let status = gathered.get(&member.id).and_then(Option::as_ref);
        let mut told = json!({
            "id": member.id,
            "state": member.state.as_str(),
            "weight": member.weight.get(),
            "zone": member.zone,
            "rpc_url": member.rpc_url.as_str(),
            "share": share,
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

impl Told {
    /// What dashboards are told, with at most so many workers and gateways one by one. Of the workers those come first that are not
    /// as they should be, and then those whose names do; of the gateways those with the most sessions.
    pub(super) fn status(&self, rows_max: usize) -> Value {
        let shown = self.shown(rows_max);
        let mut positions = vec![None; self.workers.len()];
        for (position, worker) in shown.iter().enumerate() {
            positions[*worker] = Some(position);
        }
        let slots = self.owners.iter().map(|owner| owner.and_then(|worker| positions[worker]));
        let others = self.workers.iter().zip(&positions).filter(|(_, position)| position.is_none());
        let (gateways, other_gateways) = self.gateways(rows_max);
        json!({
            "at_ms": self.at_ms,
            "ring": { "version": self.version, "strategy": self.strategy, "slots": slots.collect::<Vec<_>>() },
            "totals": sum(self.workers.iter()),
            "workers": shown.iter().map(|worker| &self.workers[*worker]).collect::<Vec<_>>(),
            "others": sum(others.map(|(worker, _)| worker)),
            "gateways": gateways,
            "other_gateways": other_gateways,
            "slowest": self.slowest,
        })
    }

    /// Which workers are told one by one.
    fn shown(&self, rows_max: usize) -> Vec<usize> {
        let is_well = |worker: &Value| is_active(worker) && answers(worker);
        let mut shown: Vec<usize> = (0..self.workers.len()).collect();
        // The sort is stable.
        shown.sort_by_key(|worker| is_well(&self.workers[*worker]));
        shown.truncate(rows_max);
        shown.sort_unstable();
        shown
    }

    fn gateways(&self, rows_max: usize) -> (Vec<Value>, Value) {
        let mut gateways: Vec<&(String, u64)> = self.gateways.iter().collect();
        gateways.sort_by_key(|(_, sessions)| std::cmp::Reverse(*sessions));
        let others = gateways.split_off(rows_max.min(gateways.len()));
        gateways.sort();
        let sessions: u64 = others.iter().map(|(_, sessions)| sessions).sum();
        let gateway = |(id, sessions): &(String, u64)| json!({ "id": id, "sessions": sessions });
        (
            gateways.into_iter().map(gateway).collect(),
            json!({ "gateways": others.len(), "sessions": sessions }),
        )
    }
}

/// What these workers have together.
fn sum<'a>(workers: impl Iterator<Item = &'a Value>) -> Value {
    let (mut share, mut counts) = (0.0, [0_u64; 3]);
    let (mut has, mut per_second) = (Map::new(), Map::new());
    for worker in workers {
        let counted = [true, is_active(worker), !answers(worker)];
        counts.iter_mut().zip(counted).for_each(|(count, is)| *count += u64::from(is));
        share += worker["share"].as_f64().unwrap_or_default();
        for (name, held) in worker["has"].as_object().into_iter().flatten() {
            let sum = has.get(name).and_then(Value::as_u64).unwrap_or_default();
            has.insert(name.clone(), json!(sum.saturating_add(held.as_u64().unwrap_or_default())));
        }
        for (name, rate) in worker["per_second"].as_object().into_iter().flatten() {
            let sum = per_second.get(name).and_then(Value::as_f64).unwrap_or_default();
            per_second.insert(name.clone(), json!(tenths(sum + rate.as_f64().unwrap_or_default())));
        }
    }
    let [workers, active, silent] = counts;
    json!({ "workers": workers, "active": active, "silent": silent, "share": share, "has": has, "per_second": per_second })
}

fn is_active(worker: &Value) -> bool {
    worker["state"] == MemberState::Active.as_str()
}

fn answers(worker: &Value) -> bool {
    worker["answers"] == true
}

fn owners(view: &View) -> Vec<Option<usize>> {
    let workers = view.workers().iter().enumerate();
    let positions: BTreeMap<&MemberId, usize> = workers.map(|(at, member)| (&member.id, at)).collect();
    let owner = |number: usize| {
        let slot = Slot::new((number * SLOT_COUNT / SAMPLED_SLOTS) as u32).ok()?;
        positions.get(view.ring().owner_of_slot(slot)?).copied()
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
    let rate =
        |count: fn(&NodeStatus) -> u64| tenths(count(status).saturating_sub(count(before)) as f64 / seconds);
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

fn tenths(number: f64) -> f64 {
    (10.0 * number).round() / 10.0
}

/// How many sessions have their sockets at each gateway.
fn gateways(gathered: &Gathered) -> Vec<(String, u64)> {
    let mut gateways = BTreeMap::<&str, u64>::new();
    for share in gathered.values().flatten().flat_map(|status| &status.gateways) {
        *gateways.entry(share.gateway.as_str()).or_default() += share.sessions;
    }
    gateways.into_iter().map(|(id, sessions)| (id.to_owned(), sessions)).collect()
}

fn slowest(gathered: &Gathered) -> Vec<Value> {
    let mut slowest: Vec<&Session> = gathered
        .values()
        .flatten()
        .flat_map(|status| &status.slowest)
        .filter(|session| session.queue_bytes > 0)
        .collect();
    slowest.sort_by_key(|session| std::cmp::Reverse(session.queue_bytes));
    slowest.into_iter().take(SLOWEST_MAX).map(slow).collect()
}

/// Of a slow session what is shown: its groups, for one, could be many.
fn slow(session: &Session) -> Value {
    json!({
        "id": session.id,
        "user": session.user,
        "worker": session.worker,
        "queue_bytes": session.queue_bytes,
    })
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
            told.workers[0]["per_second"]["messages"].as_f64()
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
        let told = numbers.tell(&view(&["w1", "w2"]), &Gathered::new(), Instant::now()).status(2);
        let slots = told["ring"]["slots"].as_array().expect("slots");
        assert_eq!(slots.len(), SAMPLED_SLOTS);
        let of_first = slots.iter().filter(|owner| **owner == 0).count();
        assert!((140..220).contains(&of_first), "{of_first}");
        let empty = numbers.tell(&View::empty(Strategy::Slots), &Gathered::new(), Instant::now()).status(2);
        assert!(empty["ring"]["slots"][0].is_null());
    }

    #[test]
    fn those_who_are_not_told_one_by_one_are_told_together() {
        let ids = ["w1", "w2", "w3", "w4"];
        let figures = [("w1", 1, 10), ("w2", 1, 20), ("w4", 1, 40)];
        let mut numbers = Numbers::default();
        numbers.tell(&view(&ids), &gathered(&figures.map(|(id, life, _)| (id, life, 0))), Instant::now());
        let later = Instant::now() + Duration::from_secs(1);
        let mut told = numbers.tell(&view(&ids), &gathered(&figures), later);
        told.gateways = [("", 1), ("g1", 5), ("g2", 3)].map(|(id, count)| (id.to_owned(), count)).into();
        for (rows_max, workers, gateways) in [
            (9, &["w1", "w2", "w3", "w4"][..], &["", "g1", "g2"][..]),
            (4, &["w1", "w2", "w3", "w4"], &["", "g1", "g2"]),
            // The third does not answer.
            (2, &["w1", "w3"], &["g1", "g2"]),
            (1, &["w3"], &["g1"]),
            (0, &[], &[]),
        ] {
            let status = told.status(rows_max);
            let ids = |of: &str| {
                status[of].as_array().map(|all| all.iter().map(|one| one["id"].clone()).collect::<Vec<_>>())
            };
            assert_eq!(ids("workers"), Some(workers.iter().map(|id| json!(id)).collect()), "{rows_max}");
            assert_eq!(ids("gateways"), Some(gateways.iter().map(|id| json!(id)).collect()), "{rows_max}");
            let (totals, others) = (&status["totals"], &status["others"]);
            assert_eq!(
                (&totals["workers"], &totals["active"], &totals["silent"]),
                (&json!(4), &json!(4), &json!(1))
            );
            assert_eq!(totals["has"]["messages"], 70);
            assert_eq!(others["workers"], 4 - workers.len(), "{rows_max}");
            assert_eq!(status["other_gateways"]["gateways"], 3 - gateways.len(), "{rows_max}");
            let slots = status["ring"]["slots"].as_array().expect("slots");
            assert!(
                slots.iter().filter_map(Value::as_u64).all(|slot| slot < workers.len() as u64),
                "{rows_max}"
            );
        }
        let others = &told.status(2)["others"];
        assert_eq!((&others["has"]["messages"], &others["silent"]), (&json!(60), &json!(0)));
        assert_eq!(told.status(2)["other_gateways"], json!({ "gateways": 1, "sessions": 1 }));
    }
}
