//! Whether a registry sees the cluster, as its adapters tell it: in one metric for all of them, and in the log once for
//! each outage.

use std::fmt::Display;

use parking_lot::Mutex;
use tracing::{info, warn};

/// Tells of a registry's outages. `ringway_cluster_registry_up{registry}` is 0 during one.
#[derive(Debug)]
pub struct RegistryHealth {
    registry: &'static str,
    up: Mutex<bool>,
}

impl RegistryHealth {
    /// For the registry of this name, which is taken to be up.
    pub fn new(registry: &'static str) -> Self {
        let health = Self { registry, up: Mutex::new(true) };
        health.show(true);
        health
    }

    /// The registry shows the cluster as it is.
    pub fn up(&self) {
        if self.changes_to(true) {
            info!(registry = self.registry, "the registry can be seen again");
        }
    }

    /// The registry cannot be seen: what it showed last stays.
    pub fn down(&self, why: impl Display) {
        if self.changes_to(false) {
            warn!(registry = self.registry, %why, "the registry cannot be seen: the last list of members stays");
        }
    }

    fn changes_to(&self, now: bool) -> bool {
        let mut up = self.up.lock();
        let changes = *up != now;
        *up = now;
        self.show(now);
        changes
    }

    fn show(&self, up: bool) {
        metrics::gauge!("ringway_cluster_registry_up", "registry" => self.registry)
            .set(f64::from(u8::from(up)));
    }
}
