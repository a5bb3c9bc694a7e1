//! Mailboxes in memory that fail, lose answers, hold them back, or lose everything, as a test says.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use ringway_session::UserId;
use ringway_store::{
    Appended, Clock, DeviceId, Durability, Epoch, Limits, Mailbox, MailboxState, MemoryMailbox, NewEntry,
    Offset, Page, PageBounds, Place, StoreError,
};
use tokio::sync::Semaphore;

pub struct Shelf {
    inner: Mutex<Arc<MemoryMailbox>>,
    ills: Mutex<Ills>,
}

#[derive(Default)]
struct Ills {
    fails: Option<StoreError>,
    fails_once: Option<StoreError>,
    answers_lost: usize,
    held: Option<Arc<Hold>>,
    withdrawn: Vec<u64>,
}

/// An append that waits before it is carried out.
pub struct Hold {
    came: Semaphore,
    gone: Semaphore,
}

impl Hold {
    pub async fn waiting(&self) {
        super::within(self.came.acquire()).await.unwrap().forget();
    }

    pub fn let_go(&self) {
        self.gone.add_permits(1);
    }
}

pub fn away() -> StoreError {
    StoreError::Unavailable { store: "shelf", reason: "the test says so".into() }
}

pub fn full() -> StoreError {
    StoreError::Full { store: "shelf", reason: "the test says so".into() }
}

impl Shelf {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { inner: Mutex::new(memory()), ills: Mutex::default() })
    }

    pub fn fail(&self, error: Option<StoreError>) {
        self.ills.lock().fails = error;
    }

    pub fn fail_once(&self, error: StoreError) {
        self.ills.lock().fails_once = Some(error);
    }

    pub fn lose_answers(&self, appends: usize) {
        self.ills.lock().answers_lost = appends;
    }

    pub fn lose_everything(&self) {
        *self.inner.lock() = memory();
    }

    /// The next append waits.
    pub fn hold(&self) -> Arc<Hold> {
        let hold = Arc::new(Hold { came: Semaphore::new(0), gone: Semaphore::new(0) });
        self.ills.lock().held = Some(Arc::clone(&hold));
        hold
    }

    pub fn withdrawn(&self) -> Vec<u64> {
        self.ills.lock().withdrawn.clone()
    }

    pub async fn position(&self, user: &str, device: &str) -> Option<u64> {
        let state = self.inner().open(&UserId::new(user).unwrap()).await.unwrap();
        state.position(&DeviceId::new(device).unwrap()).map(|offset| offset.0)
    }

    fn inner(&self) -> Arc<MemoryMailbox> {
        Arc::clone(&self.inner.lock())
    }

    fn check(&self) -> Result<(), StoreError> {
        let mut ills = self.ills.lock();
        ills.fails_once.take().or_else(|| ills.fails.clone()).map_or(Ok(()), Err)
    }
}

fn memory() -> Arc<MemoryMailbox> {
    Arc::new(MemoryMailbox::new(Limits::default(), 1 << 30, Clock::system()))
}

#[async_trait]
impl Mailbox for Shelf {
    fn durability(&self) -> Durability {
        Durability::Volatile
    }

    async fn open(&self, user: &UserId) -> Result<MailboxState, StoreError> {
        self.check()?;
        self.inner().open(user).await
    }

    async fn append(&self, user: &UserId, at: Place, entries: Vec<NewEntry>) -> Result<Appended, StoreError> {
        self.check()?;
        let held = self.ills.lock().held.take();
        if let Some(hold) = held {
            hold.came.add_permits(1);
            hold.gone.acquire().await.unwrap().forget();
        }
        let appended = self.inner().append(user, at, entries).await?;
        let mut ills = self.ills.lock();
        if ills.answers_lost > 0 {
            ills.answers_lost -= 1;
            return Err(away());
        }
        Ok(appended)
    }

    async fn range(&self, user: &UserId, after: Place, bounds: PageBounds) -> Result<Page, StoreError> {
        self.check()?;
        self.inner().range(user, after, bounds).await
    }

    async fn acknowledge(&self, user: &UserId, device: &DeviceId, upto: Place) -> Result<(), StoreError> {
        self.check()?;
        self.inner().acknowledge(user, device, upto).await
    }

    async fn withdraw(&self, user: &UserId, epoch: Epoch, offsets: &[Offset]) -> Result<(), StoreError> {
        self.check()?;
        self.ills.lock().withdrawn.extend(offsets.iter().map(|offset| offset.0));
        self.inner().withdraw(user, epoch, offsets).await
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.check()?;
        self.inner().flush().await
    }
}
