//! The back end's library: sends straight to the worker that holds the user.
