//! The HTTP API of a node: its listener, what it needs, and its place among the parts of the process.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ringway_api::{Access, Api, ApiConfig};
use ringway_gateway::TlsFiles;
use ringway_sender::{Sender, SenderConfig};
use tokio::net::TcpListener;
use tracing::warn;

use super::bind::{address_of, bind, reachable};
use super::nodes::Shared;
use super::running::Running;
use super::{Process, keys, parts};
use crate::config::{Config, Settings};

/// The port of `ringway up` if nobody says otherwise.
const UP_PORT: u16 = 8090;

/// What a body may be larger than twice the largest payload: everything else in a request.
const BESIDE_PAYLOAD_BYTES: usize = 64 * 1024;

/// Binds the API's socket, if there shall be one.
pub(super) fn listen(config: &Config) -> anyhow::Result<Option<TcpListener>> {
    let Some(address) = config.settings.api.listen else { return Ok(None) };
    if let Access::Loopback = config.checked.api {
        warn!(%address, "the API asks for no key: everybody on this machine may call it");
    }
    Ok(Some(bind(address, "api.listen")?))
}

/// Where `ringway up` serves the API: at a loopback address, and at any port if its clients are at any.
pub(super) fn address_for_up(settings: &Settings) -> SocketAddr {
    settings.api.listen.unwrap_or_else(|| {
        let clients = settings.gateway.listen;
        let ip = if clients.ip().is_loopback() { clients.ip() } else { IpAddr::V4(Ipv4Addr::LOCALHOST) };
        (ip, if clients.port() == 0 { 0 } else { UP_PORT }).into()
    })
}

/// Where the API is.
pub(super) fn url(listener: &TcpListener, settings: &Settings) -> anyhow::Result<String> {
    let scheme = if tls(settings).is_some() { "https" } else { "http" };
    Ok(format!("{scheme}://{}", reachable(address_of(listener)?)))
}

/// Starts to serve the API, if there is a listener for it, in the present phase.
pub(super) fn start(
    listener: Option<TcpListener>,
    shared: &Shared,
    process: &Process,
    running: &mut Running,
) -> anyhow::Result<()> {
    let Some(listener) = listener else { return Ok(()) };
    let (settings, access) = (&process.config.settings, process.config.checked.api.clone());
    let acceptor = match tls(settings) {
        Some(files) => {
            let (acceptor, watch) = files.acceptor(keys::POLL_INTERVAL)?;
            let end = process.end.clone();
            tokio::spawn(async move { end.run_until_cancelled(watch).await });
            Some(acceptor)
        }
        None => None,
    };
    if let Access::Keys(handle) = &access {
        keys::watch_api(settings.api.keys_file.as_deref(), handle, &process.end);
    }
    let sender = Sender::within_node(shared.views.clone(), shared.pool.clone(), sender(shared, settings));
    let api = Api::new(config(settings), sender, access);
    running.start("the HTTP API", |stop| async move {
        ringway_api::serve(listener, acceptor, api, stop).await;
        Ok(())
    });
    Ok(())
}

fn sender(shared: &Shared, settings: &Settings) -> SenderConfig {
    SenderConfig {
        pool: parts::pool(settings),
        deadline: settings.rpc.call_timeout,
        presence_grace: settings.sessions.resume_window,
        ..SenderConfig::new([], shared.secret.clone())
    }
}

fn config(settings: &Settings) -> ApiConfig {
    let largest = settings.limits.message_bytes_max.0;
    ApiConfig {
        body_bytes_max: settings
            .api
            .body_bytes_max
            .map_or(2 * largest + BESIDE_PAYLOAD_BYTES, |bytes| bytes.0),
        requests_max: settings.api.requests_max,
        shutdown_timeout: settings.node.shutdown_timeout,
        ..ApiConfig::default()
    }
}

fn tls(settings: &Settings) -> Option<TlsFiles> {
    let (certificates, key) = settings.api_tls.cert_file.clone().zip(settings.api_tls.key_file.clone())?;
    Some(TlsFiles { certificates, key })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{FlagSetting, Role, Sources};

    fn settings(given: &[(&str, &str)]) -> Settings {
        let flag = |(key, text): &(&str, &str)| FlagSetting {
            flag: "--set".to_owned(),
            key: (*key).to_owned(),
            text: (*text).to_owned(),
        };
        let flags = given.iter().map(flag).collect();
        let sources = Sources { file: None, environment: Vec::new(), flags };
        Config::load(sources, Role::Up).unwrap().settings
    }

    #[test]
    fn up_serves_the_api_beside_its_clients() {
        let cases: [(&[(&str, &str)], &str); 5] = [
            (&[], "127.0.0.1:8090"),
            (&[("gateway.listen", "127.0.0.1:9000")], "127.0.0.1:8090"),
            (&[("gateway.listen", "127.0.0.7:0")], "127.0.0.7:0"),
            (&[("gateway.listen", "0.0.0.0:8080")], "127.0.0.1:8090"),
            (&[("gateway.listen", "127.0.0.1:0"), ("api.listen", "127.0.0.1:8091")], "127.0.0.1:8091"),
        ];
        for (given, expected) in cases {
            assert_eq!(address_for_up(&settings(given)).to_string(), expected, "{given:?}");
        }
    }

    #[test]
    fn the_largest_payload_fits_into_a_body() {
        let bytes_max = |given| config(&settings(given)).body_bytes_max;
        assert_eq!(bytes_max(&[]), 2 * 1024 * 1024 + 65_536);
        assert_eq!(bytes_max(&[("limits.message_bytes_max", "1000")]), 2_000 + 65_536);
        assert_eq!(bytes_max(&[("api.body_bytes_max", "1KiB")]), 1_024);
    }
}
