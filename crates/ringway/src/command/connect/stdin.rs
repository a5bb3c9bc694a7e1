//! Lines from stdin, read by a thread of its own: a read from a terminal cannot be given up, and must not keep the process
//! from ending.

use std::io::{self, BufRead as _, IsTerminal as _};

use tokio::sync::mpsc;
use tokio::sync::mpsc::Receiver;

/// How many lines may wait to be sent. Beyond it stdin is not read.
const LINES_MAX: usize = 64;

/// What was typed.
pub(super) enum Typed {
    /// A line, without its end.
    Line(String),
    /// The end, on a terminal: whoever sits there wants to leave.
    Done,
    /// Stdin cannot be read, or is not UTF-8.
    Unreadable(io::Error),
}

/// The lines, as they come. Without a terminal the channel just ends at the end of stdin.
pub(super) fn lines() -> Receiver<Typed> {
    let (sender, receiver) = mpsc::channel(LINES_MAX);
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let (typed, last) = match line {
                Ok(line) => (Typed::Line(line), false),
                Err(error) => (Typed::Unreadable(error), true),
            };
            // Nobody receives when the connection has ended: then there is nothing left to read for.
            if sender.blocking_send(typed).is_err() || last {
                return;
            }
        }
        if io::stdin().is_terminal() {
            // The same.
            let _ended = sender.blocking_send(Typed::Done);
        }
    });
    receiver
}

/// What is typed next. When stdin has ended and is no terminal, nothing ever is: the client only listens.
pub(super) async fn next_line(typed: &mut Receiver<Typed>) -> Typed {
    match typed.recv().await {
        Some(typed) => typed,
        None => std::future::pending().await,
    }
}
