//! The gRPC service `ringway.v1.Peer`: reports from other workers, the last step of a group's message, and sessions that
//! change hands.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use ringway_proto::v1::deliver_local_request::Target;
use ringway_proto::v1::peer_server::Peer;
use ringway_proto::v1::{
    AdoptRequest, AdoptResponse, AnswerRequest, AnswerResponse, ClaimRequest, DeliverLocalRequest,
    DeliverLocalResponse, Everyone, InterestAck, InterestReport, PokeRequest, PokeResponse, Routing,
    SessionIds,
};
use ringway_proto::{Reason, Refusal};
use ringway_ring::{MemberId, RingVersion};
use ringway_session::{
    Circle, GroupId, Kind, NameError, NotOpened, OpenError, Payload, Reach, Report, SessionId, UserId,
};
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use super::claim;
use crate::convert::invalid_name;
use crate::delivery::{Pursuit, no_mailboxes, refusal_of_store};
use crate::hub::{Denied, Receivers};
use crate::interest::{Interest, ReportStream};
use crate::worker::Shared;

/// When others have seen that this worker has left, and have ended their reports. Where the list of workers is a fixed one they see
/// nothing, and their reports are ended here.
const DEPARTURE_SEEN_AFTER: Duration = Duration::from_secs(2);

pub(crate) struct PeerService(pub(crate) Arc<Shared>);

#[tonic::async_trait]
impl Peer for PeerService {
    type ReportInterestStream = Pin<Box<dyn Stream<Item = Result<InterestAck, Status>> + Send>>;

    async fn report_interest(
        &self,
        request: Request<Streaming<InterestReport>>,
    ) -> Result<Response<Self::ReportInterestStream>, Status> {
        let reporting =
            Reporting { interest: Arc::clone(&self.0.interest), reports: request.into_inner(), stream: None };
        let acks = futures_util::stream::try_unfold(reporting, |mut reporting| async move {
            Ok(reporting.next().await?.map(|ack| (ack, reporting)))
        });
        let has_left = self.0.has_left.clone();
        let unseen = async move {
            has_left.cancelled().await;
            tokio::time::sleep(DEPARTURE_SEEN_AFTER).await;
        };
        Ok(Response::new(Box::pin(acks.take_until(Box::pin(unseen)))))
    }

    type ClaimStream = claim::Replies;

    async fn claim(
        &self,
        request: Request<Streaming<ClaimRequest>>,
    ) -> Result<Response<Self::ClaimStream>, Status> {
        Ok(Response::new(claim::serve(Arc::clone(&self.0), request.into_inner()).await?))
    }

    async fn adopt(&self, request: Request<AdoptRequest>) -> Result<Response<AdoptResponse>, Status> {
        let AdoptRequest { state, resumable_for_ms } = request.into_inner();
        let unsealed = self.0.seal.unseal(&state);
        let unsealed = unsealed.map_err(|error| Refusal::new(Reason::InvalidArgument, error.to_string()))?;
        match self.0.hub.take_over(unsealed.state, Duration::from_millis(resumable_for_ms)) {
            // One that is here already was brought by its gateway meanwhile.
            Ok(_) | Err(Denied::Shard(NotOpened::Table(OpenError::InUse))) => {
                Ok(Response::new(AdoptResponse {}))
            }
            Err(denied) => Err(refusal_of(&denied).with_ring(self.0.hub.ring_version()).into()),
        }
    }

    async fn poke(&self, request: Request<PokeRequest>) -> Result<Response<PokeResponse>, Status> {
        let shared = &self.0;
        let user = UserId::new(&request.into_inner().user).map_err(|error| invalid_name(&error))?;
        let view = shared.view();
        let forwarded = Routing { hops: 1, ..Routing::default() };
        // It has come as far as it goes: whoever is not the owner refuses.
        shared.place(&view, user.as_str(), Some(&forwarded))?;
        let office = shared.office.as_ref().ok_or_else(no_mailboxes)?;
        shared.look(office, &user).await.map_err(|error| refusal_of_store(&error))?;
        Ok(Response::new(PokeResponse {}))
    }

    async fn answer(&self, request: Request<AnswerRequest>) -> Result<Response<AnswerResponse>, Status> {
        let AnswerRequest { session_id, frame } = request.into_inner();
        let session = SessionId::from_bytes(&session_id);
        let session = session.map_err(|error| Refusal::new(Reason::InvalidArgument, error.to_string()))?;
        let answer = Payload::new(frame, Kind::Text);
        let answer = answer.map_err(|error| Refusal::new(Reason::InvalidArgument, error.to_string()))?;
        self.0.answer_when_here(session, &answer).await?;
        Ok(Response::new(AnswerResponse {}))
    }

    async fn deliver_local(
        &self,
        request: Request<DeliverLocalRequest>,
    ) -> Result<Response<DeliverLocalResponse>, Status> {
        let mut request = request.into_inner();
        let receivers = receivers(request.target)?;
        let checked = self.0.rules().message(&mut request.message)?;
        let (message, exclude) = checked.into_parts();
        let placed = self.0.hub.send(&receivers, &message, &exclude);
        let deadline = self.0.arrival_deadline_within(request.wait_ms);
        let pursuit = Pursuit { wire: &request.message, deadline };
        let mut account = self.0.complete(placed, Circle::Many, pursuit).await?;
        let strayed = account.tally.take_strayed();
        let Reach { sessions, overflowed, suspended, missed } = account.tally.reach();
        Ok(Response::new(DeliverLocalResponse {
            sessions,
            sessions_overflowed: overflowed,
            sessions_suspended: suspended,
            sessions_missed: missed,
            workers_unreached: account.unreached,
            strayed: strayed.iter().map(|id| id.to_bytes().to_vec().into()).collect(),
        }))
    }
}

fn receivers(target: Option<Target>) -> Result<Receivers, Refusal> {
    match target {
        Some(Target::Group(group)) => {
            Ok(Receivers::Group(GroupId::new(&group).map_err(|error| invalid_name(&error))?))
        }
        Some(Target::All(Everyone {})) => Ok(Receivers::All),
        Some(Target::Sessions(SessionIds { ids })) => {
            let ids = ids.iter().map(|id| SessionId::from_bytes(id)).collect::<Result<_, _>>();
            ids.map(Receivers::Sessions)
                .map_err(|error| Refusal::new(Reason::InvalidArgument, error.to_string()))
        }
        None => {
            let message = "the target is missing, or of a kind that this worker does not know";
            Err(Refusal::new(Reason::InvalidArgument, message))
        }
    }
}

fn refusal_of(denied: &Denied) -> Refusal {
    match denied {
        Denied::Leaving(_) => Refusal::new(Reason::Draining, "this worker is about to leave; try again"),
        Denied::Shard(NotOpened::Table(error)) => Refusal::new(Reason::Overloaded, error.to_string()),
        Denied::Shard(error) => Refusal::new(Reason::NotOwner, error.to_string()),
    }
}

/// One worker's reports, from the first to the end of the stream.
struct Reporting {
    interest: Arc<Interest>,
    reports: Streaming<InterestReport>,
    stream: Option<ReportStream>,
}

impl Reporting {
    /// Takes the next report; none when the stream has ended or a newer one of the same worker has begun.
    async fn next(&mut self) -> Result<Option<InterestAck>, Status> {
        let Some(report) = self.reports.message().await? else { return Ok(None) };
        let worker = MemberId::new(&report.worker)
            .map_err(|error| Refusal::new(Reason::InvalidArgument, error.to_string()))?;
        let stream = self.stream.get_or_insert_with(|| self.interest.begin(worker));
        let sequence = report.sequence;
        let counts = stream.take(&from_proto(report).map_err(|error| invalid_name(&error))?);
        Ok(counts.then_some(InterestAck { sequence }))
    }
}

fn from_proto(report: InterestReport) -> Result<Report, NameError> {
    let groups = |names: Vec<String>| names.iter().map(|name| GroupId::new(name)).collect::<Result<_, _>>();
    Ok(Report {
        sequence: report.sequence,
        ring_version: RingVersion::from_u64(report.ring_version),
        restart: report.restart,
        complete: report.complete,
        joined: groups(report.joined)?,
        left: groups(report.left)?,
    })
}
