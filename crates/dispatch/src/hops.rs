//! How often a call has been forwarded. A node never forwards a call twice, so two is nobody's number.

use ringway_proto::v1::{self, Routing};
use ringway_ring::RingVersion;

/// Where a call comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hops {
    /// From a client or a sender: the node that is called may forward it once.
    FromClient,
    /// From a node: the node that is called acts on it or refuses.
    Forwarded,
}

impl Hops {
    /// Reads it from a request; a request without routing comes from a client.
    pub fn of(routing: Option<&Routing>) -> Self {
        match routing.map_or(0, |routing| routing.hops) {
            0 => Hops::FromClient,
            _ => Hops::Forwarded,
        }
    }

    pub(crate) fn routing(self, version: RingVersion) -> Option<Routing> {
        let hops = match self {
            Hops::FromClient => 0,
            Hops::Forwarded => 1,
        };
        Some(Routing { ring_version: version.as_u64(), hops })
    }
}

/// A request in which it stands how often it was forwarded.
pub(crate) trait Routed {
    fn routing(&mut self) -> &mut Option<Routing>;
}

macro_rules! routed {
    ($($request:ident),*) => {
        $(
            impl Routed for v1::$request {
                fn routing(&mut self) -> &mut Option<Routing> {
                    &mut self.routing
                }
            }
        )*
    };
}

routed!(SendToUserRequest, SendToGroupRequest, SendToAllRequest);
routed!(GetPresenceRequest);
routed!(ListSessionsRequest, GetSessionRequest, CloseSessionsRequest, JoinGroupRequest, LeaveGroupRequest);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_come_back_from_their_routing() {
        for hops in [Hops::FromClient, Hops::Forwarded] {
            let routing = hops.routing(RingVersion::from_u64(7));
            assert_eq!(routing.map(|routing| routing.ring_version), Some(7));
            assert_eq!(Hops::of(routing.as_ref()), hops);
        }
        assert_eq!(Hops::of(None), Hops::FromClient);
        assert_eq!(Hops::of(Some(&Routing { ring_version: 0, hops: 9 })), Hops::Forwarded);
    }
}
