//! The mailboxes themselves: what is asked of them.

use std::sync::Arc;

use async_trait::async_trait;
use ringway_session::UserId;
use ringway_store::{
    Appended, Clock, DeviceId, Durability, Epoch, Mailbox, MailboxState, NewEntry, Offset, Page, PageBounds,
    Place, StoreError,
};
use tokio::sync::oneshot;

use crate::append;
use crate::config::RedisConfig;
use crate::error::{Failure, STORE};
use crate::keys::Keys;
use crate::lane::{Append, Lane, Shared};
use crate::lanes::Lanes;
use crate::link::{Link, Script};
use crate::{tenure, tidy, wire};

/// How often a page is read of which something is not there any more.
const READS_MAX: usize = 3;

/// Mailboxes in Redis. Clones are the same store. [`Mailbox::flush`] it before the last one is dropped.
#[derive(Clone)]
pub struct RedisMailbox(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) lanes: Lanes,
}

impl RedisMailbox {
    /// Mailboxes in this Redis, which need not be there yet: until it is, everything is unavailable.
    ///
    /// # Errors
    /// `Refused` for an address that is none.
    pub fn new(config: RedisConfig, clock: Clock) -> Result<Self, StoreError> {
        let link = Link::new(&config.url, config.answer_timeout)?;
        let (keys, every) = (Keys::new(&config.prefix), config.write_every);
        let shared = Arc::new(Shared {
            config,
            clock,
            keys,
            link,
            add_all: Script::new(wire::ADD_ALL),
            begin_tenure: Script::new(tenure::BEGIN),
        });
        let inner = Arc::new(Inner { shared, lanes: Lanes::default() });
        tokio::spawn(tidy::run(Arc::downgrade(&inner), every));
        Ok(Self(inner))
    }

    /// Waits for its turn; says so if the queue is full.
    fn queue(&self, lane: &Arc<Lane>, append: Append) -> Result<(), StoreError> {
        let mut queue = lane.queue.lock();
        if queue.waiting.len() >= self.0.shared.config.queue_calls_max {
            let reason = "too many calls wait for this mailbox".to_owned();
            return Err(StoreError::Unavailable { store: STORE, reason });
        }
        queue.waiting.push_back(append);
        if !std::mem::replace(&mut queue.is_served, true) {
            tokio::spawn(append::serve(Arc::clone(&self.0.shared), Arc::clone(lane)));
        }
        Ok(())
    }
}

#[async_trait]
impl Mailbox for RedisMailbox {
    fn durability(&self) -> Durability {
        Durability::Server
    }

    async fn open(&self, user: &UserId) -> Result<MailboxState, StoreError> {
        let shared = &self.0.shared;
        let lane = self.0.lanes.lane(user);
        let mut held = lane.held.lock().await;
        let wire = shared.link.wire().await.map_err(Failure::into_error)?.number;
        shared.load(&lane, &mut held, wire).await.map_err(Failure::into_error)?;
        let known = shared.known(&lane, &mut held).await.map_err(Failure::into_error)?;
        let now = shared.clock.now();
        known.book.touch(now);
        known.book.trim(now, &shared.config.limits);
        known.book.state(now, &shared.config.limits, |id| Ok(Some(id.to_string())))
    }

    async fn append(&self, user: &UserId, at: Place, entries: Vec<NewEntry>) -> Result<Appended, StoreError> {
        self.0.shared.config.limits.check_size(&entries)?;
        let (reply, answer) = oneshot::channel();
        self.queue(&self.0.lanes.lane(user), Append { at, entries, reply })?;
        let ended = |_| StoreError::Unavailable { store: STORE, reason: "it was ended".to_owned() };
        answer.await.map_err(ended)?
    }

    async fn range(&self, user: &UserId, after: Place, bounds: PageBounds) -> Result<Page, StoreError> {
        let shared = &self.0.shared;
        let lane = self.0.lanes.lane(user);
        let mut held = lane.held.lock().await;
        for _ in 0..READS_MAX {
            let known = shared.known(&lane, &mut held).await.map_err(Failure::into_error)?;
            known.book.check_epoch(after.epoch)?;
            let reading = known.book.read(after.offset, bounds, shared.clock.now());
            let page = shared.read_page(&known.log, reading).await.map_err(Failure::into_error)?;
            if let Some(page) = page {
                return Ok(page);
            }
            // Somebody else has taken something out, or the mailbox over.
            held.forget();
        }
        let reason = "the mailbox keeps changing".to_owned();
        Err(StoreError::Unavailable { store: STORE, reason })
    }

    async fn acknowledge(&self, user: &UserId, device: &DeviceId, upto: Place) -> Result<(), StoreError> {
        let shared = &self.0.shared;
        let lane = self.0.lanes.lane(user);
        let mut held = lane.held.lock().await;
        let known = shared.known(&lane, &mut held).await.map_err(Failure::into_error)?;
        known.is_unwritten |=
            known.book.acknowledge(device, upto, shared.clock.now(), &shared.config.limits)?;
        Ok(())
    }

    async fn withdraw(&self, user: &UserId, epoch: Epoch, offsets: &[Offset]) -> Result<(), StoreError> {
        let shared = &self.0.shared;
        let lane = self.0.lanes.lane(user);
        let mut held = lane.held.lock().await;
        let known = shared.known(&lane, &mut held).await.map_err(Failure::into_error)?;
        known.is_unwritten |= known.book.withdraw(epoch, offsets)?;
        Ok(())
    }

    async fn flush(&self) -> Result<(), StoreError> {
        tidy::tidy(&self.0.shared, &self.0.lanes).await
    }
}
