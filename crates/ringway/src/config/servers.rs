//! The registries that are servers of their own: what their adapters must be told, from the settings and the files that
//! those name.

use std::path::PathBuf;

use ringway_registry_etcd::{Credentials as EtcdCredentials, EtcdConfig, EtcdTls};
use ringway_registry_nacos::{Credentials as NacosCredentials, NacosConfig};

use super::Settings;
use super::certificate::CertificateKeys;
use super::check::{Role, set_too};
use super::reader::Reader;
use super::setting::Hidden;
use super::words::{EndpointUrl, HostPort, RegistryKind};

/// Where etcd is, if it is the registry.
pub(super) fn etcd(settings: &Settings, role: Role, reader: &mut Reader) -> Option<EtcdConfig> {
    let etcd = &settings.etcd;
    if !is_registry(RegistryKind::Etcd, ("etcd.endpoints", &etcd.endpoints), (settings, role), reader) {
        return None;
    }
    if matches!(role, Role::Gateway | Role::Worker) && !reader.is_set("etcd.endpoints") {
        reader.demand("etcd.endpoints is missing: name the etcd servers, such as [\"http://10.0.0.5:2379\"]");
    }
    let login = Login {
        user: ("etcd.user", &etcd.user),
        password: ("etcd.password", &etcd.password),
        file: ("etcd.password_file", &etcd.password_file),
    };
    let credentials = login.read(reader).map(|(user, password)| EtcdCredentials { user, password });
    let mut pem = |key, path: &Option<PathBuf>| Some(reader.file_text(key, path.as_ref()?)?.into_bytes());
    let ca_pem = pem("etcd.ca_file", &etcd.ca_file);
    let (certificate, key) = (pem("etcd.cert_file", &etcd.cert_file), pem("etcd.key_file", &etcd.key_file));
    let keys = CertificateKeys { cert: "etcd.cert_file", key: "etcd.key_file" };
    keys.both_or_neither(etcd.cert_file.as_ref(), etcd.key_file.as_ref(), reader);
    Some(EtcdConfig {
        credentials,
        tls: EtcdTls { ca_pem, identity_pem: certificate.zip(key) },
        prefix: etcd.prefix.clone(),
        lease_ttl: etcd.lease_ttl,
        ..EtcdConfig::new(etcd.endpoints.iter().map(|EndpointUrl(url)| url))
    })
}

/// Where Nacos is, if it is the registry.
pub(super) fn nacos(settings: &Settings, role: Role, reader: &mut Reader) -> Option<NacosConfig> {
    let nacos = &settings.nacos;
    if !is_registry(RegistryKind::Nacos, ("nacos.servers", &nacos.servers), (settings, role), reader) {
        return None;
    }
    if matches!(role, Role::Gateway | Role::Worker) && !reader.is_set("nacos.servers") {
        reader.demand("nacos.servers is missing: name the Nacos servers, such as [\"10.0.0.5:8848\"]");
    }
    let login = Login {
        user: ("nacos.user", &nacos.user),
        password: ("nacos.password", &nacos.password),
        file: ("nacos.password_file", &nacos.password_file),
    };
    Some(NacosConfig {
        grpc_port: nacos.grpc_port,
        credentials: login.read(reader).map(|(user, password)| NacosCredentials { user, password }),
        namespace: nacos.namespace.clone(),
        group: nacos.group.clone(),
        service: nacos.service.clone(),
        cluster: nacos.cluster.clone(),
        removal_after: nacos.removal_after,
        ..NacosConfig::new(nacos.servers.iter().map(|HostPort(server)| server))
    })
}

/// Whether this is the registry that is to be used. If it is not, its servers are of no use.
fn is_registry<T>(
    kind: RegistryKind,
    (key, servers): (&'static str, &Vec<T>),
    (settings, role): (&Settings, Role),
    reader: &mut Reader,
) -> bool {
    if matches!(role, Role::Up | Role::Bridge) {
        return false;
    }
    let chosen = settings.cluster.registry;
    if chosen != kind && !servers.is_empty() {
        let problem = format!("cluster.registry is {chosen}: set it to {kind}, or leave this out");
        reader.contradict(key, &["cluster.registry"], problem);
    }
    chosen == kind
}

/// Who we are to a server, each part with its key.
struct Login<'a> {
    user: (&'static str, &'a Option<String>),
    password: (&'static str, &'a Option<Hidden>),
    file: (&'static str, &'a Option<PathBuf>),
}

impl Login<'_> {
    fn read(self, reader: &mut Reader) -> Option<(String, String)> {
        let ((user_key, user), (password_key, password), (file_key, file)) =
            (self.user, self.password, self.file);
        let password = match (password, file) {
            (Some(_), Some(_)) => {
                reader.object(file_key, set_too(password_key, reader));
                return None;
            }
            (Some(password), None) => Some((password_key, password.expose().to_owned())),
            (None, Some(path)) => Some((file_key, reader.file_text(file_key, path)?)),
            (None, None) => None,
        };
        match (user, password) {
            (Some(user), Some((_, password))) => Some((user.clone(), password)),
            (Some(_), None) => {
                let problem = format!("{password_key} or {file_key} is missing");
                reader.contradict(user_key, &[password_key, file_key], problem);
                None
            }
            (None, Some((key, _))) => {
                reader.contradict(key, &[user_key], format!("{user_key} is missing"));
                None
            }
            (None, None) => None,
        }
    }
}
