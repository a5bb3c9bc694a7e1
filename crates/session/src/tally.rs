//! What became of one message so far, of which some sessions are still to arrive. Pure: whoever waits says what has happened.

use crate::directive::{Fate, Ticket};
use crate::id::SessionId;
use crate::table::Reach;

/// To whom a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circle {
    /// To a user. If nobody was reached it is refused, and its sender sends it again.
    User,
    /// To many, of whom others may have it already.
    Many,
}

/// The count of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    circle: Circle,
    reach: Reach,
    strayed: Vec<SessionId>,
}

/// Nobody has the message, and somebody should: it may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InVain;

impl Tally {
    /// A message that has reached so many at once.
    pub fn new(circle: Circle, reach: Reach) -> Self {
        Tally { circle, reach, strayed: Vec::new() }
    }

    /// The wait for one session is over.
    pub fn settled(&mut self, ticket: Ticket, fate: Fate) {
        match fate {
            Fate::Taken => self.reach.sessions += 1,
            Fate::Suspended => self.reach.suspended += 1,
            Fate::Overflowed => self.reach.overflowed += 1,
            Fate::Elsewhere => match ticket.session() {
                Some(session) => self.strayed.push(session),
                None => self.reach.missed += 1,
            },
            // A session that had it already got it when it was sent before. Of what goes to many it may have come by another worker
            // just now, which has counted it.
            Fate::Had if self.circle == Circle::User => self.reach.sessions += 1,
            Fate::Had | Fate::Ended => {}
        }
    }

    /// The session has not arrived in time, and the message was [taken back](crate::Shard::withdraw).
    pub fn late(&mut self) {
        self.reach.missed += 1;
    }

    /// Another worker has done its part.
    pub fn add(&mut self, part: Reach) {
        self.reach += part;
    }

    /// Sessions are not at the worker that was asked, and it cannot send after them.
    pub fn stray(&mut self, sessions: impl IntoIterator<Item = SessionId>) {
        self.strayed.extend(sessions);
    }

    /// Sessions that the message must be sent after, since they belong to another worker. Asked when no ticket is open.
    pub fn take_strayed(&mut self) -> Vec<SessionId> {
        let strayed = std::mem::take(&mut self.strayed);
        if self.circle == Circle::User && !self.has_reached() {
            self.reach.missed += strayed.len() as u32;
            return Vec::new();
        }
        strayed
    }

    /// Whether there are any.
    pub fn has_strayed(&self) -> bool {
        !self.strayed.is_empty()
    }

    /// They were not found in time.
    pub fn give_up_strayed(&mut self) {
        self.reach.missed += std::mem::take(&mut self.strayed).len() as u32;
    }

    /// The count.
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// The count, if there is an answer.
    ///
    /// # Errors
    /// [`InVain`].
    pub fn answer(&self) -> Result<Reach, InVain> {
        if self.reach.missed > 0 && !self.has_reached() { Err(InVain) } else { Ok(self.reach) }
    }

    fn has_reached(&self) -> bool {
        self.reach.sessions + self.reach.suspended > 0
    }
}

#[cfg(test)]
mod tests {
    use ringway_ring::Slot;

    use super::*;
    use crate::directive::Whose;

    fn session(number: u128) -> SessionId {
        SessionId::new(Slot::of(b"alice"), number)
    }

    fn tally(circle: Circle, sessions: u32, fates: &[Fate]) -> Tally {
        let mut tally = Tally::new(circle, Reach { sessions, ..Reach::default() });
        for (number, fate) in (1..).zip(fates) {
            tally.settled(Ticket { number, whose: Whose::Session(session(number.into())) }, *fate);
        }
        tally
    }

    #[test]
    fn what_became_of_a_message() {
        let counts = |reach: Reach| [reach.sessions, reach.suspended, reach.overflowed, reach.missed];
        for (sessions, fates, expected) in [
            (0, &[][..], Ok([0, 0, 0, 0])),
            (1, &[Fate::Taken, Fate::Suspended, Fate::Overflowed], Ok([2, 1, 1, 0])),
            (0, &[Fate::Ended], Ok([0, 0, 0, 0])),
            (0, &[Fate::Had, Fate::Ended], Ok([1, 0, 0, 0])),
            (0, &[Fate::Elsewhere], Err(InVain)),
            (0, &[Fate::Elsewhere, Fate::Overflowed], Err(InVain)),
        ] {
            let mut tally = tally(Circle::User, sessions, fates);
            assert!(tally.take_strayed().is_empty());
            assert_eq!(tally.answer().map(counts), expected, "{sessions} {fates:?}");
        }
    }

    #[test]
    fn strayed_sessions_are_followed_unless_the_sender_does_it() {
        for (circle, sessions, followed) in
            [(Circle::User, 0, 0), (Circle::User, 1, 1), (Circle::Many, 0, 1), (Circle::Many, 1, 1)]
        {
            let mut tally = tally(circle, sessions, &[Fate::Elsewhere]);
            assert_eq!(tally.take_strayed().len(), followed, "{circle:?} {sessions}");
            assert_eq!(tally.answer().is_err(), followed == 0 && sessions == 0);
        }
    }

    #[test]
    fn who_had_what_goes_to_many_is_counted_by_whoever_gave_it() {
        assert_eq!(tally(Circle::Many, 1, &[Fate::Had]).answer().map(|reach| reach.sessions), Ok(1));
    }

    #[test]
    fn one_that_does_not_arrive_in_time_is_missed() {
        for (sessions, expected) in [(0, Err(InVain)), (1, Ok(1))] {
            let mut tally = tally(Circle::User, sessions, &[]);
            tally.late();
            assert_eq!(tally.answer().map(|reach| reach.missed), expected);
        }
        let mut orphan = tally(Circle::User, 0, &[]);
        orphan.settled(Ticket { number: 1, whose: Whose::Orphan(7) }, Fate::Elsewhere);
        assert_eq!(orphan.answer(), Err(InVain));
    }
}
