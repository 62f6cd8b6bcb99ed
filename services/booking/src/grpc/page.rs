//! Page tokens: behind which booking a page begins.
//!
//! A token is not signed. Whoever changes one begins somewhere else in a list of what they may
//! see anyway, and replicas need no common key.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use contracts::rt::violation::Invalid;
use tonic::Status;

use crate::domain::{booking::Booking, ports::Cursor};

/// Asks for the page behind `last`.
pub(super) fn token(last: &Booking) -> String {
    let mut bytes = last.created.to_be_bytes().to_vec();
    bytes.extend(last.id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Where to go on; none for the first page.
pub(super) fn cursor(token: &str) -> Result<Option<Cursor>, Status> {
    if token.is_empty() {
        return Ok(None);
    }
    let read = || {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (created, id) = bytes.split_first_chunk()?;
        Some(Cursor {
            created: i64::from_be_bytes(*created),
            id: String::from_utf8(id.to_vec()).ok()?,
        })
    };
    let invalid = || Invalid::one("page_token", "is not a next_page_token of this method");
    read().map(Some).ok_or_else(|| invalid().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::booking::{State, testing::booking};

    #[test]
    fn a_token_leads_back_to_its_place() {
        let last = Booking {
            created: 1_796_000_000_123,
            ..booking("t-1", State::Held)
        };
        let place = Cursor {
            created: last.created,
            id: last.id.clone(),
        };
        assert_eq!(cursor(&token(&last)).unwrap(), Some(place));
        assert_eq!(cursor("").unwrap(), None);
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in ["x", "AAAA", "not base64!", "AAAAAAAAAAD_"] {
            let refused = cursor(text).unwrap_err();
            let message = "page_token: is not a next_page_token of this method";
            assert_eq!(refused.message(), message, "{text}");
        }
    }
}
