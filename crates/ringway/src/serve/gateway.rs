//! `ringway gateway`: a gateway as a process of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ringway_cluster::{FollowError, StaticRegistry, Views, follow, views};
use ringway_gateway::{Gateway, Grpc, Listener, Routing};
use ringway_rpc::NodePool;
use serde_json::json;
use tracing::warn;

use super::bind::{address_of, bind, reachable};
use super::nodes::{self, Deadlines, RpcServer, Shared};
use super::running::Running;
use super::{Process, keys, parts, system, tell_ready};
use crate::cli::GatewayArgs;
use crate::config::{Config, Role, Settings};
use crate::exit::Ending;

/// Where the gRPC server listens if nobody says otherwise.
const RPC_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7070);
/// How long to rest when no node shows its ring at the start.
const FOLLOW_REST: Duration = Duration::from_secs(1);

/// Runs a gateway until it is told to stop.
pub(crate) async fn gateway(args: GatewayArgs) -> anyhow::Result<Ending> {
    let flags = args.settings();
    let process = Process::start(args.config.config, flags, Role::Gateway)?;
    let Config { settings, checked, .. } = &process.config;
    let rpc_listen = settings.node.rpc_listen.unwrap_or(RPC_LISTEN);
    let clients = bind(settings.gateway.listen, "gateway.listen")?;
    let rpc = bind(rpc_listen, "node.rpc_listen")?;
    let status = process.bind_status()?;
    let name = settings
        .node
        .id
        .as_ref()
        .map_or_else(|| format!("gateway-{}", system::host_name()), ToString::to_string);
    let ready = json!({
        "node": name,
        "client": process.client_url(&clients)?,
        "rpc": format!("http://{}", reachable(address_of(&rpc)?)),
        "status": process.status_url(status.as_ref())?,
    });

    let secret = checked.secret.clone().context("cluster.secret is missing")?;
    let pool = NodePool::new(secret.clone(), parts::pool(settings));
    let Some(views) = view(settings, &pool, &process).await? else { return Ok(Ending::Done) };
    let shared = Shared { views, pool, secret };
    let deadlines = Deadlines::of(settings);
    let mut running = Running::new();
    running.phase("clients leave", deadlines.clients);
    let config = parts::gateway(name.clone(), Routing::Everywhere, settings);
    let connector = Arc::new(Grpc::new(shared.pool.clone()));
    let gateway = Gateway::new(config, parts::gateway_parts(&shared, connector, &process))?;
    let server = nodes::forwarding(RpcServer::new(name, rpc, &shared, settings), &shared, settings);
    let health = server.health.clone();
    let listener = Listener { socket: clients, tls: parts::tls(settings) };
    nodes::start_gateway(gateway, listener, health.clone(), &mut running);
    keys::watch(&checked.verifier, &process.end);
    running.phase("calls end", deadlines.calls);
    server.start(&mut running, &shared, settings);
    process.start_status(status, health);

    tell_ready(&ready)?;
    let outcome = running.until(process.shutdown.clone()).await;
    process.end.cancel();
    outcome.map(|()| Ending::Done)
}

/// The way to the ring: the static list, or a node that is followed. A gateway may start before the nodes do, so it asks
/// until one answers; there is nothing if the shutdown comes first.
async fn view(settings: &Settings, pool: &NodePool, process: &Process) -> anyhow::Result<Option<Views>> {
    let cluster = &settings.cluster;
    if !cluster.members.0.is_empty() {
        let registry = StaticRegistry::new(cluster.members.0.iter().map(parts::member))?;
        return Ok(Some(views(&registry, cluster.strategy, process.end.clone())));
    }
    loop {
        match follow(pool, cluster.nodes.clone(), process.shutdown.clone()).await {
            Ok(views) => return Ok(Some(views)),
            Err(FollowError::ShutDown) => return Ok(None),
            Err(error @ FollowError::NoNodes) => return Err(error.into()),
            Err(error @ FollowError::NoneAnswers(_)) => {
                warn!(%error, "waiting for a node that shows its ring");
            }
        }
        process.shutdown.run_until_cancelled(tokio::time::sleep(FOLLOW_REST)).await;
    }
}
