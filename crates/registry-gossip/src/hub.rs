//! Where everything of a node meets: its chitchat state, its own members, and the list that follows.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use chitchat::{Chitchat, ChitchatHandle, ChitchatId, NodeState};
use parking_lot::Mutex;
use ringway_cluster::{Member, MemberList, RegistryHealth, show_list};
use ringway_ring::MemberId;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::pulse::Pulse;
use crate::record::{LEFT, PREFIX, Record};
use crate::roster::{Roster, Sighting};
use crate::seats::Seats;

/// How many peers are told news at once; the others hear of it in the rounds.
const TOLD_MAX: usize = 8;
/// How long one who leaves waits until they have been told.
const TELL_TIMEOUT: Duration = Duration::from_secs(1);

/// The heart of a node.
pub(crate) struct Hub {
    /// The running gossip.
    pub(crate) gossip: ChitchatHandle,
    /// What the socket tells.
    pub(crate) pulse: Arc<Pulse>,
    /// The members carried by this node.
    pub(crate) seats: Mutex<Seats>,
    /// Something changed that is not in the gossip yet.
    pub(crate) changed: Notify,
    /// Others have told of something that is not in the list yet.
    pub(crate) heard: Arc<Notify>,
    /// How long others to begin with may take to answer, if there are such.
    pub(crate) first_contact: Option<Duration>,
    roster: Mutex<Roster<ChitchatId>>,
    lists: watch::Sender<MemberList>,
    census: watch::Sender<Census>,
    health: RegistryHealth,
}

/// How many other nodes there are.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Census {
    /// Those that are remembered and did not say goodbye.
    pub(crate) known: usize,
    /// Those of them that are heard.
    pub(crate) alive: usize,
}

impl Hub {
    /// Around a running gossip.
    pub(crate) fn new(gossip: ChitchatHandle, pulse: Arc<Pulse>, first_contact: Option<Duration>) -> Self {
        Self {
            gossip,
            pulse,
            seats: Mutex::default(),
            changed: Notify::new(),
            heard: Arc::default(),
            first_contact,
            roster: Mutex::new(Roster::new()),
            lists: watch::Sender::new(MemberList::from([])),
            census: watch::Sender::new(Census::default()),
            health: RegistryHealth::new("gossip"),
        }
    }

    /// From now on news of members are noticed when they come. What is deleted is noticed in the rounds only.
    pub(crate) async fn heed_news(&self) {
        let listen = |chitchat: &mut Chitchat| {
            for prefix in [PREFIX, LEFT] {
                let heard = Arc::clone(&self.heard);
                chitchat.subscribe_event(prefix, move |_| heard.notify_one()).forever();
            }
        };
        self.gossip.with_chitchat(listen).await;
    }

    /// The list of this moment, and every later one.
    pub(crate) fn watch(&self) -> watch::Receiver<MemberList> {
        self.lists.subscribe()
    }

    /// The nodes of this moment, and of every later one.
    pub(crate) fn census(&self) -> watch::Receiver<Census> {
        self.census.subscribe()
    }

    /// Takes a member's seat. It counts as later than every record of its id that is known here.
    pub(crate) async fn take(&self, member: Member) -> u64 {
        let chitchat = self.gossip.chitchat();
        let chitchat = chitchat.lock().await;
        let known = chitchat.node_states().values().filter_map(|state| record(state, &member.id));
        let highest = known.map(|record| record.joined).max().unwrap_or(0);
        self.seats.lock().take(member, now_ms().max(highest + 1))
    }

    /// Brings the gossip and the list up to date: what this node carries, and what it sees.
    pub(crate) async fn refresh(&self) {
        let chitchat = self.gossip.chitchat();
        // Held to the end, so that lists appear in the order in which they came about.
        let mut chitchat = chitchat.lock().await;
        let now = Instant::now();
        let census = census(&chitchat);
        self.notice_losses(&chitchat, now);
        self.carry(chitchat.self_node_state());
        let settled = self.look(census, now);
        let list = self.roster.lock().list(sightings(&chitchat), settled);
        show_list(&self.lists, list);
        self.census.send_replace(census);
    }

    /// Asks some peers for news, which tells them ours, and returns how many were asked.
    pub(crate) async fn tell(&self) -> usize {
        let mut peers = self.peers().await;
        peers.truncate(TOLD_MAX);
        for peer in &peers {
            self.ask(*peer);
        }
        peers.len()
    }

    /// Tells some peers the news, and waits until they know it.
    pub(crate) async fn tell_surely(&self) {
        let mut told = self.pulse.watch_told();
        let before = *told.borrow_and_update();
        let asked = self.tell().await as u64;
        // Late is not lost: they hear of it in the rounds, or miss this node in time.
        let _ = timeout(TELL_TIMEOUT, told.wait_for(|told| *told >= before + asked)).await;
    }

    /// Gossips with the node at an address.
    pub(crate) fn ask(&self, peer: SocketAddr) {
        if let Err(error) = self.gossip.gossip(peer) {
            debug!(%error, "the gossip has ended");
        }
    }

    /// Says goodbye for the node and all its members.
    pub(crate) async fn bid_farewell(&self) {
        self.seats.lock().clear();
        self.gossip.with_chitchat(|chitchat| chitchat.self_node_state().set(LEFT, "")).await;
        self.refresh().await;
        self.tell_surely().await;
    }

    /// The addresses of those that are heard.
    async fn peers(&self) -> Vec<SocketAddr> {
        let chitchat = self.gossip.chitchat();
        let chitchat = chitchat.lock().await;
        let others = chitchat.live_nodes().filter(|id| *id != chitchat.self_chitchat_id());
        let addresses: BTreeSet<_> = others.map(|id| id.gossip_advertise_addr).collect();
        addresses.into_iter().collect()
    }

    /// Gives up the members that have joined elsewhere since.
    fn notice_losses(&self, chitchat: &Chitchat, now: Instant) {
        let mut seats = self.seats.lock();
        let own = chitchat.self_chitchat_id();
        let others = chitchat.live_nodes().filter(|id| *id != own).filter_map(|id| chitchat.node_state(id));
        for record in others.flat_map(records) {
            if seats.heed(&record, now) {
                warn!(member = %record.member.id, at = %record.member.rpc_url, "another process has joined under this id");
            }
        }
    }

    /// Makes this node's state say what it carries, and nothing else.
    fn carry(&self, state: &mut NodeState) {
        let seats = self.seats.lock();
        let carried: BTreeSet<_> = seats.records().map(|record| Record::key(&record.member.id)).collect();
        let gone: Vec<_> =
            state.iter_prefix(PREFIX).map(|(key, _)| key).filter(|key| !carried.contains(*key)).collect();
        let gone: Vec<_> = gone.into_iter().map(str::to_owned).collect();
        gone.iter().for_each(|key| state.delete(key));
        for record in seats.records() {
            state.set(Record::key(&record.member.id), record.to_value());
        }
    }

    /// Notes how well this node sees, and says whether silence means death.
    fn look(&self, census: Census, now: Instant) -> bool {
        let alone = census.known == 0;
        let (blind, settled) = self.pulse.sight(|sight| {
            if alone {
                sight.assure(now);
            }
            (sight.is_blind(now), sight.is_settled(now))
        });
        let overdue = self.first_contact.is_some_and(|patience| self.pulse.age() > patience);
        match (blind, alone && overdue && !self.pulse.has_met()) {
            (true, _) => self.health.down("no other node answers"),
            (_, true) => self.health.down("no seed has answered yet"),
            (false, false) => self.health.up(),
        }
        settled
    }
}

fn census(chitchat: &Chitchat) -> Census {
    let own = chitchat.self_chitchat_id();
    let live: BTreeSet<_> = chitchat.live_nodes().collect();
    let known = chitchat.node_states().iter().filter(|(id, state)| *id != own && !state.contains_key(LEFT));
    known.fold(Census::default(), |Census { known, alive }, (id, _)| Census {
        known: known + 1,
        alive: alive + usize::from(live.contains(id)),
    })
}

fn sightings(chitchat: &Chitchat) -> Vec<Sighting<ChitchatId>> {
    let live: BTreeSet<_> = chitchat.live_nodes().collect();
    let sighting = |(id, state): (&ChitchatId, &NodeState)| Sighting {
        node: id.clone(),
        alive: live.contains(id),
        records: records(state).collect(),
    };
    chitchat.node_states().iter().map(sighting).collect()
}

/// The members that a node carries. What cannot be understood is passed over.
fn records(state: &NodeState) -> impl Iterator<Item = Record> {
    state.iter_prefix(PREFIX).filter_map(|(key, value)| {
        let id = key.strip_prefix(PREFIX)?;
        let parsed = Record::parse(id, &value.value);
        parsed.map_err(|error| debug!(%error, id, "this is no member")).ok()
    })
}

/// What a node says of one member.
fn record(state: &NodeState, id: &MemberId) -> Option<Record> {
    Record::parse(id.as_str(), state.get(&Record::key(id))?).ok()
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
