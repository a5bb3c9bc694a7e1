//! Settings with meaning in ringway: names, addresses of nodes, strategies, places of tokens, and choices from a list.

use ringway_auth::TokenSource;
use ringway_auth::jwt::Algorithm;
use ringway_ring::{MemberId, Strategy};
use ringway_rpc::{NodeUrl, NodeUrlError};
use ringway_session::Patterns;

use super::setting::{Flaw, Setting};
use super::value::{Kind, Value};

/// Makes settings of types that are read from text and written as text.
macro_rules! parsed {
    ($($Type:ty: $expected:literal, $example:literal;)+) => {$(
        impl Setting for $Type {
            const EXPECTED: &'static str = $expected;
            const EXAMPLE: &'static str = $example;

            fn read(value: &Value) -> Result<Self, Vec<Flaw>> {
                let text = value.text().ok_or_else(|| Flaw::of::<Self>(value))?;
                text.parse().map_err(|_| Flaw::of::<Self>(value))
            }

            fn to_toml(&self) -> Option<toml::Value> {
                Some(toml::Value::String(self.to_string()))
            }
        }
    )+};
}

parsed! {
    MemberId: "a node's name of 1 to 255 bytes without control characters", "\"w1\"";
    Strategy: "\"slots\" or \"hashring\"", "\"slots\"";
    Algorithm: "\"HS256\", \"RS256\", \"ES256\" or \"EdDSA\"", "\"HS256\"";
}

impl Setting for NodeUrl {
    const EXPECTED: &'static str = "the URL of a node's gRPC server";
    const EXAMPLE: &'static str = "\"http://10.0.0.1:7071\"";

    fn read(value: &Value) -> Result<Self, Vec<Flaw>> {
        let text = value.text().ok_or_else(|| Flaw::of::<Self>(value))?;
        text.parse().map_err(|error| match error {
            NodeUrlError::Malformed { .. } => Flaw::of::<Self>(value),
            NodeUrlError::TlsNotSupported { .. } => {
                Flaw::because::<Self>(value, "TLS between nodes is not supported yet")
            }
            NodeUrlError::Scheme { .. } => Flaw::because::<Self>(value, "it does not begin with http://"),
            NodeUrlError::NoPort { .. } => Flaw::because::<Self>(value, "it names no port"),
            NodeUrlError::TooMuch { .. } => {
                Flaw::because::<Self>(value, "it has more than scheme, host and port")
            }
        })
    }

    fn to_toml(&self) -> Option<toml::Value> {
        Some(toml::Value::String(self.to_string()))
    }
}

impl Setting for Patterns {
    const EXPECTED: &'static str = "a list of names and patterns";
    const EXAMPLE: &'static str = "[\"room-*\"]";

    fn read(value: &Value) -> Result<Self, Vec<Flaw>> {
        let texts = Vec::<String>::read(value).map_err(|_| Flaw::of::<Self>(value))?;
        Patterns::new(&texts).map_err(|error| Flaw::because::<Self>(value, &error.to_string()))
    }

    fn to_toml(&self) -> Option<toml::Value> {
        self.texts().to_toml()
    }
}

/// Makes a setting that is one of a few words.
macro_rules! choice {
    ($(#[$about:meta])+ $Choice:ident: $expected:literal {
        $($(#[$doc:meta])+ $Variant:ident = $word:literal,)+
    }) => {
        $(#[$about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $Choice { $($(#[$doc])+ $Variant,)+ }

        impl $Choice {
            fn word(self) -> &'static str {
                match self { $(Self::$Variant => $word,)+ }
            }
        }

        impl $crate::config::setting::Setting for $Choice {
            const EXPECTED: &'static str = $expected;
            const EXAMPLE: &'static str = [$(concat!("\"", $word, "\"")),+][0];

            fn read(
                value: &$crate::config::value::Value,
            ) -> Result<Self, Vec<$crate::config::setting::Flaw>> {
                let known = [$(Self::$Variant),+].into_iter();
                let chosen = known.into_iter().find(|choice| value.text() == Some(choice.word()));
                chosen.ok_or_else(|| $crate::config::setting::Flaw::of::<Self>(value))
            }

            fn to_toml(&self) -> Option<toml::Value> {
                Some(toml::Value::String(self.word().to_owned()))
            }
        }
    };
}

pub(super) use choice;

choice! {
    /// How a token is understood.
    AuthMode: "\"plain\" or \"jwt\"" {
        /// The token is the user.
        Plain = "plain",
        /// The token is a signed JWT.
        Jwt = "jwt",
    }
}

choice! {
    /// How the members find each other.
    RegistryKind: "\"static\", \"gossip\", \"dns\", \"etcd\" or \"nacos\"" {
        /// They are listed.
        Static = "static",
        /// They tell each other.
        Gossip = "gossip",
        /// They are the records of a name.
        Dns = "dns",
        /// They are in etcd.
        Etcd = "etcd",
        /// They are in Nacos.
        Nacos = "nacos",
    }
}

impl std::fmt::Display for RegistryKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.word())
    }
}

choice! {
    /// Where messages are stored for users.
    MailboxStore: "\"none\", \"memory\", \"file\" or \"redis\"" {
        /// Nowhere: messages that are to be stored are refused.
        Nowhere = "none",
        /// In the process.
        Memory = "memory",
        /// In a file of this machine.
        File = "file",
        /// In Redis, which all workers see.
        Redis = "redis",
    }
}

choice! {
    /// What happens to a user's further session when there are as many as there may be.
    OnConflict: "\"allow\", \"replace_oldest\" or \"refuse\"" {
        /// There is no limit for one user.
        Allow = "allow",
        /// The user's oldest session is closed to make room.
        ReplaceOldest = "replace_oldest",
        /// The handshake is refused.
        Refuse = "refuse",
    }
}

choice! {
    /// What happens to a session whose outbound queue is full.
    OnSlowConsumer: "\"close\" or \"drop_oldest\"" {
        /// It is closed with a code that says: reconnect later.
        Close = "close",
        /// It loses its oldest waiting messages.
        DropOldest = "drop_oldest",
    }
}

choice! {
    /// Where it is written who is online.
    PresenceExportKind: "\"none\" or \"redis\"" {
        /// Nowhere.
        None = "none",
        /// In Redis.
        Redis = "redis",
    }
}

choice! {
    /// How log lines look.
    LogFormat: "\"auto\", \"pretty\" or \"json\"" {
        /// Pretty on a terminal, JSON elsewhere.
        Auto = "auto",
        /// For people.
        Pretty = "pretty",
        /// For programs: one JSON object on each line.
        Json = "json",
    }
}

impl Setting for TokenSource {
    const EXPECTED: &'static str = "\"bearer\", \"query:NAME\", \"subprotocol:PREFIX\" or \"cookie:NAME\"";
    const EXAMPLE: &'static str = "\"query:token\"";

    fn read(value: &Value) -> Result<Self, Vec<Flaw>> {
        let flaw = || Flaw::of::<Self>(value);
        let text = value.text().ok_or_else(flaw)?;
        let (place, name) = text.split_once(':').unwrap_or((text, ""));
        let name = name.to_owned();
        match place {
            "bearer" if name.is_empty() => Ok(Self::Bearer),
            "query" if !name.is_empty() => Ok(Self::Query { name }),
            "subprotocol" if !name.is_empty() => Ok(Self::Subprotocol { prefix: name }),
            "cookie" if !name.is_empty() => Ok(Self::Cookie { name }),
            _ => Err(flaw()),
        }
    }

    fn to_toml(&self) -> Option<toml::Value> {
        let text = match self {
            Self::Bearer => "bearer".to_owned(),
            Self::Query { name } => format!("query:{name}"),
            Self::Subprotocol { prefix } => format!("subprotocol:{prefix}"),
            Self::Cookie { name } => format!("cookie:{name}"),
        };
        Some(toml::Value::String(text))
    }
}

/// A host with a port; the host may be a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPort(pub(crate) String);

impl Setting for HostPort {
    const EXPECTED: &'static str = "a host with a port";
    const EXAMPLE: &'static str = "\"10.0.0.1:7071\"";

    fn read(value: &Value) -> Result<Self, Vec<Flaw>> {
        let is_right = |text: &&str| {
            let (host, port) = text.rsplit_once(':').unwrap_or_default();
            let named = !host.is_empty() && !host.contains(['/', ':', ' ', '@']);
            let numbered = host.starts_with('[') && text.parse::<std::net::SocketAddr>().is_ok();
            (named || numbered) && port.parse::<u16>().is_ok_and(|port| port > 0)
        };
        let text = value.text().filter(is_right).ok_or_else(|| Flaw::of::<Self>(value))?;
        Ok(Self(text.to_owned()))
    }

    fn to_toml(&self) -> Option<toml::Value> {
        Some(toml::Value::String(self.0.clone()))
    }
}

/// Where a server is reached by HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EndpointUrl(pub(crate) String);

impl Setting for EndpointUrl {
    const EXPECTED: &'static str = "an http or https URL of a host with a port";
    const EXAMPLE: &'static str = "\"http://10.0.0.5:2379\"";

    fn read(value: &Value) -> Result<Self, Vec<Flaw>> {
        let is_right = |text: &&str| {
            let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
            rest.is_some_and(|rest| HostPort::read(&Value::loose(rest)).is_ok())
        };
        let text = value.text().filter(is_right).ok_or_else(|| Flaw::of::<Self>(value))?;
        Ok(Self(text.to_owned()))
    }

    fn to_toml(&self) -> Option<toml::Value> {
        Some(toml::Value::String(self.0.clone()))
    }
}

/// The path of a client's request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientPath(pub(crate) String);

impl Setting for ClientPath {
    const EXPECTED: &'static str =
        "a path that begins with \"/\" (exactly this one) or with \"*/\" (its end)";
    const EXAMPLE: &'static str = "\"*/ws\"";

    fn read(value: &Value) -> Result<Self, Vec<Flaw>> {
        let is_path = |text: &str| text.strip_prefix('*').unwrap_or(text).starts_with('/');
        let path = value.text().filter(|text| is_path(text) && !text.contains(['?', '#', ' ']));
        path.map(|path| Self(path.to_owned())).ok_or_else(|| Flaw::of::<Self>(value))
    }

    fn to_toml(&self) -> Option<toml::Value> {
        Some(toml::Value::String(self.0.clone()))
    }
}

/// One word of an operator with its meaning: `rack = "r7"`.
pub(crate) type Labels = std::collections::BTreeMap<String, String>;

impl Setting for Labels {
    const EXPECTED: &'static str = "a table of texts";
    const EXAMPLE: &'static str = "{ rack = \"r7\" }";

    fn read(value: &Value) -> Result<Self, Vec<Flaw>> {
        let Kind::Table(entries) = &value.kind else { return Err(Flaw::of::<Self>(value)) };
        let entry = |(key, value): &(String, Value)| Some((key.clone(), value.text()?.to_owned()));
        entries.iter().map(entry).collect::<Option<_>>().ok_or_else(|| Flaw::of::<Self>(value))
    }

    fn to_toml(&self) -> Option<toml::Value> {
        let entry = |(key, value): (&String, &String)| (key.clone(), toml::Value::String(value.clone()));
        Some(toml::Value::Table(self.iter().map(entry).collect()))
    }
}
