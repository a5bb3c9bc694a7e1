//! Appending: what waits for a mailbox goes to Redis together, one go after the other.

use std::sync::Arc;
use std::time::Instant;

use redis::Value;
use ringway_store::{Appended, Entry, Epoch, NewEntry, StoreError};

use crate::error::Failure;
use crate::lane::{Append, Held, Known, Lane, Shared};
use crate::load::mark;
use crate::search::{Found, Sent};
use crate::wire;

/// How many entries and bytes go to Redis at once.
const GO_ENTRIES_MAX: usize = 1000;
const GO_BYTES_MAX: u64 = 8 * 1024 * 1024;

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
        bytes += append.entries.iter().map(NewEntry::cost_bytes).sum::<u64>();
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
    epoch: Epoch,
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
        let stored = self.store(lane, held, &Sent { epoch: go.epoch, entries: &go.entries }).await;
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
        let mut go = Go { epoch: end.epoch, appends: Vec::new(), entries: Vec::new() };
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
    async fn store(&self, lane: &Lane, held: &mut Held, sent: &Sent<'_>) -> Result<(), StoreError> {
        let deadline = Instant::now() + self.config.search_timeout;
        let mut is_sure = true;
        loop {
            let failure = match self.send(held, sent).await {
                Ok(()) => return Ok(()),
                Err(Failure::NotDone(error)) if is_sure => return Err(error),
                Err(failure) => failure,
            };
            // Without the stream nothing was stored: the mailbox was taken over, and may be taken back.
            is_sure &= matches!(failure, Failure::NoKey);
            let is_final = matches!(failure, Failure::NotDone(_));
            match self.search(lane, held, sent, deadline).await {
                Some(Found::All) => return Ok(()),
                Some(Found::Others) => return Err(StoreError::Conflict),
                Some(Found::Nothing) if !is_final && Instant::now() < deadline => {}
                Some(Found::Nothing) | None => return Err(failure.into_error()),
            }
        }
    }

    async fn send(&self, held: &Held, sent: &Sent<'_>) -> Result<(), Failure> {
        let Some(known) = &held.known else { return Err(Failure::NotDone(StoreError::Conflict)) };
        let (log, first) = (&known.log, known.book.first());
        let answer: Value = if let [entry] = sent.entries {
            self.link.ask(&wire::add(log, first, entry)).await?
        } else {
            self.link.run(&self.add_all, |command| wire::add_all(command, log, first, sent.entries)).await?
        };
        if answer == Value::Nil { Err(Failure::NoKey) } else { Ok(()) }
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

fn answer(appends: Vec<Append>, answer: &Result<Appended, StoreError>) {
    for append in appends {
        // Whoever does not wait for it any more finds it when it opens the mailbox again.
        _ = append.reply.send(answer.clone());
    }
}
