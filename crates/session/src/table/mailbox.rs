//! Sessions that read their users' mailboxes.

use super::send::Fanout;
use super::{Key, SessionTable};
use crate::directive::{Directive, MailboxWish};
use crate::id::SessionId;
use crate::mailbox::{Found, MailboxOpened, MailboxPlace, Reader, Reading, Taken};
use crate::message::Message;
use crate::name::UserId;
use crate::queue::OutboundQueue;
use crate::session::Session;
use crate::table::Reach;

/// What was read for a session.
#[derive(Clone, Debug)]
pub struct MailboxPage {
    /// Behind which place.
    pub after: MailboxPlace,
    /// What is of use, in order.
    pub messages: Vec<Message>,
    /// What is not among them up to this offset is of no use.
    pub read_to: u64,
    /// Up to here something has gone that was to be there: unless that was known when the mailbox was opened, it must be found out
    /// whether the client needed it.
    pub gone_to: u64,
}

impl SessionTable {
    /// Has the mailbox of a session that begins here opened.
    pub(super) fn open_mailbox(&mut self, key: Key, out: &mut Vec<Directive>) {
        let session = &mut self.sessions[key];
        session.reading.close();
        match session.reading {
            Reading::Opening(_) if self.policy.mailboxes => {
                let (user, device, has) =
                    (session.user.clone(), session.device.clone(), session.reading.known());
                let (session, goes_on) = (session.id, session.reading.left().is_some());
                out.push(Directive::OpenMailbox(MailboxWish { session, user, device, has, goes_on }));
            }
            _ => session.reading = Reading::Nothing,
        }
    }

    /// A session's mailbox is open: it reads it from now on.
    pub(crate) fn mailbox_opened(&mut self, id: SessionId, opened: MailboxOpened, out: &mut Vec<Directive>) {
        let Some(&key) = self.by_id.get(&id) else { return };
        let session = &mut self.sessions[key];
        if session.reading == Reading::Nothing {
            return;
        }
        if session.reading.known() != opened.has {
            // Meanwhile it turned out that the client may have less.
            return self.open_mailbox(key, out);
        }
        let found = session.reading.open(opened);
        let taken = session.reading.reader().map(|reader| reader.taken());
        // What was lost is not the device's own until it has heard of that: the store would call it complete the next time.
        if let Some(upto) = taken.filter(|_| opened.recovered) {
            let (user, device) = (session.user.clone(), session.device.clone());
            out.push(Directive::Taken { user, device, taken: Taken { upto, withdrawn: Vec::new() } });
        }
        if found == Found::Otherwise {
            self.tell_mailbox(key, opened, out);
            self.tell_checkpoint(key, out);
        }
        self.read_on(key, out);
    }

    /// Tells the client of a session from where on it is served, behind everything that it was sent before.
    fn tell_mailbox(&mut self, key: Key, opened: MailboxOpened, out: &mut Vec<Directive>) {
        let Session { reading, queue, .. } = &mut self.sessions[key];
        let (Some(reader), Some(_)) = (reading.reader(), queue.stream()) else { return };
        reader.tell(opened);
        let message = Message::mailbox(opened.after, opened.recovered);
        let mut fanout = Fanout::new(&self.policy, &mut self.sessions, &mut self.by_link, &message);
        fanout.add(key, &[]);
        _ = fanout.finish(out); // It always fits.
    }

    /// Sends what was just stored for a user to his sessions that are up to date. The others read it in its turn.
    pub(crate) fn send_stored(
        &mut self,
        user: &UserId,
        message: &Message,
        out: &mut Vec<Directive>,
    ) -> Reach {
        let Some(stored) = message.stored() else { return Reach::default() };
        let keys = self.by_user.get(user).cloned().unwrap_or_default();
        let mut fanout = Fanout::new(&self.policy, &mut self.sessions, &mut self.by_link, message);
        let mut behind = Vec::new();
        for key in keys {
            let Session { reading, queue, .. } = fanout.session(key);
            match reading.reader().map(|reader| reader.is_next(stored.place)) {
                Some(true) if queue.takes_stored(message, &self.policy) => {
                    reading.reader().into_iter().for_each(|reader| reader.at.read_to = stored.place.offset);
                    fanout.add(key, &[]);
                }
                Some(_) => behind.push(key),
                None => {}
            }
        }
        let done = fanout.finish(out);
        behind.into_iter().for_each(|key| self.read_on(key, out));
        self.close_slow(done, out)
    }

    /// Somebody else has stored something for a user, or his mailbox began anew.
    pub(crate) fn mailbox_grew(&mut self, user: &UserId, end: MailboxPlace, out: &mut Vec<Directive>) {
        for key in self.by_user.get(user).cloned().unwrap_or_default() {
            match self.sessions[key].reading.reader() {
                Some(reader) if reader.at.epoch == end.epoch => {
                    reader.end = reader.end.max(end.offset);
                    self.read_on(key, out);
                }
                Some(_) => self.open_mailbox(key, out),
                None => {}
            }
        }
    }

    /// Whether a session still waits for what stands behind a place.
    pub(crate) fn awaits_page(&self, id: SessionId, after: MailboxPlace) -> bool {
        let reading = self.by_id.get(&id).map(|&key| &self.sessions[key].reading);
        matches!(reading, Some(Reading::Open(reader)) if reader.is_asked && reader.place() == after)
    }

    /// What was asked for is read: it goes into the session's queue, as far as there is room.
    pub(crate) fn mailbox_read(&mut self, id: SessionId, page: &MailboxPage, out: &mut Vec<Directive>) {
        if !self.awaits_page(id, page.after) {
            return;
        }
        let Some(&key) = self.by_id.get(&id) else { return };
        let reader = self.sessions[key].reading.reader();
        if reader.is_some_and(|reader| page.gone_to >= reader.whole_from) {
            return self.open_mailbox(key, out);
        }
        let (mut read_to, mut next_bytes) = (page.read_to, 0);
        for message in &page.messages {
            let queue = &self.sessions[key].queue;
            if !queue.takes_stored(message, &self.policy) {
                read_to = message.stored().map_or(0, |stored| stored.place.offset - 1);
                next_bytes = queue.cost_bytes(message);
                break;
            }
            let mut fanout = Fanout::new(&self.policy, &mut self.sessions, &mut self.by_link, message);
            fanout.add(key, &[]);
            _ = fanout.finish(out); // It was said to fit.
        }
        if let Some(reader) = self.sessions[key].reading.reader() {
            (reader.at.read_to, reader.is_asked, reader.next_bytes) = (read_to, false, next_bytes);
            reader.end = reader.end.max(read_to);
        }
        self.read_on(key, out);
    }

    /// Tells what the client has taken, and asks for more if there is more and room for it.
    pub(super) fn read_on(&mut self, key: Key, out: &mut Vec<Directive>) {
        self.tell_taken(key, out);
        let Session { reading, queue, foreign, id, user, .. } = &mut self.sessions[key];
        let room = room(queue, self.policy.queue_bytes_max);
        let suffices =
            |reader: &Reader| room.is_some_and(|room| room >= reader.next_bytes || queue.bytes() == 0);
        let reader = reading.reader().filter(|reader| reader.may_ask() && !*foreign && suffices(reader));
        let (Some(reader), Some(bytes_max)) = (reader, room) else { return };
        reader.is_asked = true;
        let (session, user, after) = (*id, user.clone(), reader.place());
        out.push(Directive::ReadMailbox { session, user, after, bytes_max });
    }

    /// Tells what the client has taken.
    fn tell_taken(&mut self, key: Key, out: &mut Vec<Directive>) {
        let session = &mut self.sessions[key];
        let Some(taken) = session.queue.take_taken() else { return };
        let (user, device, upto) = (session.user.clone(), session.device.clone(), taken.upto);
        out.push(Directive::Taken { user, device, taken });
        if session.reading.reader().is_some_and(|reader| reader.took(upto)) {
            self.tell_checkpoint(key, out);
        }
    }

    /// Sessions that belong here again go on reading.
    pub(crate) fn read_on_all(&mut self, out: &mut Vec<Directive>) {
        let readers = self.sessions.iter_mut();
        let readers: Vec<Key> =
            readers.filter_map(|(key, session)| Self::is_to_read_on(session).then_some(key)).collect();
        readers.into_iter().for_each(|key| self.read_on(key, out));
    }

    /// Whether something of a session is to be told or asked.
    pub(super) fn is_to_read_on(session: &mut Session) -> bool {
        session.queue.has_taken() || session.reading.reader().is_some_and(|reader| reader.may_ask())
    }
}

/// How much of what is stored a queue takes; nothing if it would be so little that reading it is not worth while.
fn room(queue: &OutboundQueue, queue_bytes_max: u64) -> Option<u64> {
    let room = (queue_bytes_max / 2).saturating_sub(queue.bytes());
    (queue.bytes() == 0 || room >= queue_bytes_max / 8).then_some(room.max(1))
}

impl Reader {
    /// Whether this is the next to be read. It exists now, whether it is or not.
    fn is_next(&mut self, stored: MailboxPlace) -> bool {
        if stored.epoch != self.at.epoch {
            return false;
        }
        self.end = self.end.max(stored.offset);
        self.at.read_to + 1 == stored.offset
    }

    fn may_ask(&self) -> bool {
        self.is_behind() && !self.is_asked
    }
}
