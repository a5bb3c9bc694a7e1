//! Telling that a command failed: to people on stderr, and to programs that asked for JSON on stdout, too.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::command::Refused;
use crate::config::Mistakes;
use crate::output::{self, Form, StdoutClosed};

/// Tells why a command failed.
pub(crate) fn tell(error: &anyhow::Error, form: Form) {
    // Where stderr is gone too there is nobody left to tell.
    let _ = writeln!(std::io::stderr(), "ringway: {}", output::chain(error));
    if form == Form::Json
        && let Err(unwritten) = output::json(&to_json(error))
        && !unwritten.is::<StdoutClosed>()
    {
        let _ = writeln!(std::io::stderr(), "ringway: {}", output::chain(&unwritten));
    }
}

/// The error as programs get it: always its message; the reason, if a node refused; and all mistakes of a configuration.
fn to_json(error: &anyhow::Error) -> Value {
    let mut told = json!({ "error": { "message": output::chain(error) } });
    if let Some(refused) = error.downcast_ref::<Refused>() {
        told["error"]["reason"] = json!(refused.reason().name());
    }
    if let Some(mistakes) = error.downcast_ref::<Mistakes>() {
        told["mistakes"] = mistakes.to_json();
    }
    told
}

#[cfg(test)]
mod tests {
    use ringway_proto::{Reason, Refusal};

    use super::*;

    #[test]
    fn programs_get_the_reason_also_below_a_context() {
        let error: anyhow::Error = Refused::new(Refusal::new(Reason::Draining, "not now"), "").into();
        let told = to_json(&error.context("nobody knows"));
        assert_eq!(told, json!({ "error": { "message": "nobody knows: not now", "reason": "DRAINING" } }));
        assert_eq!(to_json(&anyhow::anyhow!("what")), json!({ "error": { "message": "what" } }));
    }
}
