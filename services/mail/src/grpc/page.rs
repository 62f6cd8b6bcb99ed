//! Page tokens: behind which mail, or dead letter, a page begins.
//!
//! A token is not signed. Whoever changes one begins somewhere else in a list of what they may
//! see anyway, and replicas need no common key.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use contracts::rt::violation::Invalid;
use durable::queue::DeadLetter;
use tonic::Status;

use crate::domain::mail::{Cursor, Mail};

/// Asks for the page behind `last`.
pub(super) fn token(last: &Mail) -> String {
    let mut bytes = last.created.to_be_bytes().to_vec();
    bytes.extend(last.id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Where to go on; none for the first page.
pub(super) fn cursor(token: &str) -> Result<Option<Cursor>, Status> {
    read(token, |bytes| {
        let (created, id) = bytes.split_first_chunk()?;
        Some(Cursor {
            created: i64::from_be_bytes(*created),
            id: String::from_utf8(id.to_vec()).ok()?,
        })
    })
}

/// Asks for the page behind `last`.
pub(super) fn dead_token(last: &DeadLetter) -> String {
    URL_SAFE_NO_PAD.encode(&last.cursor)
}

/// Where to go on; none for the first page.
pub(super) fn dead_cursor(token: &str) -> Result<Option<String>, Status> {
    read(token, |bytes| String::from_utf8(bytes).ok())
}

fn read<T>(token: &str, place: impl FnOnce(Vec<u8>) -> Option<T>) -> Result<Option<T>, Status> {
    if token.is_empty() {
        return Ok(None);
    }
    let found = URL_SAFE_NO_PAD.decode(token).ok().and_then(place);
    let invalid = || Invalid::one("page_token", "is not a next_page_token of this method");
    found.map(Some).ok_or_else(|| invalid().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::mail::testing::mail;

    #[test]
    fn a_token_leads_back_to_its_place() {
        let last = Mail {
            created: 1_796_000_000_123,
            ..mail("t-1-confirmed")
        };
        let place = Cursor {
            created: last.created,
            id: last.id.clone(),
        };
        assert_eq!(cursor(&token(&last)).unwrap(), Some(place));
        assert_eq!(cursor("").unwrap(), None);
        let letter = DeadLetter {
            id: "x".into(),
            payload: Vec::new(),
            enqueued: 0,
            attempts: 1,
            reason: String::new(),
            died: 0,
            cursor: "1796000000123-0".into(),
        };
        let after = dead_cursor(&dead_token(&letter)).unwrap();
        assert_eq!(after.as_deref(), Some("1796000000123-0"));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in ["x", "AAAA", "not base64!", "AAAAAAAAAAD_"] {
            let refused = cursor(text).unwrap_err();
            let message = "page_token: is not a next_page_token of this method";
            assert_eq!(refused.message(), message, "{text}");
        }
        assert!(dead_cursor("not base64!").is_err());
    }
}
