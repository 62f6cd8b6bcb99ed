//! The schema, step by step. A step that has been released never changes.

use durable::{cron, lease, outbox};
use sea_orm_migration::prelude::*;

/// All steps in order.
pub(super) struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Trips), Box::new(cron::Migration)]
    }
}

/// Trips with their flights, their log, the keys they came under, and what mail is told of them.
struct Trips;

impl MigrationName for Trips {
    fn name(&self) -> &'static str {
        "0001_trips"
    }
}

/// A column of text that is always there.
fn text(name: &'static str, length: u32) -> ColumnDef {
    ColumnDef::new(name).string_len(length).not_null().take()
}

/// A number that is always there. Times are Unix milliseconds.
fn number(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().take()
}

fn small(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).integer().not_null().take()
}

fn trips() -> TableCreateStatement {
    let mut table = Table::create().table("trips").take();
    table
        .col(text("id", 64).primary_key())
        .col(text("user_id", 96))
        // The idempotency key it was booked under.
        .col(text("request_key", 128))
        .col(text("state", 16))
        // As in the contract: 1 economy to 4 first.
        .col(small("cabin"))
        .col(number("price_cents"))
        .col(text("price_currency", 3))
        // A line per passenger: given name, tab, family name.
        .col(ColumnDef::new("passengers").text().not_null())
        .col(text("contact_email", 254))
        // Set from the moment at which it is clear that it can not be booked.
        .col(ColumnDef::new("failure_reason").string_len(32))
        .col(ColumnDef::new("failure_message").string_len(512))
        .col(ColumnDef::new("failure_flight").string_len(32))
        .col(number("departure"))
        .col(number("created"))
        .col(number("updated"))
        .col(ColumnDef::new("confirmed").big_integer())
        // When its travellers were reminded of it, or rather mail was told to.
        .col(ColumnDef::new("reminded").big_integer())
        // Attempts at the step of the present state.
        .col(small("attempt"))
        .col(text("lease_owner", 64))
        // Counted up by every claim; every write names it.
        .col(number("lease_epoch"))
        .col(number("lease_until"));
    table
}

fn bookings() -> TableCreateStatement {
    let mut table = Table::create().table("trip_bookings").take();
    table
        .col(text("trip_id", 64))
        // Order of travel, from 0; the hold is <trip_id>-<position + 1>.
        .col(small("position"))
        .col(text("flight_id", 32))
        // Null until the seats are held.
        .col(ColumnDef::new("locator").string_len(16))
        .col(ColumnDef::new("state").string_len(16))
        .primary_key(Index::create().col("trip_id").col("position"));
    table
}

fn log() -> TableCreateStatement {
    let mut table = Table::create().table("trip_log").take();
    table
        .col(number("id").auto_increment().primary_key())
        .col(text("trip_id", 64))
        .col(number("time"))
        .col(text("event", 32))
        .col(text("state", 16))
        .col(small("attempt"))
        .col(text("detail", 512))
        .col(ColumnDef::new("trace_id").string_len(32));
    table
}

fn keys() -> TableCreateStatement {
    let mut table = Table::create().table("idempotency").take();
    table
        .col(text("user_id", 96))
        .col(text("method", 16))
        .col(text("request_key", 128))
        // SHA-256 of the request without its key, hexadecimal.
        .col(text("fingerprint", 64))
        .col(text("trip_id", 64))
        .col(number("created"))
        .primary_key(
            Index::create()
                .col("user_id")
                .col("method")
                .col("request_key"),
        );
    table
}

fn index(
    name: &'static str,
    table: &'static str,
    columns: &[&'static str],
) -> IndexCreateStatement {
    let mut index = Index::create().name(name).table(table).take();
    for column in columns {
        index.col(*column);
    }
    index
}

#[async_trait::async_trait]
impl MigrationTrait for Trips {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [trips(), bookings(), log(), keys()] {
            manager.create_table(table).await?;
        }
        for index in [
            // Lists of one user and of all, the newest first.
            index("trips_user", "trips", &["user_id", "created", "id"]),
            index("trips_created", "trips", &["created", "id"]),
            // Those that nobody works on.
            index("trips_lease", "trips", &["state", "lease_until"]),
            // Those of which travellers are to be reminded.
            index("trips_departure", "trips", &["state", "departure"]),
            index("trip_log_trip", "trip_log", &["trip_id", "id"]),
            index("idempotency_trip", "idempotency", &["trip_id"]),
            index("idempotency_created", "idempotency", &["created"]),
        ] {
            manager.create_index(index).await?;
        }
        outbox::create_table(manager).await?;
        lease::create_table(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        lease::drop_table(manager).await?;
        outbox::drop_table(manager).await?;
        for table in ["idempotency", "trip_log", "trip_bookings", "trips"] {
            manager
                .drop_table(Table::drop().table(table).take())
                .await?;
        }
        Ok(())
    }
}
