//! Doing a transaction again that lost a race or its connection.
//!
//! Databases end one of two transactions that wait for each other, and refuse what they cannot
//! serialise; a fail-over cuts connections. None of that is a caller's business. Whoever is retried
//! must be safe to run twice: a connection that is lost during a commit leaves open whether it took effect.

use std::time::Duration;

use mesh::{
    backoff::Backoff,
    telemetry::{SPAN_TARGET, propagate::detach},
};
use sea_orm::{
    DbErr, RuntimeErr,
    sqlx::{self, error::DatabaseError, mysql::MySqlDatabaseError},
};
use tracing::{Instrument, Span, field::Empty};

/// Attempts in all; with the delays between them they take about a second at most.
const ATTEMPTS: u32 = 8;
const FIRST_DELAY: Duration = Duration::from_millis(4);
const MOST_DELAY: Duration = Duration::from_millis(400);

/// SQLSTATE classes and codes after which the same transaction may succeed: serialisation failure,
/// deadlock, lock not available, and the ends of a connection (class 08, PostgreSQL's 57P0x).
const TRANSIENT_STATES: [&str; 8] = [
    "40001", "40P01", "55P03", "57P01", "57P02", "57P03", "08006", "08S01",
];
/// `MySQL`: lock wait timeout, deadlock, and `MariaDB`'s "record has changed since last read".
const TRANSIENT_NUMBERS: [u16; 3] = [1205, 1213, 1020];
/// `SQLITE_BUSY` with its extended codes, and `SQLITE_LOCKED`.
const BUSY_CODES: [&str; 4] = ["5", "261", "517", "6"];

/// An error of which some kinds go away when the work is done again.
pub trait Transient {
    /// Whether this one does.
    fn transient(&self) -> bool;
}

impl Transient for DbErr {
    fn transient(&self) -> bool {
        match cause(self) {
            Some(sqlx::Error::Io(_)) => true,
            Some(sqlx::Error::Database(error)) => {
                let code = error.code();
                let code = code.as_deref().unwrap_or_default();
                TRANSIENT_STATES.contains(&code)
                    || is_busy(error.as_ref())
                    || number(error.as_ref()).is_some_and(|n| TRANSIENT_NUMBERS.contains(&n))
            }
            _ => false,
        }
    }
}

/// Does `attempt` until it succeeds, fails for good, or has been tried often enough. `name` is that
/// of its span and its metric, for example `booking.hold`.
///
/// # Errors
/// The last attempt's.
pub async fn retry<T, E, F>(name: &'static str, mut attempt: impl FnMut() -> F) -> Result<T, E>
where
    E: Transient,
    F: Future<Output = Result<T, E>>,
{
    let mut backoff = Backoff::new(FIRST_DELAY, MOST_DELAY);
    let mut failures = 0;
    loop {
        let span = span(name);
        let outcome = attempt().instrument(span.clone()).await;
        match outcome {
            Err(error) if error.transient() && failures + 1 < ATTEMPTS => {
                span.record("otel.status_code", "ERROR");
                failures += 1;
                metrics::counter!("db_retries_total", "transaction" => name).increment(1);
                tokio::time::sleep(backoff.next(fastrand::f64())).await;
            }
            outcome => return outcome,
        }
    }
}

/// The span of a transaction, where it is part of something: jobs that look for work all day are not.
fn span(name: &'static str) -> Span {
    let parent = Span::current();
    if parent.is_none() {
        return parent;
    }
    let span = tracing::info_span!(
        target: SPAN_TARGET,
        parent: None,
        "transaction",
        otel.kind = "client",
        otel.name = name,
        otel.status_code = Empty,
        db.system.name = Empty,
        db.operation.name = name,
    );
    detach(&span, &parent);
    span
}

/// Whether an `SQLite` file is locked by somebody else.
pub(crate) fn is_locked(error: &DbErr) -> bool {
    cause(error)
        .and_then(sqlx::Error::as_database_error)
        .is_some_and(is_busy)
}

fn is_busy(error: &dyn DatabaseError) -> bool {
    // Codes of the other kinds are five characters long.
    error
        .code()
        .is_some_and(|code| BUSY_CODES.contains(&code.as_ref()))
}

fn number(error: &dyn DatabaseError) -> Option<u16> {
    let error = error.try_downcast_ref::<MySqlDatabaseError>()?;
    Some(error.number())
}

fn cause(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(cause))
        | DbErr::Exec(RuntimeErr::SqlxError(cause))
        | DbErr::Query(RuntimeErr::SqlxError(cause)) => Some(cause),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[derive(Debug, PartialEq)]
    struct Failure(bool);

    impl Transient for Failure {
        fn transient(&self) -> bool {
            self.0
        }
    }

    /// Fails so often, then succeeds; gives the attempts and the outcome.
    async fn run(failures: u32, transient: bool) -> (u32, Result<(), Failure>) {
        let attempts = Cell::new(0);
        let outcome = retry("test", || async {
            attempts.set(attempts.get() + 1);
            if attempts.get() > failures {
                Ok(())
            } else {
                Err(Failure(transient))
            }
        });
        let outcome = outcome.await;
        (attempts.get(), outcome)
    }

    #[tokio::test(start_paused = true)]
    async fn what_lost_a_race_is_done_again_and_nothing_else() {
        assert_eq!(run(0, true).await, (1, Ok(())));
        assert_eq!(run(3, true).await, (4, Ok(())));
        assert_eq!(run(3, false).await, (1, Err(Failure(false))));
        assert_eq!(run(1000, true).await, (ATTEMPTS, Err(Failure(true))));
    }
}
