//! Waiting for sessions that are to arrive, and for what others have to say first.

use ringway_session::{Fate, Ticket};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::{Hub, State};

/// The end of one message's wait for one session.
pub(crate) struct Wait {
    ticket: Ticket,
    fate: oneshot::Receiver<Fate>,
}

impl Hub {
    /// Waits for one session, at most until the deadline: then the message is taken back. `None` says that it was.
    pub(crate) async fn fate(&self, mut wait: Wait, deadline: Instant) -> (Ticket, Option<Fate>) {
        if let Ok(fate) = timeout_at(deadline, &mut wait.fate).await {
            return (wait.ticket, fate.ok());
        }
        let mut state = self.state.lock();
        state.shard.withdraw(wait.ticket);
        state.tickets.remove(&wait.ticket);
        drop(state);
        // It may have come in the last moment.
        (wait.ticket, wait.fate.try_recv().ok())
    }

    /// Says when something may have been decided, after this call.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}

impl State {
    pub(super) fn wait(&mut self, ticket: Ticket) -> Wait {
        let (sender, fate) = oneshot::channel();
        self.tickets.insert(ticket, sender);
        Wait { ticket, fate }
    }

    pub(super) fn settle(&mut self, ticket: Ticket, fate: Fate) {
        if let Some(sender) = self.tickets.remove(&ticket) {
            // Nobody waits any more: then the message has been taken back, or is about to be counted as not delivered.
            sender.send(fate).ok();
        }
    }
}
