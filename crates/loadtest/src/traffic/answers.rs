//! Waiting for receipts, beside the task that sends.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use ringway_sender::{Receipt, SendCall, SendError, Ticket};
use tokio::sync::{Semaphore, mpsc};

use super::arrivals::Arrivals;
use super::tally::{Sent, Tally};

/// How many tickets wait for the task that collects them; all of them are among the messages under way.
const TICKETS_MAX: usize = 1_024;

/// The way to those who wait.
pub(super) struct Answers {
    tickets: mpsc::Sender<(Ticket, Sent, Duration)>,
    book: Arc<Book>,
}

/// Where answers are taken down.
struct Book {
    arrivals: Arc<Arrivals>,
    tally: Arc<Tally>,
    /// The room for messages under way, of which each answer gives a place back.
    room: Arc<Semaphore>,
}

impl Answers {
    /// Nothing to wait for yet. What is under way when this is dropped is waited for nevertheless.
    pub(super) fn start(arrivals: Arc<Arrivals>, tally: Arc<Tally>, room: Arc<Semaphore>) -> Self {
        let (tickets, received) = mpsc::channel(TICKETS_MAX);
        let book = Arc::new(Book { arrivals, tally, room });
        tokio::spawn(collect(received, Arc::clone(&book)));
        Self { tickets, book }
    }

    /// A message is in the pipeline.
    pub(super) async fn ticket(&self, ticket: Ticket, sent: Sent, due: Duration) {
        // The task ends after this.
        let _ = self.tickets.send((ticket, sent, due)).await;
    }

    /// A message is to be sent by a call of its own.
    pub(super) fn call(&self, call: SendCall, sent: Sent, due: Duration) {
        let book = Arc::clone(&self.book);
        tokio::spawn(async move { book.answered(&call.await, sent, due) });
    }
}

impl Book {
    fn answered(&self, answer: &Result<Receipt, SendError>, sent: Sent, due: Duration) {
        let took = self.arrivals.now().saturating_sub(due);
        self.tally.answered(sent, answer, took);
        self.room.add_permits(1);
    }
}

async fn collect(mut tickets: mpsc::Receiver<(Ticket, Sent, Duration)>, book: Arc<Book>) {
    let mut waiting = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some((answer, sent, due)) = waiting.next() => book.answered(&answer, sent, due),
            ticket = tickets.recv() => match ticket {
                Some((ticket, sent, due)) => waiting.push(async move { (ticket.await, sent, due) }),
                None => break,
            },
        }
    }
    while let Some((answer, sent, due)) = waiting.next().await {
        book.answered(&answer, sent, due);
    }
}
