//! Many clients in one process: opened by a few threads, read by one.
//!
//! They do as little as they can: what comes is searched for marks, and nothing else is understood. So servers must not expect
//! answers of them, such as to pings; the configurations see to that.

mod connect;
mod reader;

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use rustix::thread::Pid;
use socket2::SockRef;

pub(crate) use connect::frame;

use crate::cores::Patient;
use crate::mark;
use crate::system::Door;

/// How long messages may take to arrive before the missing ones count as lost, counted from the last that did.
const QUIET: Duration = Duration::from_secs(3);
/// How often is looked whether all have arrived.
const LOOK: Duration = Duration::from_millis(1);

/// Connected clients. Dropped, all are closed.
pub(crate) struct Crowd {
    sockets: Arc<Vec<TcpStream>>,
    arrivals: Arc<Arrivals>,
    reader: Option<JoinHandle<()>>,
    reader_id: Pid,
}

/// What has arrived.
pub(crate) struct Arrivals {
    count: AtomicU64,
    /// From due to here, in microseconds.
    latencies: Mutex<Histogram<u64>>,
    stopped: AtomicBool,
}

impl Crowd {
    /// Connects this many clients.
    pub(crate) fn gather(door: &Door, clients: usize) -> Result<Self> {
        let sockets = Arc::new(connect::all(door, clients)?);
        let arrivals = Arc::new(Arrivals::new());
        let (reader, reader_id) = reader::start(Arc::clone(&sockets), Arc::clone(&arrivals))?;
        Ok(Self { sockets, arrivals, reader: Some(reader), reader_id })
    }

    pub(crate) fn len(&self) -> usize {
        self.sockets.len()
    }

    /// Keeps the clients from interrupting the servers, for as long as the answer lives.
    pub(crate) fn wait_for_its_turn(&self) -> Result<Patient> {
        Patient::keep(self.reader_id)
    }

    pub(crate) fn arrivals(&self) -> Arc<Arrivals> {
        Arc::clone(&self.arrivals)
    }

    pub(crate) fn sockets(&self) -> &[TcpStream] {
        &self.sockets
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.arrivals.stopped.store(true, Ordering::Relaxed);
        if self.reader.take().is_some_and(|reader| reader.join().is_err()) {
            eprintln!("ringway-peers: the clients' reader panicked");
        }
        for socket in self.sockets.iter() {
            // Closed by a reset: so nothing is left waiting, and ports are free. If it fails, it is closed all the same.
            let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
        }
    }
}

impl Arrivals {
    fn new() -> Self {
        let latencies = Histogram::new_with_bounds(1, 100_000_000, 3).expect("bounds in order");
        Self { count: AtomicU64::new(0), latencies: Mutex::new(latencies), stopped: AtomicBool::new(false) }
    }

    /// How many messages arrived.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// The latencies since the last call.
    pub(crate) fn take_latencies(&self) -> Histogram<u64> {
        let mut latencies = self.latencies.lock();
        let taken = latencies.clone();
        latencies.reset();
        taken
    }

    /// Waits until this many have arrived, or nothing more does, and says how many are missing.
    pub(crate) fn wait(&self, expected: u64) -> u64 {
        let (mut last, mut since) = (self.count(), Instant::now());
        while last < expected && since.elapsed() < QUIET {
            std::thread::sleep(LOOK);
            let count = self.count();
            if count != last {
                (last, since) = (count, Instant::now());
            }
        }
        expected.saturating_sub(last)
    }

    /// Waits until no more than this many of the expected are outstanding.
    pub(crate) fn wait_for_room(&self, expected: u64, outstanding_max: u64) -> Result<()> {
        let began = Instant::now();
        while expected.saturating_sub(self.count()) > outstanding_max {
            if began.elapsed() > QUIET {
                bail!("{} messages do not arrive", expected.saturating_sub(self.count()));
            }
            std::thread::sleep(Duration::from_micros(50));
        }
        Ok(())
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Takes in what one read brought.
    fn note(&self, rest: &mut mark::Rest, bytes: &[u8], now_ns: u64) {
        let (mut count, mut latencies) = (0, self.latencies.lock());
        rest.scan(bytes, |due_ns| {
            count += 1;
            latencies.saturating_record(now_ns.saturating_sub(due_ns) / 1_000);
        });
        self.count.fetch_add(count, Ordering::Relaxed);
    }
}
