//! The arguments of what serves: `up`, `gateway`, `worker`, `bridge`. Each flag that is a setting says which one; the settings
//! themselves are in `config`.

use std::path::PathBuf;

use clap::Args;

use crate::config::FlagSetting;

const UP_EXAMPLES: &str = "\
Examples:
  ringway up                                  # 3 workers; clients at ws://127.0.0.1:8080/ws
  ringway up --workers 5 --echo               # each client gets back what it sends
  ringway up --listen 127.0.0.1:0 --rpc-listen 127.0.0.1:0 --workers-listen 127.0.0.1:0
                                              # on free ports; the ready line tells which
  ringway up --set sessions.per_user_max=1 --set sessions.on_conflict=replace_oldest";

const GATEWAY_EXAMPLES: &str = "\
Examples:
  ringway gateway --config ringway.toml --listen 0.0.0.0:8080
  ringway gateway --secret-file secret --node-url http://10.0.0.1:7071  # learns the workers there
  ringway gateway --secret-file secret --rpc-listen 10.0.0.9:7070 --join 10.0.0.1:7071  # by gossip
  ringway gateway --secret-file secret \\
    --member w1=http://10.0.0.1:7071 --member w2=http://10.0.0.2:7071";

const WORKER_EXAMPLES: &str = "\
Examples:
  ringway worker --id w1 --config ringway.toml
  ringway worker --id w1 --config ringway.toml --listen 0.0.0.0:8081    # takes clients itself
  ringway worker --id w1 --secret-file secret \\
    --member w1=http://10.0.0.1:7071 --member w2=http://10.0.0.2:7071

Without a list, by gossip (UDP at the same address); the first worker joins itself:
  ringway worker --id w1 --secret-file secret --rpc-listen 10.0.0.1:7071 --join 10.0.0.1:7071
  ringway worker --id w2 --secret-file secret --rpc-listen 10.0.0.2:7071 --join 10.0.0.1:7071";

const BRIDGE_EXAMPLES: &str = "\
Examples:
  ringway bridge --config ringway.toml --node-url http://10.0.0.1:7070
  ringway bridge --secret-file secret --node-url http://10.0.0.1:7070 \\
    --set bridge.rabbitmq.url=amqp://guest:guest@10.0.0.7 --set bridge.rabbitmq.in.queue=ringway.in
  ringway bridge --secret-file secret --node-url http://10.0.0.1:7070 \\
    --set bridge.webhook.url=https://example.com/hook --set bridge.webhook.secret_file=hook.secret";

/// Where the configuration comes from.
#[derive(Debug, Args)]
#[command(next_help_heading = "Configuration")]
pub(crate) struct ConfigArgs {
    /// The configuration file (TOML; docs/configuration.md)
    #[arg(long, short, value_name = "FILE", env = "RINGWAY_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Set any key of the configuration, such as sessions.max=1000; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    set: Vec<(String, String)>,
    /// What is logged: off, error, warn, info, debug, or info,ringway_gateway=debug [log.filter, RINGWAY_LOG]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// How log lines look: auto, pretty or json [log.format]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

/// `ringway up`
#[derive(Debug, Args)]
#[command(after_help = UP_EXAMPLES)]
pub(crate) struct UpArgs {
    /// How many workers
    #[arg(long, short, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) workers: u16,
    /// Send each client's message back to it as it came [worker.echo]
    #[arg(long)]
    echo: bool,
    /// Where clients connect [gateway.listen: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Where the gateway's gRPC server listens [node.rpc_listen: 127.0.0.1:7070]
    #[arg(long, value_name = "ADDR")]
    rpc_listen: Option<String>,
    /// Where the first worker's gRPC server listens; the others take the ports after it, or any with port 0
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7071")]
    pub(crate) workers_listen: std::net::SocketAddr,
    /// Where the HTTP API listens [api.listen: 127.0.0.1:8090, or any port if --listen has port 0]
    #[arg(long, value_name = "ADDR")]
    api_listen: Option<String>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// `ringway gateway`
#[derive(Debug, Args)]
#[command(after_help = GATEWAY_EXAMPLES)]
pub(crate) struct GatewayArgs {
    /// Where clients connect [gateway.listen: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    #[command(flatten)]
    node: NodeFlags,
    /// A node from which to learn the workers, instead of --member; may be repeated [cluster.nodes]
    #[arg(long, value_name = "URL", conflicts_with_all = ["member", "join"])]
    node_url: Vec<String>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// `ringway worker`
#[derive(Debug, Args)]
#[command(after_help = WORKER_EXAMPLES)]
pub(crate) struct WorkerArgs {
    /// Take clients here too, without a gateway [worker.listen]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Send each client's message back to it as it came [worker.echo]
    #[arg(long)]
    echo: bool,
    /// Where the others reach this worker, if not at --rpc-listen [node.rpc_url]
    #[arg(long, value_name = "URL")]
    rpc_url: Option<String>,
    #[command(flatten)]
    node: NodeFlags,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// `ringway bridge`
#[derive(Debug, Args)]
#[command(after_help = BRIDGE_EXAMPLES)]
pub(crate) struct BridgeArgs {
    /// A node from which to learn the workers; may be repeated [cluster.nodes]
    #[arg(long, value_name = "URL")]
    node_url: Vec<String>,
    /// Where /healthz, /readyz and /metrics are served [node.status_listen]
    #[arg(long, value_name = "ADDR")]
    status_listen: Option<String>,
    /// The file with the cluster secret [cluster.secret_file, or RINGWAY_CLUSTER_SECRET]
    #[arg(long, value_name = "FILE")]
    secret_file: Option<String>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// What a gateway and a worker have in common.
#[derive(Debug, Args)]
struct NodeFlags {
    /// This node's stable name [node.id]
    #[arg(long, value_name = "NAME")]
    id: Option<String>,
    /// Where the gRPC server listens [node.rpc_listen]
    #[arg(long, value_name = "ADDR")]
    rpc_listen: Option<String>,
    /// Where /healthz, /readyz and /metrics are served [node.status_listen]
    #[arg(long, value_name = "ADDR")]
    status_listen: Option<String>,
    /// Where the HTTP API listens; --set api.keys_file=FILE names the keys [api.listen]
    #[arg(long, value_name = "ADDR")]
    api_listen: Option<String>,
    /// A worker of the cluster; repeat it for each one [cluster.members]
    #[arg(long, value_name = "ID=URL[,weight=N][,client=URL]")]
    member: Vec<String>,
    /// Nodes to gossip with, instead of --member; separated by commas [gossip.seeds; cluster.registry: gossip]
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', conflicts_with = "member")]
    join: Vec<String>,
    /// The file with the cluster secret [cluster.secret_file, or RINGWAY_CLUSTER_SECRET]
    #[arg(long, value_name = "FILE")]
    secret_file: Option<String>,
}

impl UpArgs {
    /// The settings that its flags make.
    pub(crate) fn settings(&self) -> Vec<FlagSetting> {
        let mut flags = Flags::of(&self.config);
        flags.text("--listen", "gateway.listen", self.listen.as_deref());
        flags.text("--rpc-listen", "node.rpc_listen", self.rpc_listen.as_deref());
        flags.text("--api-listen", "api.listen", self.api_listen.as_deref());
        flags.switch("--echo", "worker.echo", self.echo);
        flags.0
    }
}

impl GatewayArgs {
    /// The settings that its flags make.
    pub(crate) fn settings(&self) -> Vec<FlagSetting> {
        let mut flags = Flags::of(&self.config);
        flags.text("--listen", "gateway.listen", self.listen.as_deref());
        flags.list("--node-url", "cluster.nodes", &self.node_url, ",");
        flags.node(&self.node);
        flags.0
    }
}

impl WorkerArgs {
    /// The settings that its flags make.
    pub(crate) fn settings(&self) -> Vec<FlagSetting> {
        let mut flags = Flags::of(&self.config);
        flags.text("--listen", "worker.listen", self.listen.as_deref());
        flags.switch("--echo", "worker.echo", self.echo);
        flags.text("--rpc-url", "node.rpc_url", self.rpc_url.as_deref());
        flags.node(&self.node);
        flags.0
    }
}

impl BridgeArgs {
    /// The settings that its flags make.
    pub(crate) fn settings(&self) -> Vec<FlagSetting> {
        let mut flags = Flags::of(&self.config);
        flags.list("--node-url", "cluster.nodes", &self.node_url, ",");
        flags.text("--status-listen", "node.status_listen", self.status_listen.as_deref());
        flags.text("--secret-file", "cluster.secret_file", self.secret_file.as_deref());
        flags.0
    }
}

/// The settings that flags make. `--set` comes first, so that a flag of its own wins over it.
struct Flags(Vec<FlagSetting>);

impl Flags {
    fn of(config: &ConfigArgs) -> Self {
        let mut flags = Self(Vec::new());
        for (key, value) in &config.set {
            flags.push("--set", key, value);
        }
        flags.text("--log", "log.filter", config.log.as_deref());
        flags.text("--log-format", "log.format", config.log_format.as_deref());
        flags
    }

    fn node(&mut self, node: &NodeFlags) {
        self.text("--id", "node.id", node.id.as_deref());
        self.text("--rpc-listen", "node.rpc_listen", node.rpc_listen.as_deref());
        self.text("--status-listen", "node.status_listen", node.status_listen.as_deref());
        self.text("--api-listen", "api.listen", node.api_listen.as_deref());
        self.text("--secret-file", "cluster.secret_file", node.secret_file.as_deref());
        self.list("--member", "cluster.members", &node.member, " ");
        if !node.join.is_empty() {
            self.push("--join", "cluster.registry", "gossip");
        }
        self.list("--join", "gossip.seeds", &node.join, ",");
    }

    fn text(&mut self, flag: &str, key: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.push(flag, key, text);
        }
    }

    fn switch(&mut self, flag: &str, key: &str, on: bool) {
        self.text(flag, key, on.then_some("true"));
    }

    fn list(&mut self, flag: &str, key: &str, items: &[String], separator: &str) {
        if !items.is_empty() {
            self.push(flag, key, &items.join(separator));
        }
    }

    fn push(&mut self, flag: &str, key: &str, text: &str) {
        self.0.push(FlagSetting { flag: flag.to_owned(), key: key.to_owned(), text: text.to_owned() });
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE, such as sessions.max=1000")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}
