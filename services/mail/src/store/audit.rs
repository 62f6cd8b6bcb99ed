//! The promises of mailing, each as one statement over the rows.

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter,
    QuerySelect,
};

use super::entity::mail::{Column, Entity};
use crate::domain::{
    audit::{Check, MOST_EXAMPLES},
    mail::State,
};

/// Nothing is handed over for so long, milliseconds: the queue gives a mail to somebody else after some
/// 30 s, and then its claim has run out.
const STUCK_MS: i64 = 60 * 60 * 1_000;

/// Checks every promise.
pub(super) async fn checks(db: &impl ConnectionTrait, now: i64) -> Result<Vec<Check>, DbErr> {
    let is = |state: State| Column::State.eq(state.as_str());
    // The time of acceptance is written once and never taken back, so a mail that was accepted and is to be
    // sent all the same shows.
    let once = Condition::any()
        .add(
            Condition::all()
                .add(is(State::Sent))
                .add(Column::Sent.is_null()),
        )
        .add(
            Condition::all()
                .add(Column::State.ne(State::Sent.as_str()))
                .add(Column::Sent.is_not_null()),
        );
    let stuck = Condition::all()
        .add(is(State::Sending))
        .add(Column::ClaimUntil.lt(now - STUCK_MS));
    let nobody = Condition::all()
        .add(is(State::Sending))
        .add(Column::ClaimOwner.eq(""));
    let all = Condition::all();
    let sending = Condition::all().add(is(State::Sending));
    Ok(vec![
        check(
            db,
            "sent-once",
            "a mail that was accepted is never to be sent again",
            all,
            once,
        )
        .await?,
        check(
            db,
            "no-mail-stuck",
            "no mail has been on its way to the mail server for more than an hour",
            sending.clone(),
            stuck,
        )
        .await?,
        check(
            db,
            "claimed-before-sending",
            "a mail that is on its way to the mail server is claimed by one replica",
            sending,
            nobody,
        )
        .await?,
    ])
}

async fn check(
    db: &impl ConnectionTrait,
    name: &'static str,
    promise: &'static str,
    rows: Condition,
    broken: Condition,
) -> Result<Check, DbErr> {
    let broken = Entity::find().filter(broken);
    let examples = broken
        .clone()
        .select_only()
        .column(Column::MailId)
        .limit(MOST_EXAMPLES as u64)
        .into_tuple::<String>()
        .all(db)
        .await?;
    Ok(Check {
        name,
        promise,
        rows: Entity::find().filter(rows).count(db).await?,
        violations: if examples.len() < MOST_EXAMPLES {
            examples.len() as u64
        } else {
            broken.count(db).await?
        },
        examples,
    })
}
