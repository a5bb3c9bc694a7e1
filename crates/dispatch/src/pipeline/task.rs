//! Carries messages from the callers through the lanes onto the streams, and their answers back.
//!
//! One message enters the streams at a time: that is what keeps the order of the calls. While it waits for room there,
//! answers are still taken. When it has room, it enters in the same step in which its lane is looked at, so no answer comes
//! in between.

use std::collections::VecDeque;
use std::future::pending;
use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use ringway_proto::v1::Turn;
use ringway_proto::{Reason, Refusal, v1};
use ringway_rpc::{Entered, PublishTicket, Reserved, Unentered};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::lanes::{Lanes, Order};
use super::{Attempts, Parcel, Pauses};
use crate::split::SplitPublisher;

/// One message in the pipeline.
#[derive(Debug)]
struct Item<P> {
    parcel: P,
    attempts: Attempts,
    /// Why the last attempt failed.
    last: Option<Refusal>,
}

type Entering<P> = Pin<Box<dyn Future<Output = (Order, Item<P>, Result<Entrance, Refusal>)> + Send>>;
type Answering<P> = Pin<Box<dyn Future<Output = (Order, Item<P>, Result<v1::Receipt, Refusal>)> + Send>>;

/// A message in the form in which it is sent, and the room for it.
struct Entrance {
    send: v1::publish_request::Send,
    reserved: Reserved,
}

pub(super) struct PipelineTask<P: Parcel> {
    received: mpsc::Receiver<P>,
    publisher: SplitPublisher,
    pauses: Pauses,
    lanes: Lanes<P::Target, Item<P>>,
    /// Messages that may go, in their order.
    ready: VecDeque<(Order, Item<P>)>,
    entering: Option<Entering<P>>,
    answering: FuturesUnordered<Answering<P>>,
    closed: bool,
}

impl<P: Parcel> PipelineTask<P> {
    pub(super) fn new(received: mpsc::Receiver<P>, publisher: SplitPublisher, pauses: Pauses) -> Self {
        PipelineTask {
            received,
            publisher,
            pauses,
            lanes: Lanes::new(),
            ready: VecDeque::new(),
            entering: None,
            answering: FuturesUnordered::new(),
            closed: false,
        }
    }

    /// Ends when no caller is left and every message has come to its end, which its deadline bounds.
    pub(super) async fn run(mut self) {
        loop {
            self.begin_to_enter();
            let due = self.lanes.next_due();
            tokio::select! {
                biased;
                Some((order, item, answer)) = self.answering.next() => self.answered(order, item, answer),
                (order, item, entrance) = poll_some(&mut self.entering), if self.entering.is_some() => {
                    self.entering = None;
                    self.enter(order, item, entrance);
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => self.release(),
                received = self.received.recv(), if !self.closed && self.entering.is_none() => match received {
                    Some(parcel) => self.arrived(parcel),
                    None => self.closed = true,
                },
                else => return,
            }
        }
    }

    fn arrived(&mut self, parcel: P) {
        let target = parcel.target();
        let item = Item { parcel, attempts: Attempts::default(), last: None };
        self.ready.extend(self.lanes.arrive(&target, item));
    }

    /// Lanes whose pause is over.
    fn release(&mut self) {
        while let Some(messages) = self.lanes.take_due(Instant::now()) {
            self.ready.extend(messages);
        }
    }

    fn begin_to_enter(&mut self) {
        while self.entering.is_none() {
            let Some((order, item)) = self.ready.pop_front() else { return };
            let Some((order, item)) = self.recheck(order, item) else { continue };
            if item.parcel.allowance().deadline > Instant::now() {
                self.entering = Some(Box::pin(find_room(self.publisher.clone(), order, item)));
                return;
            }
            let refusal = item
                .last
                .clone()
                .unwrap_or_else(|| too_late("behind an earlier message that was sent again"));
            self.conclude(item, Err(refusal));
        }
    }

    fn recheck(&mut self, order: Order, item: Item<P>) -> Option<(Order, Item<P>)> {
        let target = item.parcel.target();
        self.lanes.recheck(&target, order, item)
    }

    fn enter(&mut self, order: Order, item: Item<P>, entrance: Result<Entrance, Refusal>) {
        let Some((order, mut item)) = self.recheck(order, item) else { return };
        let target = item.parcel.target();
        let after = self.lanes.stream(&target);
        let turn = if after.is_some() { Turn::Follows } else { Turn::First };
        match entrance.map(|Entrance { send, reserved }| reserved.enter(send, turn, after)) {
            Ok(Ok(Entered { ticket, stream })) => {
                self.lanes.entered(&target, stream);
                self.answering.push(Box::pin(answer(order, item, ticket)));
            }
            Ok(Err(Unentered::OtherStream(_))) => self.lanes.retry(&target, order, item, Instant::now()),
            Ok(Err(Unentered::Gone(refusal))) | Err(refusal) => {
                item.attempts.count += 1;
                self.failed(order, item, refusal);
            }
        }
    }

    fn answered(&mut self, order: Order, mut item: Item<P>, answer: Result<v1::Receipt, Refusal>) {
        self.lanes.answered(&item.parcel.target());
        match answer {
            Ok(receipt) => self.conclude(item, Ok(receipt)),
            Err(refusal) => {
                item.attempts.failed(refusal.reason);
                self.failed(order, item, refusal);
            }
        }
    }

    /// Under way -> waiting for its retry | at its end.
    fn failed(&mut self, order: Order, mut item: Item<P>, refusal: Refusal) {
        let allowance = item.parcel.allowance();
        // One that only followed goes when the one before it does.
        let pause = match refusal.reason {
            Reason::OutOfTurn => Duration::ZERO,
            _ => self.pauses.after(item.attempts.count),
        };
        let not_before = Instant::now() + pause;
        if !allowance.permits(refusal.reason) || not_before >= allowance.deadline {
            return self.conclude(item, Err(refusal));
        }
        item.parcel.retried(refusal.reason);
        item.last = Some(refusal);
        let target = item.parcel.target();
        self.lanes.retry(&target, order, item, not_before);
    }

    fn conclude(&mut self, item: Item<P>, answer: Result<v1::Receipt, Refusal>) {
        let Item { parcel, attempts, .. } = item;
        self.lanes.finish(&parcel.target());
        parcel.conclude(answer, attempts);
    }
}

/// Waits for room on the owner's stream, at most until the deadline.
async fn find_room<P: Parcel>(
    publisher: SplitPublisher,
    order: Order,
    item: Item<P>,
) -> (Order, Item<P>, Result<Entrance, Refusal>) {
    let mut send = item.parcel.request();
    let late = |_| too_late("for room on its worker's stream");
    let found = timeout_at(item.parcel.allowance().deadline, publisher.reserve(&mut send)).await;
    let found = found.map_err(late).flatten();
    (order, item, found.map(|reserved| Entrance { send, reserved }))
}

/// Waits for the answer, at most until the deadline.
async fn answer<P: Parcel>(
    order: Order,
    item: Item<P>,
    ticket: PublishTicket,
) -> (Order, Item<P>, Result<v1::Receipt, Refusal>) {
    let late = |_| Refusal::new(Reason::DeadlineExceeded, "the worker did not answer before the deadline");
    let answer = timeout_at(item.parcel.allowance().deadline, ticket).await.map_err(late).flatten();
    (order, item, answer)
}

fn too_late(what: &str) -> Refusal {
    Refusal::new(Reason::DeadlineExceeded, format!("not sent: it waited until its deadline {what}"))
}

/// Polls what is there; its place is kept when this future is dropped.
async fn poll_some<T>(future: &mut Option<Pin<Box<dyn Future<Output = T> + Send>>>) -> T {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}
