//! Holds the rules of the house: which crate may use which.
