//! The schema, step by step. A step that has been released never changes.

use durable::cron;
use sea_orm_migration::prelude::*;

/// All steps in order.
pub(super) struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Patterns), Box::new(cron::Migration)]
    }
}

/// Patterns, and the row that says which timetable they are.
struct Patterns;

impl MigrationName for Patterns {
    fn name(&self) -> &'static str {
        "0001_patterns"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Patterns {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let text = |name: &'static str, length| ColumnDef::new(name).string_len(length).take();
        let mut patterns = Table::create();
        patterns.table("patterns").col(
            ColumnDef::new("id")
                .big_integer()
                .not_null()
                .auto_increment()
                .primary_key(),
        );
        for (name, length) in [("carrier", 2), ("origin", 3), ("destination", 3)] {
            patterns.col(text(name, length).not_null());
        }
        // Null: since ever, until further notice. Otherwise YYYY-MM-DD, both days included.
        for name in ["effective_from", "effective_to"] {
            patterns.col(text(name, 10));
        }
        // Times are minutes after local midnight; bit 0 of `weekdays` is Monday.
        for name in ["number", "departure", "arrival", "arrival_day", "weekdays"] {
            patterns.col(ColumnDef::new(name).integer().not_null());
        }
        for cabin in ["economy", "premium_economy", "business", "first"] {
            patterns.col(
                ColumnDef::new(format!("{cabin}_seats"))
                    .integer()
                    .not_null(),
            );
            // US cents.
            patterns.col(
                ColumnDef::new(format!("{cabin}_fare"))
                    .big_integer()
                    .not_null(),
            );
        }
        manager.create_table(patterns).await?;
        let mut timetable = Table::create();
        timetable
            .table("timetable")
            .col(ColumnDef::new("id").integer().not_null().primary_key());
        timetable
            .col(ColumnDef::new("version").big_integer().not_null())
            .col(text("source", 32).not_null());
        manager.create_table(timetable).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("patterns").take())
            .await?;
        manager
            .drop_table(Table::drop().table("timetable").take())
            .await
    }
}
