//! The signing keys in memory: what `domain::key` decides, done with the database's list.
//!
//! The secret half of a key is in no database: it is made from the master secret and the key's id,
//! so that a copy of the database signs nothing, and replicas need to share but one secret.

use std::sync::Arc;

use arc_swap::ArcSwap;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use contracts::identity::v1::{JsonWebKey, JsonWebKeySet};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use mesh::{
    auth::{AUDIENCE, Claims, Fetched, ISSUER, KeySource, ROLE_ADMIN},
    seal,
};
use tonic::Status;
use uuid::Uuid;

use crate::{
    domain::{
        key::{self, Key, Policy},
        user::User,
    },
    grpc,
    store::{Store, StoreError},
};

/// Two attempts are enough even where another replica makes the key.
const ATTEMPTS: usize = 3;

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keys in the database were made with another secret.
    #[error(
        "the signing keys in the database were made with another secret than SKYWAY_IDENTITY_KEY (or identity.key in the data directory); set the one they were made with, or empty the table signing_keys, which voids all access tokens"
    )]
    Secret,
}

/// Why a token was not signed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignError {
    /// No key signs yet.
    #[error("no key signs now")]
    NoKey,
    /// The library refused.
    #[error(transparent)]
    Token(#[from] jsonwebtoken::errors::Error),
}

/// The signing keys.
#[derive(Debug)]
pub(crate) struct Ring {
    secret: seal::Key,
    store: Store,
    policy: Policy,
    clock: fn() -> i64,
    keys: ArcSwap<Keys>,
}

#[derive(Default)]
struct Keys {
    list: Vec<Key>,
    /// The secret halves, in the same order.
    secrets: Vec<EncodingKey>,
}

impl Ring {
    /// Keys of this secret, the first one made where there is none.
    pub(crate) async fn open(
        secret: seal::Key,
        store: Store,
        policy: Policy,
        clock: fn() -> i64,
    ) -> Result<Self, RingError> {
        let ring = Self {
            secret,
            store,
            policy,
            clock,
            keys: ArcSwap::default(),
        };
        ring.refresh().await?;
        Ok(ring)
    }

    /// Makes, takes up and removes keys, as far as it is time for that.
    pub(crate) async fn refresh(&self) -> Result<(), RingError> {
        let now = (self.clock)();
        let mut list = self.store.keys().await?;
        for _ in 0..ATTEMPTS {
            let Some(signs_from) = self.policy.successor(&list, now) else {
                break;
            };
            let next = self.make(&list, now, signs_from);
            tracing::info!(
                generation = next.generation,
                id = next.id,
                "signing key made"
            );
            self.store.key_add(&next).await?;
            list = self.store.keys().await?;
        }
        let dead = self.policy.dead(&list, now);
        if !dead.is_empty() {
            self.store.key_remove(&dead).await?;
            list.retain(|key| !dead.contains(&key.generation));
        }
        let seeds: Vec<_> = list.iter().map(|key| self.seed(&key.id)).collect();
        if list
            .iter()
            .zip(&seeds)
            .any(|(key, seed)| key::public(seed) != key.public)
        {
            return Err(RingError::Secret);
        }
        let secrets = seeds
            .iter()
            .map(|seed| EncodingKey::from_ed_der(&key::pkcs8(seed)));
        self.keys.store(Arc::new(Keys {
            secrets: secrets.collect(),
            list,
        }));
        Ok(())
    }

    fn make(&self, list: &[Key], now: i64, signs_from: i64) -> Key {
        let id = Uuid::new_v4().to_string();
        Key {
            generation: list.last().map_or(1, |newest| newest.generation + 1),
            public: key::public(&self.seed(&id)),
            id,
            created: now,
            signs_from,
        }
    }

    fn seed(&self, id: &str) -> [u8; 32] {
        self.secret.derive("signing-key", id.as_bytes())
    }

    /// An access token of a session, good from `now` until `expires`.
    pub(crate) fn sign(
        &self,
        user: &User,
        session: &str,
        now: i64,
        expires: i64,
    ) -> Result<String, SignError> {
        let keys = self.keys.load();
        let at = key::signing(&keys.list, now).ok_or(SignError::NoKey)?;
        let header = Header {
            kid: Some(keys.list[at].id.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        let roles = if user.admin {
            vec!["user".to_owned(), ROLE_ADMIN.to_owned()]
        } else {
            vec!["user".to_owned()]
        };
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user.id.clone(),
            sid: session.to_owned(),
            roles,
            iat: seconds(now),
            exp: seconds(expires),
        };
        Ok(jsonwebtoken::encode(&header, &claims, &keys.secrets[at])?)
    }

    /// The public halves, that of the key which signs now first.
    pub(crate) fn published(&self) -> JsonWebKeySet {
        let keys = self.keys.load();
        let first = key::signing(&keys.list, (self.clock)());
        let signing = first.map(|at| &keys.list[at]);
        let others = keys.list.iter().rev().filter(|key| Some(*key) != signing);
        let keys = signing.into_iter().chain(others).map(|key| JsonWebKey {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            kid: key.id.clone(),
            x: URL_SAFE_NO_PAD.encode(key.public),
            alg: "EdDSA".to_owned(),
            r#use: "sig".to_owned(),
        });
        JsonWebKeySet {
            keys: keys.collect(),
        }
    }
}

/// Identity verifies tokens like every other service, but asks nobody for the keys.
impl KeySource for Ring {
    fn fetch(&self) -> Fetched<'_> {
        Box::pin(async {
            // Another replica may have made a key since.
            self.refresh().await.map_err(|error| match error {
                RingError::Store(error) => grpc::store_failed(&error),
                RingError::Secret => Status::internal("the secret of the keys has changed"),
            })?;
            Ok(self.published())
        })
    }
}

fn seconds(millis: i64) -> u64 {
    u64::try_from(millis / 1000).unwrap_or_default()
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(&self.list).finish()
    }
}
