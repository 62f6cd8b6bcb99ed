//! Signing up, in and out: the parts put together, in the order that gives nothing away.
//!
//! Whether an address has an account shows in no answer, and hardly in its time: whatever is asked
//! of an address, a password is hashed; what differs is less than what hashing varies by.

use std::{net::IpAddr, sync::Arc, time::Duration};

use uuid::Uuid;

use crate::{
    domain::{
        session::{self, RefreshToken, TOKEN_BYTES},
        user::{User, normal_email},
    },
    hasher::{Hasher, HasherError},
    ring::{Ring, SignError},
    store::{Refreshed, Store, StoreError},
    throttle::Throttle,
};

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccountError {
    /// Too many attempts; try again after this time.
    #[error("too many attempts")]
    RateLimited(Duration),
    /// Address or password is wrong.
    #[error("address or password is wrong")]
    WrongCredentials,
    /// The refresh token gives nothing.
    #[error("the refresh token is not good")]
    RefreshTokenInvalid,
    /// The user has been removed.
    #[error("there is no such user")]
    NoUser,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A token could not be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A password could not be hashed.
    #[error(transparent)]
    Hasher(HasherError),
    /// The system gives no randomness.
    #[error("no randomness: {0}")]
    Random(getrandom::Error),
}

impl From<HasherError> for AccountError {
    fn from(error: HasherError) -> Self {
        match error {
            HasherError::Busy => Self::RateLimited(Duration::from_secs(1)),
            error => Self::Hasher(error),
        }
    }
}

/// Tokens that were given.
#[derive(Debug)]
pub(crate) struct Tokens {
    pub(crate) user: User,
    pub(crate) access: String,
    pub(crate) access_expires: i64,
    pub(crate) refresh: String,
    pub(crate) refresh_expires: i64,
}

/// All that a replica works with.
#[derive(Debug)]
pub(crate) struct Accounts {
    pub(crate) store: Store,
    pub(crate) hasher: Hasher,
    pub(crate) throttle: Throttle,
    pub(crate) ring: Arc<Ring>,
    /// How long an access token is good for, in milliseconds.
    pub(crate) access_life: i64,
    /// How long a refresh token is.
    pub(crate) refresh_life: i64,
    pub(crate) clock: fn() -> i64,
}

impl Accounts {
    /// Signs a user up, unless there is one of that address already; gives the address as it is kept.
    pub(crate) async fn sign_up(
        &self,
        email: &str,
        password: String,
        client: Option<IpAddr>,
    ) -> Result<String, AccountError> {
        let email = self.attempt(email, client)?;
        let hash = self.hasher.hash(password).await?;
        let user = User {
            id: Uuid::now_v7().to_string(),
            email,
            admin: false,
            created: (self.clock)(),
        };
        if self.store.user_add(&user, &hash).await? {
            tracing::info!(user = user.id, "signed up");
        }
        Ok(user.email)
    }

    /// Begins a session.
    pub(crate) async fn sign_in(
        &self,
        email: &str,
        password: String,
        client: Option<IpAddr>,
    ) -> Result<Tokens, AccountError> {
        let email = self.attempt(email, client)?;
        // No account has such an address, and some databases cannot even be asked for it.
        let found = if email.contains('\0') {
            None
        } else {
            self.store.user_by_email(&email).await?
        };
        let (user, hash) = found.unzip();
        let right = self.hasher.verify(password, hash).await?;
        let user = user
            .filter(|_| right)
            .ok_or(AccountError::WrongCredentials)?;
        let (token, session) = (random_token()?, Uuid::now_v7().to_string());
        let now = (self.clock)();
        let expires = now + self.refresh_life;
        self.store
            .session_begin(&session, &user.id, &token.hash, now, expires)
            .await?;
        tracing::info!(user = user.id, session, "signed in");
        self.tokens(user, &session, token, now)
    }

    /// Exchanges a refresh token.
    pub(crate) async fn refresh(&self, token: &str) -> Result<Tokens, AccountError> {
        let (old, new) = (session::hash(token), random_token()?);
        let now = (self.clock)();
        let expires = now + self.refresh_life;
        match self
            .store
            .session_refresh(&old, &new.hash, now, expires)
            .await?
        {
            Refreshed::Fresh { session, user } => self.tokens(user, &session, new, now),
            Refreshed::Reused { session, user } => {
                tracing::warn!(user, session, "a refresh token came twice: session ended");
                Err(AccountError::RefreshTokenInvalid)
            }
            Refreshed::Void => Err(AccountError::RefreshTokenInvalid),
        }
    }

    /// Ends a session.
    pub(crate) async fn sign_out(&self, session: &str) -> Result<(), AccountError> {
        Ok(self.store.session_end(session, (self.clock)()).await?)
    }

    /// The user with this id.
    pub(crate) async fn user(&self, id: &str) -> Result<User, AccountError> {
        let found = self.store.user_by_id(id).await?;
        found.ok_or(AccountError::NoUser)
    }

    /// Sees to it that there is an administrator of this address; gives whether there was none.
    pub(crate) async fn ensure_admin(
        &self,
        email: &str,
        password: &str,
    ) -> Result<bool, AccountError> {
        let email = normal_email(email);
        let found = self.store.user_by_email(&email).await?;
        if found.is_some_and(|(user, _)| user.admin) {
            return Ok(false);
        }
        let hash = self.hasher.hash(password.to_owned()).await?;
        let now = (self.clock)();
        let user = User {
            id: Uuid::now_v7().to_string(),
            email,
            admin: true,
            created: now,
        };
        if !self.store.user_add(&user, &hash).await? {
            // Somebody signed up with that address: theirs is neither the password nor a session.
            self.store.user_promote(&user.email, &hash, now).await?;
        }
        tracing::info!(email = user.email, "administrator made");
        Ok(true)
    }

    /// Counts an attempt; gives the address as it is kept.
    fn attempt(&self, email: &str, client: Option<IpAddr>) -> Result<String, AccountError> {
        let email = normal_email(email);
        let counted = self.throttle.check(&email, client);
        counted.map_err(AccountError::RateLimited)?;
        Ok(email)
    }

    fn tokens(
        &self,
        user: User,
        session: &str,
        refresh: RefreshToken,
        now: i64,
    ) -> Result<Tokens, AccountError> {
        // Tokens know seconds only: what is promised is what the token says.
        let access_expires = (now + self.access_life) / 1000 * 1000;
        Ok(Tokens {
            access: self.ring.sign(&user, session, now, access_expires)?,
            access_expires,
            refresh: refresh.text,
            refresh_expires: now + self.refresh_life,
            user,
        })
    }
}

fn random_token() -> Result<RefreshToken, AccountError> {
    let mut random = [0; TOKEN_BYTES];
    getrandom::fill(&mut random).map_err(AccountError::Random)?;
    Ok(RefreshToken::new(random))
}
