//! Opens a Publish stream when there is something to send, takes the answers, and opens it again after it broke.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use ringway_proto::v1::PublishReply;
use ringway_proto::{Reason, Refusal};
use tonic::{Status, Streaming};

use super::book::Book;
use super::requests::Requests;
use crate::NodeChannel;

pub(super) struct PublisherTask {
    node: NodeChannel,
    book: Grave,
    linger: Duration,
}

impl PublisherTask {
    pub(super) fn new(node: NodeChannel, book: Arc<Book>, linger: Duration) -> Self {
        PublisherTask { node, book: Grave(book), linger }
    }

    /// Ends when the last handle is gone and what was accepted is answered, or `linger` later.
    pub(super) async fn run(self) {
        while poll_fn(|cx| self.book.0.poll_waiting(cx)).await {
            let cause = tokio::select! {
                biased;
                cause = self.stream() => cause,
                () = self.lingered() => self.lost("no answer came after the publisher was dropped"),
            };
            self.book.0.fail(&cause);
        }
    }

    /// One stream from its opening to its end; says why it ended. A refusal of the stream as a whole came before any
    /// request was read; once answers have begun, what is unanswered may have been carried out, unless the node says otherwise.
    async fn stream(&self) -> Refusal {
        let requests = Requests::new(Arc::clone(&self.book.0));
        match self.node.delivery().publish(requests).await {
            Ok(answers) => self.take_answers(answers.into_inner()).await,
            Err(status) => Refusal::from_status(&status),
        }
    }

    async fn take_answers(&self, mut answers: Streaming<PublishReply>) -> Refusal {
        loop {
            match answers.message().await {
                Ok(Some(reply)) => self.take(reply),
                Ok(None) => return self.lost("the node ended the stream"),
                Err(status) => return self.ended(&status),
            }
        }
    }

    /// A node that drains has answered all that it has taken. After any other end nobody knows.
    fn ended(&self, status: &Status) -> Refusal {
        let refusal = Refusal::from_status(status);
        match refusal.reason {
            Reason::Draining => refusal,
            _ => self.lost(status.message()),
        }
    }

    fn take(&self, reply: PublishReply) {
        let sequence = reply.sequence;
        if !self.book.0.answer(reply) {
            tracing::warn!(url = %self.node.url(), sequence, "a node answered a request that is not open");
        }
    }

    fn lost(&self, how: &str) -> Refusal {
        let url = self.node.url();
        Refusal::new(Reason::ConnectionLost, format!("the publish stream to {url} ended: {how}"))
    }

    /// Long after the last handle was dropped.
    async fn lingered(&self) {
        self.book.0.closed().await;
        tokio::time::sleep(self.linger).await;
    }
}

/// Resolves what is left when the task ends, however it ends.
struct Grave(Arc<Book>);

impl Drop for Grave {
    fn drop(&mut self) {
        self.0.bury();
    }
}
