//! What programs and pages get to see as JSON, the same everywhere: by the HTTP API, from the command line, on the pages.

use serde_json::{Value, json};

use crate::v1::Session;

/// A session, with all that is known of it.
pub fn session_json(session: &Session) -> Value {
    // Taken apart, so that no field that comes later is overlooked here.
    let Session {
        id,
        user,
        groups,
        worker,
        gateway,
        remote_address,
        subprotocol,
        opened_at_ms,
        queue_bytes,
        suspended,
    } = session;
    json!({
        "id": id,
        "user": user,
        "groups": groups,
        "worker": worker,
        "gateway": gateway,
        "remote_address": remote_address,
        "subprotocol": subprotocol,
        "opened_at_ms": opened_at_ms,
        "queue_bytes": queue_bytes,
        "suspended": suspended,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_told_with_every_field() {
        let session = Session {
            id: "cf45".to_owned(),
            user: "alice".to_owned(),
            groups: vec!["room7".to_owned()],
            worker: "w3".to_owned(),
            gateway: "g1".to_owned(),
            remote_address: "127.0.0.1:46646".to_owned(),
            subprotocol: "ringway.v1.json".to_owned(),
            opened_at_ms: 1_795_677_086_707,
            queue_bytes: 483,
            suspended: true,
        };
        let expected = r#"{"gateway":"g1","groups":["room7"],"id":"cf45","opened_at_ms":1795677086707,"queue_bytes":483,"remote_address":"127.0.0.1:46646","subprotocol":"ringway.v1.json","suspended":true,"user":"alice","worker":"w3"}"#;
        assert_eq!(session_json(&session).to_string(), expected);
    }
}
