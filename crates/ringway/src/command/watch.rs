//! `ringway ring watch`: each change of the ring, as it happens.

use std::time::SystemTime;

use ringway_cluster::{Changes, View, follow};
use ringway_ring::MemberId;
use ringway_rpc::NodePool;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::node;
use super::ring::{percent, share};
use crate::cli::WatchArgs;
use crate::exit::Ending;
use crate::output::{self, Form};

/// Prints what changes until there were enough changes, or forever.
pub(crate) async fn watch(args: WatchArgs) -> anyhow::Result<Ending> {
    let (node, form) = (&args.node.node, Form::of(args.json));
    let pool = NodePool::new(node::secret(&args.node)?, node::pool());
    let views = follow(&pool, vec![node.clone()], CancellationToken::new()).await;
    let views = views.map_err(|error| node::not_shown(error, node))?;
    let mut changes = views.subscribe();
    let mut before = changes.borrow_and_update().clone();
    begin(&before, form)?;
    for _ in 0..args.changes.unwrap_or(u64::MAX) {
        changes.changed().await?;
        let after = changes.borrow_and_update().clone();
        change(&before, &after, form)?;
        before = after;
    }
    Ok(Ending::Done)
}

fn begin(view: &View, form: Form) -> anyhow::Result<()> {
    let ids: Vec<_> = view.workers().iter().map(|member| member.id.as_str()).collect();
    if form == Form::Json {
        return output::json(&json!({ "event": "begin", "ring_version": view.version(), "members": ids }));
    }
    output::line(format_args!("{} ring {}: {}", now(), view.version(), ids.join(" ")))
}

fn change(before: &View, after: &View, form: Form) -> anyhow::Result<()> {
    let changes = Changes::between(before, after);
    let moved = before.ring().diff(after.ring()).slots_moved();
    if form == Form::Human {
        return output::line(format_args!("{} {}", now(), in_words(before, after, &changes, moved)));
    }
    let states = changes.changed.iter().filter_map(|id| states(before, after, id));
    let states = states.map(|(id, [from, to])| json!({ "id": id, "from": from, "to": to }));
    output::json(&json!({
        "event": "change",
        "from_version": before.version(),
        "ring_version": after.version(),
        "joined": changes.joined,
        "left": changes.left,
        "restarted": changes.restarted,
        "changed": changes.changed,
        "states": states.collect::<Vec<_>>(),
        "slots_moved": moved,
        "share_moved": share(moved),
    }))
}

/// `ring 0f… -> a3…: w4 joined, w2 active -> draining; 24.88% moves`.
fn in_words(before: &View, after: &View, changes: &Changes<'_>, moved: u32) -> String {
    let named = |ids: &[&str], what| ids.iter().map(|id| format!("{id} {what}")).collect::<Vec<_>>();
    let changed = |id: &&str| match states(before, after, id) {
        Some((_, [from, to])) => format!("{id} {from} -> {to}"),
        None => format!("{id} changed"),
    };
    let told = [
        named(&changes.joined, "joined"),
        named(&changes.left, "left"),
        named(&changes.restarted, "restarted"),
        changes.changed.iter().map(changed).collect(),
    ]
    .concat()
    .join(", ");
    match before.version() == after.version() {
        true => format!("ring {}: {told}", after.version()),
        false => {
            format!("ring {} -> {}: {told}; {} moves", before.version(), after.version(), percent(moved))
        }
    }
}

/// The state of a member before and after, if that is what changed.
fn states<'a>(before: &View, after: &View, id: &'a str) -> Option<(&'a str, [&'static str; 2])> {
    let known: MemberId = id.parse().ok()?;
    let [from, to] = [before.member(&known)?.state, after.member(&known)?.state];
    (from != to).then(|| (id, [from.as_str(), to.as_str()]))
}

fn now() -> humantime::Rfc3339Timestamp {
    humantime::format_rfc3339_seconds(SystemTime::now())
}

#[cfg(test)]
mod tests {
    use ringway_cluster::{Member, MemberState};
    use ringway_ring::Strategy;

    use super::*;

    fn view(members: &[(&str, u64, MemberState)]) -> View {
        let member = |(id, incarnation, state): &(&str, u64, MemberState)| {
            let member = Member::new(id.parse().unwrap(), "http://10.0.0.1:7071".parse().unwrap());
            Member { incarnation: *incarnation, state: *state, ..member }
        };
        View::build(Strategy::Slots, members.iter().map(member)).unwrap()
    }

    #[test]
    fn a_change_is_told_in_words() {
        use MemberState::{Active, Draining, Joining};
        let before = view(&[("w1", 1, Active), ("w2", 1, Active), ("w3", 1, Joining), ("w4", 1, Joining)]);
        let after = view(&[("w1", 1, Draining), ("w2", 1, Active), ("w3", 2, Joining), ("w5", 1, Joining)]);
        let told = in_words(&before, &after, &Changes::between(&before, &after), 1 << 17);
        let rings = format!("ring {} -> {}", before.version(), after.version());
        assert_eq!(
            told,
            format!("{rings}: w5 joined, w4 left, w3 restarted, w1 active -> draining; 50.00% moves")
        );
        let told = in_words(&before, &before, &Changes::default(), 0);
        assert_eq!(told, format!("ring {}: ", before.version()));
    }
}
