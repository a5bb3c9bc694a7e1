//! What single settings cannot know: whether they go together, and whether the files that they name can be used.

use ringway_auth::{AllowedOrigins, OriginConfig, OriginPolicy, TokenExtractor, TokenSource};
use ringway_gateway::OPERATOR_PATHS;
use ringway_registry_etcd::EtcdConfig;
use ringway_registry_nacos::NacosConfig;
use ringway_rpc::ClusterSecret;
use ringway_store_redis::RedisConfig;
use tracing_subscriber::EnvFilter;

use super::Settings;
use super::api;
use super::bridge::{self, Doors};
use super::certificate::{CertificateKeys, certificate};
use super::mailbox::mailbox;
use super::membership::membership;
use super::pages;
use super::reader::Reader;
use super::redis;
use super::servers;
use super::tokens::{self, Verifier};
use super::value::Origin;
use super::words::OnConflict;

/// What the process is going to be, and so what it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Role {
    /// A cluster in one process.
    Up,
    /// Takes clients.
    Gateway,
    /// Holds sessions.
    Worker,
    /// Passes messages in and events out.
    Bridge,
    /// Not known: only what holds for all is checked.
    #[value(skip)]
    Any,
}

/// What was made of the settings that need more than reading.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The cluster secret; a gateway and a worker have one.
    pub(crate) secret: Option<ClusterSecret>,
    /// Where etcd is, if it is the registry.
    pub(crate) etcd: Option<EtcdConfig>,
    /// Where Nacos is, if it is the registry.
    pub(crate) nacos: Option<NacosConfig>,
    /// Where Redis is, if anything is written there.
    pub(crate) redis: Option<RedisConfig>,
    /// Where tokens are found.
    pub(crate) extractor: TokenExtractor,
    /// Which pages may connect.
    pub(crate) origins: OriginPolicy,
    /// Who tokens stand for.
    pub(crate) verifier: Verifier,
    /// Who may use the pages, if they are served.
    pub(crate) pages: Option<ringway_pages::Access>,
    /// The doors of the bridge.
    pub(crate) doors: Doors,
    /// Who may call the HTTP API.
    pub(crate) api: ringway_api::Access,
}

/// Checks everything and reports to the reader. What cannot be made is replaced by its default, for the reader's
/// mistakes keep it from being used.
pub(crate) fn check(settings: &Settings, role: Role, reader: &mut Reader) -> Checked {
    membership(settings, role, reader);
    sockets(settings, reader);
    sessions(settings, reader);
    handover(settings, reader);
    mailbox(settings, role, reader);
    log(settings, reader);
    Checked {
        secret: secret(settings, role, reader),
        etcd: servers::etcd(settings, role, reader),
        nacos: servers::nacos(settings, role, reader),
        redis: redis::redis(settings, reader),
        extractor: extractor(settings, reader),
        origins: origins(settings, reader),
        verifier: tokens::verifier(settings, reader),
        pages: pages::access(settings, role, reader),
        doors: bridge::doors(settings, role, reader),
        api: api::access(settings, reader),
    }
}

fn sockets(settings: &Settings, reader: &mut Reader) {
    let (ping, idle) = (settings.gateway.ping_interval, settings.gateway.idle_timeout);
    if ping >= idle {
        let idle = humantime::format_duration(idle);
        let problem = format!("expected less than gateway.idle_timeout, which is {idle}");
        reader.contradict("gateway.ping_interval", &["gateway.idle_timeout"], problem);
    }
    let tls = &settings.tls;
    let keys = CertificateKeys { cert: "gateway.tls.cert_file", key: "gateway.tls.key_file" };
    certificate(&keys, (tls.cert_file.as_ref(), tls.key_file.as_ref()), reader);
    if settings.gateway.paths.is_empty() {
        reader.object("gateway.paths", "expected at least one path, such as \"*/ws\"");
    }
    let paths = settings.gateway.paths.iter().map(|path| &path.0);
    for path in paths.filter(|path| OPERATOR_PATHS.contains(&path.trim_start_matches('*'))) {
        let problem = format!(
            "{path:?} is answered for operators: expected another path in its stead, such as \"*/ws\""
        );
        reader.object("gateway.paths", problem);
    }
}

fn sessions(settings: &Settings, reader: &mut Reader) {
    let (sessions, largest) = (&settings.sessions, settings.limits.message_bytes_max.0 + 64);
    match (sessions.per_user_max, sessions.on_conflict) {
        (Some(max), OnConflict::Allow) => {
            let problem = format!(
                "it contradicts sessions.per_user_max = {max}: expected \"replace_oldest\" or \"refuse\", or no \
                 per_user_max"
            );
            reader.contradict("sessions.on_conflict", &["sessions.per_user_max"], problem);
        }
        (None, OnConflict::ReplaceOldest | OnConflict::Refuse) => {
            let problem = "without sessions.per_user_max there is never a conflict: set it too";
            reader.contradict("sessions.on_conflict", &["sessions.per_user_max"], problem);
        }
        (Some(_), _) | (None, OnConflict::Allow) => {}
    }
    if sessions.queue_bytes_max.0 < largest {
        let problem = format!("expected at least limits.message_bytes_max and 64 bytes, which is {largest}");
        reader.contradict("sessions.queue_bytes_max", &["limits.message_bytes_max"], problem);
    }
    if sessions.window_bytes > sessions.queue_bytes_max {
        let queue = sessions.queue_bytes_max.0;
        let problem = format!("expected at most sessions.queue_bytes_max, which is {queue}");
        reader.contradict("sessions.window_bytes", &["sessions.queue_bytes_max"], problem);
    }
}

/// A worker may wait so long before it says whether it takes a session, and its gateway gives the session up meanwhile.
fn handover(settings: &Settings, reader: &mut Reader) {
    let (wait, deadline) = (settings.handover.wait, settings.gateway.reopen_deadline);
    if wait >= deadline {
        let deadline = humantime::format_duration(deadline);
        reader.object(
            "handover.wait",
            format!("expected less than gateway.reopen_deadline, which is {deadline}"),
        );
    }
}

fn log(settings: &Settings, reader: &mut Reader) {
    if EnvFilter::try_new(&settings.log.filter).is_err() {
        let problem = "expected a level (off, error, warn, info, debug, trace), or levels for single parts such as \
                       \"info,ringway_gateway=debug\"";
        reader.object("log.filter", problem);
    }
}

fn secret(settings: &Settings, role: Role, reader: &mut Reader) -> Option<ClusterSecret> {
    let (text, key) = match (&settings.cluster.secret, &settings.cluster.secret_file) {
        (Some(_), Some(_)) => {
            reader.object("cluster.secret_file", set_too("cluster.secret", reader));
            return None;
        }
        (Some(secret), None) => (secret.expose().to_owned(), "cluster.secret"),
        (None, Some(path)) => (reader.file_text("cluster.secret_file", path)?, "cluster.secret_file"),
        (None, None) => {
            let is_said = reader.is_set("cluster.secret") || reader.is_set("cluster.secret_file");
            if matches!(role, Role::Gateway | Role::Worker | Role::Bridge) && !is_said {
                reader.demand(
                    "cluster.secret is missing: set it (RINGWAY_CLUSTER_SECRET) or cluster.secret_file \
                     (--secret-file FILE) to the same on all nodes; `openssl rand -hex 32` makes one",
                );
            }
            return None;
        }
    };
    ClusterSecret::new(&text).map_err(|error| reader.object(key, error)).ok()
}

/// That two keys that say the same are set, and where the other one is.
pub(super) fn set_too(key: &str, reader: &Reader) -> String {
    match reader.origin(key) {
        Origin::File { .. } => format!("{key} is set too: leave one of them out"),
        origin => format!("{key} is set too ({origin}): leave one of them out"),
    }
}

fn extractor(settings: &Settings, reader: &mut Reader) -> TokenExtractor {
    let (auth, any_page) = (&settings.auth, is_any(&settings.auth.origins));
    let cookie = auth.sources.iter().any(|source| matches!(source, TokenSource::Cookie { .. }));
    if cookie && any_page {
        let problem = "with a cookie, every page could open a socket in its visitor's name: expected auth.origins to \
                       list the pages that may";
        reader.contradict("auth.sources", &["auth.origins"], problem);
    }
    let extractor = TokenExtractor::new(auth.sources.clone(), auth.token_bytes_max.0);
    extractor.map_err(|error| reader.object("auth.sources", error)).unwrap_or_default()
}

fn origins(settings: &Settings, reader: &mut Reader) -> OriginPolicy {
    let listed = &settings.auth.origins;
    let allowed = if is_any(listed) { AllowedOrigins::Any } else { AllowedOrigins::List(listed.clone()) };
    let config = OriginConfig { allowed, allow_missing: settings.auth.allow_missing_origin };
    OriginPolicy::new(&config).unwrap_or_else(|error| {
        reader.object("auth.origins", error);
        OriginPolicy::new(&OriginConfig::default()).expect("the default has no list that could be wrong")
    })
}

fn is_any(origins: &[String]) -> bool {
    matches!(origins, [only] if only == "*")
}
