//! The rules. Each is a function from the workspace to complaints, in words that say what to do.

use crate::manifest::Manifest;
use crate::workspace::{Home, Package, Workspace};

/// The crates of the product by the names of their directories. A crate may use only those before it.
pub const ORDER: &[&str] = &[
    "ring",
    "proto",
    "session",
    "client",
    "auth",
    "body",
    "rpc",
    "cluster",
    "registry-gossip",
    "registry-dns",
    "registry-etcd",
    "registry-nacos",
    "store",
    "store-redis",
    "dispatch",
    "sender",
    "worker",
    "gateway",
    "pages",
    "bridge",
    "api",
    "loadtest",
    "ringway",
];

/// Crates that never know each other, by whatever way: they meet over the network only.
pub const STRANGERS: &[&str] = &["gateway", "worker", "sender"];

/// Crates that hold decisions: no network, no tasks, no clock of their own.
pub const PURE: &[&str] = &["ring", "session", "client", "auth"];

/// What pure crates may not bring along, at any depth: packages of these names, or that begin so and go on with `-`.
pub const NETWORK: &[&str] = &[
    "tokio",
    "async-std",
    "smol",
    "mio",
    "socket2",
    "hyper",
    "h2",
    "tower",
    "tonic",
    "reqwest",
    "ureq",
    "axum",
    "quinn",
    "tungstenite",
];

/// What turns `.proto` files into code. Only crate `proto` does that.
pub const CODE_GENERATORS: &[&str] = &["tonic-prost-build", "tonic-build", "prost-build", "protox"];

/// Everything that is wrong with the workspace; nothing if it keeps the rules.
pub fn complaints(workspace: &Workspace) -> Vec<String> {
    let rules = [placed, downward, no_tools, strangers, pure, generators, lints, versions];
    rules.iter().flat_map(|rule| rule(workspace)).collect()
}

/// Every crate of the product has a place in the order, and is named after its directory.
fn placed(workspace: &Workspace) -> Vec<String> {
    let mut complaints = Vec::new();
    for Package { manifest, directory, .. } in product(workspace) {
        if !ORDER.contains(&directory.as_str()) {
            complaints.push(format!(
                "crates/{directory} has no place in the order of crates: decide what it may use and who may use it, then \
                 put it into ORDER in tests/architecture/src/rules.rs and into ARCHITECTURE.md"
            ));
        }
        let expected = package_name(directory);
        if manifest.name() != expected {
            complaints.push(format!("crates/{directory} must be named {expected}, not {}", manifest.name()));
        }
    }
    complaints
}

/// A crate uses only crates before it.
fn downward(workspace: &Workspace) -> Vec<String> {
    let mut complaints = Vec::new();
    for Package { manifest, directory, .. } in product(workspace) {
        let Some(place) = place(directory) else { continue };
        for used in manifest.uses().filter_map(crate_of) {
            if self::place(used).is_none_or(|used| used >= place) {
                complaints.push(format!(
                    "crates/{directory} uses crates/{used}, which does not stand before it in the order of crates ({}): \
                     move what both need into a crate before them",
                    ORDER.join(", ")
                ));
            }
        }
    }
    complaints
}

/// The product does not know its tests and tools.
fn no_tools(workspace: &Workspace) -> Vec<String> {
    let tools: Vec<_> =
        workspace.packages.iter().filter(|p| p.home == Home::Tools).map(|p| p.manifest.name()).collect();
    let users = product(workspace).flat_map(|package| {
        let used = package.manifest.uses().filter(|used| tools.contains(used));
        used.map(|used| format!("crates/{} uses {used}, which is no part of the product", package.directory))
    });
    users.collect()
}

/// Strangers do not reach each other.
fn strangers(workspace: &Workspace) -> Vec<String> {
    let mut complaints = Vec::new();
    for stranger in STRANGERS.iter().filter(|name| manifest(workspace, name).is_some()) {
        for way in ways(workspace, vec![stranger]) {
            if way.len() > 1 && STRANGERS.contains(way.last().unwrap_or(stranger)) {
                complaints.push(format!(
                    "crates/{stranger} knows another of {}: by way of {}; they may meet over the network only",
                    STRANGERS.join(", "),
                    way.join(" -> ")
                ));
            }
        }
    }
    complaints
}

/// Pure crates bring no network along.
fn pure(workspace: &Workspace) -> Vec<String> {
    let mut complaints = Vec::new();
    for name in PURE {
        for linked in manifest(workspace, name).into_iter().flat_map(Manifest::links) {
            if let Some(way) = workspace.lock.way(linked, is_network) {
                complaints.push(format!(
                    "crates/{name} must stay pure (no tasks, no network), but brings {} along: by way of {}",
                    way.last().map_or(linked, String::as_str),
                    way.join(" -> ")
                ));
            }
        }
    }
    complaints
}

/// Only crate `proto` generates code.
fn generators(workspace: &Workspace) -> Vec<String> {
    let others = workspace.packages.iter().filter(|package| package.directory != "proto");
    let users = others.flat_map(|package| {
        let used = package.manifest.uses().filter(|used| CODE_GENERATORS.contains(used));
        used.map(|used| {
            format!("{} uses {used}: only ringway-proto makes code of .proto files", package.manifest.name())
        })
    });
    users.collect()
}

/// Every package takes the workspace's lints.
fn lints(workspace: &Workspace) -> Vec<String> {
    let others = workspace.packages.iter().filter(|package| !package.manifest.inherits_lints());
    others.map(|package| format!("{} must say `lints.workspace = true`", package.manifest.name())).collect()
}

/// Versions stand once, in the workspace's manifest.
fn versions(workspace: &Workspace) -> Vec<String> {
    let own = workspace.packages.iter().flat_map(|package| {
        let name = package.manifest.name();
        package.manifest.own_versions().map(move |used| {
            format!("{name} gives {used} a version of its own: it must say `{used}.workspace = true`")
        })
    });
    own.collect()
}

fn product(workspace: &Workspace) -> impl Iterator<Item = &Package> {
    workspace.packages.iter().filter(|package| package.home == Home::Product)
}

fn manifest<'a>(workspace: &'a Workspace, directory: &str) -> Option<&'a Manifest> {
    product(workspace).find(|package| package.directory == directory).map(|package| &package.manifest)
}

/// Every way through the product that goes on from this one, itself included. Cycles are cut: the rule of the order
/// complains about them.
fn ways<'a>(workspace: &'a Workspace, way: Vec<&'a str>) -> Vec<Vec<&'a str>> {
    let last = way.last().copied().and_then(|last| manifest(workspace, last));
    let next =
        last.into_iter().flat_map(Manifest::uses).filter_map(crate_of).filter(|next| !way.contains(next));
    let further: Vec<_> = next.flat_map(|next| ways(workspace, [way.as_slice(), &[next]].concat())).collect();
    std::iter::once(way).chain(further).collect()
}

fn place(directory: &str) -> Option<usize> {
    ORDER.iter().position(|name| *name == directory)
}

fn package_name(directory: &str) -> String {
    if directory == "ringway" { directory.to_owned() } else { format!("ringway-{directory}") }
}

/// The directory of a crate of ours, from its package's name.
fn crate_of(package: &str) -> Option<&str> {
    let directory = if package == "ringway" { package } else { package.strip_prefix("ringway-")? };
    Some(directory).filter(|directory| !["architecture", "e2e"].contains(directory))
}

fn is_network(package: &str) -> bool {
    let is = |name: &&str| {
        package.strip_prefix(*name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    NETWORK.iter().any(is)
}

#[cfg(test)]
mod tests;
