//! `ringway presence`: who is online, once or as it changes.

use anyhow::Context as _;
use futures_util::{StreamExt as _, stream};
use ringway_proto::v1::{
    GetPresenceRequest, GetPresenceResponse, PresenceChange, PresenceChanges, UserPresence,
    WatchPresenceRequest,
};
use serde_json::{Value, json};

use super::node;
use crate::cli::{PresenceArgs, PresenceCommand, PresenceGetArgs, PresenceWatchArgs};
use crate::exit::Ending;
use crate::output::{self, Form, count};

/// Tells who is online.
pub(crate) async fn presence(args: PresenceArgs) -> anyhow::Result<Ending> {
    match args.command {
        PresenceCommand::Get(args) => get(args).await,
        PresenceCommand::Watch(args) => watch(args).await,
    }
}

async fn get(args: PresenceGetArgs) -> anyhow::Result<Ending> {
    let request = GetPresenceRequest { users: args.users, routing: None };
    let mut presence = node::channel(&args.node)?.presence();
    let answer = node::answer(presence.get(request), &args.node.node).await?;
    match args.json {
        true => output::json(&get_json(&answer))?,
        false => output::line(get_text(&answer))?,
    }
    Ok(Ending::Done)
}

fn get_json(answer: &GetPresenceResponse) -> Value {
    let user = |presence: &UserPresence| {
        json!({
            "user": presence.user,
            "online": presence.online,
            "sessions": presence.sessions,
            "worker": presence.worker,
            "since_ms": presence.since_ms,
        })
    };
    json!({
        "users": answer.users.iter().map(user).collect::<Vec<_>>(),
        "undecided": answer.undecided,
        "workers_unreached": answer.workers_unreached,
    })
}

fn get_text(answer: &GetPresenceResponse) -> String {
    let user = |UserPresence { user, online, sessions, worker, .. }: &UserPresence| match online {
        true => format!("{user} is online: {} at {worker}", count(u64::from(*sessions), "session")),
        false => format!("{user} is offline"),
    };
    let mut lines: Vec<String> = answer.users.iter().map(user).collect();
    lines.extend(answer.undecided.iter().map(|user| format!("{user} is undecided: ask again")));
    if !answer.workers_unreached.is_empty() {
        lines.push(format!("no answer from {}", answer.workers_unreached.join(", ")));
    }
    lines.join("\n")
}

async fn watch(args: PresenceWatchArgs) -> anyhow::Result<Ending> {
    let everyone = args.users.is_empty();
    let first = WatchPresenceRequest { everyone, watch: args.users, ..WatchPresenceRequest::default() };
    // The end of our half would end the stream.
    let requests = stream::iter([first]).chain(stream::pending());
    let mut presence = node::channel(&args.node)?.presence();
    let mut answers = node::answer(presence.watch(requests), &args.node.node).await?;
    let mut left = args.changes.unwrap_or(u64::MAX);
    while left > 0 {
        let answer = answers.message().await.map_err(|status| node::told(&status, &args.node.node))?;
        let PresenceChanges { changes, .. } = answer.context("the node has ended the stream")?;
        for change in changes.iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
            show(change, Form::of(args.json))?;
        }
        left = left.saturating_sub(changes.len() as u64);
    }
    Ok(Ending::Done)
}

fn show(PresenceChange { user, online }: &PresenceChange, form: Form) -> anyhow::Result<()> {
    match form {
        Form::Json => output::json(&json!({ "user": user, "online": online })),
        Form::Human => output::line(format!("{user} is {}", if *online { "online" } else { "offline" })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> GetPresenceResponse {
        let online = UserPresence {
            user: "alice".to_owned(),
            online: true,
            sessions: 2,
            worker: "w1".to_owned(),
            since_ms: 7,
        };
        let offline = UserPresence { user: "bob".to_owned(), ..UserPresence::default() };
        GetPresenceResponse {
            users: vec![online, offline],
            undecided: vec!["carol".to_owned()],
            workers_unreached: vec!["w2".to_owned()],
        }
    }

    #[test]
    fn people_read_a_line_for_each_user() {
        assert_eq!(
            get_text(&answer()),
            "alice is online: 2 sessions at w1\nbob is offline\ncarol is undecided: ask again\nno answer from w2"
        );
    }

    #[test]
    fn programs_read_the_same_as_json() {
        let expected = json!({
            "users": [
                { "user": "alice", "online": true, "sessions": 2, "worker": "w1", "since_ms": 7 },
                { "user": "bob", "online": false, "sessions": 0, "worker": "", "since_ms": 0 },
            ],
            "undecided": ["carol"],
            "workers_unreached": ["w2"],
        });
        assert_eq!(get_json(&answer()), expected);
    }
}
