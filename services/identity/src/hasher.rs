//! Hashing beside the calls: at most one password per core at once, and a short queue.
//!
//! A hash costs 19 MiB and tens of milliseconds by design. Without bounds, whoever sends many
//! sign-ins takes the memory and the threads of all.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::domain::password::{self, HashError};

/// Passwords that are hashed or wait for it; about a second's worth.
const MOST_WAITING: usize = 64;

/// Why a password was not hashed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HasherError {
    /// Too many wait already.
    #[error("too many passwords wait to be hashed")]
    Busy,
    /// It could not be done.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// It was given up.
    #[error("hashing was given up")]
    Lost(#[from] tokio::task::JoinError),
}

/// Hashes passwords.
#[derive(Debug)]
pub(crate) struct Hasher {
    cores: Arc<Semaphore>,
    queue: Semaphore,
    /// Of a password that nobody has.
    dummy: Arc<str>,
}

impl Hasher {
    pub(crate) async fn new() -> Result<Self, HasherError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut hasher = Self {
            cores: Arc::new(Semaphore::new(cores)),
            queue: Semaphore::new(MOST_WAITING),
            dummy: Arc::default(),
        };
        hasher.dummy = hasher.hash(String::new()).await?.into();
        Ok(hasher)
    }

    pub(crate) async fn hash(&self, password: String) -> Result<String, HasherError> {
        Ok(self.run(move || password::hash(&password)).await??)
    }

    /// Whether `password` is the one that was hashed. Takes as long where there is no hash, so that
    /// nobody learns from the time whether there is an account.
    pub(crate) async fn verify(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, HasherError> {
        let exists = hash.is_some();
        let hash = hash.map_or_else(|| Arc::clone(&self.dummy), Arc::from);
        let right = self.run(move || password::verify(&password, &hash)).await?;
        Ok(right && exists)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HasherError> {
        let Ok(_place) = self.queue.try_acquire() else {
            return Err(HasherError::Busy);
        };
        // The semaphore is never closed.
        let core = Arc::clone(&self.cores).acquire_owned().await.ok();
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            // Not before: a caller that leaves does not stop the work.
            drop(core);
            done
        });
        Ok(done.await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_has_the_password_of_nobody() {
        let hasher = Hasher::new().await.unwrap();
        let hash = hasher.hash("countess".to_owned()).await.unwrap();
        for (password, hash, right) in [
            ("countess", Some(hash.clone()), true),
            ("duchess", Some(hash), false),
            ("countess", None, false),
            ("", None, false),
        ] {
            let verified = hasher.verify(password.to_owned(), hash).await.unwrap();
            assert_eq!(verified, right, "{password}");
        }
    }

    #[tokio::test]
    async fn the_queue_has_an_end() {
        let hasher = Hasher::new().await.unwrap();
        let places = hasher.queue.acquire_many(64).await.unwrap();
        let refused = hasher.hash("countess".to_owned()).await;
        assert!(matches!(refused, Err(HasherError::Busy)), "{refused:?}");
        drop(places);
        assert!(hasher.hash("countess".to_owned()).await.is_ok());
    }
}
