//! The first administrator of an `up` that was told of none: made with a password that is shown
//! once, at the start that makes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::config::Config;

/// Address of the administrator that nobody has configured.
const EMAIL: &str = "admin@skyway.local";

/// Letters and digits that are not taken for each other.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Letters of a password, five bits each.
const LENGTH: usize = 20;

/// Who is to be administrator.
#[derive(Debug)]
pub(super) struct FirstAdmin {
    /// The configuration with an administrator, of which identity makes use where it has none yet.
    pub(super) config: Config,
    /// Whether identity has made use of it.
    pub(super) made: Arc<AtomicBool>,
    /// Whether the password was chosen here and is known to nobody else.
    chosen: bool,
}

impl FirstAdmin {
    /// The one that is configured, or one with a new password.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub(super) fn of(config: &Config) -> anyhow::Result<Self> {
        let mut config = config.clone();
        let chosen = config.identity.admin_email.is_none();
        if chosen {
            config.identity.admin_email = Some(EMAIL.to_owned());
            config.identity.admin_password = Some(password()?.into());
        }
        Ok(Self {
            config,
            made: Arc::default(),
            chosen,
        })
    }

    /// Address and password, where the password is new and somebody has to be told.
    pub(super) fn to_show(&self) -> Option<(&str, &str)> {
        let identity = &self.config.identity;
        let (email, password) = (
            identity.admin_email.as_ref()?,
            identity.admin_password.as_ref()?,
        );
        let new = self.chosen && self.made.load(Ordering::Relaxed);
        new.then(|| (email.as_str(), password.reveal()))
    }
}

fn password() -> anyhow::Result<String> {
    let mut random = [0_u8; LENGTH];
    getrandom::fill(&mut random)?;
    let letters = random.map(|byte| ALPHABET[usize::from(byte) % ALPHABET.len()]);
    Ok(letters.into_iter().map(char::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_password_is_shown_when_it_is_in_use() {
        let admin = FirstAdmin::of(&Config::default()).unwrap();
        assert_eq!(admin.to_show(), None);
        admin.made.store(true, Ordering::Relaxed);
        let (email, password) = admin.to_show().unwrap();
        assert_eq!((email, password.len()), (EMAIL, LENGTH));
        assert!(!format!("{admin:?}").contains(password));
        let other = FirstAdmin::of(&Config::default()).unwrap();
        other.made.store(true, Ordering::Relaxed);
        assert_ne!(other.to_show().unwrap().1, password);
    }

    #[test]
    fn one_that_is_configured_is_known_already() {
        let mut config = Config::default();
        config.identity.admin_email = Some("ada@example.com".to_owned());
        config.identity.admin_password = Some("s3cret-1815".to_owned().into());
        let admin = FirstAdmin::of(&config).unwrap();
        admin.made.store(true, Ordering::Relaxed);
        assert_eq!(admin.to_show(), None);
        let identity = &admin.config.identity;
        assert_eq!(identity.admin_email.as_deref(), Some("ada@example.com"));
    }
}
