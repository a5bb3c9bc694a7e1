//! A cluster that people play with: its workers live in this process, and may be killed.

/// The workers of a cluster that runs in one process, such as that of `ringway up`.
pub trait Stage: Send + Sync {
    /// All of them, whether they live or not.
    fn workers(&self) -> Vec<String>;

    /// Kills a worker as a crash would: it says goodbye to nobody. It comes back after a while. False if there is no such
    /// worker, or it is dead already.
    fn kill(&self, worker: &str) -> bool;
}
