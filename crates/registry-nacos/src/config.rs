//! What a [`NacosRegistry`](crate::NacosRegistry) must be told.

use std::fmt;
use std::time::Duration;

/// After which time of silence Nacos removes an instance, unless told otherwise: less than any known server takes.
pub const REMOVAL_AFTER_DEFAULT: Duration = Duration::from_secs(15);

/// Where Nacos is, and as which service ringway's members are kept there.
#[derive(Clone, Debug)]
pub struct NacosConfig {
    /// The servers, as `host:port` of their HTTP interface (8848 by default). One is used at a time.
    pub servers: Vec<String>,
    /// The port of their gRPC interface; 1000 above the HTTP port if it is not told.
    pub grpc_port: Option<u16>,
    /// Who we are, if Nacos wants to know.
    pub credentials: Option<Credentials>,
    /// The namespace's id.
    pub namespace: String,
    /// The group of services.
    pub group: String,
    /// The service whose instances are the members.
    pub service: String,
    /// The cluster within the service, in which the members are.
    pub cluster: String,
    /// After which time of silence Nacos removes an instance. It must not be longer than the servers' own time.
    pub removal_after: Duration,
}

/// A user of Nacos.
#[derive(Clone)]
pub struct Credentials {
    /// Its name.
    pub user: String,
    /// Its password.
    pub password: String,
}

impl NacosConfig {
    /// The defaults with these servers.
    pub fn new(servers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            servers: servers.into_iter().map(Into::into).collect(),
            grpc_port: None,
            credentials: None,
            namespace: "public".to_owned(),
            group: "DEFAULT_GROUP".to_owned(),
            service: "ringway".to_owned(),
            cluster: "DEFAULT".to_owned(),
            removal_after: REMOVAL_AFTER_DEFAULT,
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}
