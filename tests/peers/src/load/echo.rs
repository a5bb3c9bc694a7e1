//! Clients that send, and get back what they sent.

use std::io::Write as _;

use anyhow::{Context as _, Result, bail};

use super::due::{Due, at_each_tick};
use super::{Pace, Plan};
use crate::crowd::{Crowd, frame};
use crate::mark;

const TEXT: u8 = 0x81;

pub(super) fn send(crowd: &Crowd, plan: &Plan) -> Result<()> {
    let Pace::PerSecond(rate) = plan.pace else { bail!("clients send at a rate only") };
    let clients = crowd.len() as u64;
    at_each_tick(Due::new(plan.count, rate), |due| {
        for (number, due_ns) in due.take() {
            let place = usize::try_from(number % clients).unwrap_or_default();
            let mut socket = &crowd.sockets()[place];
            let frame = frame(TEXT, &mark::payload(due_ns));
            socket.write_all(&frame).with_context(|| format!("client {place} cannot send"))?;
        }
        Ok(())
    })
}
