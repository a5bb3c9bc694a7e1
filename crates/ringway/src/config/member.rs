//! The static member list: `[[cluster.members]]` in a file, `ID=URL,weight=2,…` in the environment and in flags.

use std::str::FromStr;

use ringway_ring::{MemberId, Weight};
use ringway_rpc::NodeUrl;

use super::setting::{Flaw, Setting, read_items};
use super::suggest::nearest;
use super::value::{Kind, Value};
use super::words::Labels;

const FIELDS: [&str; 6] = ["id", "rpc_url", "weight", "client_url", "zone", "labels"];

/// One worker of the static list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MemberEntry {
    /// Its name.
    pub(crate) id: MemberId,
    /// Where its gRPC server is.
    pub(crate) rpc_url: NodeUrl,
    /// Its share of the ring.
    pub(crate) weight: Weight,
    /// Where clients can reach it without a gateway.
    pub(crate) client_url: Option<String>,
    /// Its failure domain.
    pub(crate) zone: Option<String>,
    /// The operator's words about it.
    pub(crate) labels: Labels,
}

/// All workers of the static list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Members(pub(crate) Vec<MemberEntry>);

impl Setting for Weight {
    const EXPECTED: &'static str = "a whole number from 0 to 100";
    const EXAMPLE: &'static str = "1";

    fn read(value: &Value) -> Result<Self, Vec<Flaw>> {
        let weight = u32::read(value).ok().and_then(|weight| Self::new(weight).ok());
        weight.ok_or_else(|| Flaw::of::<Self>(value))
    }

    fn to_toml(&self) -> Option<toml::Value> {
        Some(toml::Value::Integer(self.get().into()))
    }
}

impl Setting for Members {
    const EXPECTED: &'static str = "a list of workers";
    const EXAMPLE: &'static str = "[{ id = \"w1\", rpc_url = \"http://10.0.0.1:7071\" }]";

    fn read(value: &Value) -> Result<Self, Vec<Flaw>> {
        match &value.kind {
            Kind::List(items) => read_items(items).map(Self),
            Kind::Loose(text) => {
                read_items(&text.split_whitespace().map(Value::loose).collect::<Vec<_>>()).map(Self)
            }
            _ => Err(Flaw::of::<Self>(value)),
        }
    }

    fn to_toml(&self) -> Option<toml::Value> {
        Some(toml::Value::Array(self.0.iter().filter_map(Setting::to_toml).collect()))
    }
}

impl Setting for MemberEntry {
    const EXPECTED: &'static str = "a worker";
    const EXAMPLE: &'static str =
        "{ id = \"w1\", rpc_url = \"http://10.0.0.1:7071\" } or w1=http://10.0.0.1:7071,weight=2";

    fn read(value: &Value) -> Result<Self, Vec<Flaw>> {
        match &value.kind {
            Kind::Table(entries) => read_table(value, entries),
            Kind::Loose(text) => match split(text) {
                Some(entries) => read_table(value, &entries),
                None => Err(Flaw::of::<Self>(value)),
            },
            _ => Err(Flaw::of::<Self>(value)),
        }
    }

    fn to_toml(&self) -> Option<toml::Value> {
        let fields = [
            ("id", self.id.to_toml()),
            ("rpc_url", self.rpc_url.to_toml()),
            ("weight", self.weight.to_toml()),
            ("client_url", self.client_url.to_toml()),
            ("zone", self.zone.to_toml()),
            ("labels", self.labels.to_toml().filter(|_| !self.labels.is_empty())),
        ];
        let set = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Some(toml::Value::Table(set.collect()))
    }
}

impl FromStr for MemberEntry {
    type Err = String;

    /// Reads the form of flags: `ID=URL[,weight=N][,client=URL][,zone=Z]`.
    fn from_str(text: &str) -> Result<Self, String> {
        Self::read(&Value::loose(text)).map_err(|flaws| {
            let told = flaws.iter().map(|flaw| match flaw.at.strip_prefix('.') {
                Some(field) => format!("{field}: expected {}", flaw.expected),
                None => format!("expected {}", flaw.expected),
            });
            told.collect::<Vec<_>>().join("; ")
        })
    }
}

fn read_table(whole: &Value, entries: &[(String, Value)]) -> Result<MemberEntry, Vec<Flaw>> {
    let mut fields = Fields { whole, entries, flaws: Vec::new() };
    fields.refuse_unknown();
    let id = fields.required("id");
    let rpc_url = fields.required("rpc_url");
    let weight = fields.optional("weight");
    let client_url = fields.optional("client_url");
    let zone = fields.optional("zone");
    let labels: Option<Labels> = fields.optional("labels");
    match (id, rpc_url) {
        (Some(id), Some(rpc_url)) if fields.flaws.is_empty() => Ok(MemberEntry {
            id,
            rpc_url,
            weight: weight.unwrap_or_default(),
            client_url,
            zone,
            labels: labels.unwrap_or_default(),
        }),
        _ => Err(fields.flaws),
    }
}

/// Reads one worker's fields and keeps what is wrong with them.
struct Fields<'a> {
    whole: &'a Value,
    entries: &'a [(String, Value)],
    flaws: Vec<Flaw>,
}

impl Fields<'_> {
    fn optional<T: Setting>(&mut self, name: &str) -> Option<T> {
        let (_, value) = self.entries.iter().find(|(key, _)| key == name)?;
        match T::read(value) {
            Ok(read) => Some(read),
            Err(flaws) => {
                self.flaws.extend(flaws.into_iter().map(|flaw| flaw.below(&format!(".{name}"))));
                None
            }
        }
    }

    fn required<T: Setting>(&mut self, name: &str) -> Option<T> {
        if !self.entries.iter().any(|(key, _)| key == name) {
            let expected = format!("{}, such as {}", T::EXPECTED, T::EXAMPLE);
            let (at, line) = (format!(".{name}"), self.whole.line);
            self.flaws.push(Flaw { at, line, found: None, expected, because: None });
        }
        self.optional(name)
    }

    fn refuse_unknown(&mut self) {
        for (key, value) in self.entries.iter().filter(|(key, _)| !FIELDS.contains(&key.as_str())) {
            let expected = match nearest(key, FIELDS) {
                Some(near) => format!("{near} (there is no key {key})"),
                None => format!("one of {}", FIELDS.join(", ")),
            };
            let found = Some(value.to_string());
            self.flaws.push(Flaw { at: format!(".{key}"), line: value.line, found, expected, because: None });
        }
    }
}

/// The fields of `ID=URL,weight=N,client=URL,zone=Z`.
fn split(text: &str) -> Option<Vec<(String, Value)>> {
    let mut parts = text.split(',');
    let (id, url) = parts.next()?.split_once('=')?;
    let mut fields = vec![("id".to_owned(), Value::loose(id)), ("rpc_url".to_owned(), Value::loose(url))];
    for part in parts {
        let (name, value) = part.split_once('=')?;
        let name = if name == "client" { "client_url" } else { name };
        fields.push((name.to_owned(), Value::loose(value)));
    }
    Some(fields)
}
