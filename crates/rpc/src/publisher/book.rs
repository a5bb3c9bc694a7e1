//! What a publisher has accepted: requests that wait for the stream, and requests that wait for their answer.
//!
//! One lock holds both, so that a request is always in exactly one of them, and the end of a stream resolves each of
//! them once. The laws: a request moves to `sent` in the same step in which it is handed to the transport; and a stream
//! whose end was seen takes nothing out any more, even if the transport still holds it ([`StreamId`]).

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use ringway_proto::v1::publish_request::Send;
use ringway_proto::v1::{PublishReply, PublishRequest, Receipt, Turn, publish_reply};
use ringway_proto::{Reason, Refusal};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio_util::sync::CancellationToken;

use super::{Entered, PublishTicket, Unentered};

type Answer = oneshot::Sender<Result<Receipt, Refusal>>;

/// The room that a request takes until it is answered.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) _request: OwnedSemaphorePermit,
    pub(super) _bytes: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct Waiting {
    send: Send,
    turn: Turn,
    open: Open,
}

/// A request without its answer.
#[derive(Debug)]
struct Open {
    answer: Answer,
    room: Room,
}

impl Open {
    /// The room is given back first, so that whoever sees the answer finds the room.
    fn resolve(self, result: Result<Receipt, Refusal>) {
        drop(self.room);
        // A ticket that nobody waits for any more is no error.
        let _ = self.answer.send(result);
    }
}

#[derive(Debug)]
struct Pages {
    waiting: VecDeque<Waiting>,
    sent: HashMap<u64, Open>,
    sequence: u64,
    stream: StreamId,
    state: State,
    waker: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Requests are accepted.
    Open,
    /// The last handle was dropped: nothing is accepted any more, what was accepted is sent.
    Closed,
    /// The task has ended.
    Dead,
}

/// Tells a stream from those before and after it, and from those of other publishers of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamId {
    publisher: u64,
    opened: u64,
}

impl StreamId {
    /// The first stream of another publisher.
    fn next() -> Self {
        static PUBLISHERS: AtomicU64 = AtomicU64::new(0);
        StreamId { publisher: PUBLISHERS.fetch_add(1, Ordering::Relaxed), opened: 0 }
    }
}

#[derive(Debug)]
pub(super) struct Book {
    pages: Mutex<Pages>,
    closed: CancellationToken,
}

impl Book {
    pub(super) fn new() -> Self {
        let pages = Pages {
            waiting: VecDeque::new(),
            sent: HashMap::new(),
            sequence: 0,
            stream: StreamId::next(),
            state: State::Open,
            waker: None,
        };
        Book { pages: Mutex::new(pages), closed: CancellationToken::new() }
    }

    /// The stream that may take requests out now.
    pub(super) fn stream(&self) -> StreamId {
        self.pages.lock().stream
    }

    /// Waits until no handle is left.
    pub(super) async fn closed(&self) {
        self.closed.cancelled().await;
    }

    /// Accepts a request, if the stream is still the one that it shall follow others on.
    pub(super) fn enter(
        &self,
        send: Send,
        turn: Turn,
        after: Option<StreamId>,
        room: Room,
    ) -> Result<Entered, Unentered> {
        let (answer, ticket) = oneshot::channel();
        let mut pages = self.pages.lock();
        if pages.state != State::Open {
            return Err(Unentered::Gone(gone()));
        }
        let stream = pages.stream;
        if after.is_some_and(|after| after != stream) {
            return Err(Unentered::OtherStream(Box::new(send)));
        }
        pages.waiting.push_back(Waiting { send, turn, open: Open { answer, room } });
        let waker = pages.waker.take();
        drop(pages);
        wake(waker);
        Ok(Entered { ticket: PublishTicket::new(ticket), stream })
    }

    /// No handle is left.
    pub(super) fn close(&self) {
        let mut pages = self.pages.lock();
        if pages.state == State::Open {
            pages.state = State::Closed;
        }
        let waker = pages.waker.take();
        drop(pages);
        wake(waker);
        self.closed.cancel();
    }

    /// The task ends: whatever is left is resolved.
    pub(super) fn bury(&self) {
        self.pages.lock().state = State::Dead;
        self.fail(&gone());
    }

    /// Waits until a request waits (`true`), or until none will come any more (`false`).
    pub(super) fn poll_waiting(&self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut pages = self.pages.lock();
        if !pages.waiting.is_empty() {
            return Poll::Ready(true);
        }
        if pages.state != State::Open {
            return Poll::Ready(false);
        }
        pages.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The next request for the transport; from now on it counts as sent. `None` when none will come any more, or when
    /// the end of this stream was seen.
    pub(super) fn poll_send(&self, stream: StreamId, cx: &mut Context<'_>) -> Poll<Option<PublishRequest>> {
        let mut pages = self.pages.lock();
        if pages.stream != stream {
            return Poll::Ready(None);
        }
        let Some(Waiting { send, turn, open }) = pages.waiting.pop_front() else {
            if pages.state != State::Open {
                return Poll::Ready(None);
            }
            pages.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        pages.sequence += 1;
        let sequence = pages.sequence;
        pages.sent.insert(sequence, open);
        Poll::Ready(Some(PublishRequest { sequence, send: Some(send), turn: turn.into() }))
    }

    /// Takes an answer. `false` when no such request is open.
    pub(super) fn answer(&self, reply: PublishReply) -> bool {
        let Some(open) = self.pages.lock().sent.remove(&reply.sequence) else { return false };
        open.resolve(match reply.result {
            Some(publish_reply::Result::Receipt(receipt)) => Ok(receipt),
            Some(publish_reply::Result::Error(error)) => Err(Refusal::from_publish_error(error)),
            None => Err(Refusal::new(
                Reason::Internal,
                "the node's answer is empty: a defect, or another version",
            )),
        });
        true
    }

    /// The stream has ended for this cause: resolves every request, those that were not sent as such.
    pub(super) fn fail(&self, cause: &Refusal) {
        let (waiting, sent, waker) = {
            let mut pages = self.pages.lock();
            pages.stream.opened += 1;
            (mem::take(&mut pages.waiting), mem::take(&mut pages.sent), pages.waker.take())
        };
        wake(waker);
        let mut sent: Vec<_> = sent.into_iter().collect();
        sent.sort_unstable_by_key(|(sequence, _)| *sequence);
        for (_, open) in sent {
            open.resolve(Err(cause.clone()));
        }
        let unsent = unsent(cause);
        for waiting in waiting {
            waiting.open.resolve(Err(unsent.clone()));
        }
    }
}

/// What those read whose requests never left. A refusal of the whole stream is theirs too; a lost connection is not.
fn unsent(cause: &Refusal) -> Refusal {
    match cause.reason {
        Reason::ConnectionLost | Reason::DeadlineExceeded | Reason::Internal => Refusal {
            reason: Reason::Unreachable,
            message: format!("not sent: {}", cause.message),
            ring_version: cause.ring_version,
        },
        _ => cause.clone(),
    }
}

/// What callers read when the publisher's task has ended.
pub(super) fn gone() -> Refusal {
    Refusal::new(Reason::ConnectionLost, "the publisher has ended, since its process shuts down")
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Waker;

    use futures_util::FutureExt as _;
    use ringway_proto::v1::SendToAllRequest;
    use tokio::sync::Semaphore;

    use super::*;

    fn enter(book: &Book) -> PublishTicket {
        enter_after(book, None).unwrap().ticket
    }

    fn enter_after(book: &Book, after: Option<StreamId>) -> Result<Entered, Unentered> {
        let permit = || Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let room = Room { _request: permit(), _bytes: permit() };
        book.enter(Send::ToAll(SendToAllRequest::default()), Turn::Unspecified, after, room)
    }

    fn poll_send(book: &Book, stream: StreamId) -> Poll<Option<u64>> {
        let request = book.poll_send(stream, &mut Context::from_waker(Waker::noop()));
        request.map(|request| request.map(|request| request.sequence))
    }

    fn reason(ticket: PublishTicket) -> Option<Reason> {
        ticket.now_or_never()?.err().map(|refusal| refusal.reason)
    }

    #[test]
    fn the_end_of_a_stream_tells_what_was_sent_from_what_was_not() {
        let cases = [
            (Reason::ConnectionLost, Reason::ConnectionLost, Reason::Unreachable),
            (Reason::Unauthenticated, Reason::Unauthenticated, Reason::Unauthenticated),
            (Reason::Draining, Reason::Draining, Reason::Draining),
        ];
        for (cause, sent_reason, unsent_reason) in cases {
            let book = Book::new();
            let (sent, unsent) = (enter(&book), enter(&book));
            assert_eq!(poll_send(&book, book.stream()), Poll::Ready(Some(1)));
            book.fail(&Refusal::new(cause, "the stream broke"));
            assert_eq!((reason(sent), reason(unsent)), (Some(sent_reason), Some(unsent_reason)));
        }
    }

    #[test]
    fn a_stream_that_has_ended_takes_nothing_out_any_more() {
        let book = Book::new();
        let old = book.stream();
        assert_eq!(poll_send(&book, old), Poll::Pending);
        book.fail(&gone());
        let _ticket = enter(&book);
        assert_eq!(poll_send(&book, old), Poll::Ready(None));
        assert_eq!(poll_send(&book, book.stream()), Poll::Ready(Some(1)));
    }

    #[test]
    fn a_request_follows_another_on_its_stream_or_not_at_all() {
        let (book, other) = (Book::new(), Book::new());
        let first = enter_after(&book, None).unwrap().stream;
        assert_eq!(enter_after(&book, Some(first)).unwrap().stream, first);
        assert!(matches!(enter_after(&other, Some(first)), Err(Unentered::OtherStream(_))));
        book.fail(&gone());
        assert!(matches!(enter_after(&book, Some(first)), Err(Unentered::OtherStream(_))));
        let second = enter_after(&book, None).unwrap().stream;
        assert!(second != first && enter_after(&book, Some(second)).is_ok());
    }

    #[test]
    fn a_closed_book_accepts_nothing_and_gives_out_what_it_has() {
        let book = Book::new();
        let _ticket = enter(&book);
        book.close();
        assert_eq!(poll_send(&book, book.stream()), Poll::Ready(Some(1)));
        assert_eq!(poll_send(&book, book.stream()), Poll::Ready(None));
    }

    #[test]
    fn burying_the_book_resolves_everything() {
        let book = Book::new();
        let (sent, unsent) = (enter(&book), enter(&book));
        assert_eq!(poll_send(&book, book.stream()), Poll::Ready(Some(1)));
        book.bury();
        assert_eq!((reason(sent), reason(unsent)), (Some(Reason::ConnectionLost), Some(Reason::Unreachable)));
    }
}
