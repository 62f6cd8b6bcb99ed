//! The sent-log in a database: one method changes it by one transaction, or by one statement, which is one.

use durable::{Db, OpenError, Options, retry};
use sea_orm::{
    ColumnTrait, Condition, DbErr, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect,
    UpdateMany, sea_query::Expr,
};

use super::{
    audit,
    entity::mail::{Column, Entity},
    migration::Migrator,
    row,
};
use crate::domain::{
    audit::Check,
    error::StoreError,
    mail::{Claim, Cursor, Mail, NewMail, State, Viewer},
    ports::Mails,
};

/// Mails that one transaction forgets.
const PURGED_AT_ONCE: u64 = 1_000;

/// The database of mails.
#[derive(Clone, Debug)]
pub struct Sql {
    db: Db,
}

/// This is where a failure is logged: who sees the error learns no cause.
fn unavailable(cause: DbErr) -> StoreError {
    tracing::error!(error = ?cause, "the mail database failed");
    StoreError::new(cause)
}

impl Sql {
    /// Opens the database.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub async fn open(options: &Options) -> Result<Self, OpenError> {
        let db = Db::open::<Migrator>(options).await?;
        Ok(Self { db })
    }

    /// The database, for what is kept beside the mails.
    #[must_use]
    pub const fn db(&self) -> &Db {
        &self.db
    }

    async fn record_once(&self, mails: &[NewMail], now: i64) -> Result<Vec<Mail>, DbErr> {
        Entity::insert_many(mails.iter().map(|mail| row::new_mail(mail, now)))
            .on_conflict_do_nothing_on([Column::MailId])
            .exec_without_returning(self.db.writer())
            .await?;
        let ids = mails.iter().map(|mail| mail.id.as_str());
        let rows = Entity::find().filter(Column::MailId.is_in(ids));
        row::mails(rows.all(self.db.writer()).await?)
    }

    async fn claim_once(
        &self,
        (id, attempts): (&str, u32),
        owner: &str,
        now: i64,
        until: i64,
    ) -> Result<Claim, DbErr> {
        let claim = |unclear: i32| {
            Entity::update_many()
                .col_expr(Column::State, Expr::value(State::Sending.as_str()))
                .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
                .col_expr(Column::Unclear, Expr::col(Column::Unclear).add(unclear))
                .col_expr(Column::Updated, Expr::value(now))
                .col_expr(Column::ClaimOwner, Expr::value(owner))
                .col_expr(Column::ClaimUntil, Expr::value(until))
                .filter(Column::MailId.eq(id))
        };
        let waiting = claim(0).filter(Column::State.eq(State::Queued.as_str()));
        let as_seen = waiting.clone().filter(Column::Attempts.eq(attempts));
        if as_seen.exec(self.db.writer()).await?.rows_affected > 0 {
            let (attempt, unclear) = (attempts + 1, false);
            return Ok(Claim::Granted { attempt, unclear });
        }
        let tx = self.db.begin().await?;
        let left = claim(1)
            .filter(Column::State.eq(State::Sending.as_str()))
            .filter(Column::ClaimUntil.lte(now))
            // One's own, from an attempt whose answer was lost, has not run out for oneself.
            .filter(Column::ClaimOwner.ne(owner));
        let mut unclear = false;
        if waiting.exec(&tx).await?.rows_affected == 0 {
            unclear = left.exec(&tx).await?.rows_affected > 0;
        }
        let Some(row) = Entity::find_by_id(id.to_owned()).one(&tx).await? else {
            return Ok(Claim::Unknown);
        };
        tx.commit().await?;
        let (holder, holds_until) = (row.claim_owner.clone(), row.claim_until);
        let mail = row::mail(row)?;
        Ok(match mail.state {
            State::Sending if holder == owner => Claim::Granted {
                attempt: mail.attempts,
                unclear,
            },
            State::Sent => Claim::Sent,
            State::Dead => Claim::Dead,
            State::Queued | State::Sending => Claim::Taken { until: holds_until },
        })
    }

    /// Runs an update, which is a transaction by itself.
    async fn update(
        &self,
        name: &'static str,
        update: UpdateMany<Entity>,
    ) -> Result<(), StoreError> {
        let once = async || update.clone().exec(self.db.writer()).await.map(drop);
        retry(name, once).await.map_err(unavailable)
    }

    async fn purge_once(&self, before: i64) -> Result<u64, DbErr> {
        let tx = self.db.begin().await?;
        let old = Entity::find()
            .filter(is_settled())
            // What has changed before a time was made before it, and that is what an index knows.
            .filter(Column::Created.lt(before))
            .filter(Column::Updated.lt(before))
            .order_by_asc(Column::Created)
            .limit(PURGED_AT_ONCE)
            .select_only()
            .column(Column::MailId)
            .into_tuple::<String>()
            .all(&tx)
            .await?;
        let purged = Entity::delete_many()
            .filter(Column::MailId.is_in(&old))
            .exec(&tx)
            .await?;
        tx.commit().await?;
        Ok(purged.rows_affected)
    }

    async fn read(
        &self,
        name: &'static str,
        find: sea_orm::Select<Entity>,
    ) -> Result<Vec<Mail>, StoreError> {
        let found = retry(name, || find.clone().all(self.db.reader())).await;
        found.and_then(row::mails).map_err(unavailable)
    }
}

fn is_settled() -> Condition {
    let settled = [State::Sent.as_str(), State::Dead.as_str()];
    Condition::all().add(Column::State.is_in(settled))
}

/// Sets a state, and gives up the claim.
fn become_state(id: &str, state: State, now: i64) -> UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::State, Expr::value(state.as_str()))
        .col_expr(Column::Updated, Expr::value(now))
        .col_expr(Column::ClaimOwner, Expr::value(""))
        .col_expr(Column::ClaimUntil, Expr::value(0_i64))
        .filter(Column::MailId.eq(id))
}

fn seen_by(find: sea_orm::Select<Entity>, viewer: &Viewer) -> sea_orm::Select<Entity> {
    match viewer {
        Viewer::User(user) => find.filter(Column::UserId.eq(user.as_str())),
        Viewer::Everybody => find,
    }
}

impl Mails for Sql {
    async fn record(&self, mails: &[NewMail], now: i64) -> Result<Vec<Mail>, StoreError> {
        if mails.is_empty() {
            return Ok(Vec::new());
        }
        retry("mail.record", || self.record_once(mails, now))
            .await
            .map_err(unavailable)
    }

    async fn claim(
        &self,
        seen: (&str, u32),
        owner: &str,
        now: i64,
        until: i64,
    ) -> Result<Claim, StoreError> {
        retry("mail.claim", || self.claim_once(seen, owner, now, until))
            .await
            .map_err(unavailable)
    }

    async fn sent(&self, id: &str, now: i64) -> Result<(), StoreError> {
        let update = become_state(id, State::Sent, now)
            .col_expr(Column::Sent, Expr::value(now))
            .filter(Column::State.ne(State::Sent.as_str()));
        self.update("mail.sent", update).await
    }

    async fn failed(&self, id: &str, owner: &str, error: &str, now: i64) -> Result<(), StoreError> {
        let update = become_state(id, State::Queued, now)
            .col_expr(Column::LastError, Expr::value(row::error(error)))
            .filter(Column::State.eq(State::Sending.as_str()))
            .filter(Column::ClaimOwner.eq(owner));
        self.update("mail.failed", update).await
    }

    async fn dead(&self, id: &str, error: &str, now: i64) -> Result<(), StoreError> {
        let update = become_state(id, State::Dead, now)
            .col_expr(Column::LastError, Expr::value(row::error(error)))
            .filter(Column::State.is_in([State::Queued.as_str(), State::Sending.as_str()]));
        self.update("mail.dead", update).await
    }

    async fn revive(&self, id: &str, died: i64, now: i64) -> Result<(), StoreError> {
        let update = become_state(id, State::Queued, now)
            .col_expr(Column::Attempts, Expr::value(0))
            .filter(Column::State.eq(State::Dead.as_str()))
            .filter(Column::Updated.eq(died));
        self.update("mail.revive", update).await
    }

    async fn mail(&self, viewer: &Viewer, id: &str) -> Result<Option<Mail>, StoreError> {
        let find = seen_by(Entity::find_by_id(id.to_owned()), viewer);
        Ok(self.read("mail.get", find).await?.pop())
    }

    async fn mails(
        &self,
        viewer: &Viewer,
        after: Option<&Cursor>,
        limit: u64,
    ) -> Result<Vec<Mail>, StoreError> {
        let mut find = seen_by(Entity::find(), viewer)
            .order_by_desc(Column::Created)
            .order_by_desc(Column::MailId)
            .limit(limit);
        if let Some(after) = after {
            let tied = Condition::all()
                .add(Column::Created.eq(after.created))
                .add(Column::MailId.lt(after.id.as_str()));
            let older = Column::Created.lt(after.created);
            find = find.filter(Condition::any().add(older).add(tied));
        }
        self.read("mail.list", find).await
    }

    async fn trip_mails(&self, trip: &str, limit: u64) -> Result<Vec<Mail>, StoreError> {
        let find = Entity::find()
            .filter(Column::TripId.eq(trip))
            .order_by_asc(Column::Created)
            .order_by_asc(Column::MailId)
            .limit(limit);
        self.read("mail.list_trip", find).await
    }

    async fn settled(&self, ids: &[String]) -> Result<Vec<String>, StoreError> {
        let find = Entity::find()
            .filter(is_settled())
            .filter(Column::MailId.is_in(ids))
            .select_only()
            .column(Column::MailId);
        retry("mail.settled", || {
            find.clone().into_tuple().all(self.db.reader())
        })
        .await
        .map_err(unavailable)
    }

    async fn purge(&self, before: i64) -> Result<(u64, bool), StoreError> {
        let purged = retry("mail.purge", || self.purge_once(before)).await;
        let purged = purged.map_err(unavailable)?;
        Ok((purged, purged == PURGED_AT_ONCE))
    }

    async fn audit(&self, now: i64) -> Result<Vec<Check>, StoreError> {
        audit::checks(self.db.reader(), now)
            .await
            .map_err(unavailable)
    }
}
