//! What an [`EtcdRegistry`](crate::EtcdRegistry) must be told.

use std::fmt;
use std::time::Duration;

/// Where ringway's keys are unless told otherwise.
pub const PREFIX_DEFAULT: &str = "/ringway";

/// After which time etcd forgets a member that does not renew its lease, unless told otherwise.
pub const LEASE_TTL_DEFAULT: Duration = Duration::from_secs(5);

/// Where etcd is, and how ringway's members are kept there.
#[derive(Clone, Debug)]
pub struct EtcdConfig {
    /// The members of the etcd cluster, as `http://host:port` or `https://host:port`. One is used at a time.
    pub endpoints: Vec<String>,
    /// Who we are, if etcd wants to know.
    pub credentials: Option<Credentials>,
    /// How the `https` endpoints are checked.
    pub tls: EtcdTls,
    /// What ringway's keys begin with. Clusters with different prefixes do not see each other.
    pub prefix: String,
    /// After which time etcd forgets a member that does not renew its lease. etcd counts in seconds and has a lower bound
    /// of its own.
    pub lease_ttl: Duration,
}

/// A user of etcd.
#[derive(Clone)]
pub struct Credentials {
    /// Its name.
    pub user: String,
    /// Its password.
    pub password: String,
}

/// Certificates for `https` endpoints.
#[derive(Clone, Default)]
pub struct EtcdTls {
    /// The authority that signed etcd's certificate, in PEM; those that the system trusts if there is none.
    pub ca_pem: Option<Vec<u8>>,
    /// Our own certificate and its key, in PEM, if etcd wants one.
    pub identity_pem: Option<(Vec<u8>, Vec<u8>)>,
}

impl EtcdConfig {
    /// The defaults with these endpoints.
    pub fn new(endpoints: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            endpoints: endpoints.into_iter().map(Into::into).collect(),
            credentials: None,
            tls: EtcdTls::default(),
            prefix: PREFIX_DEFAULT.to_owned(),
            lease_ttl: LEASE_TTL_DEFAULT,
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

impl fmt::Debug for EtcdTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = (self.ca_pem.is_some(), self.identity_pem.is_some());
        f.debug_struct("EtcdTls").field("ca", &told.0).field("identity", &told.1).finish()
    }
}
