//! Who is in the cluster, as the registry says, and the rings that this gives. A ring is built once in a process.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex, OnceLock};

use ringway_ring::{MemberId, Ring, RingMember, Strategy, Weight};

/// A worker by its number.
pub(crate) type WorkerIx = usize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) incarnation: u64,
    pub(crate) draining: bool,
    pub(crate) weight: u32,
}

/// One moment of the registry.
#[derive(Debug)]
pub(crate) struct View {
    /// Grows. A node never goes back to an older view.
    pub(crate) revision: u64,
    pub(crate) members: BTreeMap<WorkerIx, Member>,
    pub(crate) ring: Arc<Ring>,
}

impl View {
    pub(crate) fn new(revision: u64, members: BTreeMap<WorkerIx, Member>) -> Rc<Self> {
        let active: Vec<_> = members
            .iter()
            .filter(|(_, member)| !member.draining)
            .map(|(worker, member)| (*worker, member.weight))
            .collect();
        Rc::new(View { revision, members, ring: ring(&active) })
    }

    /// The worker that owns a user or a group.
    pub(crate) fn owner(&self, key: &str) -> Option<WorkerIx> {
        self.ring.owner(key).map(worker_of)
    }
}

pub(crate) fn member_id(worker: WorkerIx) -> MemberId {
    MemberId::new(format!("w{worker}")).expect("a short name")
}

pub(crate) fn worker_of(id: &MemberId) -> WorkerIx {
    id.as_str()[1..].parse().expect("a name that member_id made")
}

type Rings = Mutex<BTreeMap<Vec<(WorkerIx, u32)>, Arc<Ring>>>;

/// The ring of these workers with their weights. Few are different, and each takes milliseconds to build.
pub(crate) fn ring(active: &[(WorkerIx, u32)]) -> Arc<Ring> {
    static RINGS: OnceLock<Rings> = OnceLock::new();
    let mut rings = RINGS.get_or_init(Mutex::default).lock().expect("nobody panics with the rings");
    if let Some(ring) = rings.get(active) {
        return Arc::clone(ring);
    }
    let member = |&(worker, weight): &(WorkerIx, u32)| {
        RingMember::new(member_id(worker)).weighing(Weight::new(weight).expect("a small weight"))
    };
    let ring = Ring::build(Strategy::Slots, active.iter().map(member)).expect("distinct workers");
    let ring = Arc::new(ring);
    rings.insert(active.to_vec(), Arc::clone(&ring));
    ring
}
