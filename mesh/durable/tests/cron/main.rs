//! Cron on every kind of database, in a time that a test advances: each tick once, whatever becomes of the replicas.
#![recursion_limit = "256"]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod history;
mod replicas;
mod runs;
mod support;
