//! Tokens as identity would sign them, and a gateway's trust in its key.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contracts::identity::v1::{JsonWebKey, JsonWebKeySet};
use ed25519_dalek::SigningKey;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use mesh::auth::{AUDIENCE, Auth, Claims, Fetched, ISSUER, KeySource};
use mesh::seal::Key;

const SEED: [u8; 32] = [3; 32];
/// What stands before the seed in PKCS #8 (RFC 8410).
const PKCS8: [u8; 16] = *b"0.\x02\x01\0\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";

/// The key that the tokens of these tests are signed with.
#[derive(Debug)]
struct Published;

impl KeySource for Published {
    fn fetch(&self) -> Fetched<'_> {
        let public = SigningKey::from_bytes(&SEED).verifying_key();
        let key = JsonWebKey {
            kty: "OKP".into(),
            crv: "Ed25519".into(),
            kid: "k1".into(),
            x: URL_SAFE_NO_PAD.encode(public.as_bytes()),
            alg: "EdDSA".into(),
            r#use: "sig".into(),
        };
        Box::pin(std::future::ready(Ok(JsonWebKeySet { keys: vec![key] })))
    }
}

/// Trust in the tokens that are made here.
pub(crate) fn auth() -> Auth {
    Auth::new(Key::new([9; 32])).with_key_source(Arc::new(Published))
}

/// A token of somebody with these roles, good for so many seconds.
pub(crate) fn token(roles: &[&str], life: i64) -> String {
    let now = mesh::clock::since_epoch().as_secs();
    let claims = Claims {
        iss: ISSUER.into(),
        aud: AUDIENCE.into(),
        sub: "u1".into(),
        sid: "s1".into(),
        roles: roles.iter().map(ToString::to_string).collect(),
        iat: now,
        exp: now.saturating_add_signed(life),
    };
    let der = [&PKCS8[..], &SEED].concat();
    let header = Header {
        kid: Some("k1".into()),
        ..Header::new(Algorithm::EdDSA)
    };
    let key = EncodingKey::from_ed_der(&der);
    jsonwebtoken::encode(&header, &claims, &key).unwrap()
}
