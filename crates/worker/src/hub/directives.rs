//! Carrying out what the state directs.

use std::sync::Arc;

use bytes::Bytes;
use ringway_proto::v1::worker_frame::Frame;
use ringway_proto::v1::{Checkpoint, Close, Deliver, Detached, Move, StatePart};
use ringway_session::{Directive, LinkId, Reach, SessionTable};
use rustc_hash::FxHashMap;

use super::{Errand, Friend, HandOver, Hub, Link, ReadErrand, State, TakenBy};
use crate::convert::kind_to_proto;
use crate::link::outbox::Outbox;

/// The longest piece of a state in one frame (link.proto).
const STATE_PART_BYTES_MAX: usize = 128 * 1024;

impl Hub {
    pub(super) fn carry_out(&self, state: &mut State, directive: Directive) {
        match directive {
            Directive::Deliver { link, channels, offsets, payload } => {
                let kind = kind_to_proto(payload.kind()).into();
                let frame = Deliver { channels, offsets, payload: payload.into_bytes(), kind };
                state.push(link, || Frame::Deliver(frame));
            }
            Directive::Close { address, code, reason } => {
                self.metrics.closed(code);
                let (channel, code) = (address.channel.0, code.as_u16().into());
                state.push(address.link, || Frame::Close(Close { channel, code, reason }));
            }
            Directive::Move { link, channels } => state.push(link, || Frame::Move(Move { channels })),
            Directive::Detached { address, state: left } => {
                self.metrics.moves_detached.increment(1);
                if let Some(link) = state.links.get(&address.link) {
                    // Signing takes milliseconds for each megabyte: its place among the frames is taken now, under the
                    // lock, and the frames are made when they leave.
                    let (seal, bytes) = (Arc::clone(&self.seal), left.bytes());
                    let frames = move || detached_frames(address.channel.0, seal.complete(*left));
                    link.outbox.push_later(bytes, frames);
                }
            }
            Directive::Checkpoint { address, state: kept } => {
                let checkpoint = || {
                    Frame::Checkpoint(Checkpoint {
                        channel: address.channel.0,
                        state: self.seal.checkpoint(*kept),
                    })
                };
                state.push(address.link, checkpoint);
            }
            Directive::HandOver { to, state: left, resumable_for } => {
                state.hand_overs.push_back(HandOver { to, state: *left, resumable_for });
                self.to_hand_over.notify_one();
            }
            Directive::Hasten { holder, session } => state.claims.ask(&holder, session),
            Directive::Released { session } => state.claims.released(session),
            Directive::Settled { ticket, fate } => state.settle(ticket, fate),
            Directive::OpenMailbox(wish) => {
                state.errands.push(Errand::Open(wish));
                self.to_run.notify_one();
            }
            Directive::ReadMailbox { session, user, after, bytes_max } => {
                state.errands.push(Errand::Read(ReadErrand { session, user, after, bytes_max }));
                self.to_run.notify_one();
            }
            Directive::Taken { user, device, taken } => {
                state.errands.taken(TakenBy { user, device, taken });
                self.to_tell.notify_one();
            }
            Directive::Expired { .. } => self.metrics.expired.increment(1),
            Directive::SessionsChanged(user) => state.presences.changed(&user),
            Directive::WatchBegan(user) => self.follow(state, user, Friend::Followed),
            Directive::WatchEnded(user) => self.follow(state, user, Friend::LeftAlone),
            // A worker without a lease tells of nobody: the session may be elsewhere.
            Directive::Ended(_) if state.shard.is_lapsed(self.clock.now()) => {}
            Directive::Ended(ended) => self.events.disconnected(&ended, None),
            Directive::GroupAppeared(group) => self.interest.appeared(&group),
            Directive::GroupVanished(group) if state.shard.lingers(&group) => {}
            Directive::GroupVanished(group) => self.interest.vanished(&group),
        }
    }
}

impl State {
    fn push(&self, link: LinkId, frame: impl FnOnce() -> Frame) {
        if let Some(link) = self.links.get(&link) {
            link.outbox.push(frame());
        }
    }
}

/// A state in pieces, the last of which says that it is the last.
fn detached_frames(channel: u64, mut state: Bytes) -> Vec<Frame> {
    let mut frames = Vec::with_capacity(1);
    while state.len() > STATE_PART_BYTES_MAX {
        let state = state.split_to(STATE_PART_BYTES_MAX);
        frames.push(Frame::StatePart(StatePart { channel, state }));
    }
    frames.push(Frame::Detached(Detached { channel, state }));
    frames
}

/// The outboxes without room among those that this message goes to or waits for.
pub(super) fn crowded(
    table: &SessionTable,
    links: &FxHashMap<LinkId, Link>,
    directives: &[Directive],
    reach: Reach,
) -> Vec<Arc<Outbox>> {
    let on_the_way: usize = directives.iter().filter_map(|directive| receivers_on(directive, None)).sum();
    let some_wait = on_the_way < reach.sessions as usize;
    let concerns = |link| some_wait || directives.iter().any(|to| receivers_on(to, Some(link)).is_some());
    let full = links.iter().filter(|(id, _)| table.is_crowded(**id) && concerns(**id));
    full.map(|(_, link)| Arc::clone(&link.outbox)).collect()
}

/// How many receivers a directive has, if it is a message, and for this link if one is given.
fn receivers_on(directive: &Directive, on: Option<LinkId>) -> Option<usize> {
    match directive {
        Directive::Deliver { link, channels, .. } if on.is_none_or(|on| on == *link) => Some(channels.len()),
        _ => None,
    }
}
