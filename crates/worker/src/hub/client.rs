//! What clients say, as far as the state is concerned.

use ringway_session::{Address, CloseCode, GroupId, Payload, SessionId, Speaker, Target, Verdict};

use super::Hub;

impl Hub {
    /// A client has sent a frame that is no acknowledgement; nothing if there is no such session.
    pub(crate) fn client_spoke(&self, address: Address) -> Option<Speaker> {
        let now = self.clock.now();
        self.state.lock().shard.client_spoke(address, now)
    }

    /// A client has done what it must not; nothing if there is no such session.
    pub(crate) fn offence(&self, address: Address) -> Option<Verdict> {
        let now = self.clock.now();
        self.state.lock().shard.offence(address, now)
    }

    /// Whether a session is a member of a group.
    pub(crate) fn is_member(&self, session: SessionId, group: &GroupId) -> bool {
        self.state.lock().shard.table().is_member(session, group)
    }

    /// Gives the answer to a client's frame to its session, if that is here. Its client may be away: then nobody waits for the
    /// answer any more.
    pub(crate) fn answer(&self, session: SessionId, answer: &Payload) -> bool {
        self.act(|state, out| {
            if state.shard.table().session(session).is_none() {
                return false;
            }
            if let Some(address) = state.shard.table().address_of(session) {
                state.shard.send_aside(address, answer.clone(), out);
            }
            true
        })
    }

    /// Closes the session of a client that has been told off often enough.
    pub(crate) fn close_client(&self, address: Address) {
        let id = self.state.lock().shard.table().id_at(address);
        if let Some(id) = id {
            let reason = "frames that the cluster refuses came too often; see docs/client-protocol.md";
            self.close(&Target::Session(id), CloseCode::POLICY, reason);
        }
    }
}
