//! What the three kinds of database do differently for the queue, all of it.
//!
//! | | `SQLite` | `PostgreSQL` | `MySQL`, `MariaDB` |
//! | --- | --- | --- | --- |
//! | clock | the machine's: whoever has the file is on it | the server's | the server's |
//! | two that take at once | wait for each other: there is one writer | skip what the other one has locked | as `PostgreSQL`, from 8.0 and 10.6 on |

use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, EntityTrait, QuerySelect, Select, Statement,
    sea_query::{LockBehavior, LockType},
};

/// The time that all processes of a queue agree on, Unix microseconds.
pub(super) async fn now(db: &impl ConnectionTrait) -> Result<i64, DbErr> {
    // Not `now()`, which stands still during a transaction.
    let clock = match db.get_database_backend() {
        DbBackend::Postgres => "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
        DbBackend::MySql => "CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS SIGNED)",
        _ => return Ok(machine()),
    };
    let query = Statement::from_string(
        db.get_database_backend(),
        format!("SELECT {clock} AS moment"),
    );
    let row = db.query_one_raw(query).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("the time".to_owned()))?
        .try_get("", "moment")
}

fn machine() -> i64 {
    i64::try_from(mesh::clock::since_epoch().as_micros()).unwrap_or(i64::MAX)
}

/// Reads rows to change them, but none that somebody else is about to change; no lock in `SQLite`.
pub(super) fn claimable<E: EntityTrait>(rows: Select<E>) -> Select<E> {
    rows.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
}
