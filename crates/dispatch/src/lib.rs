//! Placing a call: choose the owner by the present view, make one RPC.
