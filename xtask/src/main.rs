//! The project's chores: provisioning and running the tests.
fn main() {}
