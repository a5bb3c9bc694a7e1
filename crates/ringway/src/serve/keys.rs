//! Reading the file with the keys of JWTs again when it changes.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ringway_auth::Jwt;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::Verifier;

/// How often the file is looked at.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// Watches the file that the keys come from, if they come from one, until `end`.
pub(super) fn watch(verifier: &Verifier, end: &CancellationToken) {
    let Verifier::Jwt(jwt) = verifier else { return };
    let Some(path) = jwt.key_path() else { return };
    let task = KeyTask { last: stamp(path), jwt: Arc::clone(jwt) };
    let end = end.clone();
    tokio::spawn(async move { end.run_until_cancelled(task.run()).await });
}

struct KeyTask {
    jwt: Arc<Jwt>,
    /// What the file looked like when it was last read.
    last: Option<(SystemTime, u64)>,
}

impl KeyTask {
    async fn run(mut self) {
        loop {
            tokio::time::sleep(POLL_INTERVAL).await;
            let Some(path) = self.jwt.key_path() else { return };
            let now = stamp(path);
            if now == self.last {
                continue;
            }
            self.last = now;
            match self.jwt.reload() {
                Ok(keys) => info!(path = %path.display(), keys, "the keys of tokens were read again"),
                Err(error) => warn!(path = %path.display(), %error, "the keys of tokens stay as they were"),
            }
        }
    }
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
