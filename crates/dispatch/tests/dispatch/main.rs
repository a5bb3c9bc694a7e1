//! Dispatchers and split publishers against fake workers, over real sockets on ports from the kernel.

#![allow(clippy::unwrap_used)]

mod fake;
mod sends;
mod serve;
mod sessions;
mod split;
