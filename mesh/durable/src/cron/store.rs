//! What is done to the tables, each in one transaction that can be run twice.
//!
//! A run is named by its epoch and its owner: whatever it writes changes nothing once another run has begun.

use std::collections::HashMap;

use mesh::cron::{Outcome, Run};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, ExprTrait, JoinType, QueryFilter,
    QueryOrder, QuerySelect, Set, UpdateMany, sea_query::Expr,
};

use super::table::{DETAIL, job, run};
use crate::{Db, retry};

/// Runs of a job that are kept.
const KEPT: i64 = 100;
/// What is said of a run whose replica has gone away.
const GONE: &str = "its replica has gone away";

/// The right to run a job.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) job: &'static str,
    pub(super) epoch: i64,
    pub(super) owner: String,
    pub(super) replica: String,
    /// The tick that it is for; none where somebody asked for it.
    pub(super) tick: Option<i64>,
    pub(super) attempt: i32,
    pub(super) started: i64,
    /// Ticks up to this one were done with before.
    pub(super) last_tick: i64,
}

/// How a run ended.
pub(super) struct End {
    pub(super) time: i64,
    pub(super) outcome: Outcome,
    pub(super) detail: String,
    /// Ticks up to this one are done with; none where the tick is to be run again.
    pub(super) settled: Option<i64>,
}

/// The tables of a service.
#[derive(Clone, Debug)]
pub(super) struct Store(pub(super) Db);

impl Store {
    /// The row of a job, made first where there is none: ticks before that are none that were missed.
    pub(super) async fn job(&self, name: &'static str, now: i64) -> Result<job::Model, DbErr> {
        loop {
            let row = job::Entity::find_by_id(name).one(self.0.reader()).await?;
            if let Some(row) = row {
                return Ok(row);
            }
            retry("cron.register", || self.register_once(name, now)).await?;
        }
    }

    async fn register_once(&self, name: &'static str, now: i64) -> Result<(), DbErr> {
        let tx = self.0.begin().await?;
        let row = job::ActiveModel {
            name: Set(name.to_owned()),
            epoch: Set(0),
            owner: Set(String::new()),
            lease_until: Set(0),
            last_tick: Set(now),
            tick: Set(None),
            attempt: Set(0),
        };
        job::Entity::insert(row)
            .on_conflict_do_nothing_on([job::Column::Name])
            .exec_without_returning(&tx)
            .await?;
        tx.commit().await
    }

    /// Takes the right to run a job, if its row is still that of the epoch before and nobody has it.
    pub(super) async fn claim(&self, claim: &Claim, until: i64) -> Result<bool, DbErr> {
        retry("cron.claim", || self.claim_once(claim, until)).await
    }

    async fn claim_once(&self, claim: &Claim, until: i64) -> Result<bool, DbErr> {
        let tx = self.0.begin().await?;
        let taken = job::Entity::update_many()
            .set(job::ActiveModel {
                epoch: Set(claim.epoch),
                owner: Set(claim.owner.clone()),
                lease_until: Set(until),
                tick: Set(claim.tick),
                attempt: Set(claim.attempt),
                ..job::ActiveModel::default()
            })
            .filter(job::Column::Name.eq(claim.job))
            .filter(job::Column::Epoch.eq(claim.epoch - 1))
            .filter(job::Column::LeaseUntil.lte(claim.started))
            .exec(&tx)
            .await?;
        if taken.rows_affected == 0 {
            // Also ours where a first run of this transaction has taken it: nobody else has this owner.
            let row = job::Entity::find_by_id(claim.job).one(&tx).await?;
            return Ok(row.is_some_and(|row| row.owner == claim.owner));
        }
        end_runs(&tx, claim.job, run::Column::Epoch.lt(claim.epoch), |row| {
            row.ended = Set(Some(claim.started));
            row.outcome = Set(Some(Outcome::Abandoned.as_str().to_owned()));
            row.detail = Set(GONE.to_owned());
        })
        .await?;
        let row = run::ActiveModel {
            job: Set(claim.job.to_owned()),
            epoch: Set(claim.epoch),
            tick: Set(claim.tick),
            attempt: Set(claim.attempt),
            replica: Set(claim.replica.clone()),
            started: Set(claim.started),
            ended: Set(None),
            outcome: Set(None),
            detail: Set(String::new()),
        };
        run::Entity::insert(row).exec_without_returning(&tx).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Keeps the right; false where it is lost.
    pub(super) async fn renew(&self, claim: &Claim, until: i64) -> Result<bool, DbErr> {
        let renew = async || {
            let tx = self.0.begin().await?;
            let renewed = of(claim)
                .set(job::ActiveModel {
                    lease_until: Set(until),
                    ..job::ActiveModel::default()
                })
                .exec(&tx)
                .await?;
            tx.commit().await?;
            Ok::<_, DbErr>(renewed.rows_affected > 0)
        };
        retry("cron.renew", renew).await
    }

    /// Writes how a run ended and gives the right back. Only the last runs of the job are kept.
    pub(super) async fn end(&self, claim: &Claim, end: &End) -> Result<(), DbErr> {
        retry("cron.end", || self.end_once(claim, end)).await
    }

    async fn end_once(&self, claim: &Claim, end: &End) -> Result<(), DbErr> {
        let mut freed = job::ActiveModel {
            lease_until: Set(0),
            ..job::ActiveModel::default()
        };
        if let Some(settled) = end.settled {
            freed.last_tick = Set(settled);
            freed.tick = Set(None);
            freed.attempt = Set(0);
        }
        let tx = self.0.begin().await?;
        of(claim).set(freed).exec(&tx).await?;
        end_runs(&tx, claim.job, run::Column::Epoch.eq(claim.epoch), |row| {
            row.ended = Set(Some(end.time));
            row.outcome = Set(Some(end.outcome.as_str().to_owned()));
            row.detail = Set(end.detail.clone());
        })
        .await?;
        run::Entity::delete_many()
            .filter(run::Column::Job.eq(claim.job))
            .filter(run::Column::Epoch.lte(claim.epoch - KEPT))
            .exec(&tx)
            .await?;
        tx.commit().await
    }

    /// The last runs of each of these jobs, the newest first.
    pub(super) async fn runs(
        &self,
        names: impl IntoIterator<Item = &'static str>,
        most: i64,
    ) -> Result<HashMap<String, Vec<Run>>, DbErr> {
        // Epochs have no gaps: whoever counts one up writes its run in the same transaction.
        let oldest = Expr::col((job::Entity, job::Column::Epoch)).sub(most);
        let rows = run::Entity::find()
            .join(
                JoinType::InnerJoin,
                run::Entity::belongs_to(job::Entity)
                    .from(run::Column::Job)
                    .to(job::Column::Name)
                    .into(),
            )
            .filter(run::Column::Job.is_in(names))
            .filter(run::Column::Epoch.into_expr().gt(oldest))
            .order_by_desc(run::Column::Epoch)
            .all(self.0.reader())
            .await?;
        let mut runs = HashMap::<String, Vec<Run>>::new();
        for row in rows {
            runs.entry(row.job).or_default().push(Run {
                tick: row.tick,
                attempt: u32::try_from(row.attempt).unwrap_or_default(),
                replica: row.replica,
                start: row.started,
                end: row.ended,
                outcome: row.outcome.as_deref().and_then(Outcome::parse),
                detail: row.detail,
            });
        }
        Ok(runs)
    }
}

/// The row of a claim's job, unless another run has begun.
fn of(claim: &Claim) -> UpdateMany<job::Entity> {
    job::Entity::update_many()
        .filter(job::Column::Name.eq(claim.job))
        .filter(job::Column::Epoch.eq(claim.epoch))
        .filter(job::Column::Owner.eq(&claim.owner))
}

/// Ends those runs of a job, among `which`, that have not ended.
async fn end_runs(
    tx: &DatabaseTransaction,
    job: &str,
    which: impl sea_orm::sea_query::IntoCondition,
    end: impl FnOnce(&mut run::ActiveModel),
) -> Result<(), DbErr> {
    let mut row = run::ActiveModel::default();
    end(&mut row);
    run::Entity::update_many()
        .set(row)
        .filter(run::Column::Job.eq(job))
        .filter(run::Column::Outcome.is_null())
        .filter(which)
        .exec(tx)
        .await?;
    Ok(())
}

/// As much of a detail as is kept.
pub(super) fn shortened(detail: &str) -> String {
    detail.chars().take(DETAIL).collect()
}
