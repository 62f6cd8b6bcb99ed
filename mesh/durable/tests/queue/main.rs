//! What every queue promises, on each of its backends.
#![recursion_limit = "256"]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod crowd;
mod dead_letters;
mod messages;
mod opening;
mod outages;
mod rate;
mod strangers;
mod support;
mod tls;
