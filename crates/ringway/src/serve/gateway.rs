//! `ringway gateway`: a gateway as a process of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ringway_cluster::{FollowError, Views, follow, views};
use ringway_gateway::{Gateway, GatewayParts, Grpc, Routing};
use ringway_rpc::{ClusterSecret, NodePool, NodeUrl};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::bind::{address_of, bind, reachable};
use super::nodes::{self, Deadlines, RpcServer, Shared};
use super::registry::{self, OpenRegistry};
use super::running::Running;
use super::{Process, api, pages, parts, system, tell_ready};
use crate::cli::GatewayArgs;
use crate::config::{Config, Role};
use crate::exit::Ending;

/// Where the gRPC server listens if nobody says otherwise.
const RPC_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7070);
/// How long to rest when no node shows its ring at the start.
const FOLLOW_REST: Duration = Duration::from_secs(1);

/// Runs a gateway until it is told to stop.
pub(crate) fn gateway(args: GatewayArgs) -> anyhow::Result<Ending> {
    let flags = args.settings();
    Process::serve(args.config.config, flags, Role::Gateway, serve)
}

async fn serve(process: Process) -> anyhow::Result<Ending> {
    let Config { settings, checked, .. } = &*process.config;
    let rpc_listen = settings.node.rpc_listen.unwrap_or(RPC_LISTEN);
    let clients = bind(settings.gateway.listen, "gateway.listen")?;
    let rpc = bind(rpc_listen, "node.rpc_listen")?;
    let status = process.bind_status()?;
    let callers = api::listen(&process.config)?;
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
        "api": callers.as_ref().map(|listener| api::url(listener, settings)).transpose()?,
    });

    let secret = checked.secret.clone().context("cluster.secret is missing")?;
    let source = Source::open(&process, &name, &rpc).await?;
    let Some(views) = source.views(&process, &secret).await? else { return Ok(Ending::Done) };
    let shared = Shared::new(views, secret, settings);
    let deadlines = Deadlines::of(settings);
    let mut running = Running::new();
    running.phase("clients leave", deadlines.clients);
    let config = parts::gateway(name.clone(), Routing::Everywhere, settings);
    let connector = Arc::new(Grpc::new(shared.pool.clone()));
    let site = pages::site(&process, &name, &shared, None);
    let parts = GatewayParts { pages: site, ..parts::gateway_parts(&shared, connector, &process) };
    let gateway = Gateway::new(config, parts)?;
    let server = nodes::forwarding(RpcServer::new(name, rpc, &shared, settings), &shared, settings);
    let health = server.health.clone();
    process.start_gateway(gateway, clients, health.clone(), &mut running);
    process.start_status(status, health);
    running.phase("calls end", deadlines.calls);
    server.start(&mut running, &shared, settings);
    api::start(callers, &shared, &process, &mut running)?;
    if let Source::Registry(open) = source {
        open.end_with(&mut running);
    }
    tell_ready(&ready)?;
    process.run(running).await
}

/// Where the ring is learned.
enum Source {
    /// From a registry.
    Registry(OpenRegistry),
    /// From nodes that are followed.
    Nodes(Vec<NodeUrl>),
}

impl Source {
    async fn open(process: &Process, name: &str, rpc: &TcpListener) -> anyhow::Result<Self> {
        let nodes = &process.config.settings.cluster.nodes;
        match nodes.is_empty() {
            true => Ok(Self::Registry(registry::open(process, name, rpc).await?)),
            false => Ok(Self::Nodes(nodes.clone())),
        }
    }

    /// The way to the ring; there is nothing if the shutdown comes first.
    async fn views(&self, process: &Process, secret: &ClusterSecret) -> anyhow::Result<Option<Views>> {
        let settings = &process.config.settings;
        match self {
            Self::Registry(open) => {
                Ok(Some(views(&*open.registry, settings.cluster.strategy, process.end.clone())))
            }
            Self::Nodes(nodes) => {
                let pool = NodePool::new(secret.clone(), parts::pool(settings));
                followed(&pool, nodes, &process.shutdown).await
            }
        }
    }
}

/// Follows one of these nodes. A gateway may start before they do, so it asks until one answers.
async fn followed(
    pool: &NodePool,
    nodes: &[NodeUrl],
    shutdown: &CancellationToken,
) -> anyhow::Result<Option<Views>> {
    loop {
        match follow(pool, nodes.to_vec(), shutdown.clone()).await {
            Ok(views) => return Ok(Some(views)),
            Err(FollowError::ShutDown) => return Ok(None),
            Err(error @ FollowError::NoNodes) => return Err(error.into()),
            Err(error @ FollowError::NoneAnswers(_)) => {
                warn!(%error, "waiting for a node that shows its ring");
            }
        }
        shutdown.run_until_cancelled(tokio::time::sleep(FOLLOW_REST)).await;
    }
}
