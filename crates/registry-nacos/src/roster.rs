//! Who the members are, by what Nacos shows: pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use ringway_cluster::{Member, MemberList};
use ringway_ring::MemberId;

use crate::instance::{self, Stamp};
use crate::message::Instance;

/// The members among some instances: of several with one id, the one that joined last.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    pub(crate) members: BTreeMap<MemberId, (Stamp, Member)>,
    /// Where something else is, and why it is no member.
    pub(crate) strangers: BTreeMap<String, String>,
}

impl Roster {
    /// Reads the instances in this cluster of the service.
    pub(crate) fn of(instances: &[Instance], cluster: &str) -> Self {
        let mut roster = Self::default();
        for instance in
            instances.iter().filter(|found| found.cluster_name.as_deref().is_none_or(|name| name == cluster))
        {
            match instance::read(instance) {
                Ok((stamp, member)) => roster.take(stamp, member),
                Err(error) => {
                    roster.strangers.insert(format!("{}:{}", instance.ip, instance.port), error.to_string());
                }
            }
        }
        roster
    }

    fn take(&mut self, stamp: Stamp, member: Member) {
        let latest = self.members.get(&member.id).is_none_or(|(known, _)| *known < stamp);
        if latest {
            self.members.insert(member.id.clone(), (stamp, member));
        }
    }
}

/// What is shown, over time.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    members: BTreeMap<MemberId, Member>,
    strangers: BTreeSet<String>,
    /// Until when members stay that Nacos does not show: after an outage it knows nobody at first.
    regaining_until: Option<Instant>,
}

impl Shown {
    /// Nacos was away and is back.
    pub(crate) const fn regain_until(&mut self, until: Instant) {
        self.regaining_until = Some(until);
    }

    /// The list that follows, and the strangers that were not there before.
    pub(crate) fn show(&mut self, roster: Roster, now: Instant) -> (MemberList, Vec<(String, String)>) {
        let former = std::mem::take(&mut self.members);
        self.members = roster.members.into_iter().map(|(id, (_, member))| (id, member)).collect();
        if self.regaining_until.is_some_and(|until| now < until) {
            for (id, member) in former {
                self.members.entry(id).or_insert(member);
            }
        }
        let known = std::mem::replace(&mut self.strangers, roster.strangers.keys().cloned().collect());
        let news = roster.strangers.into_iter().filter(|(address, _)| !known.contains(address)).collect();
        (self.members.values().cloned().collect(), news)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn member(name: &str, incarnation: u64) -> Member {
        let url = format!("http://10.0.0.1:{}", 7000 + incarnation).parse().expect("a url");
        Member { incarnation, ..Member::new(name.parse().expect("a name"), url) }
    }

    fn roster(members: &[(Stamp, Member)]) -> Roster {
        let instances: Vec<_> =
            members.iter().map(|(stamp, member)| instance::write(member, *stamp, "C")).collect();
        Roster::of(&instances, "C")
    }

    #[test]
    fn the_one_who_joined_last_is_the_member() {
        let early = Stamp::after(None);
        let late = Stamp::after(Some(early));
        for order in [[(early, 1), (late, 2)], [(late, 2), (early, 1)]] {
            let roster = roster(&order.map(|(stamp, incarnation)| (stamp, member("w", incarnation))));
            let (list, _) = Shown::default().show(roster, Instant::now());
            assert_eq!(*list, [member("w", 2)]);
        }
    }

    #[test]
    fn another_cluster_of_the_service_is_not_ours() {
        let elsewhere = instance::write(&member("w", 1), Stamp::after(None), "D");
        assert!(Roster::of(&[elsewhere], "C").members.is_empty());
    }

    #[test]
    fn after_an_outage_members_stay_for_a_while() {
        let (mut shown, now, stamp) = (Shown::default(), Instant::now(), Stamp::after(None));
        let list = |shown: &mut Shown, members: &[(Stamp, Member)], at| shown.show(roster(members), at).0;
        let (one, two) = ((stamp, member("a", 1)), (stamp, member("b", 1)));
        assert_eq!(list(&mut shown, &[one.clone(), two], now).len(), 2);
        let until = now + Duration::from_secs(10);
        shown.regain_until(until);
        assert_eq!(list(&mut shown, &[], now).len(), 2, "nobody has registered again yet");
        assert_eq!(list(&mut shown, std::slice::from_ref(&one), now).len(), 2, "the other one has not");
        assert_eq!(list(&mut shown, &[one], until).len(), 1, "the other one does not come back");
        assert_eq!(list(&mut shown, &[], until).len(), 0);
    }

    #[test]
    fn a_stranger_is_told_of_once() {
        let instance = instance::write(&member("w", 1), Stamp::after(None), "C");
        let stranger = Instance { metadata: BTreeMap::new(), ..instance };
        let mut shown = Shown::default();
        let mut news =
            || shown.show(Roster::of(std::slice::from_ref(&stranger), "C"), Instant::now()).1.len();
        assert_eq!([news(), news()], [1, 0]);
    }
}
