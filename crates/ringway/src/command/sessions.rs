//! `ringway sessions`, `close` and `group`: looking at sessions and acting on them.

use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use ringway_proto::v1::list_sessions_request::Filter;
use ringway_proto::v1::session_target::Target;
use ringway_proto::v1::{
    CloseSessionsRequest, JoinGroupRequest, LeaveGroupRequest, ListSessionsRequest, ListSessionsResponse,
    Session, SessionTarget,
};
use ringway_proto::{Reason, Refusal, session_json};
use serde_json::{Value, json};
use tonic::{Response, Status};

use super::node;
use crate::cli::{CloseArgs, GroupArgs, GroupCommand, MembershipArgs, SessionsArgs};
use crate::exit::Ending;
use crate::output::{self, count};

/// Lists sessions.
pub(crate) async fn sessions(args: SessionsArgs) -> anyhow::Result<Ending> {
    let filter = match (&args.user, &args.group) {
        (Some(user), _) => Some(Filter::User(user.clone())),
        (None, Some(group)) => Some(Filter::Group(group.clone())),
        (None, None) => None,
    };
    let filtered = filter.is_some();
    let request = ListSessionsRequest { filter, limit: args.limit, routing: None };
    let mut sessions = node::channel(&args.node)?.sessions();
    let list = node::answer(sessions.list(request), &args.node.node).await?;
    if args.json {
        output::json(&list_json(&list))?;
    } else {
        output::line(list_text(&list, SystemTime::now()))?;
    }
    Ok(if filtered && list.total == 0 { Ending::NobodyThere } else { Ending::Done })
}

/// Closes sessions.
pub(crate) async fn close(args: CloseArgs) -> anyhow::Result<Ending> {
    let target = target(args.session, args.user)?;
    let request =
        CloseSessionsRequest { target: Some(target), code: args.code, reason: args.reason, routing: None };
    let mut sessions = node::channel(&args.node)?.sessions();
    let closed = node::answer(found(sessions.close(request)), &args.node.node).await?.sessions;
    tell(closed, "closed", args.json)
}

/// Changes memberships.
pub(crate) async fn group(args: GroupArgs) -> anyhow::Result<Ending> {
    match args.command {
        GroupCommand::Join(args) => join(args).await,
        GroupCommand::Leave(args) => leave(args).await,
    }
}

async fn join(args: MembershipArgs) -> anyhow::Result<Ending> {
    let target = Some(target(args.target.session, args.target.user)?);
    let request = JoinGroupRequest { target, group: args.group, routing: None };
    let mut sessions = node::channel(&args.node)?.sessions();
    let joined = node::answer(found(sessions.join_group(request)), &args.node.node).await?.sessions;
    tell(joined, "in the group now", args.json)
}

async fn leave(args: MembershipArgs) -> anyhow::Result<Ending> {
    let target = Some(target(args.target.session, args.target.user)?);
    let request = LeaveGroupRequest { target, group: args.group, routing: None };
    let mut sessions = node::channel(&args.node)?.sessions();
    let left = node::answer(found(sessions.leave_group(request)), &args.node.node).await?.sessions;
    tell(left, "taken out of the group", args.json)
}

fn target(session: Option<String>, user: Option<String>) -> anyhow::Result<SessionTarget> {
    let target = session.map(Target::SessionId).or(user.map(Target::User));
    Ok(SessionTarget { target: Some(target.context("name a session, or --user U")?) })
}

/// The answer to a call on sessions; on none, if the one that is named is not there.
async fn found<T: Default>(
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<Response<T>, Status> {
    call.await.or_else(|status| match Refusal::from_status(&status).reason {
        Reason::SessionNotFound => Ok(Response::new(T::default())),
        _ => Err(status),
    })
}

fn tell(sessions: u32, done: &str, json: bool) -> anyhow::Result<Ending> {
    if json {
        output::json(&json!({ "sessions": sessions }))?;
    } else if sessions == 0 {
        output::line("no such session")?;
    } else {
        output::line(format_args!("{} {done}", count(sessions, "session")))?;
    }
    Ok(if sessions == 0 { Ending::NobodyThere } else { Ending::Done })
}

fn list_json(list: &ListSessionsResponse) -> Value {
    json!({
        "sessions": list.sessions.iter().map(session_json).collect::<Vec<_>>(),
        "total": list.total,
        "workers_unreached": list.workers_unreached,
    })
}

fn list_text(list: &ListSessionsResponse, now: SystemTime) -> String {
    let row = |session: &Session| {
        [
            session.user.clone(),
            session.id.clone(),
            session.groups.join(","),
            session.worker.clone(),
            if session.suspended { "(suspended)".to_owned() } else { session.gateway.clone() },
            session.remote_address.clone(),
            age(session.opened_at_ms, now),
            session.queue_bytes.to_string(),
        ]
    };
    let heading = ["user", "session", "groups", "worker", "gateway", "client", "age", "queued bytes"];
    let rows: Vec<_> = list.sessions.iter().map(row).collect();
    let mut text =
        if rows.is_empty() { String::new() } else { format!("{}\n\n", output::table(heading, &rows)) };
    text.push_str(&count(list.total, "session"));
    if list.total > list.sessions.len() as u64 {
        text.push_str(&format!(", the first {} shown (--limit)", list.sessions.len()));
    }
    if !list.workers_unreached.is_empty() {
        let workers = list.workers_unreached.join(", ");
        text.push_str(&format!("\nnot complete: no answer from {workers}"));
    }
    text
}

fn age(opened_at_ms: u64, now: SystemTime) -> String {
    let opened = SystemTime::UNIX_EPOCH + Duration::from_millis(opened_at_ms);
    let age = now.duration_since(opened).unwrap_or_default();
    humantime::format_duration(Duration::from_secs(age.as_secs())).to_string().replace(' ', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(user: &str, id: &str) -> Session {
        Session {
            id: id.to_owned(),
            user: user.to_owned(),
            groups: vec!["a".to_owned(), "b".to_owned()],
            worker: "w1".to_owned(),
            gateway: "g1".to_owned(),
            remote_address: "1.2.3.4:5".to_owned(),
            subprotocol: String::new(),
            opened_at_ms: 1000,
            queue_bytes: 0,
            suspended: false,
        }
    }

    #[test]
    fn a_list_is_a_table_and_a_sum() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(62);
        let mut list = ListSessionsResponse {
            sessions: vec![session("alice", "00")],
            total: 1,
            workers_unreached: vec![],
        };
        assert_eq!(
            list_text(&list, now),
            "user   session  groups  worker  gateway  client     age   queued bytes\n\
             alice  00       a,b     w1      g1       1.2.3.4:5  1m1s  0\n\n1 session"
        );
        list.sessions[0].suspended = true;
        list.total = 3;
        list.workers_unreached = vec!["w2".to_owned()];
        let text = list_text(&list, now);
        assert!(text.contains("  (suspended)  "), "{text}");
        assert!(
            text.ends_with("3 sessions, the first 1 shown (--limit)\nnot complete: no answer from w2"),
            "{text}"
        );
    }

    #[test]
    fn no_sessions_are_no_table() {
        assert_eq!(list_text(&ListSessionsResponse::default(), SystemTime::UNIX_EPOCH), "0 sessions");
    }
}
