//! The tables of the embedded queue.

use sea_orm_migration::prelude::*;

/// Where a message is; the order of the numbers means nothing.
pub(super) mod state {
    /// It waits for a consumer.
    pub(in super::super) const WAITING: i32 = 0;
    /// It waits for the moment in `due`, and then for a consumer.
    pub(in super::super) const DELAYED: i32 = 1;
    /// A consumer has it until the moment in `due`.
    pub(in super::super) const TAKEN: i32 = 2;
    /// It was given up at the moment in `due`.
    pub(in super::super) const DEAD: i32 = 3;
}

/// Messages that are not settled.
#[allow(missing_docs, unreachable_pub)] // sea-orm's derives want their items public
pub(super) mod message {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "queue")]
    pub struct Model {
        /// Order of publication.
        #[sea_orm(primary_key)]
        pub seq: i64,
        pub topic: String,
        pub message_id: String,
        pub payload: Vec<u8>,
        pub trace_parent: Option<String>,
        /// Unix milliseconds, by the producer's clock.
        pub enqueued: i64,
        pub state: i32,
        /// Unix milliseconds, by the database's clock; what it means depends on the state. 0 while waiting.
        pub due: i64,
        /// Attempts that have begun.
        pub attempts: i32,
        /// Counted up whenever somebody takes it: tells a consumer's delivery from its successor's.
        pub epoch: i64,
        /// Why it was given up.
        pub reason: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// When the next turn of a topic's rate may be taken.
#[allow(missing_docs, unreachable_pub)] // sea-orm's derives want their items public
pub(super) mod rate {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "queue_rates")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub topic: String,
        /// Unix microseconds, by the database's clock.
        pub next: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// All steps in order.
pub(super) struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Tables)]
    }
}

struct Tables;

impl MigrationName for Tables {
    fn name(&self) -> &'static str {
        "0001_queue"
    }
}

/// A column of text that is always there.
fn text(name: &'static str, length: u32) -> ColumnDef {
    ColumnDef::new(name).string_len(length).not_null().take()
}

/// A number that is always there.
fn number(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().take()
}

fn messages() -> TableCreateStatement {
    let mut table = Table::create().table("queue").take();
    table
        .col(number("seq").auto_increment().primary_key())
        .col(text("topic", 32))
        .col(text("message_id", 96))
        .col(ColumnDef::new("payload").blob().not_null())
        .col(ColumnDef::new("trace_parent").string_len(64))
        .col(number("enqueued"))
        .col(ColumnDef::new("state").integer().not_null())
        .col(number("due"))
        .col(ColumnDef::new("attempts").integer().not_null())
        .col(number("epoch"))
        .col(ColumnDef::new("reason").string_len(512));
    table
}

#[async_trait::async_trait]
impl MigrationTrait for Tables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(messages()).await?;
        let rates = Table::create()
            .table("queue_rates")
            .col(text("topic", 32).primary_key())
            .col(number("next"))
            .take();
        manager.create_table(rates).await?;
        let held = Index::create()
            .name("queue_message")
            .table("queue")
            .col("topic")
            .col("message_id")
            .unique()
            .take();
        manager.create_index(held).await?;
        // In the order in which messages of a state are taken.
        let order = Index::create()
            .name("queue_order")
            .table("queue")
            .col("topic")
            .col("state")
            .col("due")
            .col("seq")
            .take();
        manager.create_index(order).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["queue_rates", "queue"] {
            manager
                .drop_table(Table::drop().table(table).take())
                .await?;
        }
        Ok(())
    }
}
