//! The public keys that access tokens are verified with, and how to come by them.
//!
//! This is the one place where the mesh knows the messages of a service: every server and the
//! gateway must ask identity for its keys, and none of them has a better place for it.
//!
//! Keys are fetched when a token names one that is not known, at most once a second, and again
//! in the background when they are a few minutes old. While identity is away, those known stay good.

use std::{collections::HashMap, fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use contracts::identity::v1::{
    GetKeysRequest, IDENTITY_SERVICE, JsonWebKeySet, identity_service_client::IdentityServiceClient,
};
use jsonwebtoken::DecodingKey;
use tokio::{sync::Mutex, time::Instant};
use tonic::Status;

use crate::client::{self, Channel, Endpoints};

/// Age at which keys are fetched again. Identity publishes a key for longer than that before it
/// signs with it.
const REFRESH: Duration = Duration::from_mins(5);
/// Least time between two fetches, whatever tokens are sent.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);
/// Least time between two fetches of keys that are only to be renewed.
const PAUSE: Duration = Duration::from_secs(10);
/// Keys that one set may have.
const MOST_KEYS: usize = 64;

/// The keys that a [`KeySource`] comes back with.
pub type Fetched<'a> = Pin<Box<dyn Future<Output = Result<JsonWebKeySet, Status>> + Send + 'a>>;

/// Where the public keys of access tokens come from.
pub trait KeySource: Send + Sync + fmt::Debug {
    /// All keys that tokens may be signed with now.
    fn fetch(&self) -> Fetched<'_>;
}

/// Identity, over the network.
#[derive(Debug)]
pub(super) struct Remote(pub(super) Endpoints);

impl KeySource for Remote {
    fn fetch(&self) -> Fetched<'_> {
        Box::pin(async {
            // Once in minutes: a channel that is kept would be bound to the runtime that made it,
            // and in one process every replica has its own.
            let config = client::Config::new(self.0.clone());
            let channel = Channel::connect(&IDENTITY_SERVICE, config);
            let answer = IdentityServiceClient::new(channel)
                .get_keys(GetKeysRequest {})
                .await?;
            Ok(answer.into_inner())
        })
    }
}

/// Why there is no key to verify a token with.
#[derive(Debug)]
pub(super) enum NoKey {
    /// Nobody has published it.
    Unknown,
    /// Nobody can be asked now.
    Unavailable,
}

/// The keys that are known.
#[derive(Debug)]
pub(super) struct Keys {
    source: Arc<dyn KeySource>,
    known: ArcSwap<Known>,
    /// Held while somebody fetches, so that the others wait for the same answer.
    attempt: Mutex<Option<Attempt>>,
}

#[derive(Default)]
struct Known {
    keys: HashMap<String, Arc<DecodingKey>>,
    fetched: Option<Instant>,
}

#[derive(Debug)]
struct Attempt {
    at: Instant,
    succeeded: bool,
}

impl Keys {
    pub(super) fn new(source: Arc<dyn KeySource>) -> Self {
        Self {
            source,
            known: ArcSwap::default(),
            attempt: Mutex::default(),
        }
    }

    /// The key with this id.
    pub(super) async fn get(self: &Arc<Self>, id: &str) -> Result<Arc<DecodingKey>, NoKey> {
        let known = self.known.load_full();
        if let Some(key) = known.keys.get(id) {
            if known.fetched.is_none_or(|at| at.elapsed() >= REFRESH) {
                let keys = Arc::clone(self);
                tokio::spawn(async move {
                    // Whoever fetches now does it for all.
                    if let Ok(mut attempt) = keys.attempt.try_lock()
                        && !recent(attempt.as_ref(), PAUSE)
                    {
                        keys.fetch(&mut attempt).await;
                    }
                });
            }
            return Ok(Arc::clone(key));
        }
        let mut attempt = self.attempt.lock().await;
        if let Some(key) = self.known.load().keys.get(id) {
            return Ok(Arc::clone(key));
        }
        if !recent(attempt.as_ref(), LEAST_INTERVAL) {
            self.fetch(&mut attempt).await;
        }
        let key = self.known.load().keys.get(id).cloned();
        let succeeded = attempt.as_ref().is_some_and(|attempt| attempt.succeeded);
        key.ok_or(if succeeded {
            NoKey::Unknown
        } else {
            NoKey::Unavailable
        })
    }

    async fn fetch(&self, attempt: &mut Option<Attempt>) {
        let fetched = self.source.fetch().await;
        let at = Instant::now();
        *attempt = Some(Attempt {
            at,
            succeeded: fetched.is_ok(),
        });
        match fetched {
            Ok(set) => self.known.store(Arc::new(Known {
                keys: read(set),
                fetched: Some(at),
            })),
            Err(status) => {
                tracing::warn!(cause = status.message(), "cannot fetch the keys of tokens");
            }
        }
    }
}

fn recent(attempt: Option<&Attempt>, interval: Duration) -> bool {
    let recent = |attempt: &Attempt| attempt.at.elapsed() < interval;
    attempt.is_some_and(recent)
}

/// The keys of `set` that an Ed25519 signature can be verified with, by their ids.
fn read(set: JsonWebKeySet) -> HashMap<String, Arc<DecodingKey>> {
    let keys = set.keys.into_iter().take(MOST_KEYS);
    keys.filter(|key| key.kty == "OKP" && key.crv == "Ed25519" && key.alg == "EdDSA")
        .filter_map(|key| {
            let decoding = DecodingKey::from_ed_components(&key.x).ok()?;
            Some((key.kid, Arc::new(decoding)))
        })
        .collect()
}

impl fmt::Debug for Known {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.keys.keys()).finish()
    }
}
