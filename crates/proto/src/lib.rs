//! The gRPC interface of ringway: generated code, conversions, and the one map from errors to statuses.
