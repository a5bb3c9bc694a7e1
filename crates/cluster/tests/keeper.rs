//! What the keeper of a place does, with a place that says what is done with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ringway_cluster::{Lease, Member, Place, RegistryError, keep};
use ringway_ring::MemberId;
use tokio::sync::{Notify, mpsc};

const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Eq, PartialEq)]
enum Done {
    Renewed,
    Updated,
    Left,
    Dropped,
}

/// A place whose steps fail as long as they are told to.
struct Told {
    id: MemberId,
    done: mpsc::Sender<Done>,
    /// How many further steps fail.
    failures: Arc<AtomicUsize>,
    superseded: bool,
    interval: Duration,
    lost: Arc<Notify>,
    valid_until: Instant,
}

impl Told {
    async fn tell(&mut self, done: Done) -> Result<(), RegistryError> {
        self.done.send(done).await.expect("the test listens");
        let fails = self
            .failures
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            .is_ok();
        match (fails, self.superseded) {
            (true, true) => Err(RegistryError::Superseded { id: self.id.clone() }),
            (true, false) => {
                Err(RegistryError::Unreachable { registry: "told", reason: "as told".to_owned() })
            }
            (false, _) => {
                self.valid_until += Duration::from_secs(1);
                Ok(())
            }
        }
    }
}

#[async_trait]
impl Place for Told {
    fn id(&self) -> &MemberId {
        &self.id
    }

    fn valid_until(&self) -> Instant {
        self.valid_until
    }

    fn renewal_interval(&self) -> Duration {
        self.interval
    }

    async fn renew(&mut self) -> Result<(), RegistryError> {
        self.tell(Done::Renewed).await
    }

    async fn update(&mut self, _: Member) -> Result<(), RegistryError> {
        self.tell(Done::Updated).await
    }

    async fn leave(&mut self) -> Result<(), RegistryError> {
        self.tell(Done::Left).await
    }

    async fn lost(&self) {
        self.lost.notified().await;
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        // Nobody listens any more when the test is over.
        self.done.try_send(Done::Dropped).ok();
    }
}

/// A kept place, and what can be told to it and heard of it.
struct Kept {
    lease: Box<dyn Lease>,
    done: mpsc::Receiver<Done>,
    failures: Arc<AtomicUsize>,
    lost: Arc<Notify>,
}

impl Kept {
    fn new(interval: Duration, superseded: bool) -> Self {
        let (sender, done) = mpsc::channel(64);
        let (failures, lost) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let lease = keep(Told {
            id: member().id,
            done: sender,
            failures: Arc::clone(&failures),
            superseded,
            interval,
            lost: Arc::clone(&lost),
            valid_until: Instant::now(),
        });
        Self { lease, done, failures, lost }
    }

    async fn next(&mut self) -> Done {
        tokio::time::timeout(PATIENCE, self.done.recv()).await.expect("in time").expect("it is kept")
    }
}

const NEVER: Duration = Duration::from_secs(3600);
const OFTEN: Duration = Duration::from_millis(10);

#[tokio::test]
async fn a_place_is_renewed_again_and_again_also_after_failures() {
    let mut kept = Kept::new(OFTEN, false);
    let at_first = kept.lease.valid_until();
    assert_eq!([kept.next().await, kept.next().await], [Done::Renewed, Done::Renewed]);
    assert!(kept.lease.valid_until() > at_first);
    kept.failures.store(3, Ordering::SeqCst);
    for _ in 0..5 {
        assert_eq!(kept.next().await, Done::Renewed);
    }
    assert_eq!(kept.failures.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_lost_place_is_renewed_at_once() {
    let mut kept = Kept::new(NEVER, false);
    kept.lost.notify_one();
    assert_eq!(kept.next().await, Done::Renewed);
}

#[tokio::test]
async fn an_update_answers_and_the_lease_goes_on() {
    let mut kept = Kept::new(NEVER, false);
    kept.failures.store(1, Ordering::SeqCst);
    assert!(matches!(kept.lease.update(member()).await, Err(RegistryError::Unreachable { .. })));
    let before = kept.lease.valid_until();
    assert!(kept.lease.update(member()).await.is_ok());
    assert!(kept.lease.valid_until() > before, "what follows from an update is not seen with its answer");
    assert_eq!([kept.next().await, kept.next().await], [Done::Updated, Done::Updated]);
    assert!(kept.lease.leave().await.is_ok());
    assert_eq!([kept.done.recv().await, kept.done.recv().await], [Some(Done::Left), Some(Done::Dropped)]);
}

#[tokio::test]
async fn a_superseded_place_is_let_go() {
    let mut kept = Kept::new(NEVER, true);
    kept.failures.store(1, Ordering::SeqCst);
    kept.lost.notify_one();
    assert_eq!([kept.next().await, kept.next().await], [Done::Renewed, Done::Dropped]);
    assert!(matches!(kept.lease.update(member()).await, Err(RegistryError::Superseded { .. })));
    assert!(matches!(kept.lease.leave().await, Err(RegistryError::Superseded { .. })));
}

#[tokio::test]
async fn a_dropped_lease_lets_its_place_go() {
    let Kept { lease, mut done, .. } = Kept::new(NEVER, false);
    drop(lease);
    assert_eq!(done.recv().await, Some(Done::Dropped));
}

fn member() -> Member {
    Member::new("w".parse().expect("a name"), "http://127.0.0.1:7000".parse().expect("a url"))
}
