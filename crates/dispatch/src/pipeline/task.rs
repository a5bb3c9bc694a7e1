//! Carries messages from the callers through the lanes onto the streams, and their answers back.
//!
//! A message that has room on its owner's stream enters it at once, in the same step in which its lane is looked at, so no
//! answer comes in between. One that has none waits in a queue of that stream (`queues`); the others go on.

use std::collections::VecDeque;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use ringway_cluster::View;
use ringway_proto::v1::publish_request::Send as Request;
use ringway_proto::v1::{self, Turn};
use ringway_proto::{Reason, Refusal};
use ringway_rpc::{Entered, PublishTicket, Publisher, Reserved, Unentered};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::lanes::{Lanes, Order};
use super::queues::{Queues, Waiting};
use super::{Attempts, Parcel, Pauses};
use crate::split::SplitPublisher;

/// One message in the pipeline.
#[derive(Debug)]
struct Item<P> {
    parcel: P,
    attempts: Attempts,
    /// Why the last attempt failed.
    last: Option<Refusal>,
    /// What is sent, if it was made already.
    request: Option<Request>,
}

/// Room on a stream, found for the message with this place.
type Room = (Publisher, Order, Result<Reserved, Refusal>);
type Asking = Pin<Box<dyn Future<Output = Room> + Send>>;
type Answering<P> = Pin<Box<dyn Future<Output = (Order, Item<P>, Result<v1::Receipt, Refusal>)> + Send>>;

pub(super) struct PipelineTask<P: Parcel> {
    received: mpsc::Receiver<P>,
    publisher: SplitPublisher,
    pauses: Pauses,
    lanes: Lanes<P::Target, Item<P>>,
    /// Messages that may go, in their order.
    ready: VecDeque<(Order, Item<P>)>,
    /// Messages for which there is no room on their stream.
    queues: Queues<Publisher, P::Target, Item<P>>,
    /// One for each queue.
    asking: FuturesUnordered<Asking>,
    /// When to look for other owners of those that wait for room. `None`: there are no more views.
    views: Option<watch::Receiver<Arc<View>>>,
    answering: FuturesUnordered<Answering<P>>,
    closed: bool,
}

impl<P: Parcel> PipelineTask<P> {
    pub(super) fn new(received: mpsc::Receiver<P>, publisher: SplitPublisher, pauses: Pauses) -> Self {
        PipelineTask {
            received,
            views: Some(publisher.views()),
            publisher,
            pauses,
            lanes: Lanes::new(),
            ready: VecDeque::new(),
            queues: Queues::new(),
            asking: FuturesUnordered::new(),
            answering: FuturesUnordered::new(),
            closed: false,
        }
    }

    /// Ends when no caller is left and every message has come to its end, which its deadline bounds.
    pub(super) async fn run(mut self) {
        loop {
            self.send_ready();
            self.ask_for_room();
            let due = [self.lanes.next_due(), self.queues.next_deadline()].into_iter().flatten().min();
            tokio::select! {
                biased;
                Some((order, item, answer)) = self.answering.next() => self.answered(order, item, answer),
                Some(room) = self.asking.next(), if !self.queues.is_empty() => self.found(room),
                () = sleep_till(due), if due.is_some() => self.release(),
                () = another_view(&mut self.views), if !self.queues.is_empty() => self.reroute(),
                received = self.received.recv(), if !self.closed => match received {
                    Some(parcel) => self.arrived(parcel),
                    None => self.closed = true,
                },
                else => return,
            }
        }
    }

    fn arrived(&mut self, parcel: P) {
        let target = parcel.target();
        let item = Item { parcel, attempts: Attempts::default(), last: None, request: None };
        self.ready.extend(self.lanes.arrive(&target, item));
    }

    /// Lanes whose pause is over, and messages that have waited for room until their deadline.
    fn release(&mut self) {
        let now = Instant::now();
        while let Some(messages) = self.lanes.take_due(now) {
            self.ready.extend(messages);
        }
        while let Some((target, order, item)) = self.queues.take_late(now) {
            self.unsent(order, item, too_late("for room on its worker's stream"));
            self.go_on(&target);
        }
    }

    /// Those that wait may have other owners now.
    fn reroute(&mut self) {
        self.asking.clear();
        self.ready.extend(self.queues.take_all());
    }

    fn send_ready(&mut self) {
        while let Some((order, item)) = self.ready.pop_front() {
            let (target, deadline) = (item.parcel.target(), item.parcel.allowance().deadline);
            if let Some(first) = self.queues.follow(&target, Waiting { order, deadline, message: item }) {
                self.send(order, first.message, None);
            }
        }
    }

    /// Those behind a message that does not wait for room any more.
    fn go_on(&mut self, target: &P::Target) {
        while let Some((order, item)) = self.queues.next(target) {
            self.send(order, item, None);
        }
    }

    fn ask_for_room(&mut self) {
        if self.queues.is_empty() && !self.asking.is_empty() {
            self.reroute();
        }
        while let Some((publisher, order, item)) = self.queues.ask() {
            let reserved = match &item.request {
                Some(request) => publisher.reserve(request),
                None => publisher.reserve(&item.parcel.request()),
            };
            self.asking.push(Box::pin(async move { (publisher, order, reserved.await) }));
        }
    }

    /// There is room on a stream: for the message for which it was asked for, and perhaps for more.
    fn found(&mut self, (publisher, asked_for, reserved): Room) {
        let mut found = Some(reserved);
        while let Some((target, order, item)) = self.queues.take_first(&publisher) {
            let reserved = found.take_if(|_| order == asked_for);
            // It may be for one that has come to its end.
            found = None;
            self.send(order, item, reserved);
            self.go_on(&target);
            if self.queues.first(&publisher) == Some(order) {
                break;
            }
        }
        self.queues.answered(&publisher);
    }

    /// Waiting in its lane | at its end | waiting for room | on a stream.
    fn send(&mut self, order: Order, item: Item<P>, reserved: Option<Result<Reserved, Refusal>>) {
        let target = item.parcel.target();
        let Some((order, mut item)) = self.lanes.recheck(&target, order, item) else { return };
        let deadline = item.parcel.allowance().deadline;
        if deadline <= Instant::now() {
            let behind = || too_late("behind an earlier message that was sent again");
            let refusal = item.last.clone().unwrap_or_else(behind);
            return self.conclude(item, Err(refusal));
        }
        let mut request = item.request.take().unwrap_or_else(|| item.parcel.request());
        let room = reserved.map_or_else(|| self.room_for(&mut request), |room| room.map(Ok));
        match room {
            Ok(Ok(reserved)) => self.enter(order, item, request, reserved),
            Ok(Err(publisher)) => {
                item.request = Some(request);
                self.queues.wait(&publisher, &target, Waiting { order, deadline, message: item });
            }
            Err(refusal) => self.unsent(order, item, refusal),
        }
    }

    /// Room on the owner's stream, or that stream if there is none.
    fn room_for(&self, request: &mut Request) -> Result<Result<Reserved, Publisher>, Refusal> {
        let publisher = self.publisher.route(request)?;
        Ok(publisher.try_reserve(request).ok_or(publisher))
    }

    fn enter(&mut self, order: Order, item: Item<P>, request: Request, reserved: Reserved) {
        let target = item.parcel.target();
        let after = self.lanes.stream(&target);
        let turn = if after.is_some() { Turn::Follows } else { Turn::First };
        match reserved.enter(request, turn, after) {
            Ok(Entered { ticket, stream }) => {
                self.lanes.entered(&target, stream);
                self.answering.push(Box::pin(answer(order, item, ticket)));
            }
            Err(Unentered::OtherStream(_)) => self.lanes.retry(&target, order, item, Instant::now()),
            Err(Unentered::Gone(refusal)) => self.unsent(order, item, refusal),
        }
    }

    /// An attempt failed before the message was on a stream.
    fn unsent(&mut self, order: Order, mut item: Item<P>, refusal: Refusal) {
        item.attempts.count += 1;
        self.failed(order, item, refusal);
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
        // Those that wait for room go after it, and it shall not wait for them.
        for (order, item) in self.queues.take_line(&target) {
            self.send(order, item, None);
        }
    }

    fn conclude(&mut self, item: Item<P>, answer: Result<v1::Receipt, Refusal>) {
        let Item { parcel, attempts, .. } = item;
        self.lanes.finish(&parcel.target());
        parcel.conclude(answer, attempts);
    }
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

async fn sleep_till(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}

async fn another_view(views: &mut Option<watch::Receiver<Arc<View>>>) {
    if let Some(following) = views {
        if following.changed().await.is_ok() {
            return;
        }
        *views = None;
    }
    pending::<()>().await;
}
