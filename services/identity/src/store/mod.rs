//! What identity keeps, in a database: one method is one transaction.

mod audit;
mod entity;
mod migration;
mod sql;
#[cfg(test)]
mod tests;

pub use self::{
    audit::Check,
    sql::{Refreshed, Store, StoreError},
};
