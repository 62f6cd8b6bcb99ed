//! Leases: what one replica at a time does for all of them.
//!
//! A lease is a row with an end. It is claimed by a conditional update once the end has passed, and
//! kept by moving the end; every claim counts an epoch up, so that whoever has been taken for dead
//! neither keeps nor gives back what is somebody else's by now. Ends are Unix milliseconds by the clock of
//! whoever claims: replicas' clocks must agree to about a second.

use sea_orm::{
    ColumnTrait, DbErr, EntityTrait, ExprTrait, QueryFilter, Set, SqlErr,
    sea_query::{ColumnDef, Expr},
};
use sea_orm_migration::{SchemaManager, sea_query::Table};

use crate::{Db, retry};

/// The table.
#[allow(unreachable_pub)] // sea-orm's derives want their items public
mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "leases")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        /// Chosen anew for every claim, so that a claim whose answer was lost is recognised.
        pub owner: String,
        /// Which claim this is.
        pub epoch: i64,
        /// When others may claim it.
        pub ends: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A lease that was claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    name: String,
    epoch: i64,
}

/// Makes the table; a step of a service's migrations.
///
/// # Errors
/// Where the database refuses.
pub async fn create_table(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let name = ColumnDef::new("name")
        .string_len(64)
        .not_null()
        .primary_key()
        .take();
    let table = Table::create()
        .table("leases")
        .col(name)
        .col(ColumnDef::new("owner").string_len(32).not_null())
        .col(ColumnDef::new("epoch").big_integer().not_null())
        .col(ColumnDef::new("ends").big_integer().not_null())
        .take();
    manager.create_table(table).await
}

/// Takes the table away; the way back of that step.
///
/// # Errors
/// Where the database refuses.
pub async fn drop_table(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .drop_table(Table::drop().table("leases").take())
        .await
}

/// Claims the lease of that name from `now` to `until`; none where it is somebody else's.
///
/// # Errors
/// Where the database fails.
pub async fn claim(db: &Db, name: &str, now: i64, until: i64) -> Result<Option<Lease>, DbErr> {
    let owner = format!("{:032x}", fastrand::u128(..));
    retry("lease.claim", || claim_once(db, name, &owner, now, until)).await
}

async fn claim_once(
    db: &Db,
    name: &str,
    owner: &str,
    now: i64,
    until: i64,
) -> Result<Option<Lease>, DbErr> {
    let tx = db.begin().await?;
    row::Entity::update_many()
        .set(row::ActiveModel {
            owner: Set(owner.to_owned()),
            ends: Set(until),
            ..row::ActiveModel::default()
        })
        .col_expr(row::Column::Epoch, Expr::col(row::Column::Epoch).add(1))
        .filter(row::Column::Name.eq(name))
        .filter(row::Column::Ends.lte(now))
        .exec(&tx)
        .await?;
    let lease = |epoch| Lease {
        name: name.to_owned(),
        epoch,
    };
    if let Some(row) = row::Entity::find_by_id(name).one(&tx).await? {
        tx.commit().await?;
        return Ok((row.owner == owner).then(|| lease(row.epoch)));
    }
    let first = row::ActiveModel {
        name: Set(name.to_owned()),
        owner: Set(owner.to_owned()),
        epoch: Set(1),
        ends: Set(until),
    };
    match row::Entity::insert(first).exec_without_returning(&tx).await {
        Ok(_) => {
            tx.commit().await?;
            Ok(Some(lease(1)))
        }
        Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
            tx.rollback().await?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Keeps a lease until then; false where it has been claimed by somebody else.
///
/// # Errors
/// Where the database fails.
pub async fn keep(db: &Db, lease: &Lease, until: i64) -> Result<bool, DbErr> {
    retry("lease.keep", || end_once(db, lease, until)).await
}

/// Gives a lease back, so that others need not wait for its end.
///
/// # Errors
/// Where the database fails; then it ends by itself.
pub async fn release(db: &Db, lease: &Lease) -> Result<(), DbErr> {
    let released = retry("lease.release", || end_once(db, lease, 0)).await;
    released.map(drop)
}

async fn end_once(db: &Db, lease: &Lease, ends: i64) -> Result<bool, DbErr> {
    let tx = db.begin().await?;
    let moved = row::Entity::update_many()
        .set(row::ActiveModel {
            ends: Set(ends),
            ..row::ActiveModel::default()
        })
        .filter(row::Column::Name.eq(&lease.name))
        .filter(row::Column::Epoch.eq(lease.epoch))
        .exec(&tx)
        .await?;
    tx.commit().await?;
    Ok(moved.rows_affected > 0)
}
