//! Reading files with keys again when they change: those of JWTs, and those of the HTTP API.

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

/// Watches the file that the keys of tokens come from, if they come from one, until `end`.
pub(super) fn watch(verifier: &Verifier, end: &CancellationToken) {
    let Verifier::Jwt(jwt) = verifier else { return };
    let Some(path) = jwt.key_path().map(Path::to_owned) else { return };
    let jwt: Arc<Jwt> = Arc::clone(jwt);
    start("the keys of tokens", path, move |_| Ok(jwt.reload()?), end);
}

/// Watches the file that the keys of the API come from, if they come from one, until `end`.
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
    let task = KeyTask { what, last: stamp(&path), path, reload };
    let end = end.clone();
    tokio::spawn(async move { end.run_until_cancelled(task.run()).await });
}

struct KeyTask<R> {
    what: &'static str,
    path: PathBuf,
    /// Takes the file's keys over and says how many there are.
    reload: R,
    /// What the file looked like when it was last read.
    last: Option<(SystemTime, u64)>,
}

impl<R: Fn(&Path) -> anyhow::Result<usize>> KeyTask<R> {
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
                Err(error) => warn!(%path, %error, "{what} stay as they were"),
            }
        }
    }
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
