//! `ringway worker`: a worker as a process of its own. With `--listen` it takes clients too, by a gateway's socket code and
//! a link within the process.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;
use futures_util::{FutureExt as _, StreamExt as _};
use ringway_bridge::Workers;
use ringway_cluster::{Member, MemberState, views};
use ringway_gateway::{Gateway, GatewayStream, InProcess, LinkConnector, Routing, WorkerStream};
use ringway_worker::Worker;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::bind::{address_of, bind, reachable};
use super::bridge::{self, Place};
use super::membership::List;
use super::nodes::{self, Deadlines, RpcServer, Shared, WorkerNode};
use super::running::Running;
use super::{Process, api, parts, registry, tell_ready};
use crate::cli::WorkerArgs;
use crate::config::{Config, MemberEntry, Role, Settings};
use crate::exit::Ending;

/// Runs a worker until it is told to stop.
pub(crate) fn worker(args: WorkerArgs) -> anyhow::Result<Ending> {
    let flags = args.settings();
    Process::serve(args.config.config, flags, Role::Worker, serve)
}

async fn serve(mut process: Process) -> anyhow::Result<Ending> {
    let mut doors = std::mem::take(&mut process.doors);
    let Config { settings, checked, .. } = &*process.config;
    let rpc = bind(rpc_listen(settings)?, "node.rpc_listen")?;
    let member = own_member(settings, &rpc)?;
    let clients = settings.worker.listen.map(|address| bind(address, "worker.listen")).transpose()?;
    let status = process.bind_status()?;
    let callers = api::listen(&process.config)?;
    let ready = json!({
        "node": member.id,
        "client": clients.as_ref().map(|listener| process.client_url(listener)).transpose()?,
        "rpc": format!("http://{}", reachable(address_of(&rpc)?)),
        "status": process.status_url(status.as_ref())?,
        "api": callers.as_ref().map(|listener| api::url(listener, settings)).transpose()?,
    });

    let secret = checked.secret.clone().context("cluster.secret is missing")?;
    let open = registry::open(&process, member.id.as_str(), &rpc).await?;
    let views = views(&*open.registry, settings.cluster.strategy, process.end.clone());
    let own_url = reachable(address_of(&rpc)?).into();
    let workers = Workers::Only(member.id.clone());
    let place = Place { nodes: vec![own_url], secret: secret.clone(), workers };
    let mailboxes = parts::mailboxes(&process.config)?;
    let export = parts::presence_export(&process.config)?;
    let shared = Shared::new(views, secret, settings).with_mailboxes(mailboxes).with_presence_export(export);
    let deadlines = Deadlines::of(settings);
    let mut running = Running::new();
    bridge::start_intake(&mut doors, &place, settings, &mut running);
    let server = RpcServer::new(format!("worker {}", member.id), rpc, &shared, settings);
    let Some(lease) = open.join(&member, &process.shutdown).await? else { return Ok(Ending::Done) };
    let list = List::of(settings.cluster.registry);
    let node = WorkerNode::new(member, lease, list, &shared, settings);
    let server = server.with(|services| node.add_services(services, settings));
    let health = server.health.clone();
    if let Some(socket) = clients {
        running.phase("clients leave", deadlines.clients);
        let gateway = own_gateway(&node.worker, &shared, &process)?;
        process.start_gateway(gateway, socket, health.clone(), &mut running);
    }
    process.start_status(status, health);
    running.phase("sessions end", deadlines.sessions);
    let serving = CancellationToken::new();
    node.start(&mut running, serving.clone());
    running.phase("calls end", deadlines.calls);
    server.start(&mut running, &shared, settings);
    api::start(callers, &shared, &process, &mut running)?;
    serving.cancel();
    bridge::start_outlets(doors, place, settings, &mut running);
    open.end_with(&mut running);
    tell_ready(&ready)?;
    process.run(running).await
}

/// This worker, as the list of members has it, or as it says of itself.
fn own_member(settings: &Settings, rpc: &TcpListener) -> anyhow::Result<Member> {
    let member = match listed(settings) {
        Some(entry) => parts::member(entry),
        None => parts::unlisted_member(settings, reachable(address_of(rpc)?).into())?,
    };
    Ok(Member { incarnation: nodes::incarnation(), state: MemberState::Joining, ..member })
}

fn listed(settings: &Settings) -> Option<&MemberEntry> {
    settings.cluster.members.0.iter().find(|member| Some(&member.id) == settings.node.id.as_ref())
}

/// Where to listen: as it is set, else where the others expect this worker; at every address if that is a name.
fn rpc_listen(settings: &Settings) -> anyhow::Result<SocketAddr> {
    if let Some(address) = settings.node.rpc_listen {
        return Ok(address);
    }
    let url = listed(settings).map(|member| &member.rpc_url).or(settings.node.rpc_url.as_ref());
    let url = url.context("node.rpc_listen is missing")?;
    let (host, port) = url.authority().rsplit_once(':').context("an rpc_url has a port")?;
    let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
    Ok((ip.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), port.parse()?).into())
}

/// The gateway for the clients that this worker takes itself.
fn own_gateway(worker: &Worker, shared: &Shared, process: &Process) -> anyhow::Result<Gateway> {
    let id = worker.id().clone();
    let config = parts::gateway(id.to_string(), Routing::OnlyHere(id), &process.config.settings);
    let parts = parts::gateway_parts(shared, link_to(worker.clone()), process);
    Ok(Gateway::new(config, parts)?)
}

/// A link without a network.
fn link_to(worker: Worker) -> Arc<dyn LinkConnector> {
    Arc::new(InProcess::new(move |says: GatewayStream| {
        let worker = worker.clone();
        async move {
            let hears: WorkerStream = worker.attach(says).await?.map(Ok).boxed();
            Ok(hears)
        }
        .boxed()
    }))
}
