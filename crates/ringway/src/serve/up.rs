//! `ringway up`: a whole cluster on this machine, in one process. Its nodes talk over real sockets, as they would
//! elsewhere; only the secret is made here and left where `ringway send` and its like find it.

use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use ringway_bridge::Workers;
use ringway_cluster::{Member, MemberState, MemoryRegistry, View, Views, views};
use ringway_gateway::{Gateway, GatewayParts, Grpc, Routing};
use ringway_pages::Stage;
use ringway_rpc::{ClusterSecret, NodeUrl};
use serde_json::json;
use tokio::net::TcpListener;

use super::bind::{address_of, bind, reachable};
use super::bridge::{self, Place};
use super::crew::{self, Crew, Material};
use super::nodes::{self, Deadlines, RpcServer, Shared};
use super::running::Running;
use super::{Process, api, pages, parts, tell_ready};
use crate::cli::UpArgs;
use crate::config::{Config, Role, Settings};
use crate::exit::Ending;
use crate::output;
use crate::secret_file::SecretFiles;

/// Where the gateway's gRPC server listens if nobody says otherwise.
const RPC_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7070);

/// Runs a cluster until it is told to stop.
pub(crate) fn up(args: UpArgs) -> anyhow::Result<Ending> {
    let (flags, workers, workers_listen) = (args.settings(), args.workers, args.workers_listen);
    Process::serve(args.config.config, flags, Role::Up, |process| serve(process, workers, workers_listen))
}

async fn serve(mut process: Process, workers: u16, workers_listen: SocketAddr) -> anyhow::Result<Ending> {
    let mut doors = std::mem::take(&mut process.doors);
    let Config { settings, checked, .. } = &*process.config;
    let sockets = Sockets::bind(settings, workers, workers_listen, process.bind_status()?)?;
    let secret = checked.secret.clone().unwrap_or_else(ClusterSecret::generate);
    let secret_files = SecretFiles::write(&secret, &sockets.rpc_addresses()?)?;
    let addresses = Addresses::of(&sockets, &process.config, &secret_files)?;
    let place = Place { nodes: vec![addresses.rpc.clone()], secret: secret.clone(), workers: Workers::All };
    let mut running = Running::new();
    bridge::start_intake(&mut doors, &place, settings, &mut running);
    let views = start(&process, sockets, secret, &mut running).await?;
    bridge::start_outlets(doors, place, settings, &mut running);
    tokio::select! {
        biased;
        () = process.shutdown.cancelled() => {}
        () = running.failed() => {}
        () = all_active(&views, workers) => addresses.tell()?,
    }
    let ending = process.run(running).await;
    drop(secret_files);
    ending
}

/// Starts all nodes: a gateway, and a worker for each of its sockets.
async fn start(
    process: &Process,
    sockets: Sockets,
    secret: ClusterSecret,
    running: &mut Running,
) -> anyhow::Result<Views> {
    let settings = &process.config.settings;
    let registry = MemoryRegistry::new();
    let views = views(&registry, settings.cluster.strategy, process.end.clone());
    let shared = Shared::new(views.clone(), secret.clone(), settings);
    let mailboxes = crew::shared_mailboxes(&process.config)?;
    let config = Arc::clone(&process.config);
    let material = Material { config, registry, views: views.clone(), secret, mailboxes };
    let crew = Arc::new(Crew::new(material, sockets.members()?));

    let deadlines = Deadlines::of(settings);
    running.phase("clients leave", deadlines.clients);
    let name = "gateway".to_owned();
    let server =
        nodes::forwarding(RpcServer::new(name.clone(), sockets.rpc, &shared, settings), &shared, settings);
    let health = server.health.clone();
    let site = pages::site(process, &name, &shared, Some(Arc::clone(&crew) as Arc<dyn Stage>));
    let config = parts::gateway(name, Routing::Everywhere, settings);
    let connector = Arc::new(Grpc::new(shared.pool.clone()));
    let parts = GatewayParts { pages: site, ..parts::gateway_parts(&shared, connector, process) };
    let gateway = Gateway::new(config, parts)?;
    process.start_gateway(gateway, sockets.clients, health.clone(), running);
    process.start_status(sockets.status, health);

    running.phase("sessions end", Crew::deadline(&deadlines));
    crew.start(sockets.workers, running);
    running.phase("calls end", deadlines.calls);
    server.start(running, &shared, settings);
    api::start(Some(sockets.api), &shared, process, running)?;
    Ok(views)
}

/// Waits until all workers are on the ring: the first client shall find its own.
async fn all_active(views: &Views, workers: u16) {
    let active = |member: &Member| member.state == MemberState::Active;
    let are_active =
        |view: &View| view.workers().iter().filter(|member| active(member)).count() >= workers.into();
    let mut views = views.subscribe();
    // It fails only when nobody shows views any more, and `views` are here.
    let _ = views.wait_for(|view| are_active(view)).await;
}

/// All sockets of the cluster, bound.
struct Sockets {
    clients: TcpListener,
    rpc: TcpListener,
    api: TcpListener,
    status: Option<TcpListener>,
    workers: Vec<TcpListener>,
}

impl Sockets {
    fn bind(
        settings: &Settings,
        workers: u16,
        first_worker: SocketAddr,
        status: Option<TcpListener>,
    ) -> anyhow::Result<Self> {
        let worker = |number: u16| {
            let port = match first_worker.port() {
                0 => 0,
                first => {
                    first.checked_add(number).context("--workers-listen: there are not so many ports")?
                }
            };
            bind((first_worker.ip(), port).into(), "--workers-listen")
        };
        Ok(Self {
            clients: bind(settings.gateway.listen, "gateway.listen")?,
            rpc: bind(settings.node.rpc_listen.unwrap_or(RPC_LISTEN), "node.rpc_listen")?,
            api: bind(api::address_for_up(settings), "api.listen")?,
            status,
            workers: (0..workers).map(worker).collect::<anyhow::Result<_>>()?,
        })
    }

    /// Where gRPC is served: the gateway first.
    fn rpc_addresses(&self) -> anyhow::Result<Vec<SocketAddr>> {
        std::iter::once(&self.rpc)
            .chain(&self.workers)
            .map(|listener| Ok(reachable(address_of(listener)?)))
            .collect()
    }

    fn members(&self) -> anyhow::Result<Vec<Member>> {
        let member = |(number, listener): (u16, &TcpListener)| {
            let url = NodeUrl::from(reachable(address_of(listener)?));
            let member = Member::new(nodes::worker_name(number)?, url);
            Ok(Member { incarnation: nodes::incarnation(), state: MemberState::Joining, ..member })
        };
        (1..).zip(&self.workers).map(member).collect()
    }
}

/// Where everything is, for programs and for people.
struct Addresses {
    client: String,
    metrics: String,
    /// The pages, if they are served.
    pages: Option<String>,
    rpc: NodeUrl,
    workers: Vec<(String, NodeUrl)>,
    api: String,
    status: Option<String>,
    secret_file: String,
    defaults: bool,
}

impl Addresses {
    fn of(sockets: &Sockets, config: &Config, secret_files: &SecretFiles) -> anyhow::Result<Self> {
        let settings = &config.settings;
        let clients = reachable(address_of(&sockets.clients)?);
        let rpc = reachable(address_of(&sockets.rpc)?);
        let path = parts::client_path(settings);
        let (ws, http) = if parts::tls(settings).is_some() { ("wss", "https") } else { ("ws", "http") };
        let worker = |member: Member| (member.id.to_string(), member.rpc_url);
        let status = sockets.status.as_ref().map(address_of).transpose()?;
        Ok(Self {
            client: format!("{ws}://{clients}{path}"),
            metrics: format!("{http}://{clients}/metrics"),
            pages: config
                .checked
                .pages
                .is_some()
                .then(|| format!("{http}://{clients}{}/", settings.pages.path)),
            rpc: rpc.into(),
            workers: sockets.members()?.into_iter().map(worker).collect(),
            api: api::url(&sockets.api, settings)?,
            status: status.map(|address| format!("http://{}", reachable(address))),
            secret_file: secret_files.first().map(|path| path.display().to_string()).unwrap_or_default(),
            defaults: ws == "ws"
                && path == "/ws"
                && clients == ([127, 0, 0, 1], 8080).into()
                && rpc == RPC_LISTEN,
        })
    }

    fn tell(&self) -> anyhow::Result<()> {
        let worker = |(id, rpc): &(String, NodeUrl)| json!({ "id": id, "rpc": rpc.as_str() });
        let ready = json!({
            "client": self.client,
            "pages": self.pages,
            "rpc": self.rpc.as_str(),
            "workers": self.workers.iter().map(worker).collect::<Vec<_>>(),
            "api": self.api,
            "secret_file": self.secret_file,
            "status": self.status,
        });
        tell_ready(&ready)?;
        if io::stdout().is_terminal() { output::line(self.for_people()) } else { Ok(()) }
    }

    fn for_people(&self) -> String {
        let (url, node) = match self.defaults {
            true => (String::new(), String::new()),
            false => (format!(" --url {}", self.client), format!(" --node {}", self.rpc)),
        };
        let workers: Vec<_> = self.workers.iter().map(|(id, rpc)| format!("{id} {rpc}")).collect();
        let count = output::count(self.workers.len() as u64, "worker");
        format!(
            "
A cluster of a gateway and {count} runs here. Ctrl-C ends it.

  clients  {client}?token=alice-room7
  gRPC     {rpc} (gateway), {workers}
  HTTP     {api}/v1/openapi.json
  pages    {pages}
  metrics  {metrics}
  secret   {secret}

Try in other terminals:

  ringway connect --token alice-room7{url}
  ringway send user alice-room7 'hello'{node}
  ringway send group room7 'hello, all of you'{node}
  ringway sessions{node}
",
            client = self.client,
            rpc = self.rpc,
            workers = workers.join(", "),
            api = self.api,
            pages = self.pages.as_deref().unwrap_or("none (pages.admin_token)"),
            metrics = self.metrics,
            secret = self.secret_file,
        )
    }
}
