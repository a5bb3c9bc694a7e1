//! Configuration: text becomes settings as written, those become typed settings, and each part of the program gets only
//! its own piece.
//!
//! A setting comes from a flag, else from the environment, else from the file, else it is the default. What names no
//! setting is refused, and all mistakes are reported together, each with its place, its key, what was found and what it
//! should have been. A secret's text is never shown.

mod api;
mod bridge;
mod certificate;
mod check;
mod layers;
mod mailbox;
mod member;
mod membership;
mod mistake;
mod pages;
mod reader;
mod redis;
mod reference;
mod section;
mod sections;
mod servers;
mod setting;
mod suggest;
mod tokens;
mod value;
mod words;

use std::ffi::OsString;
use std::path::PathBuf;

pub(crate) use api::*;
pub(crate) use bridge::*;
pub(crate) use check::{Checked, Role};
pub(crate) use member::MemberEntry;
pub(crate) use mistake::Mistakes;
pub(crate) use reader::Effective;
pub(crate) use reference::{show, template, to_json};
pub(crate) use sections::*;
pub(crate) use tokens::Verifier;
pub(crate) use words::{
    ClientPath, HostPort, LogFormat, MailboxStore, OnConflict, OnSlowConsumer, PresenceExportKind,
    RegistryKind,
};

use layers::Layers;
use mistake::Mistake;
use reader::Reader;
use section::{Key, Section};
use value::Origin;

/// Lists the sections once: makes the struct of all of them, and the list of their keys.
macro_rules! sections {
    ($($(#[$doc:meta])+ $name:ident: $Section:ty,)+) => {
        /// All settings, each as a flag, the environment, the file or the default has it.
        #[derive(Clone, Debug)]
        pub(crate) struct Settings { $($(#[$doc])+ pub(crate) $name: $Section,)+ }

        impl Settings {
            fn read(reader: &mut Reader) -> Self {
                Self { $($name: <$Section>::read(reader),)+ }
            }
        }

        /// Each section's name, meaning and keys.
        const SECTIONS: &[(&str, &[&str], &[Key])] =
            &[$((<$Section>::NAME, <$Section>::ABOUT, <$Section>::KEYS)),+];
    };
}

sections! {
    /// This process.
    node: NodeSection,
    /// The cluster.
    cluster: ClusterSection,
    /// Gossip.
    gossip: GossipSection,
    /// The DNS.
    dns: DnsSection,
    /// etcd.
    etcd: EtcdSection,
    /// Nacos.
    nacos: NacosSection,
    /// Connections between nodes.
    rpc: RpcSection,
    /// Clients' sockets.
    gateway: GatewaySection,
    /// TLS for clients.
    tls: TlsSection,
    /// Tokens and origins.
    auth: AuthSection,
    /// Mode `plain`.
    plain: PlainSection,
    /// Mode `jwt`.
    jwt: JwtSection,
    /// What clients may do.
    client: ClientSection,
    /// Sessions.
    sessions: SessionsSection,
    /// Sessions that move.
    handover: HandoverSection,
    /// Mailboxes.
    mailbox: MailboxSection,
    /// Who is online.
    presence: PresenceSection,
    /// Redis.
    redis: RedisSection,
    /// Limits.
    limits: LimitsSection,
    /// Workers.
    worker: WorkerSection,
    /// Events.
    events: EventsSection,
    /// RabbitMQ.
    rabbitmq: RabbitmqSection,
    /// Messages in.
    rabbitmq_in: RabbitmqInSection,
    /// Events out.
    rabbitmq_out: RabbitmqOutSection,
    /// Events out by HTTP.
    webhook: WebhookSection,
    /// The HTTP API.
    api: ApiSection,
    /// TLS for its callers.
    api_tls: ApiTlsSection,
    /// Pages.
    pages: PagesSection,
    /// Logs.
    log: LogSection,
}

/// What is different for `ringway up`, which is for people who try things: it ends at once, says little, and shows its
/// metrics where the clients connect. It stores what is sent at least once for as long as it runs.
const UP_DEFAULTS: [(&str, &str); 4] = [
    ("gateway.drain_window", "0s"),
    ("gateway.metrics_on_client_listener", "true"),
    ("mailbox.store", "memory"),
    ("log.filter", "warn,ringway::serve=info"),
];

/// Where settings may come from.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// The file, if there is one.
    pub(crate) file: Option<PathBuf>,
    /// All environment variables.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// Flags, each with the key that it sets and the value.
    pub(crate) flags: Vec<FlagSetting>,
}

/// One flag that was given.
#[derive(Clone, Debug)]
pub(crate) struct FlagSetting {
    /// As it was written: `--listen`.
    pub(crate) flag: String,
    /// The key that it sets.
    pub(crate) key: String,
    /// To what.
    pub(crate) text: String,
}

/// A configuration without mistakes.
#[derive(Debug)]
pub(crate) struct Config {
    /// The settings.
    pub(crate) settings: Settings,
    /// What was made of those that need more than reading.
    pub(crate) checked: Checked,
    /// Each setting as it is in force, and where it was made.
    pub(crate) effective: Vec<Effective>,
}

impl Config {
    /// Collects, reads and checks all settings for a process of this role.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub(crate) fn load(sources: Sources, role: Role) -> Result<Self, Mistakes> {
        let mut layers = Layers::new(keys());
        if role == Role::Up {
            UP_DEFAULTS.into_iter().for_each(|(key, text)| layers.command("ringway up", key, text));
        }
        if let Some(path) = &sources.file {
            let text = std::fs::read_to_string(path);
            let unreadable = |error| Mistake::new(Origin::Default, format!("{}: {error}", path.display()));
            let text = text.map_err(|error| Mistakes::one(unreadable(error)))?;
            layers.file(path, &text);
        }
        layers.environment(sources.environment);
        for FlagSetting { flag, key, text } in &sources.flags {
            layers.flag(flag, key, text);
        }
        let mut reader = Reader::new(layers);
        let settings = Settings::read(&mut reader);
        let checked = check::check(&settings, role, &mut reader);
        let effective = reader.finish()?;
        Ok(Self { settings, checked, effective })
    }
}

fn keys() -> Vec<&'static Key> {
    SECTIONS.iter().flat_map(|(_, _, keys)| keys.iter()).collect()
}

#[cfg(test)]
mod tests;
