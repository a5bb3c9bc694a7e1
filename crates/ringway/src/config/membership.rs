//! Whether what is said about the members of the cluster goes together, and is enough for a process of its kind.

use std::collections::BTreeSet;

use ringway_registry_dns::{Question, QuestionError};

use super::Settings;
use super::check::Role;
use super::reader::Reader;
use super::words::RegistryKind;

/// What a node says of itself, unless a list says it.
const OF_ITSELF: [&str; 5] = ["node.rpc_url", "node.weight", "node.client_url", "node.zone", "node.labels"];

/// Checks everything about members, and reports to the reader.
pub(super) fn membership(settings: &Settings, role: Role, reader: &mut Reader) {
    listed_once(settings, reader);
    if role == Role::Up {
        if reader.is_set("cluster.members") {
            reader.object("cluster.members", "`ringway up` makes its own workers: leave it out");
        }
        return;
    }
    if role == Role::Bridge {
        if !reader.is_set("cluster.nodes") {
            reader.demand(
                "cluster.nodes is missing: a bridge needs nodes that know the workers (--node-url URL)",
            );
        }
        return;
    }
    if !reader.are_read(&["cluster.registry"]) {
        return;
    }
    match settings.cluster.registry {
        RegistryKind::Static => {
            of_no_use(reader, settings);
            list_needs(settings, role, reader);
        }
        kind @ RegistryKind::Gossip => {
            no_list(kind, reader);
            node_needs(settings, role, reader);
            gossip(settings, role, reader);
        }
        kind @ RegistryKind::Dns => {
            no_list(kind, reader);
            node_needs(settings, role, reader);
            dns(settings, role, reader);
        }
        kind @ (RegistryKind::Etcd | RegistryKind::Nacos) => {
            no_list(kind, reader);
            node_needs(settings, role, reader);
        }
    }
}

fn listed_once(settings: &Settings, reader: &mut Reader) {
    let (mut ids, mut urls) = (BTreeSet::new(), BTreeSet::new());
    for member in &settings.cluster.members.0 {
        if !ids.insert(&member.id) {
            reader.object("cluster.members", format!("two workers have the id {:?}", member.id.as_str()));
        }
        if !urls.insert(&member.rpc_url) {
            reader.object("cluster.members", format!("two workers have the rpc_url \"{}\"", member.rpc_url));
        }
    }
    if !settings.cluster.members.0.is_empty() && !settings.cluster.nodes.is_empty() {
        reader.object(
            "cluster.nodes",
            "with a member list the ring is not learned from nodes: leave one of them out",
        );
    }
}

/// Settings that have no effect with a member list.
fn of_no_use(reader: &mut Reader, settings: &Settings) {
    if !settings.gossip.seeds.is_empty() {
        reader.object(
            "gossip.seeds",
            "cluster.registry is \"static\": set it to \"gossip\" (--join does), or leave this out",
        );
    }
    if settings.dns.name.is_some() {
        reader.object("dns.name", "cluster.registry is \"static\": set it to \"dns\", or leave this out");
    }
    for key in OF_ITSELF.into_iter().filter(|key| reader.is_set(key)).collect::<Vec<_>>() {
        reader.object(key, "with a static list it is told there (cluster.members): leave it out");
    }
}

fn list_needs(settings: &Settings, role: Role, reader: &mut Reader) {
    let cluster = &settings.cluster;
    let has_members = reader.is_set("cluster.members");
    match role {
        Role::Any | Role::Up | Role::Bridge => {}
        Role::Gateway if has_members || reader.is_set("cluster.nodes") => {}
        Role::Gateway => reader.demand(
            "cluster.members is missing: a gateway needs the workers (--member ID=URL), a node that knows them \
             (cluster.nodes, --node-url URL), or nodes to gossip with (--join HOST:PORT)",
        ),
        Role::Worker => match &settings.node.id {
            None => no_id(reader),
            Some(_) if !has_members => reader.demand(
                "cluster.members is missing: a worker needs the list of all workers, itself included \
                 (--member ID=URL), or nodes to gossip with (--join HOST:PORT)",
            ),
            Some(id) if cluster.members.0.iter().any(|member| member.id == *id) => {}
            Some(_) if cluster.members.0.is_empty() => {}
            Some(_) => {
                let known: Vec<_> = cluster.members.0.iter().map(|member| member.id.as_str()).collect();
                let known = known.join(", ");
                reader.object("node.id", format!("expected one of the workers in cluster.members: {known}"));
            }
        },
    }
}

fn no_id(reader: &mut Reader) {
    if reader.is_set("node.id") {
        return;
    }
    reader.demand("node.id is missing: a worker needs its stable name (--id NAME)");
}

/// A registry other than the static one shows the members by itself.
fn no_list(kind: RegistryKind, reader: &mut Reader) {
    for key in ["cluster.members", "cluster.nodes"] {
        if reader.is_set(key) {
            let problem =
                format!("cluster.registry is {kind}, which shows the workers: leave one of them out");
            reader.object(key, problem);
        }
    }
}

/// A worker that is in no list must say who and where it is.
fn node_needs(settings: &Settings, role: Role, reader: &mut Reader) {
    let node = &settings.node;
    if role != Role::Worker {
        return;
    }
    if node.id.is_none() {
        no_id(reader);
    }
    match (node.rpc_listen, &node.rpc_url) {
        (None, None) if reader.is_set("node.rpc_listen") || reader.is_set("node.rpc_url") => {}
        (None, None) => reader.demand(
            "node.rpc_listen is missing: a worker needs an address where the others reach it (--rpc-listen ADDR)",
        ),
        (Some(listen), None) if listen.ip().is_unspecified() => reader.contradict(
            "node.rpc_listen",
            &["node.rpc_url"],
            "it does not tell the others where to reach this worker: set node.rpc_url too (--rpc-url URL)",
        ),
        (_, Some(_)) | (Some(_), None) => {}
    }
}

fn gossip(settings: &Settings, role: Role, reader: &mut Reader) {
    let gossip = &settings.gossip;
    if matches!(role, Role::Gateway | Role::Worker) && !reader.is_set("gossip.seeds") {
        reader.demand(
            "gossip.seeds is missing: name some nodes of the cluster (--join HOST:PORT); the first node names itself",
        );
    }
    let least = gossip.interval * 8;
    if gossip.failure_timeout < least {
        let least = humantime::format_duration(least);
        let problem = format!("expected at least 8 times gossip.interval, which is {least}");
        reader.contradict("gossip.failure_timeout", &["gossip.interval"], problem);
    }
    let least = gossip.failure_timeout * 2;
    if gossip.alone_after < least {
        let least = humantime::format_duration(least);
        let problem = format!("expected at least 2 times gossip.failure_timeout, which is {least}");
        reader.contradict("gossip.alone_after", &["gossip.failure_timeout"], problem);
    }
}

fn dns(settings: &Settings, role: Role, reader: &mut Reader) {
    let dns = &settings.dns;
    match dns.name.as_deref().map(|name| Question::new(name, dns.port)) {
        None if matches!(role, Role::Gateway | Role::Worker) && !reader.is_set("dns.name") => {
            reader
                .demand("dns.name is missing: cluster.registry \"dns\" needs the name that the workers have");
        }
        None | Some(Ok(_)) => {}
        Some(Err(QuestionError::PortMissing)) => {
            let problem = "a name of addresses does not tell their port: set dns.port too";
            reader.contradict("dns.name", &["dns.port"], problem);
        }
        Some(Err(QuestionError::PortTwice)) => {
            reader.object("dns.port", "the SRV records of dns.name have ports of their own: leave it out");
        }
    }
    if dns.interval_min > dns.interval_max {
        let most = humantime::format_duration(dns.interval_max);
        let problem = format!("expected at most dns.interval_max, which is {most}");
        reader.contradict("dns.interval_min", &["dns.interval_max"], problem);
    }
}
