//! The way to the etcd cluster: its endpoints in turn until one answers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use crate::client::Client;
use crate::config::{Credentials, EtcdConfig, EtcdTls};
use crate::error::EtcdError;

/// How long an endpoint may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a silent connection is probed. etcd closes connections that probe more often than every 5 seconds.
const PROBE_INTERVAL: Duration = Duration::from_secs(10);
/// How long the answer to a probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes connections.
pub(crate) struct Connector {
    endpoints: Vec<(String, Endpoint)>,
    credentials: Option<Credentials>,
    /// Which endpoint is asked next, counted on and on: whoever lost one goes to another.
    next: AtomicUsize,
}

impl Connector {
    pub(crate) fn new(config: &EtcdConfig) -> Result<Self, EtcdError> {
        if config.endpoints.is_empty() {
            return Err(EtcdError::Refused("no endpoint was given".to_owned()));
        }
        let endpoints: Result<_, _> =
            config.endpoints.iter().map(|url| Ok((url.clone(), endpoint(url, &config.tls)?))).collect();
        Ok(Self { endpoints: endpoints?, credentials: config.credentials.clone(), next: AtomicUsize::new(0) })
    }

    /// A connection to the first endpoint that answers; each is asked once.
    pub(crate) async fn connect(&self) -> Result<Client, EtcdError> {
        let mut failures = Vec::new();
        for _ in &self.endpoints {
            let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.endpoints.len();
            let (url, endpoint) = &self.endpoints[turn];
            match self.connect_to(url, endpoint).await {
                Ok(client) => return Ok(client),
                Err(EtcdError::Unreachable(reason)) => failures.push(reason),
                Err(refused) => return Err(refused),
            }
        }
        Err(EtcdError::Unreachable(failures.join("; ")))
    }

    async fn connect_to(&self, url: &str, endpoint: &Endpoint) -> Result<Client, EtcdError> {
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, endpoint.connect()).await;
        let channel = connected.map_err(|_| EtcdError::late(url))?;
        let channel = channel.map_err(|error| EtcdError::transport(url, &error))?;
        let mut client = Client::new(url, channel);
        if let Some(Credentials { user, password }) = &self.credentials {
            client.authenticate(user, password).await?;
        }
        Ok(client)
    }
}

fn endpoint(url: &str, tls: &EtcdTls) -> Result<Endpoint, EtcdError> {
    let unusable = |problem: &dyn std::fmt::Display| EtcdError::Refused(format!("endpoint {url}: {problem}"));
    let endpoint = Endpoint::from_shared(url.to_owned()).map_err(|error| unusable(&error))?;
    let endpoint = match endpoint.uri().scheme_str() {
        Some("http") => endpoint,
        Some("https") => endpoint.tls_config(tls_config(tls)).map_err(|error| unusable(&error))?,
        _ => return Err(unusable(&"it must begin with http:// or https://")),
    };
    Ok(endpoint
        .http2_keep_alive_interval(PROBE_INTERVAL)
        .keep_alive_timeout(PROBE_TIMEOUT)
        .keep_alive_while_idle(true))
}

fn tls_config(tls: &EtcdTls) -> ClientTlsConfig {
    let config = match &tls.ca_pem {
        Some(ca) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca)),
        None => ClientTlsConfig::new().with_native_roots(),
    };
    match &tls.identity_pem {
        Some((certificate, key)) => config.identity(Identity::from_pem(certificate, key)),
        None => config,
    }
}
