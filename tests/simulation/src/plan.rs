//! What a history is like: how large the cluster is, how slow its network, and what its policies are.

use std::ops::RangeInclusive;
use std::time::Duration;

use ringway_session::{MovePolicy, Policy, Protections};

use crate::random::Random;

/// What may happen in a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// Workers join, drain and change their weight; the network is slow, and views are late. Nothing breaks but sockets of clients
    /// that come back for their sessions.
    Planned,
    /// Links and sockets break as well, nodes crash and stop for a while, and cannot reach each other.
    Faulty,
}

/// Bounds of time that the shells keep, in milliseconds.
pub(crate) const SEND_DEADLINE_MS: u64 = 3_000;
pub(crate) const PURSUIT_PAUSE_MS: u64 = 20;
pub(crate) const OPEN_DEADLINE_MS: u64 = 5_000;
pub(crate) const CLAIM_DEADLINE_MS: u64 = 3_000;
pub(crate) const HOMELESS_DEADLINE_MS: u64 = 12_000;
/// For how much longer than that a worker remembers a session that has left.
const TRANSIT_SLACK_MS: u64 = 2_000;
/// How long ago it may be that something was lost of which one hears now: what waits for a session on its way is lost with it.
pub(crate) const LOST_MS: u64 = HOMELESS_DEADLINE_MS + TRANSIT_SLACK_MS + 2_000;
/// For how long something may be on its way before it was lost.
pub(crate) const FLIGHT_MS: u64 = 2_000;
pub(crate) const LEASE_MS: u64 = 2_000;

/// One history's circumstances.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) nature: Nature,
    pub(crate) workers: usize,
    pub(crate) workers_max: usize,
    pub(crate) users: usize,
    pub(crate) clients: usize,
    pub(crate) senders: usize,
    pub(crate) delay_ms: RangeInclusive<u64>,
    /// How many of a thousand take ten times as long.
    pub(crate) straggles: u64,
    /// How many of a thousand calls go wrong on their way there, and how many answers are lost, where faults happen.
    pub(crate) lost_calls: u64,
    /// How many of a hundred claims are made twice then.
    pub(crate) doubled_claims: u64,
    pub(crate) view_delay_ms: RangeInclusive<u64>,
    /// For how long something happens, and for how long nothing does afterwards.
    pub(crate) active_ms: u64,
    pub(crate) settle_ms: u64,
    pub(crate) changes: usize,
    pub(crate) tick_ms: u64,
    pub(crate) moves_per_tick: usize,
    pub(crate) policy: Policy,
    pub(crate) moves: MovePolicy,
}

impl Plan {
    /// Whether nothing breaks, and everything is known everywhere before a message that waits is given up.
    pub(crate) fn is_swift(&self) -> bool {
        self.nature == Nature::Planned && *self.delay_ms.end() <= 40
    }

    pub(crate) fn draw(random: &mut Random, nature: Nature, protections: Protections) -> Self {
        let delay_max_ms = *random.pick(&[2, 10, 40, 150]);
        let view_delay_max_ms = *random.pick(&[20, 200, 900]);
        let users = 3 + random.index(4);
        Plan {
            nature,
            workers: 2 + random.index(3),
            workers_max: 5,
            users,
            clients: users + random.index(users),
            senders: 2 + random.index(2),
            delay_ms: 1..=delay_max_ms,
            straggles: *random.pick(&[0, 20]),
            lost_calls: *random.pick(&[5, 50]),
            doubled_claims: *random.pick(&[0, 20]),
            view_delay_ms: 1..=view_delay_max_ms,
            active_ms: 6_000,
            settle_ms: 20_000,
            changes: 3 + random.index(6),
            tick_ms: *random.pick(&[20, 50]),
            moves_per_tick: *random.pick(&[1, 4, 100]),
            policy: policy(random),
            moves: moves(random, protections),
        }
    }
}

fn policy(random: &mut Random) -> Policy {
    Policy {
        window_bytes: *random.pick(&[100, 1_000, 100_000]),
        link_bytes_max: *random.pick(&[300, 1 << 20]),
        ..Policy::default()
    }
}

fn moves(random: &mut Random, protections: Protections) -> MovePolicy {
    MovePolicy {
        resume_window: Duration::from_secs(6),
        reopen_window: Duration::from_secs(4),
        transit_max: Duration::from_millis(HOMELESS_DEADLINE_MS + TRANSIT_SLACK_MS),
        follow_window: Duration::from_secs(5),
        orphan_window: Duration::from_secs(5),
        kept_bytes_max: 64 << 20,
        ack_within: Duration::from_secs(1),
        moves_under_way_max: *random.pick(&[1, 3, 256]),
        protections,
    }
}
