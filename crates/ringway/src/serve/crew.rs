//! The workers of `ringway up`. Where there are pages, on which people may kill them, each lives in a runtime of its own, so that it
//! can be killed as a process can: at once, in the middle of whatever it does, without a word to anybody. A while later it comes
//! back, as another incarnation. Without pages nobody kills them, and they share the process's threads.
//!
//! What the workers share outlives each of them: the registry, which learns of a death as soon as the dead worker's lease is
//! gone, and the mailboxes in memory or in files. Connections are everybody's own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ringway_cluster::{Member, MemberState, MemoryRegistry, Registry as _, Views};
use ringway_pages::Stage;
use ringway_rpc::ClusterSecret;
use ringway_worker::Mailboxes;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::bind::bind;
use super::membership::List;
use super::nodes::{self, Deadlines, RpcServer, Shared, WorkerNode};
use super::parts;
use super::running::Running;
use crate::config::{Config, MailboxStore};

/// How long a worker that was killed stays dead.
const DEAD_FOR: Duration = Duration::from_secs(5);
/// How long to rest when its address is not free again yet.
const BIND_REST: Duration = Duration::from_millis(100);

/// What all workers are made of.
pub(super) struct Material {
    pub(super) config: Arc<Config>,
    pub(super) registry: MemoryRegistry,
    pub(super) views: Views,
    pub(super) secret: ClusterSecret,
    /// Those that are shared; nothing where each worker has its own way to them.
    pub(super) mailboxes: Option<Mailboxes>,
}

/// The workers of a cluster in one process.
pub(super) struct Crew {
    seats: Vec<Arc<Seat>>,
}

/// One worker's place, whether it lives or not.
struct Seat {
    material: Arc<Material>,
    /// As it is at the beginning of each life, but for the incarnation.
    member: Member,
    /// Ends the present life; nothing while it is dead.
    life: Mutex<Option<CancellationToken>>,
}

/// A worker that lives. Dropped, it is dead.
struct Life {
    /// Its own, if it may be killed.
    runtime: Option<Runtime>,
    work: JoinHandle<anyhow::Result<()>>,
    killed: CancellationToken,
}

impl Crew {
    /// Workers that do not live yet.
    pub(super) fn new(material: Material, members: impl IntoIterator<Item = Member>) -> Self {
        let material = Arc::new(material);
        let seat = |member| Seat { material: Arc::clone(&material), member, life: Mutex::default() };
        Self { seats: members.into_iter().map(|member| Arc::new(seat(member))).collect() }
    }

    /// Starts them at these sockets, as parts of the present phase.
    pub(super) fn start(&self, listeners: Vec<TcpListener>, running: &mut Running) {
        for (seat, listener) in self.seats.iter().zip(listeners) {
            let name = format!("worker {}", seat.member.id);
            running.start(name, |stop| Arc::clone(seat).work(listener, stop));
        }
    }

    /// How long their end may take.
    pub(super) fn deadline(deadlines: &Deadlines) -> Duration {
        deadlines.sessions + deadlines.calls
    }
}

impl Stage for Crew {
    fn workers(&self) -> Vec<String> {
        self.seats.iter().map(|seat| seat.member.id.to_string()).collect()
    }

    fn kill(&self, worker: &str) -> bool {
        let seat = self.seats.iter().find(|seat| seat.member.id.as_str() == worker);
        let life = seat.and_then(|seat| seat.life.lock().take());
        life.map(|life| life.cancel()).is_some()
    }
}

impl Seat {
    /// Lives one life after the other, until it is told to stop; then the present one ends in order.
    async fn work(self: Arc<Self>, mut listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
        let address = listener.local_addr()?;
        loop {
            let mut life = self.begin(listener, stop.clone())?;
            if let Some(ended) = life.end().await {
                return ended;
            }
            drop(life);
            warn!(worker = %self.member.id, "the worker was killed; it comes back in {DEAD_FOR:?}");
            let again = async {
                sleep(DEAD_FOR).await;
                bind_again(address).await
            };
            match stop.run_until_cancelled(again).await {
                Some(bound) => listener = bound,
                None => return Ok(()),
            }
        }
    }

    /// Begins a life.
    fn begin(self: &Arc<Self>, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<Life> {
        let listener = listener.into_std()?;
        let seat = Arc::clone(self);
        let life = async move { seat.live(TcpListener::from_std(listener)?, stop).await };
        let killed = CancellationToken::new();
        *self.life.lock() = Some(killed.clone());
        if self.material.config.checked.pages.is_none() {
            return Ok(Life { runtime: None, work: tokio::spawn(life), killed });
        }
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).thread_name(self.member.id.as_str()).enable_all().build()?;
        let work = runtime.spawn(life);
        Ok(Life { runtime: Some(runtime), work, killed })
    }

    /// One life, within its runtime.
    async fn live(&self, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
        let Material { config, registry, views, secret, .. } = &*self.material;
        let settings = &config.settings;
        let shared = Shared::new(views.clone(), secret.clone(), settings)
            .with_mailboxes(self.mailboxes()?)
            .with_presence_export(parts::presence_export(config)?);
        let member =
            Member { incarnation: nodes::incarnation(), state: MemberState::Joining, ..self.member.clone() };
        let (name, lease) = (format!("worker {}", member.id), registry.join(member.clone()).await?);
        let node = WorkerNode::new(member, lease, List::Own, &shared, settings);
        let server = RpcServer::new(name, listener, &shared, settings);
        let server = server.with(|services| node.add_services(services, settings));
        let (mut running, serving, deadlines) =
            (Running::new(), CancellationToken::new(), Deadlines::of(settings));
        running.phase("sessions end", deadlines.sessions);
        node.start(&mut running, serving.clone());
        running.phase("calls end", deadlines.calls);
        server.start(&mut running, &shared, settings);
        serving.cancel();
        running.until(stop).await
    }

    fn mailboxes(&self) -> anyhow::Result<Option<Mailboxes>> {
        match &self.material.mailboxes {
            Some(shared) => Ok(Some(shared.clone())),
            None => parts::mailboxes(&self.material.config),
        }
    }
}

impl Life {
    /// How it ended; nothing if it was killed.
    async fn end(&mut self) -> Option<anyhow::Result<()>> {
        tokio::select! {
            biased;
            // Both are cancel-safe.
            () = self.killed.cancelled() => None,
            ended = &mut self.work => Some(ended.unwrap_or_else(|panic| Err(panic.into()))),
        }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.work.abort();
        if let Some(runtime) = self.runtime.take() {
            // Every task ends where it is; whatever they hold is dropped, sockets and lease included.
            runtime.shutdown_background();
        }
    }
}

/// Workers may share what lives in this process only; where the store is a server, each has its own way to it.
pub(super) fn shared_mailboxes(config: &Config) -> anyhow::Result<Option<Mailboxes>> {
    match config.settings.mailbox.store {
        MailboxStore::Redis => Ok(None),
        MailboxStore::Nowhere | MailboxStore::Memory | MailboxStore::File => parts::mailboxes(config),
    }
}

/// A dead worker's socket, once the system has let go of it. That it has to be waited for is said once, and its end, too.
async fn bind_again(address: SocketAddr) -> TcpListener {
    let mut failures = 0_u64;
    loop {
        match bind(address, "--workers-listen") {
            Ok(listener) => {
                if failures > 0 {
                    info!(%address, failures, "the dead worker's socket is free again");
                }
                return listener;
            }
            Err(error) if failures == 0 => {
                warn!(%error, "the dead worker cannot come back yet: its socket is tried again until it is free");
            }
            Err(error) => debug!(%error, "not yet"),
        }
        failures += 1;
        sleep(BIND_REST).await;
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use tokio::time::timeout;

    use super::*;

    /// What is logged, as text.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn that_a_socket_must_be_waited_for_is_said_once_and_so_is_the_end() {
        let written = Written::default();
        let writer = written.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        let holder = bind("127.0.0.1:0".parse().unwrap(), "a test").unwrap();
        let address = holder.local_addr().unwrap();
        let mut again = std::pin::pin!(bind_again(address));
        timeout(5 * BIND_REST, again.as_mut()).await.unwrap_err();
        drop(holder);
        assert_eq!(again.await.local_addr().unwrap(), address);
        let text = String::from_utf8(written.0.lock().clone()).unwrap();
        let lines: Vec<_> = text.lines().map(|line| line.split_whitespace().nth(1).unwrap_or("")).collect();
        assert_eq!(lines, ["WARN", "INFO"], "{text}");
        assert!(text.contains("cannot listen at") && text.contains("failures="), "{text}");
    }
}
