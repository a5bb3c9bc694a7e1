//! Reading files with keys again when they change: those of JWTs, and those of the HTTP API.
//!
//! A file is looked at every few seconds. What counts as its change is another time of writing or another length, noted before the
//! file is read, so that a change that comes meanwhile is seen by the next look. A file that cannot be used changes nothing: the keys
//! before it stay, and the log says why.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ringway_api::{Keys, KeysHandle};
use ringway_auth::Jwt;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::Verifier;

/// How often the files are looked at.
pub(super) const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// Keeps the keys of tokens to the file that they come from, if they come from one, from now on and until `end`.
pub(super) fn watch(verifier: &Verifier, end: &CancellationToken) {
    let Verifier::Jwt(jwt) = verifier else { return };
    let Some(path) = jwt.key_path().map(Path::to_owned) else { return };
    let jwt: Arc<Jwt> = Arc::clone(jwt);
    start("the keys of tokens", path, move |_| Ok(jwt.reload()?), end);
}

/// Keeps the keys of the HTTP API to the file that they come from, if they come from one, from now on and until `end`: whoever holds
/// `keys` asks for those that the file had at the last look. Must be called within a runtime.
pub(super) fn watch_api(path: Option<&Path>, keys: &KeysHandle, end: &CancellationToken) {
    let Some(path) = path.map(Path::to_owned) else { return };
    let handle = keys.clone();
    let reload = move |path: &Path| {
        let keys = Keys::parse(&std::fs::read_to_string(path)?)?;
        let count = keys.len();
        handle.replace(keys);
        Ok(count)
    };
    start("the keys of the API", path, reload, end);
}

fn start<R>(what: &'static str, path: PathBuf, reload: R, end: &CancellationToken)
where
    R: Fn(&Path) -> anyhow::Result<usize> + Send + 'static,
{
    let (task, end) = (KeyTask::begin(what, path, reload), end.clone());
    tokio::spawn(async move { end.run_until_cancelled(task.run()).await });
}

struct KeyTask<R> {
    what: &'static str,
    path: PathBuf,
    /// Takes the file's keys over and says how many there are.
    reload: R,
    /// What the file looked like just before it was last read.
    last: Stamp,
}

/// When a file was written, and its length; nothing for one that is not there.
type Stamp = Option<(SystemTime, u64)>;

impl<R: Fn(&Path) -> anyhow::Result<usize>> KeyTask<R> {
    /// The file was read with the configuration, a moment ago. It is read once more, since nobody knows what it looked like then.
    fn begin(what: &'static str, path: PathBuf, reload: R) -> Self {
        let last = stamp(&path);
        let task = Self { what, path, reload, last };
        if let Err(error) = (task.reload)(&task.path) {
            task.complain(&error);
        }
        task
    }

    async fn run(mut self) {
        loop {
            tokio::time::sleep(POLL_INTERVAL).await;
            let now = stamp(&self.path);
            if now == self.last {
                continue;
            }
            self.last = now;
            let (what, path) = (self.what, self.path.display());
            match (self.reload)(&self.path) {
                Ok(keys) => info!(%path, keys, "{what} were read again"),
                Err(error) => self.complain(&error),
            }
        }
    }

    fn complain(&self, error: &anyhow::Error) {
        warn!(path = %self.path.display(), %error, "{} stay as they were", self.what);
    }
}

fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::time::timeout;

    use super::*;

    /// The first time it is read it changes before anybody could look at it again.
    #[tokio::test(start_paused = true)]
    async fn a_change_while_the_file_is_read_is_seen_by_the_next_look() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        std::fs::write(&path, "1").unwrap();
        let reads = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&reads);
        let reload = move |path: &Path| {
            let text = std::fs::read_to_string(path)?;
            if counted.fetch_add(1, Ordering::Relaxed) == 0 {
                std::fs::write(path, "two")?;
            }
            Ok(text.len())
        };
        let task = KeyTask::begin("some keys", path, reload);
        assert_eq!(reads.load(Ordering::Relaxed), 1, "at once, whatever was read before");
        timeout(5 * POLL_INTERVAL, task.run()).await.unwrap_err();
        assert_eq!(reads.load(Ordering::Relaxed), 2, "once more, and then it is as it was");
    }

    #[tokio::test]
    async fn what_changed_before_the_watch_began_is_not_missed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        let handle = KeysHandle::new(Keys::parse("old = 0123456789abcdef").unwrap());
        let end = CancellationToken::new();
        for (text, expected) in [("new = fedcba9876543210", "new"), ("nonsense", "new")] {
            std::fs::write(&path, text).unwrap();
            watch_api(Some(&path), &handle, &end);
            assert_eq!(handle.current().name_of(b"fedcba9876543210"), Some(expected), "{text}");
        }
    }
}
