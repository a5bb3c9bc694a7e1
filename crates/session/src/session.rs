//! One session, as its worker keeps it and as it is shown to others.

use std::sync::Arc;

use crate::conduct::Conduct;
use crate::directive::{Address, LinkId};
use crate::frame;
use crate::id::SessionId;
use crate::mailbox::{MailboxPlace, MailboxReader, Past, Reading};
use crate::moment::Moment;
use crate::name::{GroupId, UserId, user_hash};
use crate::permissions::Permissions;
use crate::queue::{Item, OutboundQueue, Stream};
use crate::recent::{Lately, Recent};
use crate::state::{Numbered, SessionState, StreamState, Watch};

/// What a gateway says of a client that wants a session.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The session's id.
    pub id: SessionId,
    /// The user.
    pub user: UserId,
    /// The groups that the token names.
    pub groups: Vec<GroupId>,
    /// What the client may do.
    pub permissions: Arc<Permissions>,
    /// Where the client's socket is.
    pub address: Address,
    /// The client's address and port.
    pub remote_address: Box<str>,
    /// The chosen subprotocol; empty for none.
    pub subprotocol: Box<str>,
    /// Milliseconds since the Unix epoch.
    pub opened_at_ms: u64,
    /// A random number: the epoch of its stream, if the subprotocol numbers messages.
    pub epoch: u64,
    /// With what the client may resume it; empty if it cannot.
    pub resume_token: Box<str>,
    /// Which of the user's devices the client says to be; empty for none in particular.
    pub device: Box<str>,
    /// What the client says to have of the user's mailbox, if it says anything.
    pub has: Option<MailboxPlace>,
}

/// A session as it is shown: a copy of a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionView {
    /// The session's id.
    pub id: SessionId,
    /// The user.
    pub user: UserId,
    /// The groups, sorted.
    pub groups: Vec<GroupId>,
    /// The link on which its socket is; none while it waits for its client to come back.
    pub link: Option<LinkId>,
    /// The client's address and port.
    pub remote_address: Box<str>,
    /// The chosen subprotocol; empty for none.
    pub subprotocol: Box<str>,
    /// Milliseconds since the Unix epoch.
    pub opened_at_ms: u64,
    /// Bytes that wait for the client or are on their way to it.
    pub queue_bytes: u64,
}

/// Where a session's client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Behind a gateway.
    Attached(Address),
    /// Nowhere: its way to us broke, and it may come back until then.
    Suspended(Moment),
}

impl Place {
    pub(crate) fn address(self) -> Option<Address> {
        match self {
            Place::Attached(address) => Some(address),
            Place::Suspended(_) => None,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) user: UserId,
    /// The hash of the user: its key of placement.
    pub(crate) user_hash: u64,
    pub(crate) groups: Vec<GroupId>,
    /// Those of them that its client's token names, and that nobody had it join; sorted.
    pub(crate) token_groups: Vec<GroupId>,
    /// What its client may do, by the newest token.
    pub(crate) permissions: Arc<Permissions>,
    /// How its client has behaved here; none if it has said nothing that counts.
    pub(crate) conduct: Option<Box<Conduct>>,
    pub(crate) place: Place,
    pub(crate) queue: OutboundQueue,
    /// Whether it stands in its link's line of sessions that wait for room.
    pub(crate) in_line: bool,
    /// Which in the order in which sessions came.
    pub(crate) sequence: u64,
    /// How many messages had been sent to many when it came.
    pub(crate) spread_before: u64,
    /// Whether it belongs to another worker by now.
    pub(crate) foreign: bool,
    /// What it was given lately and does not follow from the table's log, while it is between two workers.
    pub(crate) recent: Option<Box<Recent>>,
    /// How far it is from its first worker ([`SessionState::term`]).
    pub(crate) term: u64,
    /// Which of the user's devices the client is; empty for none in particular.
    pub(crate) device: Box<str>,
    /// How it stands to the user's mailbox.
    pub(crate) reading: Reading,
    /// Whom its client watches, sorted.
    pub(crate) watches: Vec<Watch>,
    remote_address: Box<str>,
    subprotocol: Box<str>,
    opened_at_ms: u64,
}

impl Session {
    pub(crate) fn new(opening: Opening, sequence: u64) -> Self {
        let numbers = *opening.subprotocol == *frame::SUBPROTOCOL;
        Session {
            id: opening.id,
            user_hash: user_hash(&opening.user),
            user: opening.user,
            groups: Vec::new(),
            token_groups: sorted(opening.groups),
            permissions: opening.permissions,
            conduct: None,
            place: Place::Attached(opening.address),
            queue: OutboundQueue::new(numbers.then(|| Stream::new(opening.epoch))),
            in_line: false,
            sequence,
            spread_before: 0,
            foreign: false,
            recent: None,
            term: 0,
            device: opening.device,
            reading: Reading::begun(opening.has),
            watches: Vec::new(),
            remote_address: opening.remote_address,
            subprotocol: opening.subprotocol,
            opened_at_ms: opening.opened_at_ms,
        }
    }

    /// The session that another worker had, but for its groups, its watches and what it was given lately.
    pub(crate) fn restored(state: SessionState, place: Place, sequence: u64) -> Self {
        let next = state.waiting.first().map(|waiting| waiting.offset);
        let stream = state.stream.map(|stream| {
            // A checkpoint brings no messages: whoever has not had them has lost them.
            let first = stream.unacked.first().map(|sent| sent.offset).or(next).unwrap_or(stream.last + 1);
            let floor = stream.floor.max(first.saturating_sub(1));
            let mut restored =
                Stream { last: stream.last, floor, attempt: stream.attempt, ..Stream::new(stream.epoch) };
            stream.unacked.into_iter().for_each(|sent| restored.sent(sent.into()));
            restored
        });
        let mut queue = OutboundQueue::new(stream);
        queue.restore(state.waiting.into_iter().map(Item::from));
        Session {
            id: state.id,
            user_hash: user_hash(&state.user),
            user: state.user,
            groups: Vec::new(),
            token_groups: sorted(state.token_groups),
            permissions: state.permissions,
            conduct: None,
            place,
            queue,
            in_line: false,
            sequence,
            spread_before: 0,
            foreign: false,
            recent: None,
            term: state.term,
            device: state.device,
            reading: Reading::Opening(Past { has: state.mailbox_had, left: state.mailbox }),
            watches: Vec::new(),
            remote_address: state.remote_address,
            subprotocol: state.subprotocol,
            opened_at_ms: state.opened_at_ms,
        }
    }

    /// Everything that another worker needs to go on with it.
    pub(crate) fn state(&self, lately: &Lately) -> SessionState {
        let mut state = self.checkpoint();
        state.watches.clone_from(&self.watches);
        if let (Some(told), Some(stream)) = (&mut state.stream, self.queue.stream()) {
            told.unacked = stream.unacked.iter().cloned().map(Numbered::from).collect();
        }
        state.waiting = self.queue.waiting().cloned().map(Numbered::from).collect();
        state.mailbox = self.reading.left().map(|left| self.as_written(left));
        if let Some(recent) = &self.recent {
            state.recent = recent.with(lately.given_to(&self.groups, self.spread_before), lately);
        }
        state
    }

    /// The same without its messages.
    pub(crate) fn checkpoint(&self) -> SessionState {
        let stream = self.queue.stream().map(|stream| StreamState {
            epoch: stream.epoch,
            last: stream.last,
            floor: stream.floor,
            unacked: Vec::new(),
            attempt: stream.attempt,
        });
        let mailbox_had = self.reading.has();
        let left = self.reading.left().filter(|_| mailbox_had.is_none());
        SessionState {
            id: self.id,
            user: self.user.clone(),
            groups: self.groups.clone(),
            token_groups: self.token_groups.clone(),
            permissions: Arc::clone(&self.permissions),
            remote_address: self.remote_address.clone(),
            subprotocol: self.subprotocol.clone(),
            opened_at_ms: self.opened_at_ms,
            term: self.term,
            stream,
            waiting: Vec::new(),
            recent: Vec::new(),
            device: self.device.clone(),
            // Without its messages, what the client has not taken is to be read again, and what it was told is to be told again.
            mailbox: left.map(|left| MailboxReader { read_to: left.taken, ..left }),
            mailbox_had,
            // By the time somebody begins with a checkpoint, what its client was told last is not known any more.
            watches: self.watches.iter().map(|watch| Watch { told: None, ..watch.clone() }).collect(),
        }
    }

    /// What is on its way to a client that does not acknowledge counts as taken: its gateway has it, and keeps its socket.
    fn as_written(&self, left: MailboxReader) -> MailboxReader {
        let unwritten = self.queue.last_unwritten().filter(|place| place.epoch == left.epoch);
        MailboxReader { taken: left.taken.max(unwritten.map_or(0, |place| place.offset)), ..left }
    }

    pub(crate) fn opened_at_ms(&self) -> u64 {
        self.opened_at_ms
    }

    pub(crate) fn remote_address(&self) -> &str {
        &self.remote_address
    }

    pub(crate) fn subprotocol(&self) -> &str {
        &self.subprotocol
    }

    pub(crate) fn view(&self) -> SessionView {
        SessionView {
            id: self.id,
            user: self.user.clone(),
            groups: self.groups.clone(),
            link: self.place.address().map(|address| address.link),
            remote_address: self.remote_address.clone(),
            subprotocol: self.subprotocol.clone(),
            opened_at_ms: self.opened_at_ms,
            queue_bytes: self.queue.bytes(),
        }
    }
}

/// Each once, in their order.
pub(crate) fn sorted(mut groups: Vec<GroupId>) -> Vec<GroupId> {
    groups.sort_unstable();
    groups.dedup();
    groups
}

impl From<Item> for Numbered {
    fn from(item: Item) -> Self {
        Numbered { offset: item.offset, payload: item.payload, stored: item.stored }
    }
}

impl From<Numbered> for Item {
    fn from(numbered: Numbered) -> Self {
        Item { offset: numbered.offset, payload: numbered.payload, stored: numbered.stored }
    }
}
