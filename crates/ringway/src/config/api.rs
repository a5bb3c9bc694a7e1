//! The settings of the HTTP API, and what they become.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use ringway_api::{Access, Keys, KeysHandle};

use super::Settings;
use super::certificate::{CertificateKeys, certificate};
use super::check::set_too;
use super::reader::Reader;
use super::section::section;
use super::setting::{Bytes, Flaw, Setting};
use super::value::{Kind, Value};

section! {
    /// The HTTP API (docs/http-api.md), for back ends that have nothing but curl. A gateway or a worker serves it where it is told to;
    /// `ringway up` always does.
    ApiSection("api") {
        /// Where it listens. Not set: nowhere; with `ringway up` at `127.0.0.1:8090`, or at any port if `gateway.listen` is at
        /// any, too.
        listen: Option<SocketAddr> = "";
        /// The keys, each with a name: callers show one of them as `Authorization: Bearer KEY`. 16 to 1024 visible ASCII characters.
        /// In the environment and in flags: `NAME=KEY`, separated by commas. Without keys the API is only served at a
        /// loopback address, and everybody on the machine may call it.
        keys: ApiKeys = "";
        /// A file that holds the keys instead: a line `NAME = KEY` for each. It is read again when it changes, so that keys
        /// can be replaced while the node runs.
        keys_file: Option<PathBuf> = "";
        /// The longest body of a request; longer ones are answered 413. Not set: twice `limits.message_bytes_max` and 64 KiB.
        body_bytes_max: Option<Bytes> = "";
        /// How many requests are answered at the same time; beyond it they are answered 429.
        requests_max: usize = "1024", "1" to "1000000";
    }
}

section! {
    /// TLS for callers of the HTTP API. Without both it speaks plain HTTP. Changed files are noticed.
    ApiTlsSection("api.tls") {
        /// The certificate chain in PEM, the server's own certificate first.
        cert_file: Option<PathBuf> = "";
        /// The private key in PEM.
        key_file: Option<PathBuf> = "";
    }
}

/// Keys by their names, never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ApiKeys(Vec<(String, String)>);

impl std::fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Setting for ApiKeys {
    const EXPECTED: &'static str = "a table of keys by their names";
    const EXAMPLE: &'static str = "{ shop = \"the output of openssl rand -hex 32\" }";
    const SECRET: bool = true;

    fn read(value: &Value) -> Result<Self, Vec<Flaw>> {
        let keys: Option<Vec<_>> = match &value.kind {
            Kind::Table(entries) => {
                entries.iter().map(|(name, key)| Some((name.clone(), key.text()?.to_owned()))).collect()
            }
            Kind::Loose(text) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                let pair = |(name, key): (&str, &str)| (name.trim().to_owned(), key.trim().to_owned());
                items.map(|item| item.split_once('=').map(pair)).collect()
            }
            _ => None,
        };
        keys.map(Self).ok_or_else(|| Flaw::of::<Self>(value))
    }

    fn to_toml(&self) -> Option<toml::Value> {
        let hidden = |(name, _): &(String, String)| (name.clone(), "(hidden)".to_owned().into());
        let table: BTreeMap<String, toml::Value> = self.0.iter().map(hidden).collect();
        (!table.is_empty()).then(|| toml::Value::Table(table.into_iter().collect()))
    }
}

/// Who may call the API. What cannot be is replaced by nobody's wish, for the reader's mistakes keep it from being used.
pub(super) fn access(settings: &Settings, reader: &mut Reader) -> Access {
    let tls = &settings.api_tls;
    let keys = CertificateKeys { cert: "api.tls.cert_file", key: "api.tls.key_file" };
    certificate(&keys, (tls.cert_file.as_ref(), tls.key_file.as_ref()), reader);
    let given = settings.api.keys.0.clone();
    let keys = match (given.is_empty(), &settings.api.keys_file) {
        (false, Some(_)) => {
            reader.object("api.keys_file", set_too("api.keys", reader));
            None
        }
        (false, None) => Keys::new(given).map_err(|error| reader.object("api.keys", error)).ok(),
        (true, Some(path)) => reader
            .file_text("api.keys_file", path)
            .and_then(|text| Keys::parse(&text).map_err(|error| reader.object("api.keys_file", error)).ok()),
        (true, None) => {
            open_to_strangers(settings, reader);
            None
        }
    };
    keys.map_or(Access::Loopback, |keys| Access::Keys(KeysHandle::new(keys)))
}

fn open_to_strangers(settings: &Settings, reader: &mut Reader) {
    if settings.api.listen.is_some_and(|address| !address.ip().is_loopback()) {
        let problem = "without api.keys or api.keys_file everybody could send: set one of them, or listen at a \
                       loopback address such as 127.0.0.1:8090";
        reader.contradict("api.listen", &["api.keys", "api.keys_file"], problem);
    }
}
