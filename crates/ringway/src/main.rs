//! Spreads users' WebSockets over a cluster of workers and delivers messages to them.
fn main() {}
