//! A user's desk: orders wait in one line and are carried out one after the other. Messages that wait side by side are stored by
//! one call.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ringway_session::{MailboxOpened, MailboxPlace, MailboxWish, UserId};
use ringway_store::{Advice, MailboxState, NewEntry, Place, StoreError};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};
use tracing::{debug, warn};

use super::recent::Recent;
use super::{IsStored, Office, Order, ToStore, device, entry, place, poke, stored};
use crate::worker::Shared;

/// How many messages are stored by one call.
const APPEND_ENTRIES_MAX: usize = 128;
/// How many payload bytes are stored by one call, but for a single larger message.
const APPEND_BYTES_MAX: usize = 1 << 20;
/// How many desks without orders remember their mailboxes; beyond it, those that did nothing for the longest are opened again when
/// they are used.
const IDLE_DESKS_MAX: usize = 100_000;
/// How often a mailbox is opened again for one append: another worker may write in it, too, but not for long.
const CONFLICTS_MAX: usize = 3;
/// The rest before a session's mailbox is opened again that could not be.
const OPEN_PAUSE: Duration = Duration::from_secs(1);

/// All desks.
#[derive(Default)]
pub(super) struct Desks {
    desks: HashMap<UserId, Desk>,
    /// Desks that had nothing to do, the longest ago first. One that has been used since is passed over.
    idle: VecDeque<(UserId, u64)>,
    uses: u64,
}

#[derive(Default)]
struct Desk {
    orders: VecDeque<Order>,
    is_served: bool,
    /// What is known of the mailbox, while nobody is at the desk.
    known: Option<Known>,
    used: u64,
}

/// What is known of a mailbox.
struct Known {
    end: Place,
    recent: Recent,
}

impl Desks {
    /// Puts an order at the end of the line. Gives back whether somebody must come and serve.
    pub(super) fn enter(&mut self, user: &UserId, order: Order) -> bool {
        let desk = self.desks.entry(user.clone()).or_default();
        desk.orders.push_back(order);
        !std::mem::replace(&mut desk.is_served, true)
    }

    fn known(&mut self, user: &UserId) -> Option<Known> {
        self.desks.get_mut(user)?.known.take()
    }

    /// The next orders: one, or as many messages as are stored together. When there is none, the desk is left with what is known.
    fn next(&mut self, user: &UserId, known: &mut Option<Known>) -> Vec<Order> {
        let Some(desk) = self.desks.get_mut(user) else { return Vec::new() };
        let (mut next, mut batch) = (Vec::new(), Batch::default());
        while let Some(order) = desk.orders.front() {
            if !batch.takes(order) {
                return next;
            }
            next.extend(desk.orders.pop_front());
        }
        if next.is_empty() {
            self.uses += 1;
            (desk.is_served, desk.known, desk.used) = (false, known.take(), self.uses);
            self.idle.push_back((user.clone(), self.uses));
            self.clear_idle();
        }
        next
    }

    /// The orders that wait behind one that the store could not carry out.
    fn give_up(&mut self, user: &UserId) -> Vec<Order> {
        let Some(desk) = self.desks.get_mut(user) else { return Vec::new() };
        let (stores, others) = std::mem::take(&mut desk.orders)
            .into_iter()
            .partition::<VecDeque<_>, _>(|order| matches!(order, Order::Store(..)));
        desk.orders = others;
        stores.into()
    }

    fn clear_idle(&mut self) {
        while self.idle.len() > IDLE_DESKS_MAX {
            let Some((user, used)) = self.idle.pop_front() else { return };
            if self.desks.get(&user).is_some_and(|desk| !desk.is_served && desk.used == used) {
                self.desks.remove(&user);
            }
        }
    }
}

/// What is carried out together.
#[derive(Default)]
struct Batch {
    orders: usize,
    bytes: usize,
    /// The same message is not twice in it: the second is answered when the first is stored.
    ids: HashSet<String>,
}

impl Batch {
    fn takes(&mut self, order: &Order) -> bool {
        let (bytes, is_new) = match order {
            Order::Store(ToStore { message, .. }, _) => {
                (message.payload().bytes().len(), self.ids.insert(message.id().to_owned()))
            }
            Order::Open(_) | Order::Look(_) => (APPEND_BYTES_MAX, true),
        };
        let fits = self.orders < APPEND_ENTRIES_MAX && self.bytes + bytes <= APPEND_BYTES_MAX;
        (self.orders, self.bytes) = (self.orders + 1, self.bytes + bytes);
        self.orders == 1 || fits && is_new
    }
}

/// Serves a user's desk until nothing waits at it.
pub(super) async fn serve(shared: Arc<Shared>, office: Arc<Office>, user: UserId) {
    let known = office.desks.lock().known(&user);
    let mut clerk = Clerk { shared, office, user, known };
    loop {
        let orders = clerk.office.desks.lock().next(&clerk.user, &mut clerk.known);
        if orders.is_empty() {
            return;
        }
        clerk.carry_out(orders).await;
    }
}

/// Whoever serves a desk.
struct Clerk {
    shared: Arc<Shared>,
    office: Arc<Office>,
    user: UserId,
    known: Option<Known>,
}

type Answer = oneshot::Sender<Result<IsStored, StoreError>>;

impl Clerk {
    async fn carry_out(&mut self, orders: Vec<Order>) {
        let mut messages = Vec::new();
        for order in orders {
            match order {
                Order::Store(message, answer) => messages.push((message, answer)),
                Order::Open(wish) => self.open_for(wish).await,
                Order::Look(answer) => {
                    let looked = self.open().await.map(drop);
                    answer.send(looked).ok(); // Whoever asked may have gone.
                }
            }
        }
        if !messages.is_empty() {
            self.store(messages).await;
        }
    }

    /// Finds out how the mailbox is, and lets the sessions have what is new to them.
    async fn open(&mut self) -> Result<MailboxState, StoreError> {
        self.known = None;
        let state = self.office.mailboxes.store.open(&self.user).await?;
        let (mut recent, now) = (Recent::default(), Instant::now());
        for stored in &state.recent {
            recent.note(stored.message_id.clone(), stored.offset, now);
        }
        self.known = Some(Known { end: state.end(), recent });
        let end = MailboxPlace { epoch: state.epoch.number(), offset: state.next.0 - 1 };
        self.shared.hub.mailbox_grew(&self.user, end);
        Ok(state)
    }

    /// A session begins to read.
    async fn open_for(&mut self, wish: MailboxWish) {
        let opened = self.open().await;
        self.shared.metrics.mailbox_opened(opened.is_ok());
        match opened {
            Ok(state) => self.shared.hub.mailbox_opened(wish.session, recovered(&state, &wish)),
            Err(error) => {
                warn!(%error, session = %wish.session, "a mailbox cannot be opened");
                let (shared, office) = (Arc::clone(&self.shared), Arc::clone(&self.office));
                tokio::spawn(async move {
                    sleep(OPEN_PAUSE).await;
                    if shared.hub.has_session(wish.session) {
                        shared.enter(&office, &wish.user.clone(), Order::Open(wish));
                    }
                });
            }
        }
    }

    /// Stores messages and sends them, in their order. When the store fails, all that wait are refused: whoever sent them sends
    /// them again in their order.
    async fn store(&mut self, mut messages: Vec<(ToStore, Answer)>) {
        let now = Instant::now();
        for _ in 0..CONFLICTS_MAX {
            let appended = match self.append(&mut messages, now).await {
                Ok(appended) => appended,
                Err(error) if error.advice() == Advice::Reopen => {
                    debug!("a mailbox is not as expected, and is opened again");
                    self.known = None;
                    continue;
                }
                Err(error) => return self.refuse(messages, &error),
            };
            return self.publish(messages, appended).await;
        }
        self.refuse(messages, &StoreError::Conflict);
    }

    /// Appends what was not stored before; answers the others and takes them out. Gives back the place of the first.
    async fn append(
        &mut self,
        messages: &mut Vec<(ToStore, Answer)>,
        now: Instant,
    ) -> Result<Place, StoreError> {
        if self.known.is_none() {
            self.open().await?;
        }
        self.answer_duplicates(messages, now).await;
        let Some(known) = &mut self.known else { return Err(StoreError::Conflict) };
        let (at, entries) = (known.end, entries_of(messages));
        if entries.is_empty() {
            return Ok(at);
        }
        let appended = self.office.mailboxes.store.append(&self.user, at, entries).await?;
        for ((message, _), index) in messages.iter().zip(0..) {
            known.recent.note(message.message.id().to_owned(), at.offset.plus(index), now);
        }
        known.end = appended.next;
        Ok(at)
    }

    /// Messages that are stored already are answered with their places and taken out. Who waits until one is acknowledged may wait
    /// for something that has happened.
    async fn answer_duplicates(&mut self, messages: &mut Vec<(ToStore, Answer)>, now: Instant) {
        let Some(known) = &mut self.known else { return };
        known.recent.forget(now, self.office.mailboxes.idempotency_window);
        let (mut fresh, mut is_waited_for) = (Vec::with_capacity(messages.len()), false);
        for (message, answer) in messages.drain(..) {
            let Some(offset) = known.recent.offset(message.message.id()) else {
                fresh.push((message, answer));
                continue;
            };
            let duplicate = IsStored { offset: offset.0, is_duplicate: true, ..IsStored::default() };
            answer.send(Ok(duplicate)).ok(); // A sender that has gone is not told.
            if let Some(wait) = message.acknowledged {
                let place = MailboxPlace { epoch: known.end.epoch.number(), offset: offset.0 };
                self.office.waits.add(&self.user, place, wait);
                is_waited_for = true;
            }
        }
        *messages = fresh;
        if is_waited_for {
            self.tell_waiting().await;
        }
    }

    /// Tells those who wait what the user's devices have acknowledged.
    async fn tell_waiting(&self) {
        // If it cannot be read, they wait for the next acknowledgement.
        let Ok(state) = self.office.mailboxes.store.open(&self.user).await else { return };
        for (_, offset) in state.positions {
            let upto = MailboxPlace { epoch: state.epoch.number(), offset: offset.0 };
            self.office.waits.taken(&self.user, upto);
        }
    }

    /// Sends what was stored, from this place on, and answers.
    async fn publish(&mut self, messages: Vec<(ToStore, Answer)>, mut at: Place) {
        self.shared.metrics.stored(messages.len());
        let (mut is_elsewhere, mut crowded) = (false, Vec::new());
        for (ToStore { message, keeping, acknowledged }, answer) in messages {
            let message = message.stored_at(stored(at, keeping.until_first_ack));
            let place = MailboxPlace { epoch: at.epoch.number(), offset: at.offset.0 };
            acknowledged.into_iter().for_each(|wait| self.office.waits.add(&self.user, place, wait));
            let sent = self.shared.hub.send_stored(&self.user, &message);
            is_elsewhere |= sent.is_elsewhere;
            crowded = sent.crowded;
            // A sender that has gone is not told.
            answer.send(Ok(IsStored { offset: at.offset.0, reach: sent.reach, is_duplicate: false })).ok();
            at.offset = at.offset.next();
        }
        if is_elsewhere {
            let (shared, office) = (Arc::clone(&self.shared), Arc::clone(&self.office));
            self.office.tasks.spawn(poke::poke(shared, office, self.user.clone()));
        }
        self.shared.wait_for_room(&crowded).await;
    }

    fn refuse(&mut self, messages: Vec<(ToStore, Answer)>, error: &StoreError) {
        self.known = None;
        warn!(%error, messages = messages.len(), "messages cannot be stored");
        self.shared.metrics.store_errors.increment(messages.len() as u64);
        let behind = self.office.desks.lock().give_up(&self.user);
        let behind = behind.into_iter().filter_map(|order| match order {
            Order::Store(message, answer) => Some((message, answer)),
            Order::Open(_) | Order::Look(_) => None,
        });
        for (_, answer) in messages.into_iter().chain(behind) {
            answer.send(Err(error.clone())).ok(); // A sender that has gone is not told.
        }
    }
}

fn entries_of(messages: &[(ToStore, Answer)]) -> Vec<NewEntry> {
    messages.iter().map(|(message, _)| entry(&message.message, message.keeping)).collect()
}

/// What a session is told that begins to read.
fn recovered(state: &MailboxState, wish: &MailboxWish) -> MailboxOpened {
    let device = device(&wish.device);
    let recovery = state.recovery(device.as_ref(), wish.has.and_then(place));
    // What stands before the first that is there has gone, whether it was needed or not.
    let has =
        wish.has.filter(|has| wish.goes_on && recovery.missed.is_ok() && has.epoch == state.epoch.number());
    let offset = has.map_or(recovery.after.offset.0, |has| has.offset).max(state.first.0 - 1);
    MailboxOpened {
        has: wish.has,
        after: MailboxPlace { epoch: state.epoch.number(), offset },
        end: state.next.0 - 1,
        recovered: recovery.missed.is_ok(),
        whole_from: state.whole_from.0,
    }
}
