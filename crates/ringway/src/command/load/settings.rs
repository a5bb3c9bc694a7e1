//! From arguments to what a load test is to do.

use anyhow::Context as _;
use ringway_auth::JwtSigner;
use ringway_auth::jwt::Secret;
use ringway_loadtest::{
    Addressees, ArticleConfig, Cargo, ChurnConfig, ClientsConfig, ClusterConfig, ConnectConfig, Identities,
    Manner, Pace, Reach, SendConfig, SoakConfig, Step, WatchConfig, Way,
};

use crate::cli::{
    CargoArgs, ClientsArgs, LoadArticleArgs, LoadConnectArgs, LoadSendArgs, LoadSoakArgs, Protocol,
    SenderArgs, Targets, Through, WatchedArgs,
};
use crate::command::node;

/// How many clients there are, and over how many groups they are spread.
#[derive(Clone, Copy)]
struct Counts {
    clients: u32,
    groups: u32,
    others: u32,
}

/// What `load connect` is to do.
pub(super) fn connect(args: LoadConnectArgs) -> anyhow::Result<ConnectConfig> {
    let counts = Counts { clients: args.clients, groups: 1, others: 0 };
    let reach = Reach::of(args.who.allow_remote);
    Ok(ConnectConfig {
        clients: clients(args.who, counts)?,
        watch: watch(args.watched),
        reach,
        hold: args.hold,
    })
}

/// What `load send` is to do.
pub(super) fn send(args: LoadSendArgs) -> anyhow::Result<SendConfig> {
    let cargo = cargo(&args.cargo);
    let addressees = match args.to {
        Targets::Users => Addressees::Users,
        Targets::Groups => Addressees::Groups,
        Targets::All => Addressees::All,
    };
    anyhow::ensure!(
        !cargo.at_least_once || (args.to == Targets::Users && args.who.protocol == Protocol::V1),
        "--at-least-once is for users whose clients acknowledge: --to users --protocol v1"
    );
    let counts = Counts { clients: args.clients, groups: args.groups.min(args.clients), others: 0 };
    let reach = Reach::of(args.who.allow_remote);
    Ok(SendConfig {
        clients: clients(args.who, counts)?,
        cluster: cluster(&args.sender)?,
        watch: watch(args.watched),
        reach,
        addressees,
        cargo,
        pace: if args.fast { Pace::AsFastAsPossible } else { Pace::PerSecond(args.rate) },
        duration: args.duration,
        warm_up: args.warm_up,
    })
}

/// What `load article` is to do.
pub(super) fn article(args: LoadArticleArgs) -> anyhow::Result<ArticleConfig> {
    let counts = Counts { clients: args.clients, groups: 1, others: 0 };
    let allow_remote = args.who.allow_remote;
    Ok(ArticleConfig {
        clients: clients(args.who, counts)?,
        cluster: cluster(&args.sender)?,
        watch: watch(args.watched),
        reach: Reach::of(allow_remote),
        bytes: args.bytes as usize,
        steps: if args.row.is_empty() { Step::known(args.loops) } else { args.row },
        threads_max: args.threads_max,
    })
}

/// What `load soak` is to do.
pub(super) fn soak(args: LoadSoakArgs) -> anyhow::Result<SoakConfig> {
    let counts = Counts { clients: args.clients, groups: args.groups.min(args.clients), others: args.others };
    let reach = Reach::of(args.who.allow_remote);
    let change_every = Some(args.ring_change_every).filter(|_| !args.no_ring_changes);
    Ok(SoakConfig {
        clients: clients(args.who, counts)?,
        churn: ChurnConfig { per_second: args.come_and_go, at_once: args.others as usize },
        cluster: cluster(&args.sender)?,
        watch: watch(args.watched),
        metrics: args.metrics,
        reach,
        cargo: cargo(&args.cargo),
        sends_per_second: args.rate,
        change_every,
        duration: args.duration,
    })
}

fn clients(args: ClientsArgs, counts: Counts) -> anyhow::Result<ClientsConfig> {
    let signer = args.jwt_secret_file.map(|path| {
        let named = format!("--jwt-secret-file {}", path.display());
        let text = std::fs::read_to_string(&path).with_context(|| named.clone())?;
        let secret = Secret::new(text.trim().as_bytes().to_vec()).with_context(|| named)?;
        anyhow::Ok(JwtSigner::new(&secret))
    });
    let groups = counts.groups as usize;
    Ok(ClientsConfig {
        target: args.url,
        sources: args.source,
        identities: Identities { user: args.user, group: args.group, groups, signer: signer.transpose()? },
        way: match args.protocol {
            Protocol::Raw => Way::Raw,
            Protocol::V1 => Way::V1,
        },
        count: counts.clients as usize,
        others: counts.others as usize,
        per_second: args.connect_rate,
        within: args.connect_timeout,
    })
}

fn cluster(args: &SenderArgs) -> anyhow::Result<ClusterConfig> {
    let secret = node::secret(&args.node)?;
    Ok(ClusterConfig { node: args.node.node.clone(), secret, deadline: args.timeout })
}

fn watch(args: WatchedArgs) -> WatchConfig {
    WatchConfig { processes: args.process }
}

fn cargo(args: &CargoArgs) -> Cargo {
    Cargo {
        manner: match args.through {
            Through::Publish => Manner::Publish,
            Through::Unary => Manner::Unary,
        },
        bytes: args.bytes as usize,
        is_binary: args.binary,
        at_least_once: args.at_least_once,
        under_way_max: args.under_way_max as usize,
    }
}
