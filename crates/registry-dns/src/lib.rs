//! A registry that reads: the members are the records of a name in the DNS, as a headless service has them.
//!
//! Whoever writes the records decides about placement, and no process can change that: neither a member's state nor its
//! weight is in them. In that it is like a static list, which it shares its code with; only that the list is asked for
//! again and again. An answer that fails or names nobody changes nothing.

mod question;
mod registry;
mod task;

pub use question::{Question, QuestionError};
pub use registry::{DnsConfig, DnsRegistry, StartError};
