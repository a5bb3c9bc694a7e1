//! The way to RabbitMQ.

mod connection;
mod error;
mod topology;

pub(crate) use connection::{Link, check_url, connect, is_tls, within};
pub use error::RabbitError;
pub(crate) use topology::{declare_intake, declare_outlet};
