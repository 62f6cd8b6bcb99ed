//! The schema, step by step. A step that has been released never changes.

use durable::{cron, outbox};
use sea_orm_migration::prelude::*;

/// All steps in order.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Bookings), Box::new(cron::Migration)]
    }
}

/// Seats, bookings, and what others are told about them.
struct Bookings;

impl MigrationName for Bookings {
    fn name(&self) -> &'static str {
        "0001_bookings"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Bookings {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(inventory()).await?;
        manager.create_table(bookings()).await?;
        for (name, columns) in [
            // A trip's bookings.
            ("bookings_trip", &["trip_id"][..]),
            // Holds whose time is over.
            ("bookings_expiry", &["state", "expires"]),
            // A user's bookings, and everybody's, the newest first.
            ("bookings_user", &["user_id", "created", "booking_id"]),
            ("bookings_created", &["created", "booking_id"]),
        ] {
            let mut index = Index::create();
            index.name(name).table("bookings");
            for column in columns {
                index.col(*column);
            }
            manager.create_index(index).await?;
        }
        let mut locator = Index::create();
        locator
            .name("bookings_locator")
            .table("bookings")
            .col("locator")
            .unique();
        manager.create_index(locator).await?;
        outbox::create_table(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        outbox::drop_table(manager).await?;
        for table in ["bookings", "inventory"] {
            manager
                .drop_table(Table::drop().table(table).take())
                .await?;
        }
        Ok(())
    }
}

fn text(name: &'static str, length: u32) -> ColumnDef {
    ColumnDef::new(name).string_len(length).not_null().take()
}

fn number(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).integer().not_null().take()
}

/// Counts, Unix milliseconds.
fn large(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().take()
}

fn inventory() -> TableCreateStatement {
    Table::create()
        .table("inventory")
        .col(text("flight_id", 32))
        .col(text("cabin", 16))
        .col(number("capacity"))
        .col(number("held"))
        .col(number("sold"))
        .col(large("version"))
        .col(large("departure_ms"))
        .primary_key(Index::create().col("flight_id").col("cabin"))
        // The last line of defence: the statements see to it themselves.
        .check(Expr::cust("held >= 0"))
        .check(Expr::cust("sold >= 0"))
        .check(Expr::cust("held + sold <= capacity"))
        .take()
}

fn bookings() -> TableCreateStatement {
    Table::create()
        .table("bookings")
        .col(text("booking_id", 64).primary_key().take())
        // Null, as flight and cabin are empty and seats 0: given up before it was made.
        .col(ColumnDef::new("locator").string_len(6))
        .col(text("trip_id", 64))
        .col(text("user_id", 64))
        .col(text("flight_id", 32))
        .col(text("cabin", 16))
        .col(number("seats"))
        .col(text("state", 16))
        .col(large("created"))
        .col(large("updated"))
        .col(large("expires"))
        .take()
}
