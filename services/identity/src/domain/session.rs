//! Sessions: a chain of refresh tokens, each good for one exchange.
//!
//! A token that comes a second time was stolen, from the user or by them: nobody can tell which of
//! the two uses was the thief's, so the whole session ends (RFC 9700, section 4.14.2).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// Bytes of randomness in a token.
pub const TOKEN_BYTES: usize = 32;

/// A refresh token.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken {
    /// What the client gets.
    pub text: String,
    /// What is kept: whoever reads the database cannot use it.
    pub hash: String,
}

impl RefreshToken {
    /// A token of this randomness.
    #[must_use]
    pub fn new(random: [u8; TOKEN_BYTES]) -> Self {
        let text = URL_SAFE_NO_PAD.encode(random);
        let hash = hash(&text);
        Self { text, hash }
    }
}

/// The hash of a token that a client sent. No salt and no work: a token cannot be guessed.
#[must_use]
pub fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_bytes()))
}

/// What is known of a token and its session.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Whether it has been exchanged.
    pub used: bool,
    /// When it becomes void.
    pub expires: i64,
    /// Whether its session has ended.
    pub ended: bool,
}

/// What an exchange comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// A new token is given for it.
    Fresh,
    /// Somebody has exchanged it before: the session ends.
    Reused,
    /// Nothing is given for it.
    Void,
}

/// What to do with a token at `now`.
#[must_use]
pub fn exchange(standing: Standing, now: i64) -> Exchange {
    match standing {
        Standing { ended: true, .. } => Exchange::Void,
        Standing { expires, .. } if expires <= now => Exchange::Void,
        Standing { used: true, .. } => Exchange::Reused,
        Standing { used: false, .. } => Exchange::Fresh,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_one_exchange_while_its_session_lasts() {
        for (used, expires, ended, expected) in [
            (false, 101, false, Exchange::Fresh),
            (true, 101, false, Exchange::Reused),
            (false, 100, false, Exchange::Void),
            (true, 100, false, Exchange::Void),
            (false, 101, true, Exchange::Void),
            (true, 101, true, Exchange::Void),
        ] {
            let standing = Standing {
                used,
                expires,
                ended,
            };
            assert_eq!(exchange(standing, 100), expected, "{standing:?}");
        }
    }

    #[test]
    fn what_is_kept_is_the_hash_of_what_is_given() {
        let token = RefreshToken::new([7; TOKEN_BYTES]);
        assert_eq!(token.text.len(), 43);
        assert_eq!(token.hash, hash(&token.text));
        assert_ne!(token.hash, token.text);
        assert_ne!(token.hash, RefreshToken::new([8; TOKEN_BYTES]).hash);
    }
}
