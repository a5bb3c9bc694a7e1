//! Collecting settings from their sources. A flag wins over the environment, the environment over the file, the file
//! over the defaults. What names no setting is a mistake, in every source.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use toml::de::DeTable;

use super::mistake::Mistake;
use super::section::Key;
use super::suggest::nearest;
use super::value::{Kind, Origin, Value, line_at};

/// Variables with our prefix that are no settings: other parts of the program read them.
const OTHER_VARIABLES: [&str; 4] = ["RINGWAY_CONFIG", "RINGWAY_NODE", "RINGWAY_URL", "RINGWAY_TOKEN"];

/// The short name of the variable that everybody looks for first.
const LOG_VARIABLE: (&str, &str) = ("RINGWAY_LOG", "log.filter");

/// Keys that say the same in different ways: whoever sets one of them lays it over the others, too.
const ALTERNATIVES: [&[&str]; 7] = [
    &["cluster.secret", "cluster.secret_file"],
    &["etcd.password", "etcd.password_file"],
    &["nacos.password", "nacos.password_file"],
    &["bridge.rabbitmq.url", "bridge.rabbitmq.url_file"],
    &["bridge.webhook.secret", "bridge.webhook.secret_file"],
    &["api.keys", "api.keys_file"],
    &["auth.jwt.secret", "auth.jwt.secret_file", "auth.jwt.public_key_file", "auth.jwt.jwks_file"],
];

/// The settings that somebody made, each with its place; and what could not be understood as a setting at all.
#[derive(Debug)]
pub(crate) struct Layers {
    keys: Vec<&'static Key>,
    entries: BTreeMap<&'static str, (Origin, Value)>,
    mistakes: Vec<Mistake>,
}

impl Layers {
    /// No settings yet; `keys` are those that there are.
    pub(crate) fn new(keys: Vec<&'static Key>) -> Self {
        Self { keys, entries: BTreeMap::new(), mistakes: Vec::new() }
    }

    /// Lays another default under everything that follows; `key` must be the name of a setting.
    pub(crate) fn command(&mut self, command: &'static str, key: &'static str, text: &str) {
        self.set(key, Origin::Command(command), Value::loose(text));
    }

    /// Lays a file's text over what is there. Syntax errors are all reported, and then nothing of the file is used.
    pub(crate) fn file(&mut self, path: &Path, text: &str) {
        let path: Arc<Path> = Arc::from(path);
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let line = error.span().map_or(1, |span| line_at(text, span.start));
            let problem = format!("not TOML: {}", error.message().replace('\n', ", "));
            self.mistakes.push(Mistake::new(Origin::File { path: Arc::clone(&path), line }, problem));
        }
        if errors.is_empty() {
            self.table(&path, "", Value::entries(document.get_ref(), text));
        }
    }

    /// Lays environment variables over what is there; those without our prefix are passed over.
    pub(crate) fn environment(&mut self, variables: impl IntoIterator<Item = (OsString, OsString)>) {
        for (name, value) in variables {
            let Some(name) = name.to_str().filter(|name| name.starts_with("RINGWAY_")) else { continue };
            let origin = Origin::Environment(name.to_owned());
            match (self.key_of_variable(name), value.to_str()) {
                (Some(key), Some(text)) if !text.trim().is_empty() => {
                    self.set(key, origin, Value::loose(text));
                }
                (Some(_), Some(_)) => {}
                (Some(_), None) => self.mistakes.push(Mistake::new(origin, "its value is not UTF-8")),
                (None, _) if OTHER_VARIABLES.contains(&name) || is_kubernetes_link(name) => {}
                (None, _) => self.unknown_variable(name, origin),
            }
        }
    }

    /// Lays one flag over what is there; `key` must be the name of a setting. Without text it sets nothing.
    pub(crate) fn flag(&mut self, flag: &str, key: &str, text: &str) {
        let origin = Origin::Flag(flag.to_owned());
        match self.keys.iter().find(|known| known.name == key) {
            Some(_) if text.trim().is_empty() => {}
            Some(known) => self.set(known.name, origin, Value::loose(text)),
            None => self.unknown_key(origin, key),
        }
    }

    /// The settings by name, and the mistakes so far.
    pub(crate) fn into_parts(self) -> (BTreeMap<&'static str, (Origin, Value)>, Vec<Mistake>) {
        (self.entries, self.mistakes)
    }

    /// Lays a setting over those below it, which are of sources that count less. Two of one source stay, to be told of.
    fn set(&mut self, key: &'static str, origin: Origin, value: Value) {
        let others = ALTERNATIVES.iter().filter(|group| group.contains(&key)).flat_map(|group| group.iter());
        for other in others.filter(|other| **other != key) {
            if self.entries.get(other).is_some_and(|(below, _)| below.rank() < origin.rank()) {
                self.entries.remove(other);
            }
        }
        self.entries.insert(key, (origin, value));
    }

    fn table(&mut self, path: &Arc<Path>, section: &str, entries: Vec<(String, Value)>) {
        for (name, value) in entries {
            let name = if section.is_empty() { name } else { format!("{section}.{name}") };
            let origin = Origin::File { path: Arc::clone(path), line: value.line.unwrap_or(1) };
            if let Some(key) = self.keys.iter().find(|key| key.name == name) {
                self.set(key.name, origin, value);
            } else if !self.is_section(&name) {
                self.unknown_key(origin, &name);
            } else if let Kind::Table(entries) = value.kind {
                self.table(path, &name, entries);
            } else {
                let text = format!("{name} = {value}: expected a table, such as [{name}]");
                self.mistakes.push(Mistake::new(origin, text));
            }
        }
    }

    fn is_section(&self, name: &str) -> bool {
        let begins = |key: &str| key.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        self.keys.iter().any(|key| begins(key.name))
    }

    fn unknown_key(&mut self, origin: Origin, name: &str) {
        let leaf = name.rsplit('.').next().unwrap_or(name);
        let same_leaf = || self.keys.iter().find(|key| key.leaf() == leaf).map(|key| key.name);
        let text = match nearest(name, self.words()).or_else(same_leaf) {
            Some(near) => format!("there is no key {name}: did you mean {near}?"),
            None => format!("there is no key {name}: docs/configuration.md lists those that there are"),
        };
        self.mistakes.push(Mistake::new(origin, text));
    }

    fn unknown_variable(&mut self, name: &str, origin: Origin) {
        let variables: Vec<String> = self.keys.iter().map(|key| key.variable()).collect();
        let text = match nearest(name, variables.iter().map(String::as_str)) {
            Some(near) => format!("it sets nothing: did you mean {near}?"),
            None => "it sets nothing: docs/configuration.md lists the variables that there are".to_owned(),
        };
        self.mistakes.push(Mistake::new(origin, text));
    }

    fn key_of_variable(&self, name: &str) -> Option<&'static str> {
        if name == LOG_VARIABLE.0 {
            return Some(LOG_VARIABLE.1);
        }
        self.keys.iter().find(|key| key.variable() == name).map(|key| key.name)
    }

    /// The names that may be meant: keys, and the sections around them.
    fn words(&self) -> Vec<&'static str> {
        let sections =
            self.keys.iter().filter_map(|key| key.name.rsplit_once('.').map(|(section, _)| section));
        let mut words: Vec<_> = self.keys.iter().map(|key| key.name).chain(sections).collect();
        words.sort_unstable();
        words.dedup();
        words
    }
}

/// Whether it is a variable that Kubernetes sets in every pod for a service whose name begins with `ringway-`:
/// `RINGWAY_GATEWAY_SERVICE_HOST`, `…_SERVICE_PORT_HTTP`, `…_PORT`, `…_PORT_8080_TCP_ADDR`.
fn is_kubernetes_link(name: &str) -> bool {
    let port = name.split("_PORT_").nth(1).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    port || name.ends_with("_PORT") || name.contains("_SERVICE_HOST") || name.contains("_SERVICE_PORT")
}
