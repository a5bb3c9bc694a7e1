//! Membership: registries of members and the views that follow from them.
