//! Where the timetable is kept: tables, and what is done to them in one transaction each.

mod entity;
mod migration;
mod sql;

pub use sql::{Source, Store, StoreError};
