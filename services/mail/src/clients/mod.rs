//! The services that mail calls.

mod cache;
mod search;

pub(crate) use self::search::Search;
