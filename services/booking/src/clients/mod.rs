//! The services that booking calls.

pub(crate) mod search;
