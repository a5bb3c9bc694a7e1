//! `ringway ring`: who owns what, and what a change of members would move. The ring is a cluster's, or one that is built
//! here of listed members; either way all figures are computed here, by the library that places everything.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{bail, ensure};
use ringway_cluster::Member;
use ringway_ring::{MemberId, Ring, RingMember, SLOT_COUNT, Slot, vectors};
use serde_json::{Value, json};

use super::node;
use super::watch::watch;
use crate::cli::{DiffArgs, LocateArgs, RingArgs, RingCommand, RingSource};
use crate::exit::Ending;
use crate::output::{self, Form};

/// The longest list of successors that is shown.
const SUCCESSORS_MAX: usize = 8;

/// Does what was asked of a ring.
pub(crate) async fn ring(args: RingArgs) -> anyhow::Result<Ending> {
    match args.command {
        RingCommand::Show { source } => show(&load(&source).await?, Form::of(source.json))?,
        RingCommand::Locate(args) => locate(&args, &load(&args.source).await?)?,
        RingCommand::Diff(args) => diff(&args, &load(&args.source).await?)?,
        RingCommand::Watch(args) => return watch(args).await,
        RingCommand::Vectors { .. } => output::raw(vectors::to_json().as_bytes())?,
    }
    Ok(Ending::Done)
}

/// A ring, and what a cluster tells about its members besides.
struct Loaded {
    ring: Arc<Ring>,
    members: BTreeMap<MemberId, Member>,
}

async fn load(source: &RingSource) -> anyhow::Result<Loaded> {
    if !source.member.is_empty() {
        let ring = Ring::build(source.strategy.unwrap_or_default(), source.member.iter().cloned())?;
        return Ok(Loaded { ring: Arc::new(ring), members: BTreeMap::new() });
    }
    let view = node::view(&source.node).await?;
    let members = view.workers().iter().map(|member| (member.id.clone(), member.clone())).collect();
    Ok(Loaded { ring: Arc::clone(view.ring()), members })
}

fn show(loaded: &Loaded, form: Form) -> anyhow::Result<()> {
    let ring = &loaded.ring;
    let slots = shares(ring);
    if form == Form::Json {
        return show_json(loaded, slots);
    }
    let count = output::count(ring.active_members().len() as u64, "active member");
    output::line(format_args!("ring {}, strategy {}, {count}\n", ring.version(), ring.strategy()))?;
    if loaded.members.is_empty() {
        let row = |member: &RingMember| {
            let slots = slots(&member.id);
            [member.id.to_string(), member.weight.to_string(), slots.to_string(), percent(slots)]
        };
        let rows: Vec<_> = ring.members().iter().map(row).collect();
        return output::line(output::table(["member", "weight", "slots", "share"], &rows));
    }
    let row = |member: &Member| {
        let slots = slots(&member.id);
        let (id, weight, state) =
            (member.id.to_string(), member.weight.to_string(), member.state.to_string());
        [id, weight, state, slots.to_string(), percent(slots), member.rpc_url.to_string()]
    };
    let rows: Vec<_> = loaded.members.values().map(row).collect();
    output::line(output::table(["member", "weight", "state", "slots", "share", "rpc"], &rows))
}

fn show_json(loaded: &Loaded, slots: impl Fn(&MemberId) -> u32) -> anyhow::Result<()> {
    let Loaded { ring, members } = loaded;
    let listed = ring.members().iter().map(|member| placed_json(member, slots(&member.id)));
    let known = members.values().map(|member| member_json(member, slots(&member.id)));
    let all: Vec<Value> = if members.is_empty() { listed.collect() } else { known.collect() };
    output::json(&json!({
        "ring_version": ring.version(),
        "strategy": ring.strategy(),
        "table_digest": format!("{:016x}", ring.table_digest()),
        "members": all,
    }))
}

fn placed_json(member: &RingMember, slots: u32) -> Value {
    json!({ "id": member.id, "weight": member.weight, "slots": slots, "share": share(slots) })
}

/// A member as programs get it.
pub(super) fn member_json(member: &Member, slots: u32) -> Value {
    let mut value = placed_json(&RingMember::new(member.id.clone()).weighing(member.weight), slots);
    value["state"] = json!(member.state.as_str());
    value["rpc_url"] = json!(member.rpc_url.as_str());
    value["client_url"] = json!(member.client_url);
    value["zone"] = json!(member.zone);
    value["labels"] = json!(member.labels);
    value["incarnation"] = json!(member.incarnation.to_string());
    value
}

/// How many slots each member of a ring has.
pub(super) fn shares(ring: &Ring) -> impl Fn(&MemberId) -> u32 {
    let shares: BTreeMap<_, _> = ring.shares().into_iter().collect();
    move |id| shares.get(id).copied().unwrap_or(0)
}

fn locate(args: &LocateArgs, loaded: &Loaded) -> anyhow::Result<()> {
    let ring = &loaded.ring;
    let slot = Slot::of(args.key.as_bytes());
    let owner = ring.owner_of_slot(slot);
    let mut successors = ring.successors(slot);
    let rpc_url = owner.and_then(|id| loaded.members.get(id)).map(|member| member.rpc_url.as_str());
    if args.source.json {
        return output::json(&json!({
            "key": args.key,
            "slot": slot,
            "owner": owner,
            "rpc_url": rpc_url,
            "successors": successors,
            "ring_version": ring.version(),
        }));
    }
    let Some(owner) = owner else { bail!("nobody owns {}: the ring has no active member", args.key) };
    let at = rpc_url.map(|url| format!(" at {url}")).unwrap_or_default();
    let rest = successors.len().saturating_sub(SUCCESSORS_MAX);
    successors.truncate(SUCCESSORS_MAX);
    let mut next = successors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if rest > 0 {
        next.push_str(&format!(", and {rest} more"));
    }
    output::line(format_args!("{} is in slot {slot}, owned by {owner}{at}", args.key))?;
    if next.is_empty() { Ok(()) } else { output::line(format_args!("after it: {next}")) }
}

fn diff(args: &DiffArgs, loaded: &Loaded) -> anyhow::Result<()> {
    let older = &loaded.ring;
    let newer = older.with_members(changed(older, args)?)?;
    let summary = older.diff(&newer).summary();
    let loads = loads(older, &newer);
    if args.source.json {
        let loads: Vec<Value> =
            loads.iter().map(|(id, load)| json!({ "id": id, "before": load[0], "after": load[1] })).collect();
        let mut value = serde_json::to_value(&summary)?;
        value["loads"] = loads.into();
        return output::json(&value);
    }
    let moved = summary.slots_moved;
    output::line(format_args!(
        "ring {} -> {}: {moved} of {SLOT_COUNT} slots move ({})\n",
        summary.from_version,
        summary.to_version,
        percent(moved)
    ))?;
    let nobody = |id: &Option<MemberId>| id.as_ref().map_or("(nobody)".to_owned(), ToString::to_string);
    let flow = |flow: &ringway_ring::Flow| {
        [nobody(&flow.from), nobody(&flow.to), flow.slots.to_string(), percent(flow.slots)]
    };
    let flows: Vec<_> = summary.flows.iter().map(flow).collect();
    if !flows.is_empty() {
        output::line(format_args!("{}\n", output::table(["from", "to", "slots", "share"], &flows)))?;
    }
    let row = |(id, [before, after]): (&MemberId, &[u32; 2])| {
        [id.to_string(), before.to_string(), percent(*before), after.to_string(), percent(*after)]
    };
    let rows: Vec<_> = loads.iter().map(row).collect();
    output::line(output::table(["member", "slots before", "", "slots after", ""], &rows))
}

fn changed(ring: &Ring, args: &DiffArgs) -> anyhow::Result<Vec<RingMember>> {
    for id in &args.remove {
        let known = ring.members().iter().any(|member| member.id.as_str() == id);
        ensure!(known, "--remove {id}: it is no member; the members are {}", names(ring));
    }
    let stays = |member: &&RingMember| {
        let replaced = args.add.iter().any(|added| added.id == member.id);
        !replaced && !args.remove.iter().any(|id| *id == member.id.as_str())
    };
    Ok(ring.members().iter().filter(stays).chain(&args.add).cloned().collect())
}

fn names(ring: &Ring) -> String {
    ring.members().iter().map(|member| member.id.as_str()).collect::<Vec<_>>().join(", ")
}

/// How many slots each member has before and after.
fn loads(older: &Ring, newer: &Ring) -> BTreeMap<MemberId, [u32; 2]> {
    let mut loads = BTreeMap::<MemberId, [u32; 2]>::new();
    for (side, ring) in [older, newer].into_iter().enumerate() {
        for (id, slots) in ring.shares() {
            loads.entry(id.clone()).or_default()[side] = slots;
        }
    }
    loads
}

/// Slots as a part of all.
pub(super) fn share(slots: u32) -> f64 {
    f64::from(slots) / SLOT_COUNT as f64
}

/// The same for people.
pub(super) fn percent(slots: u32) -> String {
    format!("{:.2}%", 100.0 * share(slots))
}
