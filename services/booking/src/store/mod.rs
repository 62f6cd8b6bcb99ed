//! Where seats and bookings are kept: tables, and what is done to them in one transaction each.

mod audit;
mod change;
mod entity;
mod failure;
mod hold;
mod migration;
mod row;
mod sql;

pub use self::{
    migration::Migrator,
    sql::{INVENTORY, Sql},
};
