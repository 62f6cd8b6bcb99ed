//! Signed tokens that a client carries but cannot make: offers and page tokens.
//!
//! A token is `base64url(tag || payload)`. The tag is HMAC-SHA256 (RFC 2104) cut to 16 bytes, the
//! least that RFC 2104 §5 allows; it also covers a purpose, so that a token made for one use is
//! void for any other. The payload is readable by whoever holds the token.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use sha2::Sha256;

const TAG: usize = 16;

/// A secret that signs tokens.
#[derive(Clone)]
pub struct Key([u8; 32]);

/// Why a token was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It is not a token at all.
    #[error("not a token")]
    Malformed,
    /// It was changed, made with another key, or made for another purpose.
    #[error("signature does not match")]
    Forged,
}

impl Key {
    /// Uses these 32 bytes, which must come from a cryptographic source.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Signs `payload` for `purpose`.
    #[must_use]
    pub fn seal(&self, purpose: &str, payload: &[u8]) -> String {
        let tag = self.mac(purpose, payload).finalize().into_bytes();
        let mut token = Vec::with_capacity(TAG + payload.len());
        token.extend_from_slice(&tag[..TAG]);
        token.extend_from_slice(payload);
        URL_SAFE_NO_PAD.encode(token)
    }

    /// Gives back the payload that [`Key::seal`] signed for `purpose`, comparing in constant time.
    ///
    /// # Errors
    ///
    /// [`OpenError`] where the token is not one that this key made for this purpose.
    pub fn open(&self, purpose: &str, token: &str) -> Result<Vec<u8>, OpenError> {
        let mut bytes = URL_SAFE_NO_PAD
            .decode(token)
            .map_err(|_| OpenError::Malformed)?;
        let (tag, payload) = bytes.split_at_checked(TAG).ok_or(OpenError::Malformed)?;
        self.mac(purpose, payload)
            .verify_truncated_left(tag)
            .map_err(|_| OpenError::Forged)?;
        bytes.drain(..TAG);
        Ok(bytes)
    }

    /// A secret of its own for one thing, which tells nothing of this key or of what it signs.
    #[must_use]
    pub fn derive(&self, purpose: &str, thing: &[u8]) -> [u8; 32] {
        // No token has such a purpose, so that no tag is half of a derived secret.
        let purpose = format!("derive {purpose}");
        self.mac(&purpose, thing).finalize().into_bytes().into()
    }

    fn mac(&self, purpose: &str, payload: &[u8]) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        // The length keeps "ab" + "c" and "a" + "bc" apart.
        mac.update(&(purpose.len() as u64).to_be_bytes());
        mac.update(purpose.as_bytes());
        mac.update(payload);
        mac
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = Key::new([7; 32]);

    #[test]
    fn a_token_opens_for_its_purpose_only() {
        let token = KEY.seal("offer", b"JFK-SEA");
        assert_eq!(KEY.open("offer", &token), Ok(b"JFK-SEA".to_vec()));
        assert_eq!(KEY.open("page", &token), Err(OpenError::Forged));
        assert_eq!(
            Key::new([8; 32]).open("offer", &token),
            Err(OpenError::Forged)
        );
    }

    #[test]
    fn purpose_and_payload_do_not_run_into_each_other() {
        let token = KEY.seal("ab", b"c");
        let moved = KEY.seal("a", b"bc");
        assert_ne!(token[..20], moved[..20]);
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let token = URL_SAFE_NO_PAD
            .decode(KEY.seal("offer", b"payload"))
            .unwrap();
        for index in 0..token.len() {
            let mut changed = token.clone();
            changed[index] ^= 1;
            assert_eq!(
                KEY.open("offer", &URL_SAFE_NO_PAD.encode(changed)),
                Err(OpenError::Forged),
                "byte {index}"
            );
        }
    }

    #[test]
    fn what_is_no_token_is_malformed() {
        for text in ["", "AAAA", "not base64!", "é"] {
            assert_eq!(
                KEY.open("offer", text),
                Err(OpenError::Malformed),
                "{text:?}"
            );
        }
    }

    #[test]
    fn derived_secrets_have_nothing_in_common() {
        let secrets = [
            KEY.derive("signing-key", b"1"),
            KEY.derive("signing-key", b"2"),
            KEY.derive("other", b"1"),
            Key::new([8; 32]).derive("signing-key", b"1"),
        ];
        for (index, secret) in secrets.iter().enumerate() {
            assert!(!secrets[..index].contains(secret));
            let token = URL_SAFE_NO_PAD
                .decode(KEY.seal("signing-key", b"1"))
                .unwrap();
            assert_ne!(token[..TAG], secret[..TAG]);
        }
    }

    #[test]
    fn the_key_is_never_shown() {
        assert_eq!(format!("{KEY:?}"), "Key(***)");
    }
}
