//! Passwords: kept as argon2id hashes, with the parameters that OWASP recommends.
//!
//! The parameters stand in each hash, so that old hashes stay good when they are raised.

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
    password_hash::phc::PasswordHash,
};

/// OWASP Password Storage Cheat Sheet: 19 MiB, 2 passes, 1 lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// A password could not be hashed: no randomness, or no memory.
#[derive(Debug, thiserror::Error)]
#[error("cannot hash a password: {0}")]
pub struct HashError(String);

/// The hash of a new password, with a salt of its own. Takes tens of milliseconds.
///
/// # Errors
/// Where the system gives no randomness.
pub fn hash(password: &str) -> Result<String, HashError> {
    let fail = |error: &dyn std::fmt::Display| HashError(error.to_string());
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| fail(&error))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon2
        .hash_password(password.as_bytes())
        .map_err(|error| fail(&error))?;
    Ok(hash.to_string())
}

/// Whether this password was hashed to that. Takes as long as hashing it.
#[must_use]
pub fn verify(password: &str, hash: &str) -> bool {
    let parsed = PasswordHash::new(hash);
    parsed.is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_argon2id_with_its_parameters_and_a_salt_of_its_own() {
        let (one, two) = (hash("countess").unwrap(), hash("countess").unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, two);
        assert!(verify("countess", &one) && verify("countess", &two));
        assert!(!verify("countesS", &one));
        assert!(!verify("countess", "not a hash"));
    }
}
