//! How a Skyway service serves, calls, balances, traces and drains.
//!
//! A service hands its generated gRPC servers to [`server::Server`] and calls others through a
//! [`client::Channel`]; everything between the two wires is decided here and nowhere else. The
//! library knows methods and their tables, never the messages of a service; the one exception is said
//! in `auth/keys.rs`.

pub mod audit;
pub mod auth;
pub mod backoff;
pub mod client;
pub mod clock;
pub mod cron;
mod deadline;
pub mod idempotency;
pub mod key_file;
pub mod page;
pub mod seal;
pub mod server;
pub mod status;
pub mod telemetry;
pub mod timeout;
