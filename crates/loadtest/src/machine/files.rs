//! How many files this process may open: each client is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many files beside the clients are open at the most: connections to nodes, the terminal, the event queue.
const OTHERS: u64 = 100;

/// There may not be as many clients as asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{clients} clients need {} open files, and this process may have {limit}: raise the hard limit (`ulimit -Hn {}` as root, \
     LimitNOFILE= in a systemd unit), or run several of these with fewer --clients each",
    needed(*clients), needed(*clients)
)]
pub(crate) struct TooFewFiles {
    clients: usize,
    limit: u64,
}

/// Raises the limit to what the system allows at the most, and sees whether so many clients can be.
///
/// # Errors
/// When they cannot.
pub(crate) fn allow(clients: usize) -> Result<(), TooFewFiles> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let current = if setrlimit(Resource::Nofile, raised).is_ok() { limit.maximum } else { limit.current };
    // None: unlimited.
    match current {
        Some(limit) if limit < needed(clients) => Err(TooFewFiles { clients, limit }),
        _ => Ok(()),
    }
}

fn needed(clients: usize) -> u64 {
    clients as u64 + OTHERS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said() {
        assert_eq!(allow(100), Ok(()));
        let told = TooFewFiles { clients: 30_000, limit: 20_000 }.to_string();
        assert!(
            told.contains("30000 clients need 30100 open files, and this process may have 20000"),
            "{told}"
        );
    }
}
