//! The outbox: what must leave a service is written in the transaction that caused it.
//!
//! A message that is sent before the commit may tell of what never happened, and one that is sent
//! after it may never be sent (Chris Richardson, "Transactional outbox"). A row is written once and
//! never changed; whoever relays it, or follows it as a log, reads it afterwards. Rows of a log are
//! trimmed by age, those that a [`relay`](crate::relay) publishes go when their consumer says so.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Set, sea_query::ColumnDef,
};
use sea_orm_migration::{
    SchemaManager,
    sea_query::{Index, Table},
};

use crate::{Db, retry, trace_parent};

/// Rows that one transaction deletes.
const TRIMMED_AT_ONCE: u64 = 1_000;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What kind of thing, for example `inventory`.
    pub topic: &'static str,
    /// What it happened to: events of one aggregate keep their order. At most 96 bytes.
    pub aggregate: String,
    /// Id of the message in the queue that the event is relayed to, at most 96 bytes; none where it is only followed.
    pub message_id: Option<String>,
    /// A message of the contracts, encoded.
    pub payload: Vec<u8>,
}

/// A row of a relayed topic, its payload left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: i64,
    /// Id of its message.
    pub(crate) message_id: String,
    /// Unix milliseconds.
    pub(crate) created: i64,
}

/// The table.
#[allow(missing_docs, unreachable_pub)] // sea-orm's derives want their items public
pub(crate) mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "outbox")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub topic: String,
        pub aggregate: String,
        pub message_id: Option<String>,
        pub payload: Vec<u8>,
        /// W3C `traceparent` of what wrote it.
        pub trace_parent: Option<String>,
        /// Unix milliseconds.
        pub created: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Makes the table; a step of a service's migrations.
///
/// # Errors
/// Where the database refuses.
pub async fn create_table(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let id = ColumnDef::new("id")
        .big_integer()
        .not_null()
        .auto_increment()
        .primary_key()
        .take();
    let table = Table::create()
        .table("outbox")
        .col(id)
        .col(ColumnDef::new("topic").string_len(32).not_null())
        .col(ColumnDef::new("aggregate").string_len(96).not_null())
        .col(ColumnDef::new("message_id").string_len(128))
        .col(ColumnDef::new("payload").blob().not_null())
        .col(ColumnDef::new("trace_parent").string_len(64))
        .col(ColumnDef::new("created").big_integer().not_null())
        .take();
    manager.create_table(table).await?;
    let index = Index::create()
        .name("outbox_topic")
        .table("outbox")
        .col("topic")
        .col("id")
        .take();
    manager.create_index(index).await
}

/// Takes the table away; the way back of that step.
///
/// # Errors
/// Where the database refuses.
pub async fn drop_table(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .drop_table(Table::drop().table("outbox").take())
        .await
}

/// Writes events as part of a transaction, with the trace that they belong to. `now` in Unix milliseconds.
///
/// # Errors
/// Where the database fails.
pub async fn append(
    tx: &DatabaseTransaction,
    now: i64,
    events: impl IntoIterator<Item = Event>,
) -> Result<(), DbErr> {
    let trace_parent = trace_parent();
    let rows: Vec<_> = events
        .into_iter()
        .map(|event| row::ActiveModel {
            id: sea_orm::NotSet,
            topic: Set(event.topic.to_owned()),
            aggregate: Set(event.aggregate),
            message_id: Set(event.message_id),
            payload: Set(event.payload),
            trace_parent: Set(trace_parent.clone()),
            created: Set(now),
        })
        .collect();
    if !rows.is_empty() {
        row::Entity::insert_many(rows)
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
}

/// Deletes the events of a topic that are older than `before`, Unix milliseconds; gives how many.
///
/// # Errors
/// Where the database fails; what has been deleted until then stays so.
pub async fn trim(db: &Db, topic: &'static str, before: i64) -> Result<u64, DbErr> {
    let mut all = 0;
    loop {
        let deleted = retry("outbox.trim", || trim_once(db, topic, before)).await?;
        all += deleted;
        if deleted < TRIMMED_AT_ONCE {
            return Ok(all);
        }
    }
}

async fn trim_once(db: &Db, topic: &'static str, before: i64) -> Result<u64, DbErr> {
    let tx = db.begin().await?;
    // Rows are in the order of time, near enough for a bound: by number they are found by the index.
    let last = of_topic(topic)
        .filter(row::Column::Created.lt(before))
        .order_by_asc(row::Column::Id)
        .offset(TRIMMED_AT_ONCE - 1)
        .select_only()
        .column(row::Column::Id)
        .into_tuple::<i64>()
        .one(&tx)
        .await?;
    let mut delete = row::Entity::delete_many()
        .filter(row::Column::Topic.eq(topic))
        .filter(row::Column::Created.lt(before));
    if let Some(last) = last {
        delete = delete.filter(row::Column::Id.lte(last));
    }
    let deleted = delete.exec(&tx).await?.rows_affected;
    tx.commit().await?;
    Ok(deleted)
}

/// How many rows of a topic there are.
///
/// # Errors
/// Where the database fails.
pub async fn count(db: &Db, topic: &'static str) -> Result<u64, DbErr> {
    of_topic(topic).count(db.reader()).await
}

/// The rows of a topic behind a number, in their order.
pub(crate) async fn entries(
    db: &Db,
    topic: &'static str,
    after: i64,
    most: u64,
) -> Result<Vec<Entry>, DbErr> {
    let rows = of_topic(topic)
        .filter(row::Column::Id.gt(after))
        .order_by_asc(row::Column::Id)
        .limit(most)
        .select_only()
        .columns([
            row::Column::Id,
            row::Column::MessageId,
            row::Column::Created,
        ])
        .into_tuple::<(i64, Option<String>, i64)>()
        .all(db.reader())
        .await?;
    let entry = |(id, message_id, created)| Entry {
        id,
        message_id: message_id_of(id, message_id),
        created,
    };
    Ok(rows.into_iter().map(entry).collect())
}

/// Id of a row's message: the number of the row where whoever wrote it chose none.
pub(crate) fn message_id_of(id: i64, chosen: Option<String>) -> String {
    chosen.unwrap_or_else(|| id.to_string())
}

/// Rows by their numbers, in their order; those that are gone are left out.
pub(crate) async fn rows(db: &Db, ids: &[i64]) -> Result<Vec<row::Model>, DbErr> {
    row::Entity::find()
        .filter(row::Column::Id.is_in(ids.iter().copied()))
        .order_by_asc(row::Column::Id)
        .all(db.reader())
        .await
}

/// Deletes rows by their numbers, at most some hundreds.
pub(crate) async fn delete(db: &Db, ids: &[i64]) -> Result<(), DbErr> {
    if ids.is_empty() {
        return Ok(());
    }
    retry("outbox.delete", || delete_once(db, ids)).await
}

async fn delete_once(db: &Db, ids: &[i64]) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    row::Entity::delete_many()
        .filter(row::Column::Id.is_in(ids.iter().copied()))
        .exec(&tx)
        .await?;
    tx.commit().await
}

/// The rows of a topic.
pub(crate) fn of_topic(topic: &'static str) -> sea_orm::Select<row::Entity> {
    row::Entity::find().filter(row::Column::Topic.eq(topic))
}

/// The number of the newest row of a topic; zero where there is none.
pub(crate) async fn newest(db: &impl ConnectionTrait, topic: &'static str) -> Result<i64, DbErr> {
    let id = of_topic(topic)
        .order_by_desc(row::Column::Id)
        .select_only()
        .column(row::Column::Id)
        .into_tuple::<i64>()
        .one(db)
        .await?;
    Ok(id.unwrap_or_default())
}
