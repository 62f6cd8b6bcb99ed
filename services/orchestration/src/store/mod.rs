//! Where trips are kept: tables, and what is done to them in one transaction each.

mod entity;
mod keys;
mod lease;
mod migration;
mod read;
mod row;
mod sql;
#[cfg(test)]
mod tests;

pub use sql::Store;
