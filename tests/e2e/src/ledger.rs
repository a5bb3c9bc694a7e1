//! The book of what was sent, and what became of it.
//!
//! Each user and each group is a *stream* with its own numbers, from 0. A message says to which stream it belongs, its
//! number and when it was sent; whoever receives it can tell whether something is missing, repeated or late.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ringway_sender::{Receipt, SendError};

/// What is written in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note<'a> {
    /// The user or the group.
    pub stream: &'a str,
    /// Its number.
    pub number: u32,
    /// When it was sent, since the beginning.
    pub sent: Duration,
}

/// All that was sent.
#[derive(Debug)]
pub struct Ledger {
    /// When everything began.
    pub began: Instant,
    streams: HashMap<String, Mutex<Vec<Sent>>>,
}

/// One message.
#[derive(Debug)]
pub struct Sent {
    /// When it was sent, since the beginning.
    pub at: Duration,
    /// What became of it, and when that was known.
    pub answer: Option<(Duration, Result<Receipt, SendError>)>,
}

impl<'a> Note<'a> {
    /// Reads a message.
    pub fn read(text: &'a str) -> Option<Self> {
        let mut words = text.split(' ');
        let (stream, number, micros) = (words.next()?, words.next()?, words.next()?);
        let sent = Duration::from_micros(micros.parse().ok()?);
        Some(Self { stream, number: number.parse().ok()?, sent })
    }

    /// Writes it.
    pub fn text(&self) -> String {
        format!("{} {} {}", self.stream, self.number, self.sent.as_micros())
    }
}

impl Ledger {
    /// An empty book for these streams.
    pub fn new(began: Instant, streams: impl IntoIterator<Item = String>) -> Self {
        let streams = streams.into_iter().map(|stream| (stream, Mutex::default())).collect();
        Self { began, streams }
    }

    /// The names of all streams.
    pub fn streams(&self) -> impl Iterator<Item = &str> {
        self.streams.keys().map(String::as_str)
    }

    /// Notes a message that is about to be sent.
    pub fn sending<'a>(&self, stream: &'a str) -> Note<'a> {
        let (at, mut messages) = (self.began.elapsed(), self.messages(stream));
        let number = u32::try_from(messages.len()).expect("there are not so many");
        messages.push(Sent { at, answer: None });
        Note { stream, number, sent: at }
    }

    /// Notes what became of it.
    pub fn answered(&self, stream: &str, number: u32, answer: Result<Receipt, SendError>) {
        self.messages(stream)[number as usize].answer = Some((self.began.elapsed(), answer));
    }

    /// A stream's messages.
    pub fn messages(&self, stream: &str) -> MutexGuard<'_, Vec<Sent>> {
        self.streams[stream].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
