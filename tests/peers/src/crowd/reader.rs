//! The one thread that reads all clients.

use std::io::Read as _;
use std::net::TcpStream;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::thread::Pid;
use rustix::time::Timespec;

use super::Arrivals;
use crate::clock::now_ns;
use crate::mark::Rest;

/// How long the thread may not notice that it is over.
const WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
const EVENTS: usize = 1024;
/// What one read takes.
const BYTES: usize = 64 * 1024;

/// Starts it, and says which thread it is.
pub(super) fn start(sockets: Arc<Vec<TcpStream>>, arrivals: Arc<Arrivals>) -> Result<(JoinHandle<()>, Pid)> {
    let epoll = epoll::create(CreateFlags::CLOEXEC).context("epoll")?;
    for (number, socket) in sockets.iter().enumerate() {
        epoll::add(&epoll, socket, EventData::new_u64(number as u64), EventFlags::IN).context("epoll")?;
    }
    let (tell, told) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        // Whoever started it waits for that.
        let _ = tell.send(rustix::thread::gettid());
        read(&epoll, &sockets, &arrivals);
    });
    Ok((thread, told.recv().context("the thread's id")?))
}

fn read(epoll: &OwnedFd, sockets: &[TcpStream], arrivals: &Arrivals) {
    let mut rests = vec![Rest::default(); sockets.len()];
    let (mut events, mut buffer) = (Vec::with_capacity(EVENTS), vec![0; BYTES]);
    while !arrivals.is_stopped() {
        if epoll::wait(epoll, spare_capacity(&mut events), Some(&WAIT)).is_err() {
            continue;
        }
        for event in events.drain(..) {
            let number = usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
            let (Some(mut socket), Some(rest)) = (sockets.get(number), rests.get_mut(number)) else {
                continue;
            };
            let kept = rest.put(&mut buffer);
            match socket.read(&mut buffer[kept..]) {
                Ok(length) if length > 0 => arrivals.note(rest, &buffer[..kept + length], now_ns()),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                // Its messages will be missing, and that is told. It must not wake us again.
                _ => drop(epoll::delete(epoll, socket)),
            }
        }
    }
}
