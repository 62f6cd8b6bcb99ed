//! The promises of identity, checked against its tables.

use sea_orm::{
    ColumnTrait, DbErr, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter, QuerySelect,
    QueryTrait, Select, sea_query::Expr,
};

use super::{
    Store, StoreError,
    entity::{session, token, user},
};

/// Examples of what breaks a promise.
const MOST_EXAMPLES: u64 = 20;

/// What checking a promise has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// What it promises.
    pub promise: &'static str,
    /// Rows that were looked at.
    pub rows: u64,
    /// Rows that break it.
    pub violations: u64,
    /// What breaks it: some ids.
    pub examples: Vec<String>,
}

impl Store {
    /// Checks every promise over all rows.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn audit(&self) -> Result<Vec<Check>, StoreError> {
        let users = user::Entity::find().count(self.db.reader()).await?;
        let sessions = session::Entity::find().count(self.db.reader()).await?;
        let tokens = token::Entity::find().count(self.db.reader()).await?;
        let ownerless = session::Entity::find().filter(
            session::Column::UserId.not_in_subquery(
                user::Entity::find()
                    .select_only()
                    .column(user::Column::Id)
                    .into_query(),
            ),
        );
        let stray = token::Entity::find().filter(
            token::Column::SessionId.not_in_subquery(
                session::Entity::find()
                    .select_only()
                    .column(session::Column::Id)
                    .into_query(),
            ),
        );
        let twins = user::Entity::find()
            .select_only()
            .column(user::Column::Email)
            .group_by(user::Column::Email)
            .having(Expr::col(user::Column::Id).count().gt(1));
        let forked = token::Entity::find()
            .select_only()
            .column(token::Column::SessionId)
            .filter(token::Column::Used.is_null())
            .group_by(token::Column::SessionId)
            .having(Expr::col(token::Column::Hash).count().gt(1));
        Ok(vec![
            self.check(
                ("session-has-user", "every session belongs to a user"),
                sessions,
                ownerless.select_only().column(session::Column::Id),
            )
            .await?,
            self.check(
                (
                    "token-has-session",
                    "every refresh token belongs to a session",
                ),
                tokens,
                // Not the hash of a token, which is nobody's business.
                stray.select_only().column(token::Column::SessionId),
            )
            .await?,
            self.check(
                (
                    "one-account-per-address",
                    "no two users have the same address",
                ),
                users,
                twins,
            )
            .await?,
            self.check(
                (
                    "one-token-per-session",
                    "a session has at most one refresh token that is good for an exchange",
                ),
                sessions,
                forked,
            )
            .await?,
        ])
    }

    /// Counts what `broken` selects, and names some of it by its one column.
    async fn check<E: EntityTrait>(
        &self,
        (name, promise): (&'static str, &'static str),
        rows: u64,
        broken: Select<E>,
    ) -> Result<Check, DbErr>
    where
        Select<E>: Clone,
    {
        let db = self.db.reader();
        let violations = broken.clone().into_tuple::<String>().count(db).await?;
        let examples = broken
            .limit(MOST_EXAMPLES)
            .into_tuple::<String>()
            .all(db)
            .await?;
        Ok(Check {
            name,
            promise,
            rows,
            violations,
            examples,
        })
    }
}
