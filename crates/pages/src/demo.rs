//! The people and the groups of the demonstration: names that nobody else is likely to have.

use ringway_cluster::View;
use serde_json::{Value, json};

use crate::stage::Stage;

/// Who there is.
pub(crate) const PEOPLE: &[&str] = &["alice", "bob", "carol", "dave"];
/// What they may talk in.
pub(crate) const GROUPS: &[&str] = &["team", "lunch"];
/// How the names of its users and groups begin.
const PREFIX: &str = "demo:";
/// All of these names.
pub(crate) const EVERYTHING: &str = "demo:*";

/// The user whom a person is to the cluster.
pub(crate) fn user(person: &str) -> String {
    format!("{PREFIX}{person}")
}

/// What the chat must know: who is where, and what the workers do.
pub(crate) fn scene(view: &View, stage: Option<&dyn Stage>) -> Value {
    let owner = |person: &&str| {
        let owner = view.owner(&user(person)).map(|member| member.id.as_str());
        (person.to_string(), json!(owner))
    };
    let shown = |id: &str, state: &str| json!({ "id": id, "state": state });
    let mut workers: Vec<Value> =
        view.workers().iter().map(|member| shown(member.id.as_str(), member.state.as_str())).collect();
    for id in stage.map(Stage::workers).unwrap_or_default() {
        if !view.workers().iter().any(|member| member.id.as_str() == id) {
            workers.push(shown(&id, "dead"));
        }
    }
    workers.sort_by(|a, b| a["id"].as_str().cmp(&b["id"].as_str()));
    json!({
        "owners": PEOPLE.iter().map(owner).collect::<serde_json::Map<_, _>>(),
        "workers": workers,
    })
}
