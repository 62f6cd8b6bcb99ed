//! The kinds of value that only mails have: how fast they leave, and from whom.

use std::fmt::{self, Display};
use std::str::FromStr;

/// The most that [`Rate`] may be: turns closer together than this are noise.
const MOST: f64 = 10_000.0;

/// How many of something per second: more than 0, fractions too.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rate(pub(crate) f64);

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(rate) if rate > 0.0 && rate <= MOST => Ok(Self(rate)),
            _ => Err(format!(
                "{text:?} is not a number above 0 and at most {MOST}"
            )),
        }
    }
}

impl Display for Rate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.0, formatter)
    }
}

/// Somebody's mail address, with or without a name before it. Whether anybody reads it is not known here;
/// what could not stand in one line of a mail's head is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mailbox(String);

impl From<&str> for Mailbox {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl FromStr for Mailbox {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = match text.rsplit_once('<') {
            Some((_, address)) => address.strip_suffix('>').unwrap_or_default(),
            None => text,
        };
        let is_part = |part: &str| {
            let odd = |c: char| c.is_whitespace() || "@<>,;:\"()".contains(c);
            !part.is_empty() && !part.contains(odd)
        };
        let parts = address.rsplit_once('@');
        let good = parts.is_some_and(|(user, host)| is_part(user) && is_part(host));
        if good && !text.contains(char::is_control) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "{text:?} is not a mail address; write trips@example.com or Skyway <trips@example.com>"
        ))
    }
}

impl Display for Mailbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_more_than_nothing() {
        for text in ["50", "0.5", "10000"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        for text in ["0", "-1", "10001", "inf", "NaN", "many", ""] {
            let error = text.parse::<Rate>().unwrap_err();
            assert_eq!(
                error,
                format!("{text:?} is not a number above 0 and at most 10000")
            );
        }
    }

    #[test]
    fn an_address_may_have_a_name() {
        for text in [
            "trips@skyway.local",
            "Skyway <trips@skyway.local>",
            "\"Skyway, Inc.\" <trips@skyway.local>",
            "<trips@skyway.local>",
        ] {
            assert_eq!(text.parse::<Mailbox>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "Skyway",
            "@skyway.local",
            "trips@",
            "Skyway <trips@skyway.local",
            "Skyway trips@skyway.local",
            "a@b@c",
            "a@b, c@d",
            "Skyway\r\nBcc: eve@example.com <trips@skyway.local>",
        ] {
            let error = text.parse::<Mailbox>().unwrap_err();
            assert!(error.contains("is not a mail address"), "{error}");
        }
    }
}
