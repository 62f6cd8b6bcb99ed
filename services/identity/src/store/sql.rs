//! Users, sessions and keys in tables.
//!
//! Every method may run twice, since a connection can be lost while it commits: what a first run
//! has already done is found and not done again.

use durable::{Db, OpenError, Options, Transient, retry};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    SqlErr, sea_query::Expr,
};

use super::{
    entity::{key, session, token, user},
    migration::Migrator,
};
use crate::domain::{
    key::Key,
    session::{Exchange, Standing, exchange},
    user::User,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// The database failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It refused a statement.
    #[error("the identity database failed")]
    Database(#[from] DbErr),
    /// It holds what this program never wrote.
    #[error(
        "the identity database has a key that cannot be read: generation {generation} of signing_keys"
    )]
    Key {
        /// Which.
        generation: i64,
    },
}

impl Transient for StoreError {
    fn transient(&self) -> bool {
        matches!(self, Self::Database(error) if error.transient())
    }
}

/// What an exchange of refresh tokens came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// The new token is good.
    Fresh {
        /// The session that goes on.
        session: String,
        /// Whose it is.
        user: User,
    },
    /// The old one had been exchanged before; the session has ended.
    Reused {
        /// Which.
        session: String,
        /// Whose it was.
        user: String,
    },
    /// The old one is not good for anything.
    Void,
}

/// An open database.
#[derive(Clone, Debug)]
pub struct Store {
    pub(super) db: Db,
}

impl Store {
    /// The database, for what is kept beside the accounts.
    #[must_use]
    pub const fn db(&self) -> &Db {
        &self.db
    }

    /// Opens it and brings its schema up to date.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub async fn open(url: &str, max_connections: u32) -> Result<Self, OpenError> {
        let options = Options {
            url: url.to_owned(),
            variable: "SKYWAY_IDENTITY_DATABASE_URL",
            max_connections,
        };
        let db = Db::open::<Migrator>(&options).await?;
        Ok(Self { db })
    }

    /// Adds a user; false where the address is taken.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn user_add(&self, user: &User, password_hash: &str) -> Result<bool, StoreError> {
        retry("identity.user_add", || async {
            let row = user::Model {
                id: user.id.clone(),
                email: user.email.clone(),
                password_hash: password_hash.to_owned(),
                admin: user.admin,
                created: user.created,
            };
            let tx = self.db.begin().await?;
            if !is_new(
                user::Entity::insert(row.into_active_model())
                    .exec_without_returning(&tx)
                    .await,
            )? {
                tx.rollback().await?;
                let taken_by = self.user_by_email(&user.email).await?;
                return Ok(taken_by.is_some_and(|(taken_by, _)| taken_by.id == user.id));
            }
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Makes the user of this address an administrator with this password, and ends the sessions of
    /// whoever used it before.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn user_promote(
        &self,
        email: &str,
        password_hash: &str,
        now: i64,
    ) -> Result<(), StoreError> {
        retry("identity.user_promote", || async {
            let tx = self.db.begin().await?;
            let found = user::Entity::find()
                .filter(user::Column::Email.eq(email))
                .one(&tx)
                .await?;
            if let Some(found) = found {
                user::Entity::update_many()
                    .col_expr(user::Column::Admin, Expr::value(true))
                    .col_expr(user::Column::PasswordHash, Expr::value(password_hash))
                    .filter(user::Column::Id.eq(&found.id))
                    .exec(&tx)
                    .await?;
                session::Entity::update_many()
                    .col_expr(session::Column::Ended, Expr::value(now))
                    .filter(session::Column::UserId.eq(&found.id))
                    .filter(session::Column::Ended.is_null())
                    .exec(&tx)
                    .await?;
            }
            Ok(tx.commit().await?)
        })
        .await
    }

    /// The user of this address, in small letters, and the hash of the password.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn user_by_email(&self, email: &str) -> Result<Option<(User, String)>, StoreError> {
        retry("identity.user_by_email", || async {
            let found = user::Entity::find()
                .filter(user::Column::Email.eq(email))
                .one(self.db.reader())
                .await?;
            Ok(found.map(|mut row| {
                let hash = std::mem::take(&mut row.password_hash);
                (row.into(), hash)
            }))
        })
        .await
    }

    /// The user with this id.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn user_by_id(&self, id: &str) -> Result<Option<User>, StoreError> {
        retry("identity.user_by_id", || async {
            let found = user::Entity::find_by_id(id).one(self.db.reader()).await?;
            Ok(found.map(User::from))
        })
        .await
    }

    /// Begins a session of a user with its first refresh token.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn session_begin(
        &self,
        session: &str,
        user: &str,
        token_hash: &str,
        now: i64,
        expires: i64,
    ) -> Result<(), StoreError> {
        retry("identity.session_begin", || async {
            let tx = self.db.begin().await?;
            if session::Entity::find_by_id(session)
                .one(&tx)
                .await?
                .is_none()
            {
                let row = session::Model {
                    id: session.to_owned(),
                    user_id: user.to_owned(),
                    created: now,
                    expires,
                    ended: None,
                };
                session::Entity::insert(row.into_active_model())
                    .exec_without_returning(&tx)
                    .await?;
                token_add(&tx, session, token_hash, now, expires).await?;
            }
            Ok(tx.commit().await?)
        })
        .await
    }

    /// Exchanges a refresh token for a new one, both given by their hashes.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn session_refresh(
        &self,
        old_hash: &str,
        new_hash: &str,
        now: i64,
        expires: i64,
    ) -> Result<Refreshed, StoreError> {
        retry("identity.session_refresh", || {
            self.refresh_once(old_hash, new_hash, now, expires)
        })
        .await
    }

    async fn refresh_once(
        &self,
        old_hash: &str,
        new_hash: &str,
        now: i64,
        expires: i64,
    ) -> Result<Refreshed, StoreError> {
        let tx = self.db.begin().await?;
        let Some(old) = token::Entity::find_by_id(old_hash).one(&tx).await? else {
            return Ok(Refreshed::Void);
        };
        let Some(found) = session::Entity::find_by_id(&old.session_id)
            .one(&tx)
            .await?
        else {
            return Ok(Refreshed::Void);
        };
        let Some(owner) = user::Entity::find_by_id(&found.user_id).one(&tx).await? else {
            return Ok(Refreshed::Void);
        };
        let fresh = Refreshed::Fresh {
            session: old.session_id.clone(),
            user: owner.into(),
        };
        if token::Entity::find_by_id(new_hash)
            .one(&tx)
            .await?
            .is_some()
        {
            return Ok(fresh);
        }
        let standing = Standing {
            used: old.used.is_some(),
            expires: old.expires,
            ended: found.ended.is_some(),
        };
        match exchange(standing, now) {
            Exchange::Void => return Ok(Refreshed::Void),
            Exchange::Fresh => {
                // Of two that have read the same, one changes the row.
                let used = token::Entity::update_many()
                    .col_expr(token::Column::Used, Expr::value(now))
                    .filter(token::Column::Hash.eq(old_hash))
                    .filter(token::Column::Used.is_null())
                    .exec(&tx)
                    .await?;
                if used.rows_affected == 1 {
                    token_add(&tx, &old.session_id, new_hash, now, expires).await?;
                    session::Entity::update_many()
                        .col_expr(session::Column::Expires, Expr::value(expires))
                        .filter(session::Column::Id.eq(&old.session_id))
                        .exec(&tx)
                        .await?;
                    tx.commit().await?;
                    return Ok(fresh);
                }
            }
            Exchange::Reused => {}
        }
        end(&tx, &old.session_id, now).await?;
        tx.commit().await?;
        Ok(Refreshed::Reused {
            session: old.session_id,
            user: found.user_id,
        })
    }

    /// Ends a session, if it has not ended.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn session_end(&self, session: &str, now: i64) -> Result<(), StoreError> {
        retry("identity.session_end", || async {
            let tx = self.db.begin().await?;
            end(&tx, session, now).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    /// Removes tokens and sessions that are void by now; gives the number of sessions.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn expired_remove(&self, now: i64) -> Result<u64, StoreError> {
        retry("identity.expired_remove", || async {
            let tx = self.db.begin().await?;
            token::Entity::delete_many()
                .filter(token::Column::Expires.lte(now))
                .exec(&tx)
                .await?;
            let removed = session::Entity::delete_many()
                .filter(session::Column::Expires.lte(now))
                .exec(&tx)
                .await?;
            tx.commit().await?;
            Ok(removed.rows_affected)
        })
        .await
    }

    /// The signing keys, oldest first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn keys(&self) -> Result<Vec<Key>, StoreError> {
        retry("identity.keys", || async {
            let rows = key::Entity::find()
                .order_by_asc(key::Column::Generation)
                .all(self.db.reader())
                .await?;
            rows.into_iter().map(Key::try_from).collect()
        })
        .await
    }

    /// Adds a key, unless another replica has added one of that generation.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn key_add(&self, key: &Key) -> Result<(), StoreError> {
        retry("identity.key_add", || async {
            let row = key::Model {
                generation: key.generation,
                id: key.id.clone(),
                public: URL_SAFE_NO_PAD.encode(key.public),
                created: key.created,
                signs_from: key.signs_from,
            };
            let tx = self.db.begin().await?;
            if is_new(
                key::Entity::insert(row.into_active_model())
                    .exec_without_returning(&tx)
                    .await,
            )? {
                tx.commit().await?;
            }
            Ok(())
        })
        .await
    }

    /// Removes keys by their generations.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn key_remove(&self, generations: &[i64]) -> Result<(), StoreError> {
        retry("identity.key_remove", || async {
            let tx = self.db.begin().await?;
            key::Entity::delete_many()
                .filter(key::Column::Generation.is_in(generations.iter().copied()))
                .exec(&tx)
                .await?;
            Ok(tx.commit().await?)
        })
        .await
    }
}

/// Whether a row was added; it was not where its key is taken.
fn is_new<T>(inserted: Result<T, DbErr>) -> Result<bool, DbErr> {
    match inserted {
        Ok(_) => Ok(true),
        Err(error) => match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => Ok(false),
            _ => Err(error),
        },
    }
}

async fn token_add(
    tx: &impl ConnectionTrait,
    session: &str,
    hash: &str,
    now: i64,
    expires: i64,
) -> Result<(), DbErr> {
    let row = token::Model {
        hash: hash.to_owned(),
        session_id: session.to_owned(),
        created: now,
        expires,
        used: None,
    };
    token::Entity::insert(row.into_active_model())
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

async fn end(tx: &impl ConnectionTrait, session: &str, now: i64) -> Result<(), DbErr> {
    session::Entity::update_many()
        .col_expr(session::Column::Ended, Expr::value(now))
        .filter(session::Column::Id.eq(session))
        .filter(session::Column::Ended.is_null())
        .exec(tx)
        .await?;
    Ok(())
}

impl From<user::Model> for User {
    fn from(row: user::Model) -> Self {
        Self {
            id: row.id,
            email: row.email,
            admin: row.admin,
            created: row.created,
        }
    }
}

impl TryFrom<key::Model> for Key {
    type Error = StoreError;

    fn try_from(row: key::Model) -> Result<Self, StoreError> {
        let public = URL_SAFE_NO_PAD.decode(&row.public).ok();
        let public = public.and_then(|bytes| bytes.try_into().ok());
        Ok(Self {
            generation: row.generation,
            public: public.ok_or(StoreError::Key {
                generation: row.generation,
            })?,
            id: row.id,
            created: row.created,
            signs_from: row.signs_from,
        })
    }
}
