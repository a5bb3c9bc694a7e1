//! What is stored for users: to the sessions that are here. Those that are to arrive find it in the mailbox when they begin, so
//! nothing of it waits for them.

use super::{Fenced, Shard, user_hash};
use crate::directive::Directive;
use crate::id::SessionId;
use crate::mailbox::{MailboxOpened, MailboxPlace};
use crate::message::Message;
use crate::moment::Moment;
use crate::name::UserId;
use crate::table::{MailboxPage, Reach};
use ringway_ring::Slot;

impl Shard {
    /// Sends what was just stored for a user to his sessions that have read everything before it. The others read it in its turn.
    ///
    /// # Errors
    /// When this worker owns the user no more, or may act for nobody now: then whoever does must be told that there is something
    /// new. Sessions that are here have it all the same.
    pub fn send_stored(
        &mut self,
        user: &UserId,
        message: &Message,
        now: Moment,
        out: &mut Vec<Directive>,
    ) -> Result<Reach, StoredElsewhere> {
        let reach = self.table.send_stored(user, message, out);
        match self.fence(Slot::of_hash(user_hash(user)), now) {
            Ok(()) | Err(Fenced::Unsettled) => Ok(reach),
            Err(Fenced::NotOwner | Fenced::Lapsed) => Err(StoredElsewhere),
        }
    }

    /// The mailbox of a session's user is open.
    pub fn mailbox_opened(&mut self, session: SessionId, opened: MailboxOpened, out: &mut Vec<Directive>) {
        self.table.mailbox_opened(session, opened, out);
    }

    /// Somebody else has stored something for a user, up to this place, or his mailbox began anew.
    pub fn mailbox_grew(&mut self, user: &UserId, end: MailboxPlace, out: &mut Vec<Directive>) {
        self.table.mailbox_grew(user, end, out);
    }

    /// Whether a session still waits for what was [to be read](Directive::ReadMailbox) behind a place.
    pub fn awaits_page(&self, session: SessionId, after: MailboxPlace) -> bool {
        self.table.awaits_page(session, after)
    }

    /// What was to be read is here.
    pub fn mailbox_read(&mut self, session: SessionId, page: &MailboxPage, out: &mut Vec<Directive>) {
        self.table.mailbox_read(session, page, out);
    }
}

/// The user belongs to another worker by now, or this one may act for nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredElsewhere;
