//! The way to a cluster for commands that are over soon: which node, and with which secret.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::Context as _;
use ringway_cluster::{FollowError, NodeError, View};
use ringway_proto::v1::GetRingRequest;
use ringway_proto::{Reason, Refusal};
use ringway_rpc::{ClusterSecret, NodeChannel, NodePool, NodeUrl, PoolConfig};
use ringway_sender::ConnectError;
use tokio::time::timeout;
use tonic::{Response, Status};

use crate::cli::NodeArgs;
use crate::secret_file;

/// The largest payload that any cluster can be told to take.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// How long a node may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The secret for a node: from `--secret-file`, else from the environment, else, if the node is on this machine, from
/// the file that `ringway up` left.
pub(crate) fn secret(args: &NodeArgs) -> anyhow::Result<ClusterSecret> {
    if let Some(path) = &args.secret_file {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("--secret-file {}", path.display()))?;
        return ClusterSecret::new(text.trim()).with_context(|| format!("--secret-file {}", path.display()));
    }
    if let Ok(text) = std::env::var("RINGWAY_CLUSTER_SECRET") {
        return ClusterSecret::new(text.trim()).context("RINGWAY_CLUSTER_SECRET");
    }
    if let Some(address) = loopback(&args.node)
        && let Some(secret) = secret_file::find(address)
    {
        return Ok(secret);
    }
    let node = &args.node;
    anyhow::bail!(
        "no cluster secret for {node}: set RINGWAY_CLUSTER_SECRET or give --secret-file FILE (no `ringway up` at that \
         address left one on this machine)"
    )
}

/// A channel to the node that the arguments name.
pub(crate) fn channel(args: &NodeArgs) -> anyhow::Result<NodeChannel> {
    Ok(NodePool::new(secret(args)?, pool()).node(&args.node))
}

/// The view of the node that the arguments name.
pub(crate) async fn view(args: &NodeArgs) -> anyhow::Result<View> {
    let mut ring = channel(args)?.ring();
    let snapshot = answer(ring.get(GetRingRequest { with_table: false }), &args.node).await?;
    Ok(View::from_snapshot(snapshot)?)
}

/// How nodes are called from here: what a cluster takes at most is for the cluster to say.
pub(crate) fn pool() -> PoolConfig {
    PoolConfig { message_bytes_max: MESSAGE_BYTES_MAX, ..PoolConfig::default() }
}

/// A node's answer, if it comes in time.
pub(crate) async fn answer<T>(
    call: impl Future<Output = Result<Response<T>, Status>>,
    node: &NodeUrl,
) -> anyhow::Result<T> {
    match timeout(ANSWER_TIMEOUT, call).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) => Err(told(&status, node)),
        Err(_) => {
            anyhow::bail!("{node} did not answer within {}", humantime::format_duration(ANSWER_TIMEOUT))
        }
    }
}

/// A call that was refused or failed, with what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{}{hint}", .refusal.message)]
pub(crate) struct Refused {
    refusal: Refusal,
    /// Empty, or on a line of its own.
    hint: String,
}

impl Refused {
    pub(crate) fn new(refusal: Refusal, hint: impl Into<String>) -> Self {
        Self { refusal, hint: hint.into() }
    }

    /// Why, for programs.
    pub(crate) fn reason(&self) -> Reason {
        self.refusal.reason
    }
}

/// What a node's refusal means to somebody at a terminal.
pub(crate) fn told(status: &Status, node: &NodeUrl) -> anyhow::Error {
    refused(Refusal::from_status(status), node)
}

/// The same for a refusal that was read already. `node` is the one that the command asked: the one that failed may be
/// another, and then the message names it.
pub(crate) fn refused(refusal: Refusal, node: &NodeUrl) -> anyhow::Error {
    let hint = match refusal.reason {
        Reason::Unreachable if refusal.message.starts_with(&format!("{node} ")) => {
            format!("\n  is a node running at {node}? `ringway up` starts one on this machine")
        }
        Reason::Unreachable => {
            format!(
                "\n  {node} answers; the node above is on its list of members (`ringway members`), but it is down or cut off"
            )
        }
        Reason::Unauthenticated => {
            "\n  the cluster has another secret: RINGWAY_CLUSTER_SECRET or --secret-file must name it"
                .to_owned()
        }
        // Said by the gRPC library, before the node's own rules saw the message.
        Reason::InvalidArgument | Reason::MessageTooLarge
            if refusal.message.contains("message length too large") =>
        {
            "\n  the payload is larger than the cluster takes (limits.message_bytes_max)".to_owned()
        }
        // The message is not one of ours: something else answers there.
        Reason::ConnectionLost | Reason::Internal if refusal.message.contains("grpc-status") => {
            format!(
                "\n  is {node} the gRPC address of a node? Clients' sockets and status have addresses of their own"
            )
        }
        _ => String::new(),
    };
    Refused::new(refusal, hint).into()
}

/// What it means for a sender that no node showed its ring.
pub(crate) fn not_followed(error: ConnectError, node: &NodeUrl) -> anyhow::Error {
    match error {
        ConnectError::Ring(error) => not_shown(error, node),
    }
}

/// What it means that no node showed its ring: one node was asked, so one reason is told.
pub(crate) fn not_shown(error: FollowError, node: &NodeUrl) -> anyhow::Error {
    match error {
        FollowError::NoneAnswers(failures) => match failures.into_iter().next() {
            Some((_, NodeError::Refused(refusal))) => refused(refusal, node),
            Some((_, error @ NodeError::Snapshot(_))) => error.into(),
            None => anyhow::anyhow!("{node} does not show its ring"),
        },
        error @ (FollowError::NoNodes | FollowError::ShutDown) => error.into(),
    }
}

fn loopback(node: &NodeUrl) -> Option<std::net::SocketAddr> {
    let (host, port) = node.authority().rsplit_once(':')?;
    let host = if host == "localhost" { "127.0.0.1" } else { host.trim_matches(['[', ']']) };
    let ip: IpAddr = host.parse().ok()?;
    Some((ip, port.parse().ok()?).into()).filter(|_| ip.is_loopback())
}
