//! What clients send to the back end: kept for those who subscribe to events, and answered when one of them has it.

use std::sync::Arc;

use ringway_proto::v1::ClientSent;
use ringway_session::frame::{self, ClientEvent, FrameError, Reply};
use ringway_session::{Address, Speaker};

use super::answer;
use crate::convert::kind_to_proto;
use crate::events::{Offered, Receipt, Received};
use crate::worker::Shared;

/// Hands an event of a client that may send it to those who take events for the back end. The answer comes later, if the
/// client has a name for it.
///
/// # Errors
/// Why nobody takes it.
pub(super) fn emit(
    shared: &Arc<Shared>,
    (address, speaker): (Address, &Speaker),
    ClientEvent { topic, payload }: ClientEvent,
    reference: Option<&str>,
) -> Result<(), FrameError> {
    // One that has ended meanwhile says nothing any more.
    let Some(from) = shared.hub.session_at(address) else { return Ok(()) };
    let sent = ClientSent {
        topic,
        reference: reference.unwrap_or_default().to_owned(),
        kind: kind_to_proto(payload.kind()).into(),
        payload: payload.into_bytes(),
    };
    match shared.events.client_message(from, sent) {
        Offered::Nobody => {
            let nobody = "nobody takes events here: configure a bridge, a webhook or a subscriber";
            Err(FrameError::Unavailable(nobody.to_owned()))
        }
        Offered::Full => {
            Err(FrameError::Busy("so many events wait that there is no room for another one".to_owned()))
        }
        Offered::Taken(receipt) => {
            if let Some(reference) = reference {
                answer_when_received(Arc::clone(shared), speaker, reference.to_owned(), receipt);
            }
            Ok(())
        }
    }
}

fn answer_when_received(shared: Arc<Shared>, speaker: &Speaker, reference: String, receipt: Receipt) {
    let session = speaker.session;
    tokio::spawn(async move {
        let answer = match receipt.await {
            Received::Acknowledged => frame::reply(&reference, Reply::Done {}),
            Received::Lost => {
                let lost = "the event went before anybody had acknowledged it";
                frame::error(Some(&reference), &FrameError::OutcomeUnknown(lost.to_owned()))
            }
        };
        answer::give(&shared, session, answer);
    });
}
