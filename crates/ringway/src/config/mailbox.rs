//! Mailboxes: whether their bounds agree, and whether their store is one that all workers see.

use ringway_store::{Limits, WrongLimits};

use super::check::Role;
use super::reader::Reader;
use super::words::{MailboxStore, RegistryKind};
use super::{MailboxSection, Settings};

impl MailboxSection {
    /// What bounds each mailbox.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            entries_max: self.entries_max,
            bytes_max: self.bytes_max.0 as u64,
            time_to_live: self.time_to_live,
            idempotency_window: self.idempotency_window,
            device_forget_after: self.device_forget_after,
            devices_max: self.devices_max,
            mailbox_forget_after: self.forget_after,
        }
    }
}

/// Checks what single settings cannot know.
pub(super) fn mailbox(settings: &Settings, role: Role, reader: &mut Reader) {
    let mailbox = &settings.mailbox;
    match mailbox.limits().checked() {
        Ok(_) => {}
        Err(WrongLimits::ForgottenTooEarly { what }) => {
            let problem =
                format!("expected more than mailbox.{what}, so that no mailbox goes before what is in it");
            reader.object("mailbox.forget_after", problem);
        }
        Err(error @ WrongLimits::Zero { .. }) => reader.object("mailbox.entries_max", error),
    }
    if mailbox.store == MailboxStore::File && mailbox.directory.is_none() {
        let problem = "without mailbox.directory there is no place for the file: set it to a directory of this worker alone";
        reader.contradict("mailbox.store", &["mailbox.directory"], problem);
    }
    let is_unshared = matches!(mailbox.store, MailboxStore::Memory | MailboxStore::File);
    if role == Role::Worker && is_unshared && !mailbox.allow_unshared && !is_only_worker(settings) {
        let problem = "no other worker sees what is stored there, so messages would be lost when users move: expected \"redis\"; \
                       or mailbox.allow_unshared = true if this is and stays the only worker";
        reader.contradict("mailbox.store", &["mailbox.allow_unshared"], problem);
    }
}

/// Whether the list of members says that there is no other worker.
fn is_only_worker(settings: &Settings) -> bool {
    settings.cluster.registry == RegistryKind::Static && settings.cluster.members.0.len() == 1
}
