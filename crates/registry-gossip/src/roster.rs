//! From what is seen of the nodes to the list of members. Pure.
//!
//! A node that is heard shows its members, and one that is not heard any more loses them; but only if this node's own
//! sight is settled. As long as it may itself be the one that hears nothing, the members stay as they are last known.

use std::collections::BTreeMap;

use ringway_cluster::MemberList;

use crate::record::Record;

/// A node as it is seen.
pub(crate) struct Sighting<Node> {
    /// Which.
    pub(crate) node: Node,
    /// Whether it is heard.
    pub(crate) alive: bool,
    /// The members that it carries, as far as they are known.
    pub(crate) records: Vec<Record>,
}

/// The members shown last, by the node that carries them.
pub(crate) struct Roster<Node>(BTreeMap<Node, Vec<Record>>);

impl<Node: Ord> Roster<Node> {
    /// Nobody is shown.
    pub(crate) fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// The list that follows from what is seen now; `settled`: whether silence means death.
    pub(crate) fn list(&mut self, seen: Vec<Sighting<Node>>, settled: bool) -> MemberList {
        let mut shown = BTreeMap::new();
        for Sighting { node, alive, records } in seen {
            let before = self.0.remove(&node);
            if alive || (!settled && before.is_some()) {
                shown.insert(node, records);
            }
        }
        if !settled {
            shown.append(&mut self.0);
        }
        self.0 = shown;
        latest(self.0.values().flatten())
    }
}

/// Each id once, as the one shows it who joined last.
fn latest<'a>(records: impl Iterator<Item = &'a Record>) -> MemberList {
    let mut by_id = BTreeMap::new();
    for record in records {
        let former = by_id.entry(&record.member.id).or_insert(record);
        if record.is_after(former) {
            *former = record;
        }
    }
    by_id.into_values().map(|record| record.member.clone()).collect()
}

#[cfg(test)]
mod tests {
    use ringway_cluster::Member;

    use super::*;

    fn record(id: &str, joined: u64) -> Record {
        let url = format!("http://127.0.0.1:{joined}").parse().unwrap();
        Record { joined, member: Member::new(id.parse().unwrap(), url) }
    }

    fn seen(node: u8, alive: bool, members: &[(&str, u64)]) -> Sighting<u8> {
        Sighting { node, alive, records: members.iter().map(|(id, joined)| record(id, *joined)).collect() }
    }

    /// What is seen, whether sight is settled, and what is shown then.
    type Step<'a> = (Vec<Sighting<u8>>, bool, &'a [&'a str]);

    fn check(steps: Vec<Step<'_>>) {
        let mut roster = Roster::new();
        for (number, (seen, settled, expected)) in steps.into_iter().enumerate() {
            let list = roster.list(seen, settled);
            let shown: Vec<_> = list.iter().map(|member| member.id.as_str()).collect();
            assert_eq!(shown, expected, "step {number}");
        }
    }

    #[test]
    fn the_dead_are_taken_off_by_those_who_see_well() {
        let both = |alive| vec![seen(1, true, &[("w1", 1)]), seen(2, alive, &[("w2", 1)])];
        check(vec![
            (both(false), true, &["w1"]),
            (both(true), true, &["w1", "w2"]),
            (both(false), false, &["w1", "w2"]),
            (both(false), true, &["w1"]),
        ]);
    }

    #[test]
    fn a_node_that_is_forgotten_while_sight_is_bad_stays_shown() {
        let alone = || vec![seen(1, true, &[("w1", 1)])];
        let both = vec![seen(1, true, &[("w1", 1)]), seen(2, true, &[("w2", 1)])];
        check(vec![(both, true, &["w1", "w2"]), (alone(), false, &["w1", "w2"]), (alone(), true, &["w1"])]);
    }

    #[test]
    fn who_leaves_is_off_at_once_whatever_the_sight() {
        check(vec![
            (vec![seen(1, true, &[("w1", 1)])], false, &["w1"]),
            (vec![seen(1, false, &[])], false, &[]),
        ]);
    }

    #[test]
    fn of_one_id_the_last_to_join_is_shown() {
        let mut roster = Roster::new();
        for nodes in [[1, 2], [2, 1]] {
            let [older, newer] = nodes;
            let list =
                roster.list(vec![seen(older, true, &[("w1", 7)]), seen(newer, true, &[("w1", 8)])], true);
            assert_eq!(
                list.iter().map(|member| member.rpc_url.authority()).collect::<Vec<_>>(),
                ["127.0.0.1:8"]
            );
        }
    }
}
