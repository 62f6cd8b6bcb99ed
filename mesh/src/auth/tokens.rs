//! Access tokens: who a user is, as identity has signed it.
//!
//! A token is a JWT signed with Ed25519 (RFC 7519, RFC 8037). Verifying costs 50 us, more than all
//! else that happens to a call here, so tokens that were good are remembered until they expire.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use jsonwebtoken::{Algorithm, Validation, errors::ErrorKind};
use serde::{Deserialize, Serialize};

use super::{
    User,
    keys::{KeySource, Keys, NoKey},
};
use crate::status::{Fault, Kind};

/// `iss` of every token: who signs them.
pub const ISSUER: &str = "skyway";
/// `aud` of every token: whom they are for.
pub const AUDIENCE: &str = "skyway";
/// The role of those who may see and do everything.
pub const ROLE_ADMIN: &str = "admin";

/// Longest token that is looked at, in bytes.
const MOST_BYTES: usize = 4096;
/// Tokens remembered at once.
const MOST_REMEMBERED: usize = 8192;

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Always [`ISSUER`].
    pub iss: String,
    /// Always [`AUDIENCE`].
    pub aud: String,
    /// Id of the user.
    pub sub: String,
    /// Id of the session.
    pub sid: String,
    /// What the user may do: `user`, and [`ROLE_ADMIN`] where that is so.
    pub roles: Vec<String>,
    /// When it was made, in Unix seconds.
    pub iat: u64,
    /// When it becomes void, in Unix seconds.
    pub exp: u64,
}

/// Verifies tokens. Clones share what they remember.
#[derive(Clone, Debug)]
pub(super) struct Tokens {
    keys: Arc<Keys>,
    validation: Arc<Validation>,
    good: Arc<Mutex<HashMap<String, Good>>>,
}

/// A token that was verified.
#[derive(Clone, Debug)]
struct Good {
    user: User,
    until: u64,
}

impl Tokens {
    pub(super) fn new(source: Arc<dyn KeySource>) -> Self {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["aud", "exp", "iss", "sub"]);
        // A session says to the second when its token becomes void.
        validation.leeway = 0;
        Self {
            keys: Arc::new(Keys::new(source)),
            validation: Arc::new(validation),
            good: Arc::default(),
        }
    }

    /// The user whose token this is.
    pub(super) async fn verify(&self, token: &str) -> Result<User, Fault> {
        let now = super::now();
        if let Some(user) = self.recall(token, now) {
            return Ok(user);
        }
        if token.len() > MOST_BYTES {
            return Err(invalid("the access token is too long"));
        }
        let id = jsonwebtoken::decode_header(token)
            .ok()
            .and_then(|header| header.kid)
            .ok_or_else(not_a_token)?;
        let key = self.keys.get(&id).await.map_err(|missing| match missing {
            NoKey::Unknown => not_a_token(),
            NoKey::Unavailable => Fault::new(
                Kind::Unavailable,
                "IDENTITY_UNAVAILABLE",
                "access tokens cannot be verified now",
            ),
        })?;
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &self.validation)
            .map_err(|error| match error.kind() {
                ErrorKind::ExpiredSignature => {
                    invalid("the access token has expired; refresh the session")
                }
                _ => not_a_token(),
            })?
            .claims;
        let user = User {
            admin: claims.roles.iter().any(|role| role == ROLE_ADMIN),
            id: claims.sub,
            session: claims.sid,
        };
        self.remember(token, &user, claims.exp, now);
        Ok(user)
    }

    fn recall(&self, token: &str, now: u64) -> Option<User> {
        let good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        let good = good.get(token).filter(|good| now < good.until)?;
        Some(good.user.clone())
    }

    fn remember(&self, token: &str, user: &User, until: u64, now: u64) {
        let mut good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        if good.len() >= MOST_REMEMBERED {
            good.retain(|_, good| now < good.until);
        }
        if good.len() >= MOST_REMEMBERED {
            // Rare, and cheaper to learn again than to keep an order of who came last.
            good.clear();
        }
        let user = user.clone();
        good.insert(token.to_owned(), Good { user, until });
    }
}

fn not_a_token() -> Fault {
    invalid("the access token is not one that Skyway has signed")
}

fn invalid(message: &'static str) -> Fault {
    Fault::new(Kind::Unauthenticated, "TOKEN_INVALID", message)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use contracts::identity::v1::{JsonWebKey, JsonWebKeySet};
    use jsonwebtoken::{EncodingKey, Header};
    use tonic::Status;

    use super::*;
    use crate::auth::keys::Fetched;

    /// RFC 8037, appendix A: a seed after what stands before it in PKCS #8, and its public half.
    const PKCS8: &str = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v_VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g";
    const PUBLIC: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    #[derive(Debug, Default)]
    struct Source {
        fetches: AtomicUsize,
        away: AtomicBool,
    }

    impl KeySource for Source {
        fn fetch(&self) -> Fetched<'_> {
            self.fetches.fetch_add(1, Relaxed);
            let key = JsonWebKey {
                kty: "OKP".to_owned(),
                crv: "Ed25519".to_owned(),
                kid: "k1".to_owned(),
                x: PUBLIC.to_owned(),
                alg: "EdDSA".to_owned(),
                r#use: "sig".to_owned(),
            };
            let answer = if self.away.load(Relaxed) {
                Err(Status::unavailable("away"))
            } else {
                Ok(JsonWebKeySet { keys: vec![key] })
            };
            Box::pin(std::future::ready(answer))
        }
    }

    fn claims() -> Claims {
        let now = super::super::now();
        Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: "u1".to_owned(),
            sid: "s1".to_owned(),
            roles: vec!["user".to_owned()],
            iat: now,
            exp: now + 60,
        }
    }

    fn sign(kid: &str, algorithm: Algorithm, claims: &impl Serialize) -> String {
        let header = Header {
            kid: Some(kid.to_owned()),
            ..Header::new(algorithm)
        };
        let key = match algorithm {
            Algorithm::EdDSA => EncodingKey::from_ed_der(&URL_SAFE_NO_PAD.decode(PKCS8).unwrap()),
            // What an attacker may try: the public half as a shared secret.
            _ => EncodingKey::from_secret(&URL_SAFE_NO_PAD.decode(PUBLIC).unwrap()),
        };
        jsonwebtoken::encode(&header, claims, &key).unwrap()
    }

    #[tokio::test]
    async fn a_good_token_says_who_the_user_is() {
        let tokens = Tokens::new(Arc::<Source>::default());
        for (roles, admin) in [(&["user"][..], false), (&["user", "admin"], true)] {
            let claims = Claims {
                roles: roles.iter().map(|role| (*role).to_owned()).collect(),
                ..claims()
            };
            let token = sign("k1", Algorithm::EdDSA, &claims);
            for _ in 0..2 {
                let user = tokens.verify(&token).await.unwrap();
                let expected = User {
                    id: "u1".to_owned(),
                    session: "s1".to_owned(),
                    admin,
                };
                assert_eq!(user, expected);
            }
        }
    }

    #[tokio::test]
    async fn whatever_is_wrong_with_a_token_it_is_refused() {
        #[derive(Serialize)]
        struct NoExpiry {
            iss: &'static str,
            aud: &'static str,
            sub: &'static str,
        }
        let tokens = Tokens::new(Arc::<Source>::default());
        let good = sign("k1", Algorithm::EdDSA, &claims());
        let other = |change: fn(&mut Claims)| {
            let mut claims = claims();
            change(&mut claims);
            sign("k1", Algorithm::EdDSA, &claims)
        };
        let no_expiry = NoExpiry {
            iss: ISSUER,
            aud: AUDIENCE,
            sub: "u1",
        };
        let (head, _) = good.rsplit_once('.').unwrap();
        for token in [
            String::new(),
            "a.b.c".to_owned(),
            format!("{head}."),
            format!("{head}.{}", URL_SAFE_NO_PAD.encode([0; 64])),
            sign("k1", Algorithm::HS256, &claims()),
            sign("k2", Algorithm::EdDSA, &claims()),
            sign("k1", Algorithm::EdDSA, &no_expiry),
            other(|claims| claims.exp = claims.iat - 1),
            other(|claims| claims.iss = "another".to_owned()),
            other(|claims| claims.aud = "another".to_owned()),
            "x".repeat(MOST_BYTES + 1),
        ] {
            let fault = tokens.verify(&token).await.unwrap_err();
            assert_eq!(
                (fault.kind, fault.reason),
                (Kind::Unauthenticated, "TOKEN_INVALID"),
                "{token}"
            );
        }
        tokens.verify(&good).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn keys_are_fetched_when_they_are_needed_and_kept_while_nobody_has_them() {
        let source = Arc::<Source>::default();
        let fetches = || source.fetches.load(Relaxed);
        let tokens = Tokens::new(Arc::clone(&source) as Arc<dyn KeySource>);
        let unknown = sign("k2", Algorithm::EdDSA, &claims());
        let known = |session: &str| {
            let claims = Claims {
                sid: session.to_owned(),
                ..claims()
            };
            sign("k1", Algorithm::EdDSA, &claims)
        };
        source.away.store(true, Relaxed);
        let fault = tokens.verify(&known("1")).await.unwrap_err();
        assert_eq!((fault.kind, fetches()), (Kind::Unavailable, 1));
        source.away.store(false, Relaxed);
        let fault = tokens.verify(&known("1")).await.unwrap_err();
        assert_eq!(
            (fault.kind, fetches()),
            (Kind::Unavailable, 1),
            "not yet again"
        );
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        tokens.verify(&known("1")).await.unwrap();
        assert_eq!(fetches(), 2);
        for _ in 0..10 {
            tokens.verify(&unknown).await.unwrap_err();
        }
        assert_eq!(fetches(), 2, "however many unknown keys are named");
        source.away.store(true, Relaxed);
        tokio::time::advance(std::time::Duration::from_secs(400)).await;
        tokens.verify(&known("2")).await.unwrap();
        // The refresh in the background.
        while fetches() == 2 {
            tokio::task::yield_now().await;
        }
        tokens.verify(&known("3")).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_remembered_has_an_end() {
        let tokens = Tokens::new(Arc::<Source>::default());
        let user = User {
            id: "u1".to_owned(),
            session: "s1".to_owned(),
            admin: false,
        };
        for number in 0..=MOST_REMEMBERED {
            tokens.remember(&number.to_string(), &user, 100, 50);
        }
        assert!(tokens.good.lock().unwrap().len() <= MOST_REMEMBERED);
        let last = MOST_REMEMBERED.to_string();
        assert_eq!(tokens.recall(&last, 99), Some(user));
        assert_eq!(tokens.recall(&last, 100), None, "expired");
    }
}
