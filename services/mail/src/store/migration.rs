//! The schema, step by step. A step that has been released never changes.

use durable::cron;
use sea_orm_migration::prelude::*;

/// All steps in order.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Mails), Box::new(cron::Migration)]
    }
}

/// The sent-log.
struct Mails;

impl MigrationName for Mails {
    fn name(&self) -> &'static str {
        "0001_mails"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Mails {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(mails()).await?;
        // None has what changes while a mail is sent: each change would cost an entry in every index of PostgreSQL.
        for (name, columns) in [
            // A trip's mails.
            ("mails_trip", &["trip_id", "created"][..]),
            // A user's mails, and everybody's, the newest first; the oldest are forgotten.
            ("mails_user", &["user_id", "created", "mail_id"]),
            ("mails_created", &["created", "mail_id"]),
        ] {
            let mut index = Index::create();
            index.name(name).table("mails");
            for column in columns {
                index.col(*column);
            }
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::drop().table("mails").take();
        manager.drop_table(table).await
    }
}

fn text(name: &'static str, length: u32) -> ColumnDef {
    ColumnDef::new(name).string_len(length).not_null().take()
}

fn number(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).integer().not_null().take()
}

/// Unix milliseconds.
fn time(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().take()
}

fn mails() -> TableCreateStatement {
    Table::create()
        .table("mails")
        .col(text("mail_id", 96).primary_key().take())
        .col(text("kind", 24))
        .col(text("state", 16))
        .col(text("trip_id", 64))
        .col(text("user_id", 64))
        .col(text("recipient", 320))
        .col(text("subject", 200))
        .col(number("attempts"))
        .col(number("unclear"))
        .col(text("last_error", 500))
        .col(time("created"))
        .col(time("updated"))
        .col(ColumnDef::new("sent").big_integer())
        .col(ColumnDef::new("trace_id").string_len(32))
        .col(text("claim_owner", 64))
        .col(time("claim_until"))
        .take()
}
