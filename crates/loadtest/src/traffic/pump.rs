//! Sends to many streams in turn, at a rate whatever becomes of the messages (an open loop), or as fast as they are answered.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use ringway_sender::{Payload, SendCall, SendError, Sender};
use tokio::sync::Semaphore;

use super::answers::Answers;
use super::arrivals::Arrivals;
use super::schedule::Schedule;
use super::stamp::{Phase, STAMP_BYTES, Stamp, Stream};
use super::tally::{Sent, Tally};
use super::ticks::Ticks;

/// By how much an open loop may go on beyond its time, when the messages that were due wait for others to be answered.
const OVERTIME_MAX: Duration = Duration::from_secs(5);

/// To whom is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Addressees {
    /// One user after the other.
    #[default]
    Users,
    /// One group after the other.
    Groups,
    /// Everybody.
    All,
}

/// Through which call is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// Through `Publish`, the pipeline, which keeps the order for each target.
    #[default]
    Publish,
    /// Through a call for each message. Calls under way together may overtake one another.
    Unary,
}

/// How fast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// So many each second.
    PerSecond(f64),
    /// As many as are answered.
    AsFastAsPossible,
}

/// What is sent.
#[derive(Clone, Debug)]
pub struct Cargo {
    /// Through which call.
    pub manner: Manner,
    /// How long each payload is; at least [`STAMP_BYTES`].
    pub bytes: usize,
    /// As a binary message instead of a text.
    pub is_binary: bool,
    /// Stored until acknowledged.
    pub at_least_once: bool,
    /// How many messages may be unanswered. Beyond it those that are due wait, and their waiting is measured.
    pub under_way_max: usize,
}

/// The streams of one kind of target.
#[derive(Debug)]
pub(crate) struct Lines {
    addressees: Addressees,
    /// Users or groups by their numbers; one of no meaning for all.
    names: Vec<String>,
    /// How many sessions each should reach.
    sessions: Vec<u32>,
    sent: Vec<u32>,
    next: usize,
}

/// Sends.
pub(crate) struct Pump {
    sender: Sender,
    cargo: Cargo,
    pub(crate) lines: Lines,
    arrivals: Arc<Arrivals>,
    tally: Arc<Tally>,
    answers: Answers,
    room: Arc<Semaphore>,
    blank: Vec<u8>,
}

impl Lines {
    /// Streams to users of these names.
    pub(crate) fn users(names: Vec<String>) -> Self {
        let sessions = vec![1; names.len()];
        Self::new(Addressees::Users, names, sessions)
    }

    /// Streams to groups of these names, over which so many clients are spread.
    pub(crate) fn groups(names: Vec<String>, clients: usize) -> Self {
        let count = names.len();
        let members = (0..count).map(|group| (group..clients).step_by(count).len() as u32).collect();
        Self::new(Addressees::Groups, names, members)
    }

    /// The stream to all of so many clients.
    pub(crate) fn all(clients: usize) -> Self {
        Self::new(Addressees::All, vec![String::new()], vec![u32::try_from(clients).unwrap_or(u32::MAX)])
    }

    /// How many messages were sent to a stream.
    pub(crate) fn sent(&self, stream: Stream) -> u32 {
        let place = match (self.addressees, stream) {
            (Addressees::Users, Stream::User(number)) | (Addressees::Groups, Stream::Group(number)) => number,
            (Addressees::All, Stream::All) => 0,
            _ => return 0,
        };
        self.sent.get(place as usize).copied().unwrap_or_default()
    }

    fn new(addressees: Addressees, names: Vec<String>, sessions: Vec<u32>) -> Self {
        let sent = vec![0; names.len()];
        Self { addressees, names, sessions, sent, next: 0 }
    }

    /// The next message, in turn.
    fn next(&mut self, phase: Phase) -> (Sent, &str) {
        let place = self.next;
        self.next = (place + 1) % self.names.len();
        let stream = match self.addressees {
            Addressees::Users => Stream::user(place),
            Addressees::Groups => Stream::group(place),
            Addressees::All => Stream::All,
        };
        let number = self.sent[place];
        self.sent[place] += 1;
        (Sent { stream, number, phase, sessions: self.sessions[place] }, &self.names[place])
    }
}

impl Pump {
    /// Sends this to these, and takes down what it is told. Needs a tokio runtime.
    pub(crate) fn new(
        sender: Sender,
        cargo: Cargo,
        lines: Lines,
        books: (Arc<Arrivals>, Arc<Tally>),
    ) -> Self {
        let (arrivals, tally) = books;
        let room = Arc::new(Semaphore::new(cargo.under_way_max.max(1)));
        let answers = Answers::start(Arc::clone(&arrivals), Arc::clone(&tally), Arc::clone(&room));
        let blank = vec![b'.'; cargo.bytes.max(STAMP_BYTES)];
        Self { sender, cargo, lines, arrivals, tally, answers, room, blank }
    }

    /// Sends for this time, and says how many messages that were due it has not sent, because too many were unanswered.
    ///
    /// # Errors
    /// When there is no timer, or a message breaks a rule of the cluster.
    pub(crate) async fn run(&mut self, phase: Phase, pace: Pace, time: Duration) -> anyhow::Result<u64> {
        match pace {
            Pace::PerSecond(per_second) => self.at_rate(phase, per_second, time).await,
            Pace::AsFastAsPossible => self.fast(phase, time).await.map(|()| 0),
        }
    }

    /// Waits until everything is answered.
    pub(crate) async fn settle(&mut self) {
        let all = u32::try_from(self.cargo.under_way_max.max(1)).unwrap_or(u32::MAX);
        // It is never closed.
        let _all = self.room.acquire_many(all).await;
    }

    async fn at_rate(&mut self, phase: Phase, per_second: f64, time: Duration) -> anyhow::Result<u64> {
        let (mut schedule, mut ticks) = (Schedule::new(per_second, time), Ticks::at_rate(per_second)?);
        let began = self.arrivals.now();
        while schedule.next_at().is_some() && self.arrivals.now() < began + time + OVERTIME_MAX {
            while let Some(due) = schedule.due(self.arrivals.now().saturating_sub(began)) {
                self.send(phase, began + due).await?;
            }
            ticks.tick().await;
        }
        Ok(schedule.left())
    }

    async fn fast(&mut self, phase: Phase, time: Duration) -> anyhow::Result<()> {
        let end = self.arrivals.now() + time;
        loop {
            let now = self.arrivals.now();
            if now >= end {
                return Ok(());
            }
            self.send(phase, now).await?;
        }
    }

    async fn send(&mut self, phase: Phase, due: Duration) -> Result<(), SendError> {
        // It is never closed. The answer gives it back.
        if let Ok(room) = self.room.acquire().await {
            room.forget();
        }
        let (sent, name) = self.lines.next(phase);
        let stamp = Stamp { run: self.arrivals.run, stream: sent.stream, number: sent.number, phase, due };
        let payload = payload(&self.blank, &stamp, self.cargo.is_binary);
        let call = match sent.stream {
            Stream::User(_) => self.sender.send_to_user(name, payload),
            Stream::Group(_) => self.sender.send_to_group(name, payload),
            Stream::All => self.sender.send_to_all(payload),
        };
        let call = if self.cargo.at_least_once { call.at_least_once() } else { call };
        self.tally.sending(sent, self.arrivals.now().saturating_sub(due));
        self.hand_over(call, sent, due).await
    }

    async fn hand_over(&self, call: SendCall, sent: Sent, due: Duration) -> Result<(), SendError> {
        match self.cargo.manner {
            Manner::Publish => self.answers.ticket(call.publish().await?, sent, due).await,
            Manner::Unary => self.answers.call(call, sent, due),
        }
        Ok(())
    }
}

fn payload(blank: &[u8], stamp: &Stamp, is_binary: bool) -> Payload {
    let mut bytes = BytesMut::from(blank);
    stamp.write(&mut bytes);
    let bytes: Bytes = bytes.freeze();
    if is_binary { Payload::binary(bytes) } else { Payload::text_bytes(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_take_turns() {
        let mut lines = Lines::users(vec!["a".to_owned(), "b".to_owned()]);
        let mut next = || {
            let (sent, name) = lines.next(Phase::Measured);
            (sent.stream, sent.number, name.to_owned())
        };
        assert_eq!(next(), (Stream::User(0), 0, "a".to_owned()));
        assert_eq!(next(), (Stream::User(1), 0, "b".to_owned()));
        assert_eq!(next(), (Stream::User(0), 1, "a".to_owned()));
        let sent = [Stream::User(0), Stream::User(1), Stream::User(2), Stream::Group(0), Stream::All];
        assert_eq!(sent.map(|stream| lines.sent(stream)), [2, 1, 0, 0, 0]);
    }

    #[test]
    fn groups_have_the_members_that_are_spread_over_them() {
        let lines = Lines::groups(["a", "b", "c"].map(str::to_owned).into(), 7);
        assert_eq!(lines.sessions, [3, 2, 2]);
        let mut all = Lines::all(7);
        assert_eq!(all.next(Phase::WarmUp).0.sessions, 7);
        assert_eq!(all.sent(Stream::All), 1);
    }
}
