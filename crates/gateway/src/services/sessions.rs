//! `ringway.v1.Sessions` of a gateway.

use std::sync::Arc;

use ringway_dispatch::Hops;
use ringway_proto::v1::sessions_server::Sessions;
use ringway_proto::v1::{
    CloseSessionsRequest, CloseSessionsResponse, GetSessionRequest, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, LeaveGroupResponse, ListSessionsRequest, ListSessionsResponse, Session,
};
use tonic::{Request, Response, Status};

use super::Forwarder;

pub(super) struct SessionsService(pub(super) Arc<Forwarder>);

/// Each method is the same: not forwarded before, then on to the worker concerned. The dispatcher checks the request.
macro_rules! forwards {
    ($($method:ident: $request:ty => $dispatch:ident -> $response:ty;)*) => {
        #[tonic::async_trait]
        impl Sessions for SessionsService {
            $(
                async fn $method(&self, request: Request<$request>) -> Result<Response<$response>, Status> {
                    let Self(forwarder) = self;
                    let request = request.into_inner();
                    forwarder.check_hops(request.routing.as_ref())?;
                    let answer = forwarder.dispatcher.$dispatch(request, Hops::Forwarded, forwarder.deadline());
                    Ok(Response::new(answer.await?))
                }
            )*
        }
    };
}

forwards! {
    list: ListSessionsRequest => list_sessions -> ListSessionsResponse;
    get: GetSessionRequest => get_session -> Session;
    close: CloseSessionsRequest => close_sessions -> CloseSessionsResponse;
    join_group: JoinGroupRequest => join_group -> JoinGroupResponse;
    leave_group: LeaveGroupRequest => leave_group -> LeaveGroupResponse;
}
