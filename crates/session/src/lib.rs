//! Pure state of sessions: tables of users and groups, outbound queues, interest.
