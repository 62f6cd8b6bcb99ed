//! The sent-log: one row per mail that was ever taken from the queue.

mod audit;
mod entity;
mod migration;
mod row;
mod sql;

pub use self::{migration::Migrator, sql::Sql};
