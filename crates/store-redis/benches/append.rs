//! What storing costs: messages of 200 bytes for many users, appended, acknowledged, by each store.
//!
//! `cargo bench -p ringway-store-redis --bench append`. It starts the Redis that RINGWAY_REDIS names, with an append-only file
//! that is synced every second, and leaves that line out if none is named. CPU is of the whole process; that of Redis is shown beside it.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use ringway_session::{Kind, Payload, UserId};
use ringway_store::{
    Clock, DeviceId, FileConfig, FileMailbox, Limits, Mailbox, MemoryMailbox, NewEntry, Offset, Place,
};
use ringway_store_redis::{RedisConfig, RedisMailbox};

const MESSAGES: usize = 30_000;
/// How many calls of a single user are under way.
const WINDOW: usize = 30;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(run());
}

async fn run() {
    println!(
        "{:<8} {:>6} {:>14} {:>16} {:>16}",
        "store", "users", "messages/s", "CPU us/message", "Redis us/message"
    );
    for users in [1, 100, 2000] {
        let memory = MemoryMailbox::new(Limits::default(), u64::MAX, Clock::system());
        measure("memory", Arc::new(memory), users, None).await;
        let directory = tempfile::tempdir().expect("a directory");
        let file =
            FileMailbox::open(FileConfig::new(directory.path()), Clock::system()).expect("a directory");
        measure("file", Arc::new(file), users, None).await;
        if let Some(server) = std::env::var_os("RINGWAY_REDIS") {
            let directory = tempfile::tempdir().expect("a directory");
            let socket = directory.path().join("redis.sock");
            let process = start(&server, directory.path());
            while std::os::unix::net::UnixStream::connect(&socket).is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let config = RedisConfig::new(format!("unix://{}", socket.display()));
            let redis = RedisMailbox::new(config, Clock::system()).expect("an address");
            measure("redis", Arc::new(redis), users, Some(process.0.id())).await;
        }
    }
}

/// Each user's messages are sent and acknowledged one after the other, those of all users at once; of a single user [`WINDOW`] are
/// under way.
async fn measure(name: &str, store: Arc<dyn Mailbox>, users: usize, redis: Option<u32>) {
    let (started, cpu, cpu_redis) =
        (Instant::now(), cpu("self"), redis.map_or(0.0, |id| cpu(&id.to_string())));
    let each = MESSAGES / users;
    let tasks = (0..users).map(|number| {
        tokio::spawn(one(Arc::clone(&store), number, each, if users == 1 { WINDOW } else { 1 }))
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("no panic");
    }
    let (messages, seconds) = ((each * users) as f64, started.elapsed().as_secs_f64());
    let per_message = |seconds: f64| seconds * 1e6 / messages;
    let used = per_message(self::cpu("self") - cpu);
    let used_redis = redis.map(|id| per_message(self::cpu(&id.to_string()) - cpu_redis));
    let used_redis = used_redis.map_or_else(|| "-".to_owned(), |used| format!("{used:.1}"));
    println!("{name:<8} {users:>6} {:>14.0} {used:>16.1} {used_redis:>16}", messages / seconds);
}

async fn one(store: Arc<dyn Mailbox>, number: usize, count: usize, window: usize) {
    let user = UserId::new(&format!("user-{number}")).expect("a good name");
    let device = DeviceId::new("phone").expect("a good name");
    let mut at = store.open(&user).await.expect("it opens").end();
    for _ in 0..count / window {
        let calls = (0..window as u64).map(|call| {
            let at = Place { offset: at.offset.plus(call), ..at };
            store.append(&user, at, vec![message(at.offset.0)])
        });
        for appended in join_all(calls).await {
            at = appended.expect("nobody else appends").next;
        }
        let last = Place { offset: Offset(at.offset.0 - 1), ..at };
        store.acknowledge(&user, &device, last).await.expect("it was appended");
    }
}

fn message(number: u64) -> NewEntry {
    let payload = Payload::new(Bytes::from(vec![b'x'; 200]), Kind::Text).expect("a text");
    NewEntry {
        message_id: format!("{number:032x}"),
        topic: "topic".to_owned(),
        from: String::new(),
        payload,
        time_to_live: None,
        until_first_ack: false,
    }
}

/// The CPU time of a process so far, in seconds.
fn cpu(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("Linux tells");
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = behind_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

/// Ends with the benchmark.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn start(server: &std::ffi::OsStr, directory: &std::path::Path) -> Server {
    let mut command = Command::new(server);
    command.arg("--dir").arg(directory).arg("--unixsocket").arg(directory.join("redis.sock"));
    command
        .args(["--port", "0", "--save", "", "--appendonly", "yes"])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    Server(command.spawn().expect("RINGWAY_REDIS is a program"))
}
