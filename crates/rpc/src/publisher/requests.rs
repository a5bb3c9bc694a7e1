//! The request side of a Publish stream: pulls from the book whenever the transport has room.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;
use ringway_proto::v1::PublishRequest;

use super::book::{Book, StreamId};

/// Ends when the book is closed and empty, or when the task has seen the stream's end.
pub(super) struct Requests {
    book: Arc<Book>,
    stream: StreamId,
}

impl Requests {
    pub(super) fn new(book: Arc<Book>) -> Self {
        Requests { stream: book.stream(), book }
    }
}

impl Stream for Requests {
    type Item = PublishRequest;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<PublishRequest>> {
        self.book.poll_send(self.stream, cx)
    }
}
