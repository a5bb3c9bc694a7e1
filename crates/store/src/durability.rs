//! What a store promises of what it has confirmed.

/// What outlasts what. Ordered: later ones promise more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// Nothing outlasts the process, and no other process sees it.
    Volatile,
    /// Everything confirmed outlasts the process and the machine's power, on this machine; no other process sees it.
    Machine,
    /// Everything confirmed is in a server that other processes see too. What it outlasts is the server's matter.
    Server,
}

impl Durability {
    /// Whether a worker finds here what another worker has stored, as a cluster of several needs it.
    pub fn is_shared(self) -> bool {
        self == Self::Server
    }
}
