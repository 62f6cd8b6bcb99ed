//! What an answer of the mail server means for the mail: `docs/mail.md` has the table.
//!
//! Only an answer to the mail itself can condemn it. A server that does not let us in, for a wrong
//! password as for its own overload, has not seen the mail, and the next one would fare no better.

/// When the server said it, or did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// While the connection was made: greeting, encryption, signing in.
    Opening,
    /// While the mail was handed over: sender, recipient, text.
    Handing,
}

/// What becomes of a mail that was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Trying again may help.
    Transient,
    /// It will never be accepted.
    Permanent,
}

/// What a refusal means; `code` is none where the connection broke, or nothing came in time.
#[must_use]
pub const fn verdict(stage: Stage, code: Option<u16>) -> Verdict {
    match (stage, code) {
        (Stage::Handing, Some(500..=599)) => Verdict::Permanent,
        _ => Verdict::Transient,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_5xx_to_the_mail_itself_is_for_good() {
        use Stage::{Handing, Opening};
        use Verdict::{Permanent, Transient};
        for (stage, code, expected) in [
            (Handing, Some(550), Permanent),
            (Handing, Some(552), Permanent),
            (Handing, Some(554), Permanent),
            (Handing, Some(421), Transient),
            (Handing, Some(450), Transient),
            (Handing, Some(451), Transient),
            (Handing, Some(452), Transient),
            (Handing, Some(354), Transient),
            (Handing, None, Transient),
            (Opening, Some(421), Transient),
            (Opening, Some(535), Transient),
            (Opening, Some(554), Transient),
            (Opening, None, Transient),
        ] {
            assert_eq!(verdict(stage, code), expected, "{stage:?} {code:?}");
        }
    }
}
