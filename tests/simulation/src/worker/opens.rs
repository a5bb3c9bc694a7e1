//! Sessions that are asked for: those that cannot be opened yet are tried again until it is too late.

use std::sync::Arc;

use ringway_session::{
    Address, Channel, Directive, LinkId, NotOpened, Opening, Reopening, Resuming, SessionId, UserId, frame,
};

use crate::client;
use crate::event::{Asked, ClientIx, Event, Frame, Node, Post, Reopen};
use crate::plan::{LOST_MS, OPEN_DEADLINE_MS};
use crate::view::WorkerIx;
use crate::world::World;

#[derive(Clone, Debug)]
pub(crate) struct WaitingOpen {
    pub(crate) post: Post,
    pub(crate) client: ClientIx,
    pub(crate) session: SessionId,
    pub(crate) asked: Asked,
}

impl WaitingOpen {
    fn address(&self) -> Address {
        Address { link: LinkId(self.post.pipe as u64), channel: Channel(self.post.channel) }
    }
}

impl World {
    pub(super) fn asked_to_open(&mut self, worker: WorkerIx, open: WaitingOpen) {
        let (post, incarnation) = (open.post, self.workers[worker].incarnation);
        if !self.try_open(worker, &open) {
            self.workers[worker].opens.push(open);
            self.schedule.after(OPEN_DEADLINE_MS, Event::OpenLate { worker, incarnation, post });
        }
    }

    pub(super) fn try_opens(&mut self, worker: WorkerIx) {
        for open in std::mem::take(&mut self.workers[worker].opens) {
            if !self.try_open(worker, &open) {
                self.workers[worker].opens.push(open);
            }
        }
    }

    pub(crate) fn open_late(&mut self, worker: WorkerIx, incarnation: u64, post: Post) {
        if self.workers[worker].incarnation != incarnation {
            return;
        }
        let opens = &mut self.workers[worker].opens;
        if let Some(position) = opens.iter().position(|open| open.post == post) {
            opens.remove(position);
            let refused = Frame::Refused { channel: post.channel, is_outdated: false };
            self.say(post.pipe, Node::Worker(worker), refused);
        }
    }

    /// Whether it has been answered.
    fn try_open(&mut self, worker: WorkerIx, open: &WaitingOpen) -> bool {
        let mut out = Vec::new();
        let opened = match &open.asked {
            Asked::New => self.open_new(worker, open, &mut out),
            Asked::Resume { .. } => {
                let opened = self.resume(worker, open, &mut out);
                if matches!(opened, Err(NotOpened::Resume(_))) {
                    self.open_new(worker, open, &mut out)
                } else {
                    opened
                }
            }
            Asked::Reopen(_) => self.reopen(worker, open, &mut out),
        };
        self.trace.add(self.schedule.now, || format!("w{worker} opens {:?}: {opened:?}", open.post));
        let channel = open.post.channel;
        match opened {
            Err(NotOpened::Unsettled) => {
                self.carry_out(worker, out);
                return false;
            }
            Err(error) => {
                let is_outdated = error == NotOpened::Outdated;
                self.say(open.post.pipe, Node::Worker(worker), Frame::Refused { channel, is_outdated });
                self.carry_out(worker, out);
            }
            Ok(session) => {
                self.carry_out(worker, out);
                self.answer_when_settled(worker, open, session);
            }
        }
        true
    }

    /// The homes of a session's groups know of it: its gateway hears that it is open, if it still is.
    pub(super) fn session_known(&mut self, worker: WorkerIx, post: Post, session: SessionId) {
        let it = &self.workers[worker];
        let address = Address { link: LinkId(post.pipe as u64), channel: Channel(post.channel) };
        if it.shard.table().id_at(address) == Some(session)
            && let Some(state) = it.shard.checkpoint(session)
        {
            let opened = Frame::Opened { channel: post.channel, session, state: Box::new(state) };
            self.say(post.pipe, Node::Worker(worker), opened);
        }
    }

    fn open_new(
        &mut self,
        worker: WorkerIx,
        open: &WaitingOpen,
        out: &mut Vec<Directive>,
    ) -> Result<SessionId, NotOpened> {
        let now = self.now();
        let it = &self.clients[open.client];
        let opening = Opening {
            id: open.session,
            user: UserId::new(&it.user).expect("a short name"),
            groups: it.groups.iter().map(|group| client::group(*group)).collect(),
            permissions: Arc::default(),
            address: open.address(),
            remote_address: "".into(),
            subprotocol: if it.is_framed { frame::SUBPROTOCOL.into() } else { "".into() },
            opened_at_ms: now.0,
            epoch: self.schedule.planned(),
            resume_token: open.session.to_string().into(),
            device: "".into(),
            has: None,
        };
        self.workers[worker].shard.open(opening, now, out)?;
        self.ledger.opened(open.session, open.client);
        Ok(open.session)
    }

    fn resume(
        &mut self,
        worker: WorkerIx,
        open: &WaitingOpen,
        out: &mut Vec<Directive>,
    ) -> Result<SessionId, NotOpened> {
        let Asked::Resume { session: id, offset, attempt } = open.asked else {
            return Err(NotOpened::NotOwner);
        };
        let it = &self.clients[open.client];
        let user = UserId::new(&it.user).expect("a short name");
        let groups = it.groups.iter().map(|group| client::group(*group)).collect();
        let (address, resume_token) = (open.address(), id.to_string().into());
        let permissions = Arc::default();
        let resuming = Resuming { id, user, groups, permissions, address, offset, attempt, resume_token };
        let now = self.now();
        self.workers[worker].shard.resume(resuming, now, out)?;
        Ok(id)
    }

    fn reopen(
        &mut self,
        worker: WorkerIx,
        open: &WaitingOpen,
        out: &mut Vec<Directive>,
    ) -> Result<SessionId, NotOpened> {
        let Asked::Reopen(reopen) = open.asked.clone() else { return Err(NotOpened::NotOwner) };
        let Reopen { state, is_complete, is_torn, passed_offset, passed_messages } = *reopen;
        let now = self.now();
        let was_here = self.workers[worker].shard.table().session(state.id).is_some();
        let (address, complete) = (open.address(), is_complete);
        let reopening = Reopening { address, state, complete, passed_offset, passed_messages };
        let session = self.workers[worker].shard.reopen(reopening, now, out)?;
        let is_framed = self.clients[open.client].is_framed;
        if (!is_complete || is_torn || was_here) && !(is_framed && was_here && !is_complete) {
            // Its last worker or the link to it was lost, and it is not known since when.
            self.ledger.disturb_session(session, now.0.saturating_sub(LOST_MS), now.0);
        }
        Ok(session)
    }
}
