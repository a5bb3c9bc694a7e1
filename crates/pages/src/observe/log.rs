//! What has happened while somebody watched: members that come and go, the ring's changes, sessions that are handed over.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ringway_cluster::View;
use ringway_ring::{MemberId, Ring};
use serde_json::{Value, json};

use super::gather::Gathered;
use crate::trial::{flows, share};

/// How many entries are kept, and told each time: so a dashboard that comes later knows them, too.
const ENTRIES_MAX: usize = 40;
/// How many workers, or ways between two, one entry names: those with the most. The others are counted.
const NAMED_MAX: usize = 20;

/// The entries, and what the last one was made of.
#[derive(Default)]
pub(super) struct Log {
    entries: VecDeque<Value>,
    count: u64,
    last: Option<Last>,
}

struct Last {
    ring: Arc<Ring>,
    /// Each worker's state and whether it answers.
    workers: BTreeMap<MemberId, (&'static str, bool)>,
    /// Which life of each worker has let go, taken in and lost so many.
    counts: BTreeMap<MemberId, Counts>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    incarnation: u64,
    left: u64,
    arrived: u64,
    overflows: u64,
}

impl Log {
    /// Notes what is different from the last time, at a moment.
    pub(super) fn note(&mut self, view: &View, gathered: &Gathered, at_ms: u64) {
        let answers = |id: &MemberId| gathered.get(id).is_some_and(Option::is_some);
        let workers = view
            .workers()
            .iter()
            .map(|member| (member.id.clone(), (member.state.as_str(), answers(&member.id))));
        let now =
            Last { ring: Arc::clone(view.ring()), workers: workers.collect(), counts: counts(gathered) };
        if let Some(last) = self.last.replace(now) {
            let Some(now) = &self.last else { return };
            let news = [members(&last, now), ring(&last, now), handovers(&last, now), overflows(&last, now)];
            for entry in news.into_iter().flatten() {
                self.push(entry, at_ms);
            }
        }
    }

    /// The newest entries, at most so many, the newest last.
    pub(super) fn tell(&self, entries_max: usize) -> Value {
        self.entries.iter().skip(self.entries.len().saturating_sub(entries_max)).cloned().collect()
    }

    fn push(&mut self, mut entry: Value, at_ms: u64) {
        self.count += 1;
        entry["n"] = json!(self.count);
        entry["at_ms"] = json!(at_ms);
        self.entries.push_back(entry);
        if self.entries.len() > ENTRIES_MAX {
            self.entries.pop_front();
        }
    }
}

fn counts(gathered: &Gathered) -> BTreeMap<MemberId, Counts> {
    let known = gathered.iter().filter_map(|(id, status)| {
        let status = status.as_ref()?;
        let counts = Counts {
            incarnation: status.incarnation,
            left: status.sessions_left,
            arrived: status.sessions_arrived,
            overflows: status.overflows,
        };
        Some((id.clone(), counts))
    });
    known.collect()
}

/// Workers that are new, gone, in another state, or silent.
fn members(last: &Last, now: &Last) -> Vec<Value> {
    let mut news = Vec::new();
    for (id, (state, answers)) in &now.workers {
        let is = match last.workers.get(id) {
            None => Some(*state),
            Some((before, _)) if before != state => Some(*state),
            Some((_, true)) if !answers => Some("silent"),
            Some(_) => None,
        };
        news.extend(is.map(|is| json!({ "kind": "member", "worker": id, "is": is })));
    }
    let gone = last.workers.keys().filter(|id| !now.workers.contains_key(*id));
    news.extend(gone.map(|id| json!({ "kind": "member", "worker": id, "is": "gone" })));
    news
}

fn ring(last: &Last, now: &Last) -> Vec<Value> {
    if last.ring.version() == now.ring.version() {
        return Vec::new();
    }
    let mut summary = last.ring.diff(&now.ring).summary();
    summary.flows.sort_by_key(|flow| std::cmp::Reverse(flow.slots));
    let named = &summary.flows[..summary.flows.len().min(NAMED_MAX)];
    let (moved, flows) = (share(summary.slots_moved), flows(named));
    vec![json!({ "kind": "ring", "version": now.ring.version(), "moved": moved, "flows": flows })]
}

/// Sessions that have left one worker and arrived at another, or again after a loss.
fn handovers(last: &Last, now: &Last) -> Vec<Value> {
    let (left, arrived) = (grown(last, now, |counts| counts.left), grown(last, now, |counts| counts.arrived));
    if left.is_empty() && arrived.is_empty() {
        return Vec::new();
    }
    let ((left, left_others), (arrived, arrived_others)) = (most(left), most(arrived));
    vec![json!({
        "kind": "handover",
        "left": left,
        "left_others": left_others,
        "arrived": arrived,
        "arrived_others": arrived_others,
    })]
}

/// Those that have the most, and the others together.
fn most(counts: BTreeMap<String, u64>) -> (BTreeMap<String, u64>, Value) {
    let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let others = counts.split_off(counts.len().min(NAMED_MAX));
    let sessions: u64 = others.iter().map(|(_, count)| count).sum();
    (counts.into_iter().collect(), json!({ "workers": others.len(), "sessions": sessions }))
}

fn overflows(last: &Last, now: &Last) -> Vec<Value> {
    let grown = grown(last, now, |counts| counts.overflows);
    grown
        .into_iter()
        .map(|(worker, count)| json!({ "kind": "slow", "worker": worker, "count": count }))
        .collect()
}

/// By how much a count has grown, where it has. A worker that was not asked before has begun at nothing.
fn grown(last: &Last, now: &Last, count: fn(&Counts) -> u64) -> BTreeMap<String, u64> {
    let grown = now.counts.iter().filter_map(|(id, counts)| {
        let before = last.counts.get(id).filter(|before| before.incarnation == counts.incarnation);
        let by = count(counts).saturating_sub(before.map_or(0, count));
        (by > 0).then(|| (id.to_string(), by))
    });
    grown.collect()
}

#[cfg(test)]
mod tests {
    use ringway_cluster::{Member, MemberState};
    use ringway_proto::v1::NodeStatus;
    use ringway_ring::Strategy;

    use super::*;

    fn view(members: &[(&str, MemberState)]) -> View {
        let member = |(id, state): &(&str, MemberState)| {
            let member =
                Member::new(id.parse().expect("an id"), "http://127.0.0.1:1".parse().expect("a url"));
            Member { state: *state, ..member }
        };
        View::build(Strategy::Slots, members.iter().map(member)).expect("a view")
    }

    fn gathered(numbers: &[(&str, u64, u64)]) -> Gathered {
        let status = |(id, left, arrived): &(&str, u64, u64)| {
            let status = NodeStatus {
                incarnation: 1,
                sessions_left: *left,
                sessions_arrived: *arrived,
                ..NodeStatus::default()
            };
            (id.parse().expect("an id"), Some(status))
        };
        numbers.iter().map(status).collect()
    }

    #[test]
    fn what_happens_is_noted_once() {
        use MemberState::{Active, Draining};
        let mut log = Log::default();
        let mut kinds = |members: &[(&str, MemberState)], numbers: &[(&str, u64, u64)]| -> Vec<String> {
            let before = log.count;
            log.note(&view(members), &gathered(numbers), 5);
            let fresh = log.entries.iter().filter(|entry| entry["n"].as_u64() > Some(before));
            fresh
                .map(|entry| {
                    format!("{} {}", entry["kind"].as_str().unwrap_or(""), entry["is"].as_str().unwrap_or(""))
                })
                .collect()
        };
        let both = [("w1", Active), ("w2", Active)];
        assert_eq!(kinds(&both, &[("w1", 0, 0), ("w2", 3, 0)]), [""; 0], "how it was is no news");
        assert_eq!(kinds(&both, &[("w1", 0, 0), ("w2", 3, 0)]), [""; 0]);
        assert_eq!(
            kinds(&[("w1", Draining), ("w2", Active)], &[("w1", 0, 0), ("w2", 3, 0)]),
            ["member draining", "ring "]
        );
        assert_eq!(kinds(&[("w1", Draining), ("w2", Active)], &[("w1", 2, 0), ("w2", 3, 2)]), ["handover "]);
        assert_eq!(kinds(&[("w2", Active)], &[("w2", 3, 2)]), ["member gone"]);
        assert_eq!(kinds(&[("w2", Active)], &[]), ["member silent"]);
        assert_eq!(kinds(&both, &[("w1", 0, 1), ("w2", 3, 2)]), ["member active", "ring ", "handover "]);
    }

    #[test]
    fn only_the_last_entries_are_kept() {
        let mut log = Log::default();
        for n in 0..3 * ENTRIES_MAX as u64 {
            log.note(&view(&[("w1", MemberState::Active)]), &gathered(&[("w1", n, 0)]), 5);
        }
        assert_eq!(log.entries.len(), ENTRIES_MAX);
        assert_eq!(log.entries.back().map(|entry| entry["n"].clone()), Some(json!(log.count)));
        for (entries_max, expected) in [(0, 0), (1, 1), (ENTRIES_MAX, ENTRIES_MAX), (1000, ENTRIES_MAX)] {
            let told = log.tell(entries_max);
            assert_eq!(told.as_array().map(Vec::len), Some(expected));
            assert!(expected == 0 || told[expected - 1]["n"] == log.count, "the newest are kept");
        }
    }

    #[test]
    fn an_entry_names_those_with_the_most_and_counts_the_others() {
        let counts = |count: u64| (0..count).map(|n| (format!("w{n}"), n)).collect::<BTreeMap<_, _>>();
        let (named, others) = most(counts(20));
        assert_eq!((named.len(), others), (20, json!({ "workers": 0, "sessions": 0 })));
        let (named, others) = most(counts(23));
        assert_eq!((named.len(), others), (20, json!({ "workers": 3, "sessions": 3 })));
        assert!(named.contains_key("w22") && !named.contains_key("w2"));
    }
}
