//! The life of signing keys: published before they sign, and until their last token is void.
//!
//! ```text
//! generation 1  |published, signs ............|still published .....|gone
//! generation 2                 |published ....|signs ................
//!                              |<-- ahead --->|<-- life + slack --->|
//! ```
//!
//! Replicas share the list, so that they agree without talking to one another.

use ed25519_dalek::SigningKey;

/// How long before it signs a key is published: longer than verifiers keep what they have fetched.
const AHEAD: i64 = 10 * 60 * 1000;
/// Kept for longer than its last token, since clocks differ.
const SLACK: i64 = 60 * 1000;
/// What stands before the seed of an Ed25519 key in PKCS #8 (RFC 8410, section 7).
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// A signing key as the list has it; the secret half is in no list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its number: one more than the key's before it.
    pub generation: i64,
    /// Its id, which stands in every token that it signs.
    pub id: String,
    /// The public half.
    pub public: [u8; 32],
    /// When it was made and published.
    pub created: i64,
    /// From when on it signs.
    pub signs_from: i64,
}

/// How long keys live.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// How long a key signs.
    pub rotation: i64,
    /// How long a token is good for.
    pub token_life: i64,
}

impl Policy {
    fn ahead(self) -> i64 {
        AHEAD.min(self.rotation / 2)
    }

    /// When the next key is to sign, where it is time to make it. `keys` are in order.
    #[must_use]
    pub fn successor(self, keys: &[Key], now: i64) -> Option<i64> {
        let Some(newest) = keys.last() else {
            return Some(now);
        };
        let due = newest.signs_from + self.rotation;
        (now >= due - self.ahead()).then(|| due.max(now + self.ahead()))
    }

    /// The keys whose last token is void.
    #[must_use]
    pub fn dead(self, keys: &[Key], now: i64) -> Vec<i64> {
        let pairs = keys.iter().zip(keys.iter().skip(1));
        pairs
            .filter(|(_, next)| next.signs_from + self.token_life + SLACK <= now)
            .map(|(key, _)| key.generation)
            .collect()
    }
}

/// The key that signs at `now`, as its place in the list.
#[must_use]
pub fn signing(keys: &[Key], now: i64) -> Option<usize> {
    keys.iter().rposition(|key| key.signs_from <= now)
}

/// The public half of the key with this seed.
#[must_use]
pub fn public(seed: &[u8; 32]) -> [u8; 32] {
    SigningKey::from_bytes(seed).verifying_key().to_bytes()
}

/// The key with this seed as PKCS #8.
#[must_use]
pub fn pkcs8(seed: &[u8; 32]) -> Vec<u8> {
    [&PKCS8[..], seed].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60 * 1000;
    const POLICY: Policy = Policy {
        rotation: 30 * DAY,
        token_life: 15 * 60 * 1000,
    };

    fn key(generation: i64, signs_from: i64) -> Key {
        Key {
            generation,
            id: generation.to_string(),
            public: [0; 32],
            created: 0,
            signs_from,
        }
    }

    #[test]
    fn the_first_key_signs_at_once_and_the_next_is_published_before_it_does() {
        assert_eq!(POLICY.successor(&[], 5), Some(5));
        let keys = [key(1, 0)];
        let due = 30 * DAY;
        for (now, expected) in [
            (due - AHEAD - 1, None),
            (due - AHEAD, Some(due)),
            // Nobody ran when it was due.
            (due + DAY, Some(due + DAY + AHEAD)),
        ] {
            assert_eq!(POLICY.successor(&keys, now), expected, "{now}");
        }
        let keys = [key(1, 0), key(2, due)];
        assert_eq!(
            POLICY.successor(&keys, due),
            None,
            "its successor is there already"
        );
    }

    #[test]
    fn one_key_signs_at_a_time() {
        let keys = [key(1, 0), key(2, 100)];
        for (now, expected) in [(-1, None), (0, Some(0)), (99, Some(0)), (100, Some(1))] {
            assert_eq!(signing(&keys, now), expected, "{now}");
        }
    }

    #[test]
    fn a_key_goes_when_its_last_token_is_void() {
        let keys = [key(1, 0), key(2, 100), key(3, DAY)];
        let end = 100 + POLICY.token_life + SLACK;
        assert_eq!(POLICY.dead(&keys, end - 1), Vec::<i64>::new());
        assert_eq!(POLICY.dead(&keys, end), [1]);
        assert_eq!(POLICY.dead(&keys, 2 * DAY), [1, 2]);
        assert_eq!(POLICY.dead(&keys[2..], 2 * DAY), Vec::<i64>::new());
    }
}
