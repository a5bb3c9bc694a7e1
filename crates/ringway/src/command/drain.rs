//! `ringway drain`, `undrain` and `weigh`: what operators do with a worker while it serves.

use anyhow::Context as _;
use ringway_proto::v1::{DrainProgress, DrainRequest, SetWeightRequest, UndrainRequest};
use ringway_ring::MemberId;
use ringway_rpc::{NodeChannel, NodePool};
use serde_json::json;

use super::node;
use crate::cli::{DrainArgs, NodeArgs, WeighArgs};
use crate::exit::Ending;
use crate::output::{self, Form};

/// Moves all sessions of a worker to the others.
pub(crate) async fn drain(args: DrainArgs) -> anyhow::Result<Ending> {
    let worker = worker(&args.node, &args.worker).await?;
    let mut progress = node::answer(worker.node().drain(DrainRequest {}), worker.url()).await?;
    let mut last = DrainProgress::default();
    while let Some(told) = progress.message().await.map_err(|status| node::told(&status, worker.url()))? {
        if !told.done && Form::of(args.json) == Form::Human {
            output::line(format_args!("{} left", output::count(told.sessions, "session")))?;
        }
        last = told;
    }
    anyhow::ensure!(
        last.done,
        "{} of {} are left: there may be no other worker that takes them",
        output::count(last.sessions, "session"),
        args.worker,
    );
    match Form::of(args.json) {
        Form::Human => output::line(format_args!("{} is drained", args.worker))?,
        Form::Json => output::json(&json!({ "worker": args.worker.as_str(), "sessions": last.sessions }))?,
    }
    Ok(Ending::Done)
}

/// Puts a drained worker back on the ring.
pub(crate) async fn undrain(args: DrainArgs) -> anyhow::Result<Ending> {
    let worker = worker(&args.node, &args.worker).await?;
    node::answer(worker.node().undrain(UndrainRequest {}), worker.url()).await?;
    match Form::of(args.json) {
        Form::Human => output::line(format_args!("{} is active again", args.worker))?,
        Form::Json => output::json(&json!({ "worker": args.worker.as_str() }))?,
    }
    Ok(Ending::Done)
}

/// Gives a worker another share of the ring.
pub(crate) async fn weigh(args: WeighArgs) -> anyhow::Result<Ending> {
    let worker = worker(&args.node, &args.worker).await?;
    let request = SetWeightRequest { weight: args.weight.get().into() };
    node::answer(worker.node().set_weight(request), worker.url()).await?;
    match Form::of(args.json) {
        Form::Human => output::line(format_args!("{} has weight {}", args.worker, args.weight))?,
        Form::Json => {
            output::json(&json!({ "worker": args.worker.as_str(), "weight": args.weight.get() }))?;
        }
    }
    Ok(Ending::Done)
}

/// The way to a worker of this name, by the view of the node that the arguments name.
async fn worker(args: &NodeArgs, id: &MemberId) -> anyhow::Result<NodeChannel> {
    let view = node::view(args).await?;
    let known: Vec<_> = view.workers().iter().map(|member| member.id.as_str()).collect();
    let member = view.member(id);
    let member =
        member.with_context(|| format!("there is no worker {id}; there are: {}", known.join(", ")))?;
    Ok(NodePool::new(node::secret(args)?, node::pool()).node(&member.rpc_url))
}
