//! End-to-end tests: the real binary as separate processes, real clients.
