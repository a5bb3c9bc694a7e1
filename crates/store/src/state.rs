//! What a new owner of a mailbox learns, and what it can tell a client that comes back.

use ringway_session::DeviceId;

use crate::names::{Epoch, Offset, Place};

/// A mailbox as it is when it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxState {
    /// The present numbering.
    pub epoch: Epoch,
    /// The oldest offset that is there. `next` if none is.
    pub first: Offset,
    /// The offset that the next entry gets.
    pub next: Offset,
    /// From here on nothing has gone that a known device has not acknowledged, except what was withdrawn.
    pub intact_from: Offset,
    /// From here on nothing has gone at all, except what was withdrawn.
    pub whole_from: Offset,
    /// The known devices and up to where each has everything.
    pub positions: Vec<(DeviceId, Offset)>,
    /// The messages that are stored and inside the idempotency window, in the order of their offsets.
    pub recent: Vec<Stored>,
}

/// Which message has which offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The message.
    pub message_id: String,
    /// Its offset.
    pub offset: Offset,
}

/// From where on a client that comes back is served, and whether it has missed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// It has everything up to here, or what it has not is lost. The rest is read from behind this.
    pub after: Place,
    /// What it has missed, if anything. `recovered: true` says nothing.
    pub missed: Result<(), RecoveryError>,
}

/// Why a client has missed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryError {
    /// It knows another numbering: all of that history is lost.
    #[error("the client knows another epoch")]
    OtherEpoch,
    /// It knows offsets that were never given in this epoch.
    #[error("the client is ahead of the mailbox")]
    Ahead,
    /// It was away for so long that what it needs has gone.
    #[error("the offsets before {intact_from} are not there any more")]
    Gone {
        /// From where on everything is there.
        intact_from: Offset,
    },
}

impl MailboxState {
    /// Where the next append belongs.
    pub fn end(&self) -> Place {
        Place { epoch: self.epoch, offset: self.next }
    }

    /// Up to where a device has everything, if it is known.
    pub fn position(&self, device: &DeviceId) -> Option<Offset> {
        self.positions.iter().find(|(known, _)| known == device).map(|(_, offset)| *offset)
    }

    /// What a device that comes back is told. `last` is what it says to have, if it says anything.
    ///
    /// A known device has missed nothing if everything behind its position is there or was withdrawn. For one that is not known
    /// nothing was kept, so it may not miss anything that has gone at all. A device without any past has missed nothing.
    pub fn recovery(&self, device: Option<&DeviceId>, last: Option<Place>) -> Recovery {
        let known = device.and_then(|device| self.position(device));
        let missed = match last {
            Some(last) if last.epoch != self.epoch => Err(RecoveryError::OtherEpoch),
            Some(last) if last.offset >= self.next => Err(RecoveryError::Ahead),
            _ => Ok(()),
        };
        let told = last.filter(|_| missed.is_ok()).map(|last| last.offset);
        let after = known.max(told);
        let missed = missed.and_then(|()| after.map_or(Ok(()), |after| self.check(after, known.is_some())));
        let offset = after.unwrap_or_default();
        Recovery { after: Place { epoch: self.epoch, offset }, missed }
    }

    fn check(&self, after: Offset, known: bool) -> Result<(), RecoveryError> {
        let intact_from = if known { self.intact_from } else { self.whole_from };
        if after.next() >= intact_from { Ok(()) } else { Err(RecoveryError::Gone { intact_from }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_told_what_it_has_missed() {
        let [now, former] = [1, 2].map(|number| Epoch::from_number(number).unwrap());
        let phone = DeviceId::new("phone").unwrap();
        let state = |first, intact_from, position: Option<u64>| MailboxState {
            epoch: now,
            first: Offset(first),
            next: Offset(10),
            intact_from: Offset(intact_from),
            whole_from: Offset(first.max(intact_from)),
            positions: position.map(|offset| (phone.clone(), Offset(offset))).into_iter().collect(),
            recent: Vec::new(),
        };
        let gone = |offset| Err(RecoveryError::Gone { intact_from: Offset(offset) });
        type Case = (&'static str, MailboxState, Option<(Epoch, u64)>, u64, Result<(), RecoveryError>);
        let cases: [Case; 13] = [
            ("a new device", state(5, 5, None), None, 0, Ok(())),
            ("it says what it has", state(1, 1, None), Some((now, 3)), 3, Ok(())),
            ("it has everything", state(10, 10, None), Some((now, 9)), 9, Ok(())),
            ("its position tells more", state(5, 5, Some(4)), Some((now, 2)), 4, Ok(())),
            ("it says nothing, and is known", state(5, 5, Some(4)), None, 4, Ok(())),
            ("others have it, and some were withdrawn", state(5, 1, Some(2)), None, 2, Ok(())),
            ("it has gone", state(5, 5, Some(2)), None, 2, gone(5)),
            ("it is not known, and others had it all", state(5, 1, None), Some((now, 2)), 2, gone(5)),
            ("just in time", state(5, 5, None), Some((now, 4)), 4, Ok(())),
            ("the position saves it", state(5, 5, Some(9)), Some((now, 0)), 9, Ok(())),
            ("another epoch", state(1, 1, None), Some((former, 3)), 0, Err(RecoveryError::OtherEpoch)),
            (
                "another epoch, and known",
                state(1, 1, Some(2)),
                Some((former, 3)),
                2,
                Err(RecoveryError::OtherEpoch),
            ),
            ("ahead", state(1, 1, None), Some((now, 10)), 0, Err(RecoveryError::Ahead)),
        ];
        for (what, state, last, after, missed) in cases {
            let last = last.map(|(epoch, offset)| Place { epoch, offset: Offset(offset) });
            let expected = Recovery { after: Place { epoch: now, offset: Offset(after) }, missed };
            assert_eq!(state.recovery(Some(&phone), last), expected, "{what}");
        }
    }
}
