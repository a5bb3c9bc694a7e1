//! What the machine says: of processes, of the kernel, of the limits of this process; and what nodes say of themselves.

pub(crate) mod files;
mod kernel;
mod listening;
mod metrics;
mod process;
mod watch;

#[cfg(test)]
pub(crate) use kernel::Kernel;
pub use metrics::{MetricsUrl, MetricsUrlError};
#[cfg(test)]
pub(crate) use process::Reading;
pub use process::{Process, ProcessError};
pub(crate) use watch::{Watch, Watched};
