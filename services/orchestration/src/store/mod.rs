//! Where trips are kept: tables, and what is done to them in one transaction each.

mod entity;
mod keys;
mod lease;
mod migration;
mod read;
mod reminder;
mod row;
mod sql;
#[cfg(test)]
mod tests;

pub(crate) use sql::MAIL;
pub use sql::Store;
