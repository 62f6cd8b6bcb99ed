//! A mail that is written and not yet wrapped for its transport.

/// What a mail says, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Id of the mail, from which its Message-ID follows.
    pub mail: String,
    /// Address that it goes to.
    pub recipient: String,
    /// Subject line, without line breaks.
    pub subject: String,
    /// The text for clients that show no HTML.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// A calendar file that comes with it.
    pub calendar: Option<Calendar>,
    /// Whether it says how to get no more of its kind: it does where nobody asked for it.
    pub unsubscribable: bool,
    /// When it is written, Unix milliseconds.
    pub date: i64,
}

/// An iCalendar file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// What to do with it: `PUBLISH`.
    pub method: &'static str,
    /// Its text.
    pub text: String,
}

/// The part of an address that says which mail server takes it, in small letters.
#[must_use]
pub fn domain_of(address: &str) -> String {
    let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
    domain.trim_end_matches(['.', '>']).to_lowercase()
}

/// A text on one line: what breaks lines, or is otherwise no character to print, becomes a space.
#[must_use]
pub fn one_line(text: &str) -> String {
    let printable = |character: char| {
        if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') {
            ' '
        } else {
            character
        }
    };
    let line: String = text.chars().map(printable).collect();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_do_not_depend_on_spelling() {
        for (address, domain) in [
            ("ada@Example.COM", "example.com"),
            ("\"a@b\"@example.com.", "example.com"),
            ("nobody", ""),
        ] {
            assert_eq!(domain_of(address), domain, "{address}");
        }
    }

    #[test]
    fn no_line_break_is_left_in_a_line() {
        for text in [
            "a\r\nBcc: b",
            "a\nBcc: b",
            "a\u{85}Bcc:\u{2028}b",
            " a \0 Bcc: b ",
        ] {
            assert_eq!(one_line(text), "a Bcc: b", "{text:?}");
        }
    }
}
