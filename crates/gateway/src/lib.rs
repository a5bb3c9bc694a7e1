//! A gateway: takes client sockets, authenticates, and links them to their workers.
