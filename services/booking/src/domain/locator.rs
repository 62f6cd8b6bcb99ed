//! Record locators: six characters that people read to each other over the telephone.

/// No two of these look alike: of 0 O, 1 I L, 2 Z, 5 S, 8 B and U V at most one is here.
const ALPHABET: &[u8; 27] = b"23456789ACDEFGHJKMNPQRTVWXY";
/// Characters of a locator.
pub const LENGTH: usize = 6;

/// The locator that a random number stands for, each of the 387 million about equally often.
#[must_use]
pub fn from_random(mut number: u64) -> String {
    let base = ALPHABET.len() as u64;
    let mut locator = String::with_capacity(LENGTH);
    for _ in 0..LENGTH {
        let index = usize::try_from(number % base).unwrap_or_default();
        locator.push(char::from(ALPHABET[index]));
        number /= base;
    }
    locator
}

/// As it is kept: people may write small letters.
#[must_use]
pub fn normal(text: &str) -> String {
    text.to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_characters_look_alike() {
        for alike in ["0O", "0Q1I", "1IL", "2Z", "5S", "8B", "UV"] {
            let present = alike
                .bytes()
                .filter(|letter| ALPHABET.contains(letter))
                .count();
            assert!(present <= 1, "{alike}");
        }
        assert_eq!(
            ALPHABET.iter().collect::<HashSet<_>>().len(),
            ALPHABET.len()
        );
        assert!(
            ALPHABET
                .iter()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
        );
    }

    #[test]
    fn different_numbers_give_different_locators() {
        let all: HashSet<String> = (0..100_000).map(from_random).collect();
        assert_eq!(all.len(), 100_000);
        assert!(all.iter().all(|locator| locator.len() == LENGTH));
        assert_eq!(from_random(0), "222222");
        assert_eq!(
            from_random(27_u64.pow(6)),
            "222222",
            "and then they begin again"
        );
    }

    #[test]
    fn small_letters_count_as_capitals() {
        assert_eq!(normal("k7qxpm"), "K7QXPM");
    }
}
