//! The mesh between real sockets: a generated client, a scripted server, and the library between.
//!
//! One binary, a module per promise.

#![allow(
    clippy::unwrap_used,
    reason = "a scripted replica that cannot start fails the test"
)]

mod balance;
mod cancel;
mod deadline;
mod drain;
mod failover;
mod support;
mod surface;
mod traces;
