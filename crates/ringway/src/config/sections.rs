//! Every setting that there is, with its type, its default, its bounds and its meaning.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ringway_auth::TokenSource;
use ringway_auth::jwt::Algorithm;
use ringway_ring::{MemberId, Strategy, Weight};
use ringway_rpc::NodeUrl;
use ringway_session::Patterns;

use super::member::Members;
use super::redis::RedisUrl;
use super::section::section;
use super::setting::{Bytes, Hidden};
use super::words::{
    AuthMode, ClientPath, EndpointUrl, HostPort, Labels, LogFormat, MailboxStore, OnConflict, OnSlowConsumer,
    PresenceExportKind, RegistryKind,
};

section! {
    /// This process: its name, and where other nodes and operators reach it.
    NodeSection("node") {
        /// The node's stable name. A worker needs one, and it must be in the member list if there is one; a gateway
        /// takes `gateway-` and its host's name when it has none.
        id: Option<MemberId> = "";
        /// Where the others reach this worker's gRPC server, if no list says so. Not set: at `rpc_listen`.
        rpc_url: Option<NodeUrl> = "";
        /// This worker's share of the ring, relative to the others, if no list says so. Not set: 1.
        weight: Option<Weight> = "";
        /// Where clients reach this worker without a gateway (a ws or wss URL), if no list says so.
        client_url: Option<String> = "";
        /// The failure domain that this worker runs in, if no list says so.
        zone: Option<String> = "";
        /// The operator's words about this worker, if no list says so.
        labels: Option<Labels> = "";
        /// Where the gRPC server listens, for nodes and back ends. Not set: a gateway takes `127.0.0.1:7070`, a worker
        /// the address and port of its `rpc_url` (every address, if that is a host's name).
        rpc_listen: Option<SocketAddr> = "";
        /// Where `/healthz`, `/readyz` and `/metrics` are served over plain HTTP. Not set: nowhere.
        status_listen: Option<SocketAddr> = "";
        /// On how many threads the process runs. Each more lets it do more at a time, and makes what it does dearer. Not set: half
        /// as many as there are processors (rounded up), so that a gateway and a worker may share a machine. A node with a machine
        /// of its own should have as many as there are processors. In `ringway up` with pages each worker has a thread beside these.
        threads: Option<usize> = "", "1" to "1024";
        /// How long the last phase of a shutdown may take: calls under way end, sessions are told, links close.
        shutdown_timeout: Duration = "10s", "0s" to "1h";
    }
}

section! {
    /// Who is in the cluster, and the secret that they share.
    ClusterSection("cluster") {
        /// The secret of all nodes and back ends: 16 to 1024 visible ASCII characters. Whoever holds it may do
        /// everything on a node's gRPC port.
        secret: Option<Hidden> = "";
        /// A file that holds the secret, instead of `secret`. White space around it does not count.
        secret_file: Option<PathBuf> = "";
        /// How keys are placed on workers: `slots` or `hashring`. All nodes of a cluster must agree.
        strategy: Strategy = "slots";
        /// How the members find each other: `static` (the list in `members`), `gossip`, `dns`, `etcd` or `nacos` (sections
        /// of these names).
        registry: RegistryKind = "static";
        /// The workers, for the registry `static`. Each has an `id` and an `rpc_url`, and may have a `weight` (0 to 100, 1 if not told), a
        /// `client_url` (where clients reach it without a gateway), a `zone` and a table of `labels`.
        /// In the environment and in flags: `ID=URL[,weight=N][,client=URL][,zone=Z]`, separated by spaces.
        members: Members = "";
        /// Nodes from which a gateway learns the ring when it has no member list. Any one of them is enough.
        nodes: Vec<NodeUrl> = "";
    }
}

section! {
    /// The registry `gossip`: the nodes tell each other over UDP who there is. Every node, worker or gateway, takes part.
    GossipSection("gossip") {
        /// Nodes to begin with, each `HOST:PORT`. Any one that answers is enough; names are resolved again and again. A
        /// node may name itself, and the first one of a cluster does.
        seeds: Vec<HostPort> = "";
        /// Where the gossip listens (UDP). Not set: at the address and port of the gRPC server, which is TCP.
        listen: Option<SocketAddr> = "";
        /// Where the others reach this node's gossip. Not set: at `listen`, or, if that is every address, at the one from
        /// which the seeds are reached.
        advertise: Option<SocketAddr> = "";
        /// The cluster's name. Nodes with another one are not heard, though they have the same secret.
        cluster: String = "ringway";
        /// How often a node gossips.
        interval: Duration = "250ms", "20ms" to "10s";
        /// How long nothing may be heard of a node before it counts as dead. At least 8 times `interval`.
        failure_timeout: Duration = "5s", "500ms" to "5m";
        /// How long a dead node is remembered, and how long a node that hears none of the others waits until it takes
        /// itself for the only one left. Until then its list stays, and its leases are not valid. At least 2 times
        /// `failure_timeout`.
        alone_after: Duration = "15s", "1s" to "1d";
    }
}

section! {
    /// The registry `dns`: the workers are the records of a name, such as a headless service's.
    DnsSection("dns") {
        /// The name. `_rpc._tcp.workers.example` asks for SRV records: a worker's id is the target host, without a dot at
        /// its end. Any other name asks for addresses (A and AAAA): a worker's id is its address.
        name: Option<String> = "";
        /// The port of the workers, if `name` is one of addresses.
        port: Option<u16> = "", "1" to "65535";
        /// The name server. Not set: those of the system.
        server: Option<SocketAddr> = "";
        /// The shortest time between two questions, and the time after one that failed.
        interval_min: Duration = "1s", "10ms" to "1h";
        /// The longest time between two questions. In between the records' time to live decides.
        interval_max: Duration = "30s", "10ms" to "1d";
        /// How long an answer may take.
        timeout: Duration = "2s", "10ms" to "1m";
    }
}

section! {
    /// The registry `etcd`.
    EtcdSection("etcd") {
        /// The servers of the etcd cluster. One is used at a time.
        endpoints: Vec<EndpointUrl> = "";
        /// Who ringway is to etcd, if it has users. With `password` or `password_file`.
        user: Option<String> = "";
        /// The user's password.
        password: Option<Hidden> = "";
        /// A file that holds the password, instead of `password`. White space around it does not count.
        password_file: Option<PathBuf> = "";
        /// The certificates (PEM) that signed those of `https` endpoints. Not set: those that the system trusts.
        ca_file: Option<PathBuf> = "";
        /// The certificate (PEM) that is shown to etcd, if it wants one. With `key_file`.
        cert_file: Option<PathBuf> = "";
        /// The key (PEM) of `cert_file`.
        key_file: Option<PathBuf> = "";
        /// What ringway's keys begin with. Clusters with different prefixes do not see each other.
        prefix: String = "/ringway";
        /// After which time etcd forgets a worker that is silent. Whole seconds count.
        lease_ttl: Duration = "5s", "2s" to "5m";
    }
}

section! {
    /// The registry `nacos`.
    NacosSection("nacos") {
        /// The Nacos servers, each `HOST:PORT` of its HTTP interface. One is used at a time.
        servers: Vec<HostPort> = "";
        /// The port of their gRPC interface. Not set: 1000 above the HTTP port.
        grpc_port: Option<u16> = "";
        /// Who ringway is to Nacos, if it has users. With `password` or `password_file`.
        user: Option<String> = "";
        /// The user's password.
        password: Option<Hidden> = "";
        /// A file that holds the password, instead of `password`. White space around it does not count.
        password_file: Option<PathBuf> = "";
        /// The namespace's id.
        namespace: String = "public";
        /// The group of services.
        group: String = "DEFAULT_GROUP";
        /// The service whose instances the workers are.
        service: String = "ringway";
        /// The cluster within the service, in which the workers are.
        cluster: String = "DEFAULT";
        /// How long a worker takes itself for present after Nacos last confirmed it, and how long workers stay on the list
        /// after Nacos was away. Not more than the time after which the servers remove silent instances.
        removal_after: Duration = "15s", "5s" to "5m";
    }
}

section! {
    /// Connections between nodes.
    RpcSection("rpc") {
        /// How long a connection to a node may take to come about.
        connect_timeout: Duration = "2s", "10ms" to "1m";
        /// How often a connection is probed.
        keepalive_interval: Duration = "10s", "1s" to "1h";
        /// How long the answer to a probe may take before the connection counts as broken.
        keepalive_timeout: Duration = "5s", "100ms" to "1m";
        /// How long a node may take to answer a call that is forwarded to it, or to deliver its part of a group's message.
        call_timeout: Duration = "5s", "10ms" to "1m";
        /// How many connections the gRPC server holds open. Further ones wait.
        connections_max: usize = "4096", "1" to "1000000";
    }
}

section! {
    /// Clients' sockets: on a gateway, and on a worker that takes clients itself.
    GatewaySection("gateway") {
        /// Where clients connect.
        listen: SocketAddr = "127.0.0.1:8080";
        /// The paths at which a WebSocket may be opened: `/ws` is exactly this path, `*/ws` every path that ends so. None of them
        /// may be `/healthz`, `/readyz` or `/metrics`.
        paths: Vec<ClientPath> = "*/ws, */webSocket";
        /// How many clients may be connected at once. Further ones get 503.
        connections_max: usize = "1000000", "1" to "10000000";
        /// How many handshakes may be answered at once. Further ones get 429.
        handshakes_max: usize = "16384", "1" to "1000000";
        /// How many connections that are no client sockets (yet) may be open at once. Further ones are closed unread.
        pending_max: usize = "32768", "1" to "1000000";
        /// How large the head of a request may be. Larger ones get 431.
        head_bytes_max: Bytes = "16KiB", "8KiB" to "1MiB";
        /// How long a client may take for its TLS handshake, and again for the head of its request.
        handshake_timeout: Duration = "10s", "100ms" to "5m";
        /// How long it may take to open the session on its worker, retries included. Then the client gets 503.
        open_deadline: Duration = "5s", "100ms" to "5m";
        /// How often a silent client is pinged.
        ping_interval: Duration = "25s", "10ms" to "1h";
        /// How long a client may stay silent, its pongs included, before it is closed. More than `ping_interval`.
        idle_timeout: Duration = "60s", "20ms" to "1d";
        /// How long a message of a client may take from its first byte to its last, before the client is closed. The time
        /// in which the gateway does not read it does not count.
        message_timeout: Duration = "30s", "100ms" to "1h";
        /// How long a client may take no byte while some wait for it, before the connection is dropped.
        write_timeout: Duration = "30s", "100ms" to "1h";
        /// How long the end of a connection may take: the messages still queued, the close frame, and the client's.
        close_timeout: Duration = "5s", "0s" to "1m";
        /// How many links a gateway keeps to each worker. Each more lets another thread write to clients, and makes each message
        /// dearer: fewer share a write. Not set: as many as the process has threads, but not more than 4.
        links_per_worker: Option<usize> = "", "1" to "64";
        /// How much may wait for one link before the clients on it are no longer read.
        link_queue_bytes_max: Bytes = "16MiB", "64KiB" to "1GiB";
        /// How long a session may be on its way to a worker, after its own was lost or while it moves. Then its client is closed
        /// (1012). Workers need the same value: they remember a session that has left for 10 s longer.
        reopen_deadline: Duration = "30s", "100ms" to "10m";
        /// How many sessions may be opened again at once; the others wait for their turn.
        reopens_max: usize = "256", "1" to "1000000";
        /// How long a worker that is not in the member list any more may say nothing at all while its sessions are to leave. Then
        /// they are opened elsewhere with their last checkpoints.
        detach_timeout: Duration = "2s", "10ms" to "1m";
        /// How long a worker that is not in the member list any more may take to move its sessions, before the gateway
        /// takes them away.
        retire_wait: Duration = "1s", "0s" to "10m";
        /// How much of a client is kept while its session is without a worker, before the client is no longer read.
        kept_bytes_max: Bytes = "256KiB", "1KiB" to "64MiB";
        /// At shutdown: how long `/readyz` says no before the listener closes, so that a load balancer notices.
        unready_for: Duration = "0s", "0s" to "10m";
        /// At shutdown: over how much time the clients are told to go, so that they do not all return at once.
        drain_window: Duration = "5s", "0s" to "1h";
        /// Whether the client listener serves `/metrics` too. Then whoever can connect can read them.
        metrics_on_client_listener: bool = "false";
    }
}

section! {
    /// TLS for clients (`wss`). Both files or neither; they are read again when they change.
    TlsSection("gateway.tls") {
        /// The certificate chain in PEM, the server's own certificate first.
        cert_file: Option<PathBuf> = "";
        /// The private key in PEM.
        key_file: Option<PathBuf> = "";
    }
}

section! {
    /// Who may open a socket, and as whom.
    AuthSection("auth") {
        /// How a token is understood. `plain`: the token is the user, and nothing is verified. `jwt`: the token is a
        /// signed JWT, and a claim names the user.
        mode: AuthMode = "plain";
        /// Where a handshake may carry its token; the first place that is present decides. `query:NAME` (a parameter of
        /// the URL), `bearer` (`Authorization: Bearer …`), `subprotocol:PREFIX` (an entry of `Sec-WebSocket-Protocol`
        /// that begins so), `cookie:NAME` (only together with a list of `origins`).
        sources: Vec<TokenSource> = "query:token, bearer, subprotocol:token.";
        /// The longest token, after decoding.
        token_bytes_max: Bytes = "8192", "1" to "64KiB";
        /// The web pages that may open a socket: origins such as `https://app.example.com`, subdomains as
        /// `https://*.example.com`, or `*` for every page.
        origins: Vec<String> = "*";
        /// Whether a handshake without an `Origin` header is let in. No browser sends such a one; programs do.
        allow_missing_origin: bool = "true";
        /// Whether a socket is closed when its token expires.
        close_on_expiry: bool = "true";
    }
}

section! {
    /// Mode `plain`.
    PlainSection("auth.plain") {
        /// Whether the text after the last `-` of a token names a group: `alice-room7` is in `room7`.
        group_suffix: bool = "true";
    }
}

section! {
    /// Mode `jwt`. Exactly one of `secret`, `secret_file`, `public_key_file` and `jwks_file` says whom to trust.
    JwtSection("auth.jwt") {
        /// The shared secret of HS256, at least 32 bytes.
        secret: Option<Hidden> = "";
        /// A file that holds the shared secret. White space around it does not count.
        secret_file: Option<PathBuf> = "";
        /// A file with a public key in PEM: RSA for RS256, P-256 for ES256, Ed25519 for EdDSA. Read again when it
        /// changes.
        public_key_file: Option<PathBuf> = "";
        /// A file with a JWK set. Read again when it changes.
        jwks_file: Option<PathBuf> = "";
        /// The algorithms allowed. Empty: those that the keys are for.
        algorithms: Vec<Algorithm> = "";
        /// The issuers (`iss`) trusted. Empty: `iss` is not looked at.
        issuers: Vec<String> = "";
        /// The audiences (`aud`) answered to. Empty: only tokens without `aud` are accepted.
        audiences: Vec<String> = "";
        /// How far the issuer's clock may be off. A token counts, and its socket stays open, that much longer than it says.
        leeway: Duration = "30s", "0s" to "1h";
        /// Whether a token must expire (`exp`).
        require_exp: bool = "true";
        /// The claim that names the user; dots lead into objects.
        user_claim: String = "sub";
        /// The claim that lists the groups; dots lead into objects.
        groups_claim: String = "groups";
        /// How many groups one token may name.
        groups_max: usize = "64", "0" to "10000";
        /// The claim that says what the client may do (`docs/permissions.md`); dots lead into objects. What it does not mention
        /// is as section `client` says.
        permissions_claim: String = "ringway";
    }
}

section! {
    /// What clients of `ringway.v1.json` may do beside receiving, and how fast. Everything is refused by default. Lists are of
    /// names, of beginnings of names with `*` behind them, or `*` for all; at most 64 in each (`docs/permissions.md`).
    ClientSection("client") {
        /// The groups that every client may join and leave.
        join: Patterns = "";
        /// The users to whom every client may send.
        send_users: Patterns = "";
        /// The groups to which every client may send.
        send_groups: Patterns = "";
        /// Whether every client may send to the groups of which it is a member.
        send_own_groups: bool = "false";
        /// The users whose presence every client may watch.
        watch: Patterns = "";
        /// The topics of the events that every client may send to the back end.
        events: Patterns = "";
        /// How many frames a client may send in a second, acknowledgements not counted. Beyond it a frame is refused.
        frames_per_second: u32 = "50", "1" to "1000000";
        /// How many frames it may send at once.
        frames_burst: u32 = "200", "1" to "1000000";
        /// How many offences of a client are borne: frames beyond its rate, frames that cannot be read, acknowledgements of what
        /// was never sent. One is forgiven each second. Beyond it the session is closed (1008).
        offences_max: u32 = "16", "0" to "1000000";
        /// How many sends of one client may be under way. Beyond it a send is refused as busy.
        sends_under_way_max: usize = "32", "1" to "100000";
        /// How much all clients of one worker may have under way. Beyond it a send is refused as busy.
        sends_under_way_bytes_max: Bytes = "64MiB", "64KiB" to "64GiB";
    }
}

section! {
    /// Sessions on a worker.
    SessionsSection("sessions") {
        /// How many sessions one worker holds at most. Further ones are refused.
        max: usize = "1000000", "1" to "10000000";
        /// How many sessions one user may have at once. Not set: any number.
        per_user_max: Option<usize> = "", "1" to "100000";
        /// What happens to one more: the oldest makes room (`replace_oldest`), or it is refused (`refuse`). `allow`
        /// stands for no limit.
        on_conflict: OnConflict = "allow";
        /// How much may wait for one client that reads too slowly, each message counted with 64 bytes more. What a session may
        /// take with it to another worker follows from it, at gateways too: all nodes must agree.
        queue_bytes_max: Bytes = "4MiB", "1KiB" to "1GiB";
        /// How much of it may be on the way between worker and socket.
        window_bytes: Bytes = "256KiB", "1KiB" to "64MiB";
        /// What happens to a client whose queue is full: it is closed with a code that says reconnect later (`close`),
        /// or it loses its oldest waiting messages (`drop_oldest`).
        on_slow_consumer: OnSlowConsumer = "close";
        /// How many groups one session may be a member of.
        groups_per_session_max: usize = "64", "1" to "10000";
        /// How many users one session may watch.
        watches_per_session_max: usize = "1000", "0" to "100000";
        /// How long a session whose client's socket broke waits for the client to resume it (`ringway.v1.json` only).
        resume_window: Duration = "30s", "0s" to "1h";
        /// How long a session whose gateway's link broke waits to be opened again by the gateway.
        reopen_window: Duration = "10s", "0s" to "10m";
        /// Within what time clients of `ringway.v1.json` are asked to acknowledge.
        ack_within: Duration = "1s", "10ms" to "1m";
    }
}

section! {
    /// Sessions that move from one worker to another when the ring changes.
    HandoverSection("handover") {
        /// How many sessions begin to leave a worker in a second, at the most.
        sessions_per_second: u32 = "5000", "1" to "1000000";
        /// How many sessions of one link are on their way at once; the others of that link wait. So a gateway that does not
        /// answer holds up its own sessions only.
        under_way_max: usize = "256", "1" to "100000";
        /// How long a call waits for sessions that are to arrive, and for what other workers hold, before it is refused or
        /// counts them as not reached.
        wait: Duration = "3s", "10ms" to "1m";
        /// How long messages are kept for users whose worker died and whose sessions may be brought by their gateways.
        orphan_window: Duration = "5s", "0s" to "1m";
        /// How many bytes of messages a worker keeps for all sessions that are to arrive; beyond it they count as messages for
        /// which the session had no room.
        kept_bytes_max: Bytes = "256MiB", "1MiB" to "64GiB";
        /// At shutdown: how long the sessions may take to move to the other workers. Those that are left are closed (1012).
        drain_timeout: Duration = "60s", "0s" to "1h";
    }
}

section! {
    /// Users' mailboxes: where messages are stored that are sent at least once (docs/mailbox.md). All workers must agree.
    MailboxSection("mailbox") {
        /// Where: `none` refuses such messages; `memory` forgets them when the process ends; `file` is for a single worker; `redis`
        /// (section `redis`) is for a cluster. `ringway up` keeps them in memory.
        store: MailboxStore = "none";
        /// The directory of the store `file`. It is made if it is not there.
        directory: Option<PathBuf> = "";
        /// Whether a worker may keep mailboxes that no other worker sees (`memory`, `file`), although there may be others.
        allow_unshared: bool = "false";
        /// How many messages one mailbox holds. Of more, the oldest go, and clients are told.
        entries_max: u64 = "1000", "1" to "1000000";
        /// How much one mailbox holds, each message counted with its id, its topic and 64 bytes more. Of more, the oldest go, and
        /// clients are told.
        bytes_max: Bytes = "1MiB", "1KiB" to "1GiB";
        /// How long a message is kept at most.
        time_to_live: Duration = "3days", "1s" to "365days";
        /// For how long a message's id is known: sent again with it, the message is not stored twice.
        idempotency_window: Duration = "2m", "1s" to "1day";
        /// After which time without a word a device is forgotten: nothing is kept for it any more.
        device_forget_after: Duration = "14days", "1m" to "365days";
        /// How many devices of one user are known. Of more, the one silent for longest is forgotten.
        devices_max: usize = "16", "1" to "1000";
        /// After which time without use a mailbox is forgotten. Longer than everything else here.
        forget_after: Duration = "30days", "1m" to "1000days";
        /// How much the stores `memory` and `file` hold in all. Beyond it messages are refused.
        store_bytes_max: Bytes = "4GiB", "1MiB" to "1000GiB";
    }
}

section! {
    /// Who is online: where it is written for other programs.
    PresenceSection("presence") {
        /// Where workers write who is online: `redis` (section `redis`), or `none`.
        export: PresenceExportKind = "none";
        /// After which time a user is not online any more in what is written, if no worker says so again. Workers do twice in that time.
        time_to_live: Duration = "60s", "1s" to "1h";
    }
}

section! {
    /// The Redis in which the cluster writes.
    RedisSection("redis") {
        /// Its address: `redis://[user[:password]@]host[:port][/database]` or `unix:///path`.
        url: Option<RedisUrl> = "";
        /// What all keys begin with. Clusters with different prefixes do not see each other.
        prefix: String = "ringway";
        /// How long it may take for an answer, or to be connected to.
        answer_timeout: Duration = "2s", "10ms" to "1m";
    }
}

section! {
    /// Limits of the whole cluster: all nodes must agree.
    LimitsSection("limits") {
        /// The largest payload of a message, to clients and from them.
        message_bytes_max: Bytes = "1MiB", "1" to "64MiB";
    }
}

section! {
    /// What only workers do.
    WorkerSection("worker") {
        /// Where the worker takes clients itself, without a gateway. Not set: nowhere.
        listen: Option<SocketAddr> = "";
        /// Whether each message of a client is sent back to it as it came, for conformance suites and latency checks.
        echo: bool = "false";
        /// The WebSocket subprotocols that are agreed to beside `ringway.v1.json`, whatever they mean to clients and back end: payloads go as
        /// they are.
        subprotocols: Vec<String> = "ringway.raw";
        /// How much may be on its way to one link. Beyond it messages wait with their sessions, and those who send are
        /// slowed down.
        link_queue_bytes_max: Bytes = "4MiB", "64KiB" to "4GiB";
        /// How long a gateway may take nothing while frames wait for its link; then the link is broken.
        link_stall_timeout: Duration = "30s", "1s" to "1h";
        /// How long a sender is slowed down at the most for one message.
        crowded_wait_max: Duration = "1s", "0s" to "1m";
        /// How long a handshake or a join waits until other workers know of its groups.
        settle_timeout: Duration = "1s", "0s" to "1m";
        /// At shutdown: how long the sessions' last frames may take to leave.
        flush_timeout: Duration = "5s", "0s" to "10m";
    }
}

section! {
    /// The pages for people that a gateway serves: a chat to try the cluster with, and a dashboard (`docs/pages.md`).
    PagesSection("pages") {
        /// Whether they are served. Not set: by `ringway up` only, if it takes clients of this machine only or has an admin
        /// token.
        enabled: Option<bool> = "";
        /// Where: the chat is at `chat` below this path, the dashboard at `dashboard`. Nothing else may be there: no entry of
        /// `gateway.paths`, and none of `/healthz`, `/readyz` and `/metrics`.
        path: String = "/ringway";
        /// What somebody must show to use them: 16 to 1024 visible ASCII characters. `ringway up` needs none for clients of
        /// this machine.
        admin_token: Option<Hidden> = "";
        /// A file that holds the token, instead of `admin_token`. White space around it does not count.
        admin_token_file: Option<PathBuf> = "";
        /// For how long the pages' own sockets stay open before the pages must get a new pass, by the admin token.
        pass_lifetime: Duration = "5m", "1s" to "1d";
    }
}

section! {
    /// Log lines, which go to stderr.
    LogSection("log") {
        /// `pretty` for people, `json` for programs, `auto` for pretty on a terminal and JSON elsewhere.
        format: LogFormat = "auto";
        /// What is logged: `info`, or levels for single parts such as `info,ringway_gateway=debug`. The variable
        /// `RINGWAY_LOG` sets it too.
        filter: String = "info";
    }
}
