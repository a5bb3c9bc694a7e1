//! What a token says: authenticators that turn a credential into a user, groups and claims.
