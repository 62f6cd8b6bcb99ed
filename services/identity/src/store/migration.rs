//! The schema, step by step. A step that has been released never changes.

use durable::cron;
use sea_orm_migration::prelude::*;

/// All steps in order.
pub(super) struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Accounts), Box::new(cron::Migration)]
    }
}

/// Users, their sessions, and the keys that sign.
struct Accounts;

impl MigrationName for Accounts {
    fn name(&self) -> &'static str {
        "0001_accounts"
    }
}

fn text(name: &'static str, length: u32) -> ColumnDef {
    ColumnDef::new(name).string_len(length).not_null().take()
}

fn time(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().take()
}

#[async_trait::async_trait]
impl MigrationTrait for Accounts {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut users = Table::create();
        users
            .table("users")
            .col(text("id", 36).primary_key())
            // Longer than an address may be: some letters become two when they are made small.
            .col(text("email", 512).unique_key())
            .col(text("password_hash", 255))
            .col(ColumnDef::new("admin").boolean().not_null())
            .col(time("created"));
        manager.create_table(users).await?;
        let mut sessions = Table::create();
        sessions
            .table("sessions")
            .col(text("id", 36).primary_key())
            .col(text("user_id", 36))
            .col(time("created"))
            .col(time("expires"))
            .col(ColumnDef::new("ended").big_integer());
        manager.create_table(sessions).await?;
        let mut tokens = Table::create();
        tokens
            .table("refresh_tokens")
            .col(text("hash", 43).primary_key())
            .col(text("session_id", 36))
            .col(time("created"))
            .col(time("expires"))
            .col(ColumnDef::new("used").big_integer());
        manager.create_table(tokens).await?;
        let mut keys = Table::create();
        keys.table("signing_keys")
            .col(time("generation").primary_key())
            .col(text("id", 36))
            .col(text("public", 43))
            .col(time("created"))
            .col(time("signs_from"));
        manager.create_table(keys).await?;
        for (table, column) in [
            ("sessions", "user_id"),
            ("sessions", "expires"),
            ("refresh_tokens", "session_id"),
            ("refresh_tokens", "expires"),
        ] {
            let index = Index::create()
                .name(format!("{table}_{column}"))
                .table(table)
                .col(column)
                .take();
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["refresh_tokens", "sessions", "signing_keys", "users"] {
            let table = Table::drop().table(table).take();
            manager.drop_table(table).await?;
        }
        Ok(())
    }
}
