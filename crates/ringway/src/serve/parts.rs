//! Each part's own piece of the configuration.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ringway_auth::Authenticator;
use ringway_cluster::Member;
use ringway_gateway::{
    ForwardConfig, GatewayConfig, GatewayParts, HttpConfig, LinkConfig, LinkConnector, MovingConfig,
    PathRules, Routing, ShutdownConfig, SocketConfig, TlsFiles,
};
use ringway_ring::MemberId;
use ringway_rpc::{NodeLimits, NodeUrl, PoolConfig, ServerConfig};
use ringway_session::{self as session, ConductPolicy, MovePolicy, Permissions, Policy};
use ringway_store::{Clock, FileConfig, FileMailbox, Mailbox, MemoryMailbox, PresenceExport};
use ringway_store_redis::{RedisMailbox, RedisPresence};
use ringway_worker::{ClientBounds, EventsConfig, Mailboxes, OnClientMessage, WorkerConfig};

use super::nodes::Shared;
use super::{Process, pages, system};
use crate::config::{
    Config, MailboxStore, MemberEntry, OnConflict, OnSlowConsumer, PresenceExportKind, RegistryKind,
    Settings, Verifier,
};

/// How long a registry in which workers write may take until all see it.
const REGISTRY_LAG: Duration = Duration::from_secs(5);

/// For how much longer than a gateway looks for a session's place the worker that it has left remembers it: until the news of how
/// that ended is there.
const TRANSIT_SLACK: Duration = Duration::from_secs(10);

/// The most links of a gateway to a worker if nothing is said: each more divides what can be written together.
const LINKS_MAX: usize = 4;

/// How nodes are called.
pub(super) fn pool(settings: &Settings) -> PoolConfig {
    PoolConfig {
        connect_timeout: settings.rpc.connect_timeout,
        keepalive_interval: settings.rpc.keepalive_interval,
        keepalive_timeout: settings.rpc.keepalive_timeout,
        message_bytes_max: settings.limits.message_bytes_max.0,
        state_bytes_max: state_bytes_max(settings),
        ..PoolConfig::default()
    }
}

/// How a node's gRPC server serves.
pub(super) fn server(settings: &Settings) -> ServerConfig {
    ServerConfig {
        connections_max: settings.rpc.connections_max,
        keepalive_interval: settings.rpc.keepalive_interval,
        keepalive_timeout: settings.rpc.keepalive_timeout,
        shutdown_timeout: settings.node.shutdown_timeout,
        ..ServerConfig::default()
    }
}

/// How large messages may be.
pub(super) fn limits(settings: &Settings) -> NodeLimits {
    NodeLimits::new(settings.limits.message_bytes_max.0).with_states(state_bytes_max(settings))
}

/// How large the state of a session may be. Gateways carry it, and so must have the same `sessions` as the workers.
fn state_bytes_max(settings: &Settings) -> usize {
    policy(settings).state_bytes_max(settings.limits.message_bytes_max.0)
}

/// A member of the static list.
pub(super) fn member(entry: &MemberEntry) -> Member {
    Member {
        weight: entry.weight,
        client_url: entry.client_url.clone(),
        zone: entry.zone.clone(),
        labels: entry.labels.clone(),
        ..Member::new(entry.id.clone(), entry.rpc_url.clone())
    }
}

/// A member that says of itself what no list says; `rpc_url` is where it is reached unless it names another place.
pub(super) fn unlisted_member(settings: &Settings, rpc_url: NodeUrl) -> anyhow::Result<Member> {
    let node = &settings.node;
    let id = node.id.clone().context("node.id is missing")?;
    Ok(Member {
        weight: node.weight.unwrap_or_default(),
        client_url: node.client_url.clone(),
        zone: node.zone.clone(),
        labels: node.labels.clone().unwrap_or_default(),
        ..Member::new(id, node.rpc_url.clone().unwrap_or(rpc_url))
    })
}

/// Where messages are stored for users, if they are.
pub(super) fn mailboxes(config: &Config) -> anyhow::Result<Option<Mailboxes>> {
    let mailbox = &config.settings.mailbox;
    let (limits, bytes_max) = (mailbox.limits(), mailbox.store_bytes_max.0 as u64);
    let store: Arc<dyn Mailbox> = match (mailbox.store, &mailbox.directory, &config.checked.redis) {
        (MailboxStore::Memory, _, _) => Arc::new(MemoryMailbox::new(limits, bytes_max, Clock::system())),
        (MailboxStore::File, Some(directory), _) => {
            let file = FileConfig { limits, bytes_max, ..FileConfig::new(directory) };
            let what = || format!("mailbox.directory {}", directory.display());
            Arc::new(FileMailbox::open(file, Clock::system()).with_context(what)?)
        }
        (MailboxStore::Redis, _, Some(redis)) => {
            Arc::new(RedisMailbox::new(redis.clone(), Clock::system()).context("redis.url")?)
        }
        // The check has said what is missing.
        (MailboxStore::Nowhere | MailboxStore::File | MailboxStore::Redis, _, _) => return Ok(None),
    };
    Ok(Some(Mailboxes::new(store, limits.idempotency_window)))
}

/// How a worker of this name works.
pub(super) fn worker(id: MemberId, settings: &Settings) -> WorkerConfig {
    let worker = &settings.worker;
    WorkerConfig {
        policy: policy(settings),
        moves: moves(settings),
        moves_per_second: settings.handover.sessions_per_second,
        arrival_wait_max: settings.handover.wait,
        drain_timeout: settings.handover.drain_timeout,
        off_ring_wait_max: off_ring_wait_max(settings),
        limits: limits(settings),
        subprotocols: worker.subprotocols.clone(),
        client: ClientBounds {
            sends_under_way_max: settings.client.sends_under_way_max,
            sends_under_way_bytes_max: settings.client.sends_under_way_bytes_max.0,
        },
        on_client_message: if worker.echo { OnClientMessage::Echo } else { OnClientMessage::Discard },
        link_stall_timeout: worker.link_stall_timeout,
        crowded_wait_max: worker.crowded_wait_max,
        settle_timeout: worker.settle_timeout,
        peer_timeout: settings.rpc.call_timeout,
        events: events(settings),
        flush_timeout: worker.flush_timeout,
        ..WorkerConfig::new(id)
    }
}

/// How long a worker that drains stays on the ring. In the DNS it cannot say so itself: others see it when its record is gone and
/// they ask again.
fn off_ring_wait_max(settings: &Settings) -> Duration {
    match settings.cluster.registry {
        RegistryKind::Dns => settings.dns.interval_max + settings.dns.timeout + REGISTRY_LAG,
        RegistryKind::Static | RegistryKind::Gossip | RegistryKind::Etcd | RegistryKind::Nacos => {
            REGISTRY_LAG
        }
    }
}

fn events(settings: &Settings) -> EventsConfig {
    let events = &settings.events;
    EventsConfig {
        subscriptions_max: events.subscriptions_max,
        events_max: events.kept_max,
        bytes_max: events.kept_bytes_max.0,
        away_max: events.away_max,
        room_wait_max: events.room_wait_max,
    }
}

/// Workers must have the same `gateway.reopen_deadline` as the gateways.
fn moves(settings: &Settings) -> MovePolicy {
    let (sessions, handover) = (&settings.sessions, &settings.handover);
    let usual = MovePolicy::default();
    MovePolicy {
        // As long as a message may wait for a session, nobody may forget that it has it.
        follow_window: usual.follow_window.max(handover.wait),
        resume_window: sessions.resume_window,
        reopen_window: sessions.reopen_window,
        transit_max: settings.gateway.reopen_deadline + TRANSIT_SLACK,
        ack_within: sessions.ack_within,
        orphan_window: handover.orphan_window,
        kept_bytes_max: handover.kept_bytes_max.0 as u64,
        moves_under_way_max: handover.under_way_max,
        ..usual
    }
}

fn policy(settings: &Settings) -> Policy {
    let sessions = &settings.sessions;
    let on_conflict = match sessions.on_conflict {
        OnConflict::Allow => None,
        OnConflict::ReplaceOldest => Some(session::OnConflict::ReplaceOldest),
        OnConflict::Refuse => Some(session::OnConflict::Refuse),
    };
    Policy {
        sessions_max: sessions.max,
        per_user: sessions.per_user_max.zip(on_conflict),
        groups_per_session_max: sessions.groups_per_session_max,
        watches_per_session_max: sessions.watches_per_session_max,
        queue_bytes_max: sessions.queue_bytes_max.0 as u64,
        window_bytes: sessions.window_bytes.0 as u64,
        link_bytes_max: settings.worker.link_queue_bytes_max.0 as u64,
        on_slow_consumer: match sessions.on_slow_consumer {
            OnSlowConsumer::Close => session::OnSlowConsumer::Close,
            OnSlowConsumer::DropOldest => session::OnSlowConsumer::DropOldest,
        },
        mailboxes: settings.mailbox.store != MailboxStore::Nowhere,
        conduct: ConductPolicy {
            frames_per_second: settings.client.frames_per_second,
            frames_burst: settings.client.frames_burst,
            offences_max: settings.client.offences_max,
        },
        ..Policy::default()
    }
}

/// What every client may do whose token says nothing else.
fn permissions(settings: &Settings) -> Permissions {
    let client = &settings.client;
    Permissions {
        join: client.join.clone(),
        send_users: client.send_users.clone(),
        send_groups: client.send_groups.clone(),
        send_own_groups: client.send_own_groups,
        watch: client.watch.clone(),
        events: client.events.clone(),
    }
}

/// How a gateway of this name works.
pub(super) fn gateway(gateway_id: String, routing: Routing, settings: &Settings) -> GatewayConfig {
    let gateway = &settings.gateway;
    GatewayConfig {
        gateway_id,
        routing,
        http: http(settings),
        socket: SocketConfig {
            message_bytes_max: settings.limits.message_bytes_max.0,
            ping_interval: gateway.ping_interval,
            idle_timeout: gateway.idle_timeout,
            message_timeout: gateway.message_timeout,
            close_timeout: gateway.close_timeout,
            write_timeout: gateway.write_timeout,
            close_on_expiry: settings.auth.close_on_expiry,
        },
        permissions: permissions(settings),
        link: LinkConfig {
            links_per_worker: gateway
                .links_per_worker
                .unwrap_or_else(|| system::threads(settings).min(LINKS_MAX)),
            queue_bytes_max: gateway.link_queue_bytes_max.0,
            ..LinkConfig::default()
        },
        moving: MovingConfig {
            opens_max: gateway.reopens_max,
            reopen_deadline: gateway.reopen_deadline,
            detach_timeout: gateway.detach_timeout,
            retire_wait: gateway.retire_wait,
            kept_bytes_max: gateway.kept_bytes_max.0,
            ..moving_defaults(settings)
        },
        shutdown: ShutdownConfig {
            unready_for: gateway.unready_for,
            drain_window: gateway.drain_window,
            ..ShutdownConfig::default()
        },
    }
}

/// What follows from how workers work: they may send so much.
fn moving_defaults(settings: &Settings) -> MovingConfig {
    let defaults = MovingConfig::default();
    MovingConfig { state_bytes_max: defaults.state_bytes_max.max(state_bytes_max(settings)), ..defaults }
}

fn http(settings: &Settings) -> HttpConfig {
    let gateway = &settings.gateway;
    let (suffixes, exact): (Vec<_>, Vec<_>) = gateway.paths.iter().partition(|path| path.0.starts_with('*'));
    let suffix = |path: &crate::config::ClientPath| path.0.trim_start_matches('*').to_owned();
    HttpConfig {
        paths: PathRules {
            suffixes: suffixes.into_iter().map(suffix).collect(),
            exact: exact.into_iter().map(|path| path.0.clone()).collect(),
        },
        connections_max: gateway.connections_max,
        handshakes_max: gateway.handshakes_max,
        pending_max: gateway.pending_max,
        head_bytes_max: gateway.head_bytes_max.0,
        handshake_timeout: gateway.handshake_timeout,
        open_deadline: gateway.open_deadline,
        ..HttpConfig::default()
    }
}

/// How a gateway forwards calls.
pub(super) fn forward(settings: &Settings) -> ForwardConfig {
    ForwardConfig {
        limits: limits(settings),
        timeout: settings.rpc.call_timeout,
        presence_grace: settings.sessions.resume_window,
        ..ForwardConfig::default()
    }
}

/// Where workers write who is online, if anywhere.
pub(super) fn presence_export(config: &Config) -> anyhow::Result<Option<Arc<dyn PresenceExport>>> {
    match (config.settings.presence.export, &config.checked.redis) {
        (PresenceExportKind::Redis, Some(redis)) => Ok(Some(Arc::new(RedisPresence::new(redis)?))),
        (PresenceExportKind::Redis | PresenceExportKind::None, _) => Ok(None),
    }
}

/// The certificate of the client listener, if it speaks TLS.
pub(super) fn tls(settings: &Settings) -> Option<TlsFiles> {
    let (certificates, key) = settings.tls.cert_file.clone().zip(settings.tls.key_file.clone())?;
    Some(TlsFiles { certificates, key })
}

/// What a gateway needs of others.
pub(super) fn gateway_parts(
    shared: &Shared,
    connector: Arc<dyn LinkConnector>,
    process: &Process,
) -> GatewayParts {
    let Config { settings, checked, .. } = &*process.config;
    let shows_metrics = settings.gateway.metrics_on_client_listener;
    GatewayParts {
        views: shared.views.clone(),
        connector,
        tokens: checked.extractor.clone(),
        authenticator: pages::with_passes(process, shared, authenticator(&checked.verifier)),
        origins: checked.origins.clone(),
        metrics: shows_metrics.then(|| process.metrics.renderer()),
        pages: None,
    }
}

fn authenticator(verifier: &Verifier) -> Arc<dyn Authenticator> {
    match verifier {
        Verifier::Plain(plain) => Arc::new(plain.clone()),
        Verifier::Jwt(jwt) => Arc::clone(jwt) as Arc<dyn Authenticator>,
    }
}

/// The path to tell people: the first that they may use.
pub(super) fn client_path(settings: &Settings) -> &str {
    settings.gateway.paths.first().map_or("/ws", |path| path.0.trim_start_matches('*'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Role, Sources};

    fn settings(text: &str) -> Settings {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ringway.toml");
        std::fs::write(&file, text).unwrap();
        let sources = Sources { file: Some(file), environment: vec![], flags: vec![] };
        Config::load(sources, Role::Any).unwrap().settings
    }

    #[test]
    fn a_gateway_has_a_link_to_each_worker_for_each_thread_unless_it_is_told_otherwise() {
        for (text, links) in [
            ("[node]\nthreads = 1", 1),
            ("[node]\nthreads = 3", 3),
            ("[node]\nthreads = 64", LINKS_MAX),
            ("[node]\nthreads = 2\n[gateway]\nlinks_per_worker = 7", 7),
        ] {
            let config = gateway("g1".to_owned(), Routing::Everywhere, &settings(text));
            assert_eq!(config.link.links_per_worker, links, "{text}");
        }
    }

    /// What a worker may do with these settings, a gateway must bear.
    #[test]
    fn gateways_wait_as_long_and_take_as_much_as_workers_need() {
        let check = |wait: &str, deadline: &str, queue: &str| {
            let settings = settings(&format!(
                "[handover]\nwait = '{wait}'\n[gateway]\nreopen_deadline = '{deadline}'\n\
                 [sessions]\nqueue_bytes_max = '{queue}'"
            ));
            let worker = worker(MemberId::new("w1").unwrap(), &settings);
            let moving = gateway("g1".to_owned(), Routing::Everywhere, &settings).moving;
            assert!(moving.reopen_deadline > worker.arrival_wait_max, "{wait}");
            // The last answer may come when the gateway has just asked for the last time.
            let longest = moving.reopen_deadline + moving.open_patience;
            assert!(worker.moves.transit_max > longest, "{deadline}");
            let state = worker.policy.state_bytes_max(settings.limits.message_bytes_max.0);
            assert!(moving.state_bytes_max >= state, "{queue}");
            for limits in [worker.limits, pool(&settings).limits()] {
                assert!(limits.peer_bytes_max() > state, "{queue}");
            }
        };
        check("10ms", "30s", "2MiB");
        check("29s", "30s", "1GiB");
        check("3s", "10m", "2MiB");
    }
}
