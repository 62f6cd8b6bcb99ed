//! What every queue promises, on each of its backends.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod crowd;
mod dead_letters;
mod messages;
mod opening;
mod rate;
mod support;
