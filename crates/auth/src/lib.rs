//! What a handshake's token is, and what it says.
//!
//! Three questions are answered here, each by one module, and none of them needs a socket, a task or a
//! clock of its own:
//!
//! 1. Where is the token? [`TokenExtractor`] looks through a handshake's URI and headers ([`extract`]).
//! 2. Who does it name? An [`Authenticator`] turns a [`Token`] into an [`Identity`]: [`Plain`] takes the
//!    token at its word, [`Jwt`] verifies a signature first ([`jwt`]).
//! 3. May this page connect at all? [`OriginPolicy`] judges the `Origin` header ([`origin`]).
//!
//! Beside them stands what a request that is no handshake shows of its caller ([`bearer`], [`is_for_this_machine`]).
//!
//! The law of this crate: neither a token nor a key is ever written into an error, a log line or a `Debug`
//! output. [`Token::expose`] and [`jwt::Secret::expose`] are the only ways to their text.

pub mod extract;
pub mod jwt;
pub mod origin;

mod error;
mod identity;
mod name;
mod plain;
mod request;
mod token;

pub use error::AuthError;
pub use extract::{Presented, TokenError, TokenExtractor, TokenSource, TokenSourceError};
pub use identity::{Authenticator, Identity};
pub use jwt::{Jwt, JwtConfig, JwtSigner, KeyError, KeySource};
pub use name::{NAME_BYTES_MAX, NameError, check_group, check_user};
pub use origin::{AllowedOrigins, OriginConfig, OriginError, OriginParseError, OriginPolicy};
pub use plain::Plain;
pub use request::{bearer, is_for_this_machine};
pub use token::Token;
