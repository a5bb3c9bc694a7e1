//! How nodes talk: authenticated, pooled channels, pipelined publishing, and the shell of a node's gRPC server.
