//! Appending: what waits for a mailbox goes to Redis together, one go after the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::Value;
use ringway_store::{Appended, Entry, Offset, StoreError};

use crate::error::Failure;
use crate::lane::{Append, Held, Known, Lane, Shared};
use crate::load::mark;
use crate::wire;

/// How many entries and bytes go to Redis at once.
const GO_ENTRIES_MAX: usize = 1000;
const GO_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Between two attempts to learn what became of an append.
const SEARCH_PAUSE: Duration = Duration::from_millis(50);

/// Takes out what waits until nothing does.
pub(crate) async fn serve(shared: Arc<Shared>, lane: Arc<Lane>) {
    loop {
        let mut held = lane.held.lock().await;
        let go = take(&lane);
        if go.is_empty() {
            return;
        }
        shared.append(&lane, &mut held, go).await;
    }
}

/// What goes next. Nothing says that nobody serves the lane any more.
fn take(lane: &Lane) -> Vec<Append> {
    let mut queue = lane.queue.lock();
    let (mut entries, mut bytes, mut count) = (0, 0, 0);
    for append in &queue.waiting {
        entries += append.entries.len();
        bytes += append.entries.iter().map(ringway_store::NewEntry::cost_bytes).sum::<u64>();
        if count > 0 && (entries > GO_ENTRIES_MAX || bytes > GO_BYTES_MAX) {
            break;
        }
        count += 1;
    }
    queue.is_served = count > 0;
    queue.waiting.drain(..count).collect()
}

/// Appends that go together.
struct Go {
    appends: Vec<Append>,
    entries: Vec<Entry>,
}

impl Shared {
    async fn append(&self, lane: &Lane, held: &mut Held, appends: Vec<Append>) {
        let mut go = match self.known(lane, held).await {
            Ok(known) => self.prepare(known, appends),
            Err(failure) => return answer(appends, &Err(failure.into_error())),
        };
        if go.entries.is_empty() {
            return answer(go.appends, &Err(StoreError::Conflict));
        }
        let stored = self.store(lane, held, &go.entries).await;
        let appends = std::mem::take(&mut go.appends);
        match (stored, &mut held.known) {
            (Ok(()), Some(known)) => {
                let appended = self.confirm(known, &go.entries);
                held.end = Some(appended.next);
                answer(appends, &Ok(appended));
            }
            (Ok(()), None) => answer(appends, &Err(StoreError::Conflict)),
            (Err(error), _) => answer(appends, &Err(error)),
        }
    }

    /// Numbers the entries of those that belong to the end; refuses the others.
    fn prepare(&self, known: &Known, appends: Vec<Append>) -> Go {
        let (mut end, now) = (known.book.end(), self.clock.now());
        let mut go = Go { appends: Vec::new(), entries: Vec::new() };
        for mut append in appends {
            if append.at != end {
                answer(vec![append], &Err(StoreError::Conflict));
                continue;
            }
            for entry in std::mem::take(&mut append.entries) {
                go.entries.push(entry.stored(end.offset, now, &self.config.limits));
                end.offset = end.offset.next();
            }
            go.appends.push(append);
        }
        go
    }

    /// Brings entries to Redis. If the reply is lost, looks for them, and brings them again if they are not there.
    async fn store(&self, lane: &Lane, held: &mut Held, entries: &[Entry]) -> Result<(), StoreError> {
        let deadline = Instant::now() + self.config.search_timeout;
        let mut is_sure = true;
        loop {
            let failure = match self.send(lane, held, entries).await {
                Ok(()) => return Ok(()),
                Err(Failure::NoKey) => {
                    held.forget();
                    return Err(StoreError::Conflict);
                }
                Err(Failure::NotDone(error)) if is_sure => return Err(error),
                Err(failure) => failure,
            };
            is_sure = false;
            let is_final = matches!(failure, Failure::NotDone(_));
            let error = failure.into_error();
            match self.search(lane, held, entries, deadline, error.clone()).await? {
                Found::All => return Ok(()),
                Found::Others => return Err(StoreError::Conflict),
                Found::None if is_final || Instant::now() >= deadline => return Err(error),
                Found::None => {}
            }
        }
    }

    async fn send(&self, lane: &Lane, held: &Held, entries: &[Entry]) -> Result<(), Failure> {
        let Some(known) = &held.known else { return Err(Failure::NotDone(StoreError::Conflict)) };
        let (log, first) = (self.keys.log(&lane.user, known.book.epoch()), known.book.first());
        let answer: Value = if let [entry] = entries {
            self.link.ask(&wire::add(&log, first, entry)).await?
        } else {
            self.link.run(&self.add_all, |command| wire::add_all(command, &log, first, entries)).await?
        };
        if answer == Value::Nil { Err(Failure::NoKey) } else { Ok(()) }
    }

    /// Whether Redis has these entries. Knows the mailbox anew afterwards.
    async fn search(
        &self,
        lane: &Lane,
        held: &mut Held,
        entries: &[Entry],
        deadline: Instant,
        error: StoreError,
    ) -> Result<Found, StoreError> {
        let Some((first, last)) = entries.first().zip(entries.last()) else { return Ok(Found::All) };
        let epoch = held.known.as_ref().map(|known| known.book.epoch());
        loop {
            if let Ok(found) = self.look(lane, held, (first.offset, last.offset), entries, epoch).await {
                return Ok(found);
            }
            if Instant::now() >= deadline {
                held.forget();
                return Err(error);
            }
            tokio::time::sleep(SEARCH_PAUSE).await;
        }
    }

    async fn look(
        &self,
        lane: &Lane,
        held: &mut Held,
        (first, last): (Offset, Offset),
        entries: &[Entry],
        epoch: Option<ringway_store::Epoch>,
    ) -> Result<Found, Failure> {
        let wire = self.link.wire().await?.number;
        self.load(lane, held, wire).await?;
        let Some(known) = &mut held.known else { return Ok(Found::Others) };
        if epoch.is_some_and(|epoch| epoch != known.book.epoch()) {
            return Ok(Found::Others);
        }
        if known.book.next() <= first {
            return Ok(if known.book.next() == first { Found::None } else { Found::Others });
        }
        let log = self.keys.log(&lane.user, known.book.epoch());
        let answer: Value = self.link.ask(&wire::range(&log, first, Some(last), entries.len())).await?;
        let there = wire::read_entries(&answer);
        let same = there.len() == entries.len()
            && there.iter().zip(entries).all(|((_, there), sent)| there.as_ref() == Some(sent));
        Ok(if same { Found::All } else { Found::Others })
    }

    /// Redis has the entries.
    fn confirm(&self, known: &mut Known, entries: &[Entry]) -> Appended {
        // Those that were found are known already.
        let known_before = known.book.next();
        entries
            .iter()
            .filter(|entry| entry.offset >= known_before)
            .for_each(|entry| known.book.push(mark(entry)));
        known.trimmed_to = known.book.first();
        known.book.trim(self.clock.now(), &self.config.limits);
        Appended { next: known.book.end(), first: known.book.first() }
    }
}

/// What stands where entries were to be appended.
enum Found {
    All,
    None,
    Others,
}

fn answer(appends: Vec<Append>, answer: &Result<Appended, StoreError>) {
    for append in appends {
        // Whoever does not wait for it any more finds it when it opens the mailbox again.
        _ = append.reply.send(answer.clone());
    }
}
