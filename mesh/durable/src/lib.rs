//! What a service needs that keeps its state in a database.
//!
//! The same code runs on `SQLite`, `PostgreSQL` and `MySQL` or `MariaDB`; where they differ, the
//! difference is here and not in a service. It stands apart from `mesh` so that the gateway links
//! no database.

pub mod cron;
mod data_dir;
pub mod db;
pub mod lease;
pub mod outbox;
pub mod queue;
pub mod relay;
pub mod retry;
mod trace;

pub use self::{
    data_dir::{DataDirError, make_data_dir},
    db::{Db, OpenError, Options, dial, sqlite_url},
    retry::{Transient, retry},
    trace::{continue_trace, trace_id, trace_parent, trace_parent_of},
};
