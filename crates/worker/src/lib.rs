//! A worker: holds sessions, answers sends.
