//! The promises of booking, each as one statement: only that sees all rows at one instant while
//! others go on writing.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ExprTrait, FromQueryResult, PaginatorTrait,
    QueryFilter,
    sea_query::{Alias, Asterisk, Cond, Expr, Func, JoinType, Query, SelectStatement},
};

use super::entity::{booking, inventory};
use crate::domain::{
    audit::{Check, MOST_EXAMPLES},
    booking::State,
};

/// How long after its time an expired hold may still keep its seats: time for some sweeps.
const SWEPT_WITHIN_MS: i64 = 30_000;
/// Violations that are counted at most: more would say nothing else.
const MOST_COUNTED: u64 = 10_000;

/// Checks every promise.
pub(super) async fn checks(db: &impl ConnectionTrait, now: i64) -> Result<Vec<Check>, DbErr> {
    let cabins = inventory::Entity::find().count(db).await?;
    let all = booking::Entity::find();
    let bookings = all.clone().count(db).await?;
    let held = all
        .filter(booking::Column::State.eq(State::Held.as_str()))
        .count(db)
        .await?;
    Ok(vec![
        Check {
            name: "never-oversold",
            promise: "held and sold seats are never negative, and together never more than the capacity",
            rows: cabins,
            ..violations(db, oversold()).await?
        },
        Check {
            name: "held-equals-sum",
            promise: "the seats held of a cabin are those of its held bookings",
            rows: cabins,
            ..violations(db, differs_from_sum(inventory::Column::Held, State::Held)).await?
        },
        Check {
            name: "sold-equals-sum",
            promise: "the seats sold of a cabin are those of its confirmed bookings",
            rows: cabins,
            ..violations(
                db,
                differs_from_sum(inventory::Column::Sold, State::Confirmed),
            )
            .await?
        },
        Check {
            name: "no-hold-outlives-expiry",
            promise: "no hold keeps its seats for more than 30 s after it has expired",
            rows: held,
            ..violations(db, outlived(now)).await?
        },
        Check {
            name: "locators-unique",
            promise: "no two bookings have the same record locator",
            rows: bookings,
            ..violations(db, same_locator()).await?
        },
    ])
}

/// What breaks a promise: up to two columns that name it.
#[derive(FromQueryResult)]
struct Violation {
    id: String,
    cabin: Option<String>,
}

async fn violations(db: &impl ConnectionTrait, mut query: SelectStatement) -> Result<Check, DbErr> {
    query.limit(MOST_COUNTED);
    let rows = Violation::find_by_statement(db.get_database_backend().build(&query))
        .all(db)
        .await?;
    let named = rows.iter().take(MOST_EXAMPLES).map(|row| match &row.cabin {
        Some(cabin) => format!("{}/{cabin}", row.id),
        None => row.id.clone(),
    });
    Ok(Check {
        name: "",
        promise: "",
        rows: 0,
        violations: rows.len() as u64,
        examples: named.collect(),
    })
}

fn cabins() -> SelectStatement {
    use inventory::Column::{Cabin, FlightId};
    Query::select()
        .expr_as(Expr::col((inventory::Entity, FlightId)), Alias::new("id"))
        .column((inventory::Entity, Cabin))
        .from(inventory::Entity)
        .take()
}

fn oversold() -> SelectStatement {
    use inventory::Column::{Capacity, Held, Sold};
    let broken = Cond::any()
        .add(Expr::col(Held).lt(0))
        .add(Expr::col(Sold).lt(0))
        .add(Expr::col(Held).add(Expr::col(Sold)).gt(Expr::col(Capacity)));
    cabins().cond_where(broken).take()
}

/// Cabins whose count is not the sum over the bookings of a state.
fn differs_from_sum(count: inventory::Column, state: State) -> SelectStatement {
    use booking::Column::{Cabin, FlightId, Seats, State as StateColumn};
    let (sums, total) = (Alias::new("sums"), Alias::new("total"));
    let sum = Query::select()
        .columns([FlightId, Cabin])
        .expr_as(Func::sum(Expr::col(Seats)), total.clone())
        .from(booking::Entity)
        .and_where(Expr::col(StateColumn).eq(state.as_str()))
        .group_by_columns([FlightId, Cabin])
        .take();
    let same = |ours: inventory::Column, theirs: booking::Column| {
        Expr::col((inventory::Entity, ours)).equals((sums.clone(), theirs))
    };
    let joined = Cond::all()
        .add(same(inventory::Column::FlightId, FlightId))
        .add(same(inventory::Column::Cabin, Cabin));
    let summed = Func::coalesce([Expr::col((sums.clone(), total)), Expr::value(0)]);
    cabins()
        .join_subquery(JoinType::LeftJoin, sum, sums.clone(), joined)
        .and_where(Expr::col((inventory::Entity, count)).ne(summed))
        .take()
}

fn outlived(now: i64) -> SelectStatement {
    use booking::Column::{BookingId, Expires, State as StateColumn};
    Query::select()
        .expr_as(Expr::col(BookingId), Alias::new("id"))
        .from(booking::Entity)
        .and_where(Expr::col(StateColumn).eq(State::Held.as_str()))
        .and_where(Expr::col(Expires).lt(now - SWEPT_WITHIN_MS))
        .take()
}

fn same_locator() -> SelectStatement {
    use booking::Column::Locator;
    Query::select()
        .expr_as(Expr::col(Locator), Alias::new("id"))
        .from(booking::Entity)
        .and_where(Expr::col(Locator).is_not_null())
        .group_by_col(Locator)
        .and_having(Func::count(Expr::col(Asterisk)).gt(1))
        .take()
}
