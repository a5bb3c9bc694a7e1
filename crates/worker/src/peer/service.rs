//! The gRPC service `ringway.v1.Peer`: reports from other workers, and the last step of a group's message.

use std::pin::Pin;
use std::sync::Arc;

use ringway_proto::v1::deliver_local_request::Target;
use ringway_proto::v1::peer_server::Peer;
use ringway_proto::v1::{
    AdoptRequest, AdoptResponse, ClaimReply, ClaimRequest, DeliverLocalRequest, DeliverLocalResponse,
    Everyone, InterestAck, InterestReport,
};
use ringway_proto::{Reason, Refusal};
use ringway_ring::{MemberId, RingVersion};
use ringway_session::{GroupId, NameError, Report};
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use crate::convert::invalid_name;
use crate::hub::Receivers;
use crate::interest::{Interest, ReportStream};
use crate::worker::Shared;

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
        Ok(Response::new(Box::pin(acks)))
    }

    type ClaimStream = Pin<Box<dyn Stream<Item = Result<ClaimReply, Status>> + Send>>;

    async fn claim(
        &self,
        _request: Request<Streaming<ClaimRequest>>,
    ) -> Result<Response<Self::ClaimStream>, Status> {
        Err(Status::unimplemented("sessions do not move yet"))
    }

    async fn adopt(&self, _request: Request<AdoptRequest>) -> Result<Response<AdoptResponse>, Status> {
        Err(Status::unimplemented("sessions do not move yet"))
    }

    async fn deliver_local(
        &self,
        request: Request<DeliverLocalRequest>,
    ) -> Result<Response<DeliverLocalResponse>, Status> {
        let mut request = request.into_inner();
        let receivers = match &request.target {
            Some(Target::Group(group)) => {
                Receivers::Group(GroupId::new(group).map_err(|error| invalid_name(&error))?)
            }
            Some(Target::All(Everyone {})) => Receivers::All,
            Some(Target::Sessions(_)) | None => {
                let message = "the target is missing, or of a kind that this worker does not know";
                return Err(Refusal::new(Reason::InvalidArgument, message).into());
            }
        };
        let message = self.0.rules().message(&mut request.message)?;
        let sent = self.0.hub.send(&receivers, &message.payload, &message.exclude);
        self.0.wait_for_room(&sent.crowded).await;
        Ok(Response::new(DeliverLocalResponse {
            sessions_suspended: 0,
            sessions: sent.reach.sessions,
            sessions_overflowed: sent.reach.overflowed,
        }))
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
