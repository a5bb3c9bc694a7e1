//! The methods that nodes serve, by their path. A path from outside becomes a metric's label only through this table,
//! so nobody can make labels up.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use metrics::{Counter, counter};

/// Every method of the package, and those of health and reflection, as they stand in an HTTP/2 `:path`.
const PATHS: [&str; 30] = [
    "/ringway.v1.Delivery/SendToUser",
    "/ringway.v1.Delivery/SendToGroup",
    "/ringway.v1.Delivery/SendToAll",
    "/ringway.v1.Delivery/Publish",
    "/ringway.v1.Ring/Get",
    "/ringway.v1.Ring/Watch",
    "/ringway.v1.Ring/Locate",
    "/ringway.v1.Sessions/List",
    "/ringway.v1.Sessions/Get",
    "/ringway.v1.Sessions/Close",
    "/ringway.v1.Sessions/JoinGroup",
    "/ringway.v1.Sessions/LeaveGroup",
    "/ringway.v1.Presence/Get",
    "/ringway.v1.Presence/Watch",
    "/ringway.v1.Link/Attach",
    "/ringway.v1.Peer/ReportInterest",
    "/ringway.v1.Peer/DeliverLocal",
    "/ringway.v1.Peer/Claim",
    "/ringway.v1.Peer/Adopt",
    "/ringway.v1.Peer/Poke",
    "/ringway.v1.Peer/Answer",
    "/ringway.v1.Node/Drain",
    "/ringway.v1.Node/Undrain",
    "/ringway.v1.Node/SetWeight",
    "/ringway.v1.Node/Status",
    "/ringway.v1.Events/Subscribe",
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// A known method, or "other".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Method(usize);

impl Method {
    pub(crate) fn of_path(path: &str) -> Method {
        Method(PATHS.iter().position(|known| *known == path).unwrap_or(PATHS.len()))
    }

    /// `ringway.v1.Delivery/SendToUser`, or `other`.
    pub(crate) fn label(self) -> &'static str {
        PATHS.get(self.0).map_or("other", |path| &path[1..])
    }
}

/// Something for each method.
#[derive(Debug)]
pub(crate) struct PerMethod<T>([T; PATHS.len() + 1]);

impl<T: Default> Default for PerMethod<T> {
    fn default() -> Self {
        PerMethod(std::array::from_fn(|_| T::default()))
    }
}

impl<T> PerMethod<T> {
    pub(crate) fn of(&self, method: Method) -> &T {
        &self.0[method.0]
    }
}

/// How often each method was called.
#[derive(Debug, Default)]
pub(crate) struct CallCounts(PerMethod<CallCount>);

#[derive(Debug, Default)]
struct CallCount {
    calls: AtomicU64,
    /// Looked up once.
    counter: OnceLock<Counter>,
}

impl CallCounts {
    pub(crate) fn add(&self, method: Method) {
        let CallCount { calls, counter } = self.0.of(method);
        calls.fetch_add(1, Ordering::Relaxed);
        let metric = || counter!("ringway_rpc_client_calls_total", "method" => method.label());
        counter.get_or_init(metric).increment(1);
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.0.iter().map(|count| count.calls.load(Ordering::Relaxed)).sum()
    }

    pub(crate) fn of(&self, label: &str) -> u64 {
        let method = Method::of_path(&format!("/{label}"));
        self.0.of(method).calls.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message as _;

    use super::*;

    #[test]
    fn the_table_is_the_packages_methods() {
        let set = prost_types::FileDescriptorSet::decode(ringway_proto::FILE_DESCRIPTOR_SET).unwrap();
        let mut described = BTreeSet::new();
        for file in &set.file {
            for service in &file.service {
                for method in &service.method {
                    described.insert(format!("/{}.{}/{}", file.package(), service.name(), method.name()));
                }
            }
        }
        let ours = PATHS.iter().filter(|path| path.starts_with("/ringway.")).map(|path| path.to_string());
        assert_eq!(ours.collect::<BTreeSet<_>>(), described);
    }

    #[test]
    fn an_unknown_path_is_other() {
        assert_eq!(Method::of_path("/ringway.v1.Ring/Get").label(), "ringway.v1.Ring/Get");
        for path in ["", "/", "/ringway.v1.Ring/get", "/ringway.v1.Ring/Get/x"] {
            assert_eq!(Method::of_path(path).label(), "other", "{path}");
        }
    }
}
