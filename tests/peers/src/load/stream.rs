//! Messages over one connection, as another system's publisher sends them.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result};

use super::due::{Due, at_each_tick};
use super::{Pace, Plan};
use crate::clock::now_ns;
use crate::crowd::Crowd;
use crate::mark;
use crate::system::StreamInlet;

/// How many messages share a write when they go as fast as they can.
const BATCH: u64 = 32;

/// A connection on which everything was sent. Dropped, it is closed: not before everything has arrived.
pub(super) struct Connection {
    stream: TcpStream,
    answers: Option<JoinHandle<()>>,
}

/// Sends everything. Answers are read and not looked at: what counts is what arrives.
pub(super) fn send(inlet: &StreamInlet, crowd: &Crowd, plan: &Plan) -> Result<Connection> {
    let mut stream = TcpStream::connect(inlet.address).with_context(|| inlet.address.to_string())?;
    stream.set_nodelay(true)?;
    (inlet.greet)(&mut stream).context("the greeting")?;
    let answers = stream.try_clone()?;
    let answers = Some(std::thread::spawn(move || drain(answers)));
    let mut connection = Connection { stream, answers };
    match plan.pace {
        Pace::Saturated { outstanding_max } => {
            saturate(inlet, crowd, plan, (&mut connection.stream, outstanding_max))?;
        }
        Pace::PerSecond(rate) => pace(inlet, crowd, plan, (&mut connection.stream, rate))?,
    }
    Ok(connection)
}

impl Drop for Connection {
    fn drop(&mut self) {
        // One that is closed already is as good.
        let _ = self.stream.shutdown(Shutdown::Both);
        if self.answers.take().is_some_and(|answers| answers.join().is_err()) {
            eprintln!("ringway-peers: the reader of answers panicked");
        }
    }
}

fn saturate(inlet: &StreamInlet, crowd: &Crowd, plan: &Plan, to: (&mut TcpStream, u64)) -> Result<()> {
    let (stream, outstanding_max) = to;
    let (arrivals, clients) = (crowd.arrivals(), crowd.len());
    let (before, each) = (arrivals.count(), plan.receivers(clients));
    let batch = if each > 1 || outstanding_max < BATCH { 1 } else { BATCH };
    let (mut bytes, mut sent) = (Vec::new(), 0);
    while sent < plan.count {
        arrivals.wait_for_room(before + sent * each, outstanding_max)?;
        let now = mark::payload(now_ns());
        let until = plan.count.min(sent + batch);
        (sent..until).for_each(|number| (inlet.encode)(&mut bytes, plan.target(number, clients), &now));
        sent = until;
        stream.write_all(&bytes)?;
        bytes.clear();
    }
    Ok(())
}

fn pace(inlet: &StreamInlet, crowd: &Crowd, plan: &Plan, to: (&mut TcpStream, u64)) -> Result<()> {
    let (stream, rate) = to;
    let mut bytes = Vec::new();
    at_each_tick(Due::new(plan.count, rate), |due| {
        for (number, due_ns) in due.take() {
            let target = plan.target(number, crowd.len());
            (inlet.encode)(&mut bytes, target, &mark::payload(due_ns));
        }
        stream.write_all(&bytes)?;
        bytes.clear();
        Ok(())
    })
}

fn drain(mut answers: TcpStream) {
    let mut bytes = vec![0; 64 * 1024];
    while answers.read(&mut bytes).is_ok_and(|length| length > 0) {}
}
