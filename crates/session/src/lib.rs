//! Pure state of sessions: who is here, in which groups, and what waits for them.
//!
//! Nothing here knows a socket, a task or a clock. A [`SessionTable`] takes events in and gives work out as
//! [`Directive`]s, which the worker carries to its links; [`HomeInterest`] and [`LocalInterest`] are the two halves of
//! what workers tell each other about groups; [`presence`] is who is online, and who is told; a [`Relay`] is the gateway's half of moving a session. So whole histories
//! run in a test without a network.

pub mod close;
mod conduct;
mod device;
mod directive;
mod ended;
pub mod frame;
mod id;
mod interest;
mod mailbox;
mod message;
mod moment;
mod name;
mod payload;
mod permissions;
mod policy;
pub mod presence;
mod queue;
mod recent;
pub mod relay;
mod session;
mod shard;
mod state;
mod table;
mod tally;

pub use close::{Advice, CloseCode};
pub use conduct::{ConductPolicy, Verdict};
pub use device::{DeviceId, DeviceIdError};
pub use directive::{Address, Channel, Directive, Fate, LinkId, MailboxWish, Ticket};
pub use ended::{End, EndedSession};
pub use id::{SessionId, SessionIdError};
pub use interest::{HomeInterest, LocalInterest, Report, StreamId};
pub use mailbox::{MailboxOpened, MailboxPlace, MailboxPlaceError, MailboxReader, Stored, Taken};
pub use message::Message;
pub use moment::Moment;
pub use name::{GroupId, NameError, UserId};
pub use payload::{Kind, MESSAGE_OVERHEAD_BYTES, Payload, PayloadError};
pub use permissions::{
    PATTERNS_MAX, Pattern, PatternError, Patterns, Permissions, PermissionsClaim, RESERVED_PREFIX,
};
pub use policy::{MovePolicy, OnConflict, OnSlowConsumer, Policy, Protections};
pub use queue::Acked;
pub use relay::Relay;
pub use session::{Opening, SessionView};
pub use shard::{
    HeldSession, NotHere, NotOpened, Reopening, Resuming, Sending, Sent, Shard, StoredElsewhere,
};
pub use state::{GivenLately, Numbered, SessionState, StreamState, Watch};
pub use table::{
    Attached, Filter, MailboxPage, OpenError, Reach, ResumeError, SessionTable, Speaker, Target,
    TooManyWatches, deliver_cost_bytes,
};
pub use tally::{Circle, InVain, Tally};
