//! The gateway from outside: real sockets, a scripted search service behind it.

#![allow(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

mod auth;
mod errors;
mod filters;
mod limits;
mod spread;
mod streams;
mod support;
mod tokens;
mod transcoding;
