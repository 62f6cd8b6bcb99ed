//! The queue's transactions; each can be done again.

use std::{collections::HashSet, time::Duration};

use sea_orm::{
    ColumnTrait, Condition, DatabaseTransaction, DbErr, EntityTrait, ExprTrait, QueryFilter,
    QueryOrder, QuerySelect, Set, UpdateMany, sea_query::Expr,
};

use super::{
    Receipt,
    clock::{claimable, now},
    schema::{message, rate, state},
};
use crate::{
    Db,
    queue::{
        Depth, NewMessage,
        rate::{Rate, until},
    },
};

/// Characters of a reason that are kept.
const REASON: usize = 512;
/// States in the order in which their messages are taken: those of silent consumers, then those whose
/// delay is over, then new ones.
const TAKEABLE: [i32; 3] = [state::TAKEN, state::DELAYED, state::WAITING];

pub(super) async fn insert(db: &Db, topic: &str, messages: &[NewMessage]) -> Result<(), DbErr> {
    let rows = messages.iter().map(|message| message::ActiveModel {
        seq: sea_orm::NotSet,
        topic: Set(topic.to_owned()),
        message_id: Set(message.id.clone()),
        payload: Set(message.payload.clone()),
        trace_parent: Set(message.trace_parent.clone()),
        enqueued: Set(message.enqueued),
        state: Set(state::WAITING),
        due: Set(0),
        attempts: Set(0),
        epoch: Set(0),
        reason: Set(None),
    });
    let tx = db.begin().await?;
    message::Entity::insert_many(rows)
        .on_conflict_do_nothing_on([message::Column::Topic, message::Column::MessageId])
        .exec_without_returning(&tx)
        .await?;
    tx.commit().await
}

/// Those of `ids` that are there.
pub(super) async fn held(db: &Db, topic: &str, ids: &[String]) -> Result<HashSet<String>, DbErr> {
    let found = message::Entity::find()
        .filter(message::Column::Topic.eq(topic))
        .filter(message::Column::MessageId.is_in(ids))
        .select_only()
        .column(message::Column::MessageId)
        .into_tuple::<String>()
        .all(db.reader())
        .await?;
    Ok(found.into_iter().collect())
}

/// Whether there may be something to take.
pub(super) async fn is_due(db: &Db, topic: &str) -> Result<bool, DbErr> {
    let now = now(db.reader()).await? / 1_000;
    let found = message::Entity::find()
        .filter(message::Column::Topic.eq(topic))
        .filter(message::Column::State.is_in(TAKEABLE))
        .filter(message::Column::Due.lte(now))
        .select_only()
        .column(message::Column::Seq)
        .limit(1)
        .into_tuple::<i64>()
        .one(db.reader())
        .await?;
    Ok(found.is_some())
}

/// Takes at most `most` messages until the lease ends.
pub(super) async fn claim(
    db: &Db,
    topic: &str,
    most: usize,
    lease: Duration,
) -> Result<Vec<message::Model>, DbErr> {
    let tx = db.begin().await?;
    let now = now(&tx).await? / 1_000;
    let mut rows: Vec<message::Model> = vec![];
    for state in TAKEABLE {
        let left = most - rows.len();
        if left == 0 {
            break;
        }
        let found = message::Entity::find()
            .filter(message::Column::Topic.eq(topic))
            .filter(message::Column::State.eq(state))
            .filter(message::Column::Due.lte(now))
            .order_by_asc(message::Column::Due)
            .order_by_asc(message::Column::Seq)
            .limit(u64::try_from(left).unwrap_or(u64::MAX));
        rows.extend(claimable(found).all(&tx).await?);
    }
    if !rows.is_empty() {
        message::Entity::update_many()
            .filter(message::Column::Seq.is_in(rows.iter().map(|row| row.seq)))
            .col_expr(message::Column::State, Expr::value(state::TAKEN))
            .col_expr(message::Column::Due, Expr::value(now + millis(lease)))
            .col_expr(
                message::Column::Attempts,
                counted(message::Column::Attempts),
            )
            .col_expr(message::Column::Epoch, counted(message::Column::Epoch))
            .exec(&tx)
            .await?;
    }
    tx.commit().await?;
    for row in &mut rows {
        row.attempts += 1;
        row.epoch += 1;
    }
    Ok(rows)
}

fn counted(column: message::Column) -> Expr {
    Expr::col(column).add(1)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 2)
}

/// A change of what these receipts were given for, as long as nobody else has taken it.
fn ours(receipts: &[Receipt]) -> UpdateMany<message::Entity> {
    let any = receipts.iter().fold(Condition::any(), |any, (seq, epoch)| {
        let one = Condition::all()
            .add(message::Column::Seq.eq(*seq))
            .add(message::Column::Epoch.eq(*epoch));
        any.add(one)
    });
    message::Entity::update_many()
        .filter(message::Column::State.eq(state::TAKEN))
        .filter(any)
}

pub(super) async fn keep(db: &Db, receipts: &[Receipt], lease: Duration) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    let until = now(&tx).await? / 1_000 + millis(lease);
    ours(receipts)
        .col_expr(message::Column::Due, Expr::value(until))
        .exec(&tx)
        .await?;
    tx.commit().await
}

/// Deletes what was taken, by whomever.
pub(super) async fn delete(db: &Db, receipts: &[Receipt]) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    message::Entity::delete_many()
        .filter(message::Column::State.eq(state::TAKEN))
        .filter(message::Column::Seq.is_in(receipts.iter().map(|(seq, _)| *seq)))
        .exec(&tx)
        .await?;
    tx.commit().await
}

/// Lets others have it after `delay`, and takes back as many attempts.
pub(super) async fn put_back(
    db: &Db,
    receipts: &[Receipt],
    delay: Duration,
    attempts: i32,
) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    let change = if delay.is_zero() && attempts > 0 {
        ours(receipts)
            .col_expr(message::Column::State, Expr::value(state::WAITING))
            // Of the same width as below: the statement is, and PostgreSQL keeps its types.
            .col_expr(message::Column::Due, Expr::value(0_i64))
    } else {
        let due = now(&tx).await? / 1_000 + millis(delay);
        ours(receipts)
            .col_expr(message::Column::State, Expr::value(state::DELAYED))
            .col_expr(message::Column::Due, Expr::value(due))
    };
    change
        .col_expr(
            message::Column::Attempts,
            Expr::col(message::Column::Attempts).sub(attempts),
        )
        .exec(&tx)
        .await?;
    tx.commit().await
}

pub(super) async fn bury(db: &Db, receipt: Receipt, reason: &str) -> Result<(), DbErr> {
    // PostgreSQL has no NUL in texts.
    let reason: String = reason.chars().filter(|c| *c != '\0').take(REASON).collect();
    let tx = db.begin().await?;
    let now = now(&tx).await? / 1_000;
    ours(&[receipt])
        .col_expr(message::Column::State, Expr::value(state::DEAD))
        .col_expr(message::Column::Due, Expr::value(now))
        .col_expr(message::Column::Reason, Expr::value(reason))
        .exec(&tx)
        .await?;
    tx.commit().await
}

/// Dead letters behind the one that died then and has that number.
pub(super) async fn dead(
    db: &Db,
    topic: &str,
    after: Option<(i64, i64)>,
    most: usize,
) -> Result<Vec<message::Model>, DbErr> {
    let mut wanted = Condition::all()
        .add(message::Column::Topic.eq(topic))
        .add(message::Column::State.eq(state::DEAD));
    if let Some((died, seq)) = after {
        let same = Condition::all()
            .add(message::Column::Due.eq(died))
            .add(message::Column::Seq.gt(seq));
        wanted = wanted.add(
            Condition::any()
                .add(message::Column::Due.gt(died))
                .add(same),
        );
    }
    message::Entity::find()
        .filter(wanted)
        .order_by_asc(message::Column::Due)
        .order_by_asc(message::Column::Seq)
        .limit(u64::try_from(most).unwrap_or(u64::MAX))
        .all(db.reader())
        .await
}

pub(super) async fn redrive(db: &Db, topic: &str, id: &str) -> Result<bool, DbErr> {
    let tx = db.begin().await?;
    let redriven = message::Entity::update_many()
        .filter(message::Column::Topic.eq(topic))
        .filter(message::Column::MessageId.eq(id))
        .filter(message::Column::State.eq(state::DEAD))
        .col_expr(message::Column::State, Expr::value(state::WAITING))
        .col_expr(message::Column::Due, Expr::value(0_i64))
        .col_expr(message::Column::Attempts, Expr::value(0))
        .col_expr(message::Column::Reason, Expr::value(None::<String>))
        .exec(&tx)
        .await?;
    tx.commit().await?;
    Ok(redriven.rows_affected > 0)
}

pub(super) async fn depth(db: &Db, topic: &str) -> Result<Depth, DbErr> {
    let counts = message::Entity::find()
        .filter(message::Column::Topic.eq(topic))
        .select_only()
        .column(message::Column::State)
        .column_as(message::Column::Seq.count(), "messages")
        .column_as(message::Column::Enqueued.min(), "oldest")
        .group_by(message::Column::State)
        .into_tuple::<(i32, i64, i64)>()
        .all(db.reader())
        .await?;
    let mut depth = Depth::default();
    for (state, messages, oldest) in counts {
        let messages = u64::try_from(messages).unwrap_or_default();
        match state {
            state::WAITING => depth.waiting = messages,
            state::DELAYED => depth.delayed = messages,
            state::TAKEN => depth.taken = messages,
            _ => depth.dead = messages,
        }
        if state != state::DEAD {
            depth.oldest = depth.oldest.into_iter().chain([oldest]).min();
        }
    }
    Ok(depth)
}

pub(super) async fn turn(db: &Db, topic: &str, rate: Rate) -> Result<Duration, DbErr> {
    let tx = db.begin().await?;
    let mut next = next_turn(&tx, topic).await?;
    if next.is_none() {
        let first = rate::ActiveModel {
            topic: Set(topic.to_owned()),
            next: Set(rate.turn(None, now(&tx).await?)),
        };
        rate::Entity::insert(first)
            .on_conflict_do_nothing_on([rate::Column::Topic])
            .exec_without_returning(&tx)
            .await?;
        // Somebody else may have begun at the same time.
        next = next_turn(&tx, topic).await?;
    }
    // Only now, since the row may have been waited for.
    let now = now(&tx).await?;
    let turn = rate.turn(next, now);
    rate::Entity::update_many()
        .filter(rate::Column::Topic.eq(topic))
        .col_expr(rate::Column::Next, Expr::value(turn + rate.interval))
        .exec(&tx)
        .await?;
    tx.commit().await?;
    Ok(until(turn, now))
}

async fn next_turn(tx: &DatabaseTransaction, topic: &str) -> Result<Option<i64>, DbErr> {
    let row = rate::Entity::find_by_id(topic)
        .lock_exclusive()
        .one(tx)
        .await?;
    Ok(row.map(|row| row.next))
}
