//! The frames of clients that speak `ringway.v1.json` (docs/client-protocol.md): who may say what, and the answer.
//!
//! A frame with a name of its own is answered, always; one without only if something is wrong. Nothing here waits: a frame
//! whose answer takes longer is answered later, and the next one is taken meanwhile.

use std::sync::Arc;

use ringway_proto::v1::publish_request::Send as Request;
use ringway_proto::v1::{Message, SendToGroupRequest, SendToUserRequest};
use ringway_session::frame::{
    self, ClientEvent, ClientFrame, ClientSend, FrameError, FromClient, Recipient, Reply,
};
use ringway_session::{Acked, Address, GroupId, OpenError, Speaker, Target, Verdict};

use super::sends::Sending;
use super::{AttachedLink, answer, event, presence};
use crate::convert::kind_to_proto;

/// How a frame was taken.
enum Taken {
    /// It is done.
    Done,
    /// There is no answer, or it comes later.
    Quiet,
}

/// What is wrong with a frame.
enum Fault {
    /// It is told, and that is that.
    Told(FrameError),
    /// It is told, and counts against the client.
    Offence(FrameError),
    /// It is told, and was counted.
    Counted(FrameError, Verdict),
}

impl From<FrameError> for Fault {
    fn from(error: FrameError) -> Self {
        Fault::Told(error)
    }
}

impl AttachedLink {
    /// Takes a frame of a client.
    pub(super) fn take_client_frame(&self, address: Address, bytes: &[u8]) {
        let FromClient { reference, frame } = frame::parse(bytes);
        let taken = match frame {
            Ok(ClientFrame::Ack { offset }) => self.acknowledge(address, offset),
            Ok(frame) => self.take_named(address, frame, reference.as_deref()),
            Err(error) => Err(Fault::Offence(error)),
        };
        match (taken, reference) {
            (Ok(Taken::Quiet), _) | (Ok(Taken::Done), None) => {}
            (Ok(Taken::Done), Some(reference)) => {
                self.shared.hub.send_aside(address, frame::reply(&reference, Reply::Done {}));
            }
            (Err(fault), reference) => self.refuse(address, reference.as_deref(), fault),
        }
    }

    fn refuse(&self, address: Address, reference: Option<&str>, fault: Fault) {
        let hub = &self.shared.hub;
        let (error, verdict) = match fault {
            Fault::Told(error) => (error, Verdict::Fine),
            Fault::Offence(error) => (error, hub.offence(address).unwrap_or(Verdict::Fine)),
            Fault::Counted(error, verdict) => (error, verdict),
        };
        self.shared.metrics.client_error(error.code());
        hub.send_aside(address, frame::error(reference, &error));
        if verdict == Verdict::Enough {
            hub.close_client(address);
        }
    }

    fn acknowledge(&self, address: Address, offset: u64) -> Result<Taken, Fault> {
        match self.shared.hub.acknowledge(address, offset) {
            Some(Acked::OutOfRange { sent }) => {
                Err(Fault::Offence(FrameError::AckOutOfRange { offset, sent }))
            }
            Some(Acked::Noted) | None => Ok(Taken::Quiet),
        }
    }

    fn take_named(
        &self,
        address: Address,
        frame: ClientFrame,
        reference: Option<&str>,
    ) -> Result<Taken, Fault> {
        let Some(speaker) = self.shared.hub.client_spoke(address) else { return Ok(Taken::Quiet) };
        if speaker.verdict != Verdict::Fine {
            let per_second = self.shared.config.policy.conduct.frames_per_second;
            return Err(Fault::Counted(FrameError::RateLimited { per_second }, speaker.verdict));
        }
        match frame {
            ClientFrame::Ack { .. } => Ok(Taken::Quiet),
            ClientFrame::Join { group } => self.join(&speaker, group, reference),
            ClientFrame::Leave { group } => self.leave(&speaker, &group),
            ClientFrame::Send(send) => self.send(address, &speaker, send, reference),
            ClientFrame::Event(event) => self.emit(address, &speaker, event, reference),
            ClientFrame::Watch { users } => {
                presence::watch(&self.shared, address, &speaker, &users)?;
                Ok(Taken::Done)
            }
            ClientFrame::Unwatch { users } => {
                self.shared.hub.unwatch(address, &users);
                Ok(Taken::Done)
            }
        }
    }

    /// A member from now on; it is told when the group's home knows of it, so that what is sent to the group from then on
    /// reaches it.
    fn join(&self, speaker: &Speaker, group: GroupId, reference: Option<&str>) -> Result<Taken, Fault> {
        if !speaker.permissions.may_join(&group) {
            return Err(FrameError::NotPermitted(format!("join the group {:?}", group.as_str())).into());
        }
        let session = speaker.session;
        match self.shared.hub.join_group(&Target::Session(session), &group) {
            Ok(0) => return Ok(Taken::Quiet),
            Ok(_) => {}
            Err(OpenError::TooManyGroups { max, .. }) => {
                return Err(FrameError::TooManyGroups { max }.into());
            }
            Err(error) => return Err(FrameError::Unavailable(error.to_string()).into()),
        }
        let Some(reference) = reference else { return Ok(Taken::Quiet) };
        let groups = [group];
        if self.shared.interest.settled(&groups) {
            return Ok(Taken::Done);
        }
        let (shared, reply) = (Arc::clone(&self.shared), frame::reply(reference, Reply::Done {}));
        tokio::spawn(async move {
            shared.settle(&groups).await;
            answer::give(&shared, session, reply);
        });
        Ok(Taken::Quiet)
    }

    fn leave(&self, speaker: &Speaker, group: &GroupId) -> Result<Taken, Fault> {
        if !speaker.permissions.may_join(group) {
            return Err(FrameError::NotPermitted(format!("leave the group {:?}", group.as_str())).into());
        }
        self.shared.hub.leave_group(&Target::Session(speaker.session), group);
        Ok(Taken::Done)
    }

    fn send(
        &self,
        address: Address,
        speaker: &Speaker,
        send: ClientSend,
        reference: Option<&str>,
    ) -> Result<Taken, Fault> {
        self.check_recipient(speaker, &send.to)?;
        let (session, channel) = (speaker.session, address.channel.0);
        let payload_bytes = send.payload.bytes().len();
        let (to, reference) = (send.to.clone(), reference.map(str::to_owned));
        let request = request(speaker, send);
        let sending = Sending { channel, session, reference, to, request, payload_bytes };
        self.sends.begin(&self.shared, sending)?;
        Ok(Taken::Quiet)
    }

    fn check_recipient(&self, speaker: &Speaker, to: &Recipient) -> Result<(), FrameError> {
        let permissions = &speaker.permissions;
        match to {
            Recipient::User(user) if permissions.may_send_to_user(user) => Ok(()),
            Recipient::User(user) => {
                Err(FrameError::NotPermitted(format!("send to the user {:?}", user.as_str())))
            }
            Recipient::Group(group)
                if permissions
                    .may_send_to_group(group, self.shared.hub.is_member(speaker.session, group)) =>
            {
                Ok(())
            }
            Recipient::Group(group) => {
                Err(FrameError::NotPermitted(format!("send to the group {:?}", group.as_str())))
            }
        }
    }

    fn emit(
        &self,
        address: Address,
        speaker: &Speaker,
        event: ClientEvent,
        reference: Option<&str>,
    ) -> Result<Taken, Fault> {
        if !speaker.permissions.may_emit(&event.topic) {
            return Err(FrameError::NotPermitted(format!("send events of topic {:?}", event.topic)).into());
        }
        self.check_event(&event)?;
        event::emit(&self.shared, (address, speaker), event, reference)?;
        Ok(Taken::Quiet)
    }

    /// It keeps to the rules of every message.
    fn check_event(&self, ClientEvent { topic, payload }: &ClientEvent) -> Result<(), FrameError> {
        let message = Message {
            kind: kind_to_proto(payload.kind()).into(),
            payload: payload.bytes().clone(),
            topic: topic.clone(),
            ..Message::default()
        };
        self.shared.rules().message(&mut Some(message)).map(drop).map_err(answer::frame_error)
    }
}

/// The same as a back end's request. The message says from whom it is, and a group's goes to all members but its sender.
fn request(speaker: &Speaker, ClientSend { to, id, topic, payload }: ClientSend) -> Request {
    let mut message = Message {
        kind: kind_to_proto(payload.kind()).into(),
        payload: payload.into_bytes(),
        message_id: id,
        topic,
        from_user: speaker.user.to_string(),
        ..Message::default()
    };
    match to {
        Recipient::User(user) => Request::ToUser(SendToUserRequest {
            user: user.to_string(),
            message: Some(message),
            ..SendToUserRequest::default()
        }),
        Recipient::Group(group) => {
            message.exclude_sessions = vec![speaker.session.to_string()];
            Request::ToGroup(SendToGroupRequest {
                group: group.to_string(),
                message: Some(message),
                ..SendToGroupRequest::default()
            })
        }
    }
}
