//! A Redis with its own directory, at a socket in there: it takes no port. It ends with its test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use parking_lot::Mutex;
use redis::FromRedisValue;
use tempfile::TempDir;

use super::{PATIENCE, program};

pub(crate) struct Redis {
    home: TempDir,
    process: Mutex<Child>,
}

impl Redis {
    pub(crate) async fn start() -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let process = Mutex::new(spawn(home.path()));
        let redis = Self { home, process };
        redis.until_ready().await;
        redis
    }

    pub(crate) fn socket(&self) -> PathBuf {
        socket(self.home.path())
    }

    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Kills it. What it has on its disk stays.
    pub(crate) fn stop(&self) {
        let mut process = self.process.lock();
        process.kill().expect("it can be killed");
        process.wait().expect("it can be waited for");
    }

    /// Starts it again with what it had on its disk.
    pub(crate) async fn start_again(&self) {
        *self.process.lock() = spawn(self.home.path());
        self.until_ready().await;
    }

    /// Asks it directly, over a connection of its own.
    pub(crate) async fn ask<T: FromRedisValue>(&self, line: &[&str]) -> T {
        self.try_ask(line).await.expect("redis answers")
    }

    async fn try_ask<T: FromRedisValue>(&self, line: &[&str]) -> redis::RedisResult<T> {
        let client = redis::Client::open(self.url()).expect("a good address");
        let mut connection = client.get_multiplexed_async_connection().await?;
        let mut command = redis::cmd(line[0]);
        line[1..].iter().for_each(|word| _ = command.arg(word));
        command.query_async(&mut connection).await
    }

    /// Waits until it answers and has loaded what it had.
    async fn until_ready(&self) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut look = tokio::time::interval(std::time::Duration::from_millis(20));
        while self.try_ask::<String>(&["PING"]).await.is_err() {
            let ended = self.process.lock().try_wait().expect("it can be looked at");
            assert!(ended.is_none(), "redis has ended: {ended:?}");
            assert!(tokio::time::Instant::now() < deadline, "redis is not ready within {PATIENCE:?}");
            look.tick().await;
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let mut process = self.process.lock();
        process.kill().ok();
        process.wait().ok();
    }
}

fn socket(home: &Path) -> PathBuf {
    home.join("redis.sock")
}

fn spawn(home: &Path) -> Child {
    // A socket of one that was killed is still there.
    std::fs::remove_file(socket(home)).ok();
    let log = std::fs::File::create(home.join("redis.log")).expect("a log");
    let mut command = Command::new(program());
    command.arg("--unixsocket").arg(socket(home)).args(["--port", "0", "--save", ""]).arg("--dir").arg(home);
    command.args(["--appendonly", "yes", "--appendfsync", "always"]);
    command.stdin(Stdio::null()).stdout(log).stderr(Stdio::null());
    command.spawn().expect("RINGWAY_REDIS is a program")
}
