//! `ringway members`: who is in the cluster, as one node sees it.

use ringway_cluster::{Member, View};
use serde_json::json;

use super::node;
use super::ring::{member_json, percent, shares};
use crate::cli::MembersArgs;
use crate::exit::Ending;
use crate::output::{self, Form};

/// Lists the members.
pub(crate) async fn members(args: MembersArgs) -> anyhow::Result<Ending> {
    let view = node::view(&args.node).await?;
    match Form::of(args.json) {
        Form::Human => output::line(text(&view))?,
        Form::Json => show_json(&view)?,
    }
    Ok(Ending::Done)
}

fn show_json(view: &View) -> anyhow::Result<()> {
    let shares = shares(view.ring());
    let members = view.workers().iter().map(|member| member_json(member, shares(&member.id)));
    output::json(&json!({
        "ring_version": view.version(),
        "members": members.collect::<Vec<_>>(),
    }))
}

fn text(view: &View) -> String {
    let shares = shares(view.ring());
    let row = |member: &Member| {
        [
            member.id.to_string(),
            member.state.to_string(),
            member.weight.to_string(),
            percent(shares(&member.id)),
            member.rpc_url.to_string(),
            incarnation(member),
            member.zone.clone().unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = view.workers().iter().map(row).collect();
    let count = output::count(rows.len() as u64, "member");
    if rows.is_empty() {
        return count;
    }
    let table = output::table(["member", "state", "weight", "share", "rpc", "incarnation", "zone"], &rows);
    format!("{table}\n\n{count}, ring {}", view.version())
}

/// Which start of the process it is; `-` where nobody knows.
fn incarnation(member: &Member) -> String {
    match member.incarnation {
        0 => "-".to_owned(),
        known => format!("{known:016x}"),
    }
}

#[cfg(test)]
mod tests {
    use ringway_cluster::MemberState;
    use ringway_ring::Strategy;

    use super::*;

    fn member(id: &str, state: MemberState, zone: Option<&str>) -> Member {
        let member = Member::new(id.parse().unwrap(), "http://10.0.0.1:7071".parse().unwrap());
        Member { incarnation: 10, state, zone: zone.map(ToOwned::to_owned), ..member }
    }

    #[test]
    fn members_are_a_table_and_a_sum() {
        let known = [member("w1", MemberState::Active, Some("a")), member("w2", MemberState::Draining, None)];
        let view = View::build(Strategy::Slots, known).unwrap();
        let version = view.version();
        assert_eq!(
            text(&view),
            format!(
                "member  state     weight  share    rpc                   incarnation       zone\n\
                 w1      active    1       100.00%  http://10.0.0.1:7071  000000000000000a  a\n\
                 w2      draining  1       0.00%    http://10.0.0.1:7071  000000000000000a\n\n\
                 2 members, ring {version}"
            )
        );
        assert_eq!(text(&View::empty(Strategy::Slots)), "0 members");
    }
}
