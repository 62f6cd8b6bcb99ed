//! Values that nobody may see: they are masked wherever a setting is shown, and not quoted back
//! where they are wrong.

use std::convert::Infallible;
use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::str::FromStr;

/// A URL of some kind. Its password is in no log and no output.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SecretUrl<K>(String, PhantomData<K>);

/// What URLs of a kind look like.
pub(crate) trait UrlKind {
    /// What they begin with.
    const SCHEMES: &'static [&'static str];
    /// What to say of one that does not.
    const WRONG: &'static str;
}

/// A database's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Database;

/// A queue's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Queue;

/// A mail server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MailServer;

// What was written is not quoted back: what is not a URL may still be a password.

impl UrlKind for Database {
    const SCHEMES: &'static [&'static str] = &["sqlite:", "postgres:", "mysql:"];
    const WRONG: &'static str = "not the URL of a database; write sqlite:///path/to/file.db, postgres://user:password@host/name or mysql://user:password@host/name";
}

impl UrlKind for Queue {
    const SCHEMES: &'static [&'static str] = &["redis://", "rediss://"];
    const WRONG: &'static str =
        "not the URL of a queue; write redis://user:password@host:6379, or rediss:// for TLS";
}

impl UrlKind for MailServer {
    const SCHEMES: &'static [&'static str] = &["smtp://", "smtps://"];
    const WRONG: &'static str = "not the URL of a mail server; write smtp://host:25, smtp://user:password@host:587?tls=required or smtps://user:password@host";
}

impl<K> SecretUrl<K> {
    /// The whole URL, for the driver alone.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl<K: UrlKind> FromStr for SecretUrl<K> {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let known = |scheme: &&str| text.len() > scheme.len() && text.starts_with(*scheme);
        if K::SCHEMES.iter().any(known) {
            return Ok(Self(text.to_owned(), PhantomData));
        }
        Err(K::WRONG)
    }
}

impl<K> Display for SecretUrl<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&masked(&self.0))
    }
}

impl<K> fmt::Debug for SecretUrl<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&masked(&self.0))
    }
}

/// A key of 32 bytes. It is in no log and no output.
#[derive(Clone, Debug)]
pub(crate) struct Key(pub(crate) mesh::seal::Key);

impl FromStr for Key {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        // `from_str_radix` would take a sign for a digit.
        if text.len() == 64 && text.chars().all(|digit| digit.is_ascii_hexdigit()) {
            let pairs = (0..64)
                .step_by(2)
                .map(|at| u8::from_str_radix(&text[at..at + 2], 16));
            let bytes = pairs.collect::<Result<Vec<u8>, _>>().unwrap_or_default();
            if let Ok(bytes) = bytes.try_into() {
                return Ok(Self(mesh::seal::Key::new(bytes)));
            }
        }
        Err("not a key; write 64 hexadecimal digits, as `openssl rand -hex 32` makes them")
    }
}

/// A password. It is in no log and no output.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// The password, for whoever checks it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(***)")
    }
}

/// `***` for a secret that is given, else `none`.
pub(super) fn or_none<T>(secret: Option<&T>) -> String {
    if secret.is_some() { "***" } else { "none" }.to_owned()
}

/// A URL with its password as `***`.
pub(crate) fn masked(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    match authority.rsplit_once('@') {
        Some((user, _)) => {
            let name = user.split(':').next().unwrap_or(user);
            format!("{scheme}://{name}:***{}", &rest[user.len()..])
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        for (url, shown) in [
            (
                "postgres://ada:s3cret@db:5432/search?x=1",
                "postgres://ada:***@db:5432/search?x=1",
            ),
            (
                "postgres://ada:p@ss@db/search",
                "postgres://ada:***@db/search",
            ),
            (
                "sqlite:///var/lib/skyway/search.db",
                "sqlite:///var/lib/skyway/search.db",
            ),
            ("redis://:s3cret@cache", "redis://:***@cache"),
            ("rediss://:s3cret@cache", "rediss://:***@cache"),
        ] {
            assert_eq!(masked(url), shown);
        }
        let shown = format!("{:?}", "s3cret".parse::<Secret>());
        assert!(!shown.contains("s3cret"), "{shown}");
        let url = "mongodb://ada:s3cret@db";
        for error in [
            url.parse::<SecretUrl<Database>>().unwrap_err(),
            url.parse::<SecretUrl<Queue>>().unwrap_err(),
            url.parse::<SecretUrl<MailServer>>().unwrap_err(),
        ] {
            assert!(
                error.starts_with("not the URL of a ") && !error.contains("s3cret"),
                "{error}"
            );
        }
        let url: SecretUrl<MailServer> = "smtp://ada:s3cret@mail?tls=required".parse().unwrap();
        let shown = format!("{url} {url:?}");
        assert_eq!(
            shown,
            "smtp://ada:***@mail?tls=required smtp://ada:***@mail?tls=required"
        );
    }

    #[test]
    fn a_key_is_64_digits_and_not_shown() {
        let key: Key = "0aFf".repeat(16).parse().unwrap();
        assert!(!format!("{key:?}").to_lowercase().contains("0aff"));
        for text in [
            "",
            "0aff",
            &"0aFg".repeat(16),
            &"0aFf".repeat(17),
            &"é".repeat(32),
        ] {
            assert!(
                text.parse::<Key>()
                    .unwrap_err()
                    .starts_with("not a key; write 64"),
                "{text}"
            );
        }
    }
}
