//! Two tables: a row for each job, which says who runs it, and a row for each run.

use sea_orm::DbErr;
use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager,
    async_trait::async_trait,
    sea_query::{ColumnDef, Index, Table, TableCreateStatement},
};

/// Longest detail, in characters.
pub(super) const DETAIL: usize = 500;

/// The jobs.
#[allow(missing_docs, unreachable_pub)] // sea-orm's derives want their items public
pub(super) mod job {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "cron_jobs")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        /// Counts the runs; whoever writes names the one that it knows of.
        pub epoch: i64,
        /// Who has begun the run of this epoch: nobody else has the same.
        pub owner: String,
        /// Until when nobody else may run it, Unix milliseconds.
        pub lease_until: i64,
        /// Ticks up to this one are done with, Unix milliseconds.
        pub last_tick: i64,
        /// The tick that has been begun and is not done with.
        pub tick: Option<i64>,
        /// Attempts at that tick.
        pub attempt: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The runs.
#[allow(missing_docs, unreachable_pub)] // as above
pub(super) mod run {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "cron_runs")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub job: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub epoch: i64,
        pub tick: Option<i64>,
        pub attempt: i32,
        pub replica: String,
        pub started: i64,
        pub ended: Option<i64>,
        pub outcome: Option<String>,
        pub detail: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The step of a service's migrations that makes the tables.
#[derive(Debug)]
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "0002_cron"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(jobs()).await?;
        manager.create_table(runs()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["cron_runs", "cron_jobs"] {
            let table = Table::drop().table(table).take();
            manager.drop_table(table).await?;
        }
        Ok(())
    }
}

fn text(name: &'static str, length: u32) -> ColumnDef {
    ColumnDef::new(name).string_len(length).take()
}

fn large(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().take()
}

fn jobs() -> TableCreateStatement {
    Table::create()
        .table("cron_jobs")
        .col(text("name", 64).not_null().primary_key())
        .col(large("epoch").not_null())
        .col(text("owner", 32).not_null())
        .col(large("lease_until").not_null())
        .col(large("last_tick").not_null())
        .col(large("tick"))
        .col(ColumnDef::new("attempt").integer().not_null())
        .take()
}

fn runs() -> TableCreateStatement {
    Table::create()
        .table("cron_runs")
        .col(text("job", 64).not_null())
        .col(large("epoch").not_null())
        .col(large("tick"))
        .col(ColumnDef::new("attempt").integer().not_null())
        .col(text("replica", 128).not_null())
        .col(large("started").not_null())
        .col(large("ended"))
        .col(text("outcome", 16))
        .col(text("detail", u32::try_from(DETAIL).unwrap_or(u32::MAX)).not_null())
        .primary_key(Index::create().col("job").col("epoch"))
        .take()
}
