//! The gateway's half of a move: where one session is, as the gateway that holds its client's socket knows it.
//!
//! A [`Relay`] takes events in and gives [`Action`]s out. It knows no socket, no link and no clock: whoever drives it
//! carries the actions out at once and in order, tells it what has come of them, and measures the waits.
//!
//! ```text
//!   Settled --depart--> Leaving --detached--> Homeless --ask--> Asking --opened--> Settled (or Leaving)
//!      |                   |                     ^ ^              |
//!      |                   +--- lost, give_up ---+ +-- refused, lost, give_up
//!      +----------- lost, give_up ---------------+
//!   any but Over --leave, closed--> Over;  Leaving, Homeless, Asking --abandon, a final refusal--> Over
//!   Settled --suspend, dismiss--> Over;  after suspend: Asking --opened--> Over
//! ```
//!
//! A *post* `P` is a session's place at one worker: a link and the number of a channel on it. Two posts are equal only if
//! they are the same channel, and a post is asked once at most. A message `M` is what the client has sent.
//!
//! The laws, each held by a test:
//! - What the client sends is passed to exactly one post, in order: nothing between the `Detach` to one post and the
//!   `Opened` of the next, nothing before what was kept.
//! - What comes from a post that the session is not at is passed over: after its `Detached`, after it was given up, lost or
//!   left.
//! - Every post that may know the session hears how it ended there: `Gone` or `Arrived`, once, unless it has said itself
//!   that the session is over, or its link broke.
//! - A session whose client may come back is at a worker before that is told that the client is gone.
//! - After [`Phase::Over`] there are no actions.

mod kept;
#[cfg(test)]
mod tests;

use bytes::Bytes;

use crate::close::CloseCode;
use kept::Kept;

/// What a message counts while it is kept.
pub trait Cost {
    /// In bytes, with whatever it costs beside its payload.
    fn cost_bytes(&self) -> usize;
}

/// One session's place. Begins settled at the post that its first `Open` goes to.
#[derive(Clone, Debug)]
pub struct Relay<P, M> {
    place: Place<P, M>,
    /// With what the session is opened again if its worker is lost.
    checkpoint: Bytes,
    passed_offset: u64,
    /// Whether its first post has said that it is open.
    is_open: bool,
    /// Whether the post that is to say so wants it to move on already.
    moves_on: bool,
    /// How the client's socket ended, if it may come back for the session, which has to be brought to a worker first.
    left: Option<CloseCode>,
}

#[derive(Clone, Debug)]
enum Place<P, M> {
    Settled { at: P },
    Leaving(Box<Leaving<P, M>>),
    Homeless(Box<Homeless<P, M>>),
    Over,
}

#[derive(Clone, Debug)]
struct Leaving<P, M> {
    at: P,
    parts: Vec<Bytes>,
    parts_bytes: usize,
    kept: Kept<M>,
}

#[derive(Clone, Debug)]
struct Homeless<P, M> {
    state: Vec<Bytes>,
    origin: Origin,
    /// The post that the session was detached from: it waits for news of it.
    from: Option<P>,
    asked: Option<P>,
    /// How many messages were passed to the client since the state was given away.
    passed_messages: u64,
    kept: Kept<M>,
}

impl<P, M> Homeless<P, M> {
    /// At no worker.
    fn place(state: Vec<Bytes>, origin: Origin, from: Option<P>, kept: Kept<M>) -> Place<P, M> {
        let (asked, passed_messages) = (None, 0);
        Place::Homeless(Box::new(Homeless { state, origin, from, asked, passed_messages, kept }))
    }
}

/// What is to be done, at once and in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action<P, M> {
    /// Tell the post to let the session go. What comes of it is told by [`Relay::detached`], [`Relay::lost`], or after
    /// too long a wait [`Relay::give_up`].
    Detach(P),
    /// Look for the session's worker and ask it for a place ([`Relay::ask`]), now or in a while.
    Find,
    /// Pass this message of the client on.
    Pass(P, M),
    /// Tell the post that the session is open elsewhere. Nothing more is said to it or heard from it.
    Arrived(P),
    /// Tell the post that the session is over for it. Nothing more is said to it or heard from it.
    Gone {
        /// Whom.
        post: P,
        /// How the client's socket ended, or 1006 if that is not why.
        code: CloseCode,
        /// Whether the client may come back for the session there.
        may_resume: bool,
    },
    /// Close the client's socket with this code. The relay is over.
    End(CloseCode),
}

/// How far a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// At a worker.
    Settled,
    /// Its worker was told to let it go.
    Leaving,
    /// At no worker, and none was asked.
    Homeless,
    /// At no worker, and one was asked.
    Asking,
    /// It has ended.
    Over,
}

/// With which state a session is opened again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Its last worker gave it away: all that is left of it.
    Detached,
    /// Its last worker was lost: what it had left for that case, or what the lost one was given to begin with.
    Checkpoint,
}

/// What goes with the question for a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// The session's state, to be put together in this order. Never empty, but for a checkpoint that was.
    pub state: Vec<Bytes>,
    /// What that state is.
    pub origin: Origin,
    /// The highest offset that was passed to the client, 0 for none.
    pub passed_offset: u64,
    /// How many messages were passed to the client since the state was given away.
    pub passed_messages: u64,
}

/// Why a post gives no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Another one may, or this worker later.
    Passing,
    /// None will: the client is told this code.
    Final(CloseCode),
}

impl<P: Clone + Eq, M: Cost> Relay<P, M> {
    /// A session that is asked for at this post for the first time. What comes from there is for the client already:
    /// a worker delivers as soon as the session is in its table.
    pub fn new(at: P) -> Self {
        let (place, checkpoint) = (Place::Settled { at }, Bytes::new());
        Self { place, checkpoint, passed_offset: 0, is_open: false, moves_on: false, left: None }
    }

    /// How far it is.
    pub fn phase(&self) -> Phase {
        match &self.place {
            Place::Settled { .. } => Phase::Settled,
            Place::Leaving(_) => Phase::Leaving,
            Place::Homeless(homeless) if homeless.asked.is_none() => Phase::Homeless,
            Place::Homeless(_) => Phase::Asking,
            Place::Over => Phase::Over,
        }
    }

    /// The post that it is settled at.
    pub fn settled_at(&self) -> Option<&P> {
        match &self.place {
            Place::Settled { at } => Some(at),
            _ => None,
        }
    }

    /// The post whose answer is waited for: to a `Detach`, or to the question for a place.
    pub fn waits_for(&self) -> Option<&P> {
        match &self.place {
            Place::Leaving(leaving) => Some(&leaving.at),
            Place::Homeless(homeless) => homeless.asked.as_ref(),
            Place::Settled { .. } | Place::Over => None,
        }
    }

    /// With which state it is opened again, while it is homeless or asking.
    pub fn origin(&self) -> Option<Origin> {
        match &self.place {
            Place::Homeless(homeless) => Some(homeless.origin),
            _ => None,
        }
    }

    /// The highest offset of a numbered delivery that was passed to the client, 0 for none.
    pub fn passed_offset(&self) -> u64 {
        self.passed_offset
    }

    /// Bytes of the client's messages that are kept.
    pub fn kept_bytes(&self) -> usize {
        match &self.place {
            Place::Leaving(leaving) => leaving.kept.bytes(),
            Place::Homeless(homeless) => homeless.kept.bytes(),
            Place::Settled { .. } | Place::Over => 0,
        }
    }

    /// Whether the client may be read: fewer bytes of it are kept than this. The message that crosses the bound is kept.
    pub fn has_room(&self, kept_bytes_max: usize) -> bool {
        self.kept_bytes() < kept_bytes_max
    }

    /// The client has sent a message. Gives it back with the post to pass it to now; it is kept if there is none, and
    /// forgotten if the session is over. Does not allocate while the session is settled.
    #[must_use]
    pub fn client_message(&mut self, message: M) -> Option<(&P, M)> {
        match &mut self.place {
            _ if self.left.is_some() => {}
            Place::Settled { at } => return Some((at, message)),
            Place::Leaving(leaving) => leaving.kept.push(message),
            Place::Homeless(homeless) => homeless.kept.push(message),
            Place::Over => {}
        }
        None
    }

    /// A post has something for the client, with this offset if it is numbered. Says whether it is to be passed to the
    /// client; if not, the session is not there (any more).
    #[must_use]
    pub fn delivered(&mut self, post: &P, offset: Option<u64>) -> bool {
        let is_here = self.left.is_none() && self.hears(post);
        if is_here {
            self.passed_offset = self.passed_offset.max(offset.unwrap_or(0));
            if let Place::Homeless(homeless) = &mut self.place {
                homeless.passed_messages += 1;
            }
        }
        is_here
    }

    /// A post says with what the session is to be opened elsewhere if it is lost.
    pub fn checkpoint(&mut self, post: &P, state: Bytes) {
        if self.is_at(post) {
            self.checkpoint = state;
        }
    }

    /// Settled -> Leaving: the session belongs elsewhere, as its worker says or the gateway sees. A worker that has begun with it
    /// may say so before it says that it is open: then it leaves as soon as it is.
    #[must_use]
    pub fn depart(&mut self, post: &P) -> Option<Action<P, M>> {
        match &self.place {
            Place::Settled { at } if at == post && self.is_open => {}
            Place::Settled { at } if at == post => {
                self.moves_on = true;
                return None;
            }
            Place::Homeless(homeless) if homeless.asked.as_ref() == Some(post) => {
                self.moves_on = true;
                return None;
            }
            _ => return None,
        }
        let leaving = Leaving { at: post.clone(), parts: Vec::new(), parts_bytes: 0, kept: Kept::default() };
        self.place = Place::Leaving(Box::new(leaving));
        Some(Action::Detach(post.clone()))
    }

    /// A part of the state that a `Detached` will end. A state of more than `state_bytes_max` is not waited for: the post
    /// is given up.
    #[must_use]
    pub fn state_part(&mut self, post: &P, part: Bytes, state_bytes_max: usize) -> Vec<Action<P, M>> {
        let Place::Leaving(leaving) = &mut self.place else { return Vec::new() };
        if leaving.at != *post {
            return Vec::new();
        }
        leaving.parts_bytes += part.len();
        leaving.parts.push(part);
        if leaving.parts_bytes > state_bytes_max { self.give_up(post) } else { Vec::new() }
    }

    /// Leaving -> Homeless: the post has let the session go; `state` is the last piece of it.
    #[must_use]
    pub fn detached(&mut self, post: &P, state: Bytes) -> Vec<Action<P, M>> {
        let Place::Leaving(leaving) = &mut self.place else { return Vec::new() };
        if leaving.at != *post {
            return Vec::new();
        }
        let mut pieces = std::mem::take(&mut leaving.parts);
        pieces.push(state);
        let (from, kept) = (Some(leaving.at.clone()), std::mem::take(&mut leaving.kept));
        self.place = Homeless::place(pieces, Origin::Detached, from, kept);
        vec![Action::Find]
    }

    /// The post's link broke. Settled | Leaving | Asking -> Homeless.
    #[must_use]
    pub fn lost(&mut self, post: &P) -> Vec<Action<P, M>> {
        self.without(post)
    }

    /// The post does not answer, or is not to be waited for. Settled | Leaving | Asking -> Homeless. If it still lives, it
    /// hears that the session is over for it.
    #[must_use]
    pub fn give_up(&mut self, post: &P) -> Vec<Action<P, M>> {
        let told = self.knows(post).then(|| gone(post.clone(), CloseCode::ABNORMAL, false));
        told.into_iter().chain(self.without(post)).collect()
    }

    /// Homeless -> Asking: this post is about to be asked for a place. Gives what to ask with; nothing if no place is
    /// wanted, and then the post must not be asked.
    #[must_use]
    pub fn ask(&mut self, post: P) -> Option<Asking> {
        let Place::Homeless(homeless) = &mut self.place else { return None };
        if homeless.asked.is_some() {
            return None;
        }
        (homeless.asked, self.moves_on) = (Some(post), false);
        Some(Asking {
            state: homeless.state.clone(),
            origin: homeless.origin,
            passed_offset: self.passed_offset,
            passed_messages: homeless.passed_messages,
        })
    }

    /// Asking -> Settled, or Leaving if it is to move on, or Over if its client is gone: the post has a place. `state` is its first checkpoint. What was kept goes there, and the post
    /// that the session comes from hears that it arrived. Also the answer to a session's first `Open`.
    #[must_use]
    pub fn opened(&mut self, post: &P, state: Bytes) -> Vec<Action<P, M>> {
        if self.is_at(post) {
            (self.checkpoint, self.is_open) = (state, true);
            return self.move_on(post).into_iter().collect();
        }
        let Place::Homeless(homeless) = &mut self.place else { return Vec::new() };
        if homeless.asked.as_ref() != Some(post) {
            return Vec::new();
        }
        let kept = std::mem::take(&mut homeless.kept).into_messages();
        let arrived = homeless.from.take().map(Action::Arrived);
        self.place = Place::Settled { at: post.clone() };
        (self.checkpoint, self.is_open) = (state, true);
        let onward = match self.left {
            Some(code) => self.leave(code, true),
            None => self.move_on(post).into_iter().collect(),
        };
        kept.map(|message| Action::Pass(post.clone(), message)).chain(arrived).chain(onward).collect()
    }

    /// The post has no place. Asking -> Homeless | Over.
    #[must_use]
    pub fn refused(&mut self, post: &P, refusal: Refusal) -> Vec<Action<P, M>> {
        let Place::Homeless(homeless) = &mut self.place else { return Vec::new() };
        if homeless.asked.as_ref() != Some(post) {
            return Vec::new();
        }
        homeless.asked = None;
        match refusal {
            Refusal::Passing => vec![Action::Find],
            Refusal::Final(code) => self.end(code, true),
        }
    }

    /// The post has closed the session. Settled | Leaving | Asking -> Over. Only a worker that is about to leave (1012) while
    /// it is asked just has no place.
    #[must_use]
    pub fn closed(&mut self, post: &P, code: CloseCode) -> Vec<Action<P, M>> {
        match &mut self.place {
            Place::Settled { at } if at == post => {}
            Place::Leaving(leaving) if leaving.at == *post => {}
            Place::Homeless(homeless) if homeless.asked.as_ref() == Some(post) => {
                if code == CloseCode::RESTART {
                    return self.refused(post, Refusal::Passing);
                }
                // It had a place there.
                let arrived = homeless.from.take().map(Action::Arrived);
                self.place = Place::Over;
                return self.last_word(code).chain(arrived).collect();
            }
            _ => return Vec::new(),
        }
        self.place = Place::Over;
        self.last_word(code).collect()
    }

    /// It has taken too long to find a place. Leaving | Homeless | Asking -> Over.
    #[must_use]
    pub fn abandon(&mut self, code: CloseCode) -> Vec<Action<P, M>> {
        match self.place {
            Place::Leaving(_) | Place::Homeless(_) => self.end(code, true),
            Place::Settled { .. } | Place::Over => Vec::new(),
        }
    }

    /// The session belongs elsewhere, and this gateway has no way there: the client may find it there itself. Settled -> Over.
    #[must_use]
    pub fn dismiss(&mut self, post: &P, code: CloseCode) -> Vec<Action<P, M>> {
        if self.settled_at() == Some(post) { self.end(code, true) } else { Vec::new() }
    }

    /// The client is gone, and may come back for the session. Settled -> Over. Between two workers nobody but the relay has the
    /// session: it goes on until a worker does, which is told then.
    #[must_use]
    pub fn suspend(&mut self, code: CloseCode) -> Vec<Action<P, M>> {
        match self.place {
            Place::Settled { .. } | Place::Over => self.leave(code, true),
            Place::Leaving(_) | Place::Homeless(_) => {
                self.left.get_or_insert(code);
                Vec::new()
            }
        }
    }

    /// The client is gone, and with it the session, unless a worker keeps it. Any -> Over.
    #[must_use]
    pub fn leave(&mut self, code: CloseCode, may_resume: bool) -> Vec<Action<P, M>> {
        self.take_all().map(|post| gone(post, code, may_resume)).collect()
    }

    /// Any -> Over, not by the client.
    fn end(&mut self, code: CloseCode, may_resume: bool) -> Vec<Action<P, M>> {
        let told = self.take_all().map(|post| gone(post, CloseCode::ABNORMAL, may_resume));
        self.last_word(code).chain(told).collect()
    }

    /// What the client is told, if it is there.
    fn last_word(&self, code: CloseCode) -> impl Iterator<Item = Action<P, M>> + use<P, M> {
        self.left.is_none().then_some(Action::End(code)).into_iter()
    }

    /// Any -> Over. Gives the posts that may know the session.
    fn take_all(&mut self) -> impl Iterator<Item = P> + use<P, M> {
        let [first, second] = match std::mem::replace(&mut self.place, Place::Over) {
            Place::Settled { at } => [Some(at), None],
            Place::Leaving(leaving) => [Some(leaving.at), None],
            Place::Homeless(homeless) => [homeless.asked, homeless.from],
            Place::Over => [None, None],
        };
        self.checkpoint = Bytes::new();
        first.into_iter().chain(second)
    }

    /// Leaves this post, which has the session, if it wants that.
    fn move_on(&mut self, post: &P) -> Option<Action<P, M>> {
        if std::mem::take(&mut self.moves_on) { self.depart(post) } else { None }
    }

    /// Goes on without this post. If a place is to be found now, says so.
    fn without(&mut self, post: &P) -> Vec<Action<P, M>> {
        let kept = match &mut self.place {
            Place::Settled { at } if at == post => Kept::default(),
            Place::Leaving(leaving) if leaving.at == *post => std::mem::take(&mut leaving.kept),
            Place::Homeless(homeless) if homeless.asked.as_ref() == Some(post) => {
                // It may have begun there. So the state may be outdated, and the session is not to be expected from where it was.
                (homeless.asked, homeless.origin) = (None, Origin::Checkpoint);
                let arrived = homeless.from.take().map(Action::Arrived);
                return arrived.into_iter().chain([Action::Find]).collect();
            }
            Place::Homeless(homeless) if homeless.from.as_ref() == Some(post) => {
                homeless.from = None;
                return Vec::new();
            }
            _ => return Vec::new(),
        };
        let state = vec![self.checkpoint.clone()];
        self.place = Homeless::place(state, Origin::Checkpoint, None, kept);
        vec![Action::Find]
    }

    /// Whether this is the session's worker, also while it is left.
    fn is_at(&self, post: &P) -> bool {
        match &self.place {
            Place::Settled { at } => at == post,
            Place::Leaving(leaving) => leaving.at == *post,
            Place::Homeless(_) | Place::Over => false,
        }
    }

    /// Whether this post may know the session.
    fn knows(&self, post: &P) -> bool {
        match &self.place {
            Place::Homeless(homeless) => {
                [&homeless.asked, &homeless.from].into_iter().flatten().any(|known| known == post)
            }
            _ => self.is_at(post),
        }
    }

    /// Whether what this post has for the client is for it.
    fn hears(&self, post: &P) -> bool {
        match &self.place {
            Place::Homeless(homeless) => homeless.asked.as_ref() == Some(post),
            _ => self.is_at(post),
        }
    }
}

fn gone<P, M>(post: P, code: CloseCode, may_resume: bool) -> Action<P, M> {
    Action::Gone { post, code, may_resume }
}
