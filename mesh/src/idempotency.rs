//! The key under which a client may safely ask again.
//!
//! It comes as metadata `idempotency-key`, which over REST is the header `Idempotency-Key` of the
//! IETF draft (draft-ietf-httpapi-idempotency-key-header), or in the request itself.

use tonic::metadata::MetadataMap;

use crate::status::{Fault, Kind};

/// Name of the header and of the metadata.
pub const HEADER: &str = "idempotency-key";
/// Longest key, in characters.
const MOST_CHARACTERS: usize = 128;

/// The key of a request whose field holds `request_id`; none where it has no key. The draft writes
/// a key in quotes; as most clients leave them out, either is the same key.
///
/// # Errors
///
/// `INVALID_ARGUMENT` where metadata and field differ, or the key is not 1 to 128 visible ASCII
/// characters.
pub fn key(metadata: &MetadataMap, request_id: &str) -> Result<Option<String>, Fault> {
    let mut values = metadata.get_all(HEADER).iter();
    let header = values.next();
    if values.next().is_some() {
        return Err(invalid("there must be one Idempotency-Key only"));
    }
    let header = match header.map(|value| value.to_str()) {
        None => None,
        Some(Ok(text)) => Some(unquoted(text.trim())),
        Some(Err(_)) => return Err(malformed()),
    };
    let key = match (header, request_id) {
        (None, "") => return Ok(None),
        (None, field) => field,
        (Some(header), field) if field.is_empty() || field == header => header,
        (Some(_), _) => {
            return Err(invalid(
                "the header Idempotency-Key and the field request_id differ",
            ));
        }
    };
    let visible = key.bytes().all(|byte| byte.is_ascii_graphic());
    if key.is_empty() || key.len() > MOST_CHARACTERS || !visible {
        return Err(malformed());
    }
    Ok(Some(key.to_owned()))
}

fn unquoted(text: &str) -> &str {
    let inner = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    inner.unwrap_or(text)
}

fn malformed() -> Fault {
    invalid("an idempotency key has 1 to 128 visible ASCII characters")
}

fn invalid(message: &'static str) -> Fault {
    Fault::new(Kind::InvalidArgument, "IDEMPOTENCY_KEY_INVALID", message)
        .violation("request_id", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_and_field_are_one_key() {
        let long = "x".repeat(128);
        let longer = "x".repeat(129);
        for (headers, field, expected) in [
            (&[][..], "", Ok(None)),
            (&["k-1"], "", Ok(Some("k-1"))),
            (&[], "k-1", Ok(Some("k-1"))),
            (&["k-1"], "k-1", Ok(Some("k-1"))),
            (&["\"k-1\""], "k-1", Ok(Some("k-1"))),
            (&[&long], "", Ok(Some(&*long))),
            (&["k-1"], "k-2", Err(())),
            (&["k-1", "k-1"], "", Err(())),
            (&[""], "", Err(())),
            (&["\"\""], "", Err(())),
            (&["a b"], "", Err(())),
            (&[&longer], "", Err(())),
            (&[], "é", Err(())),
        ] {
            let mut metadata = MetadataMap::new();
            for header in headers {
                metadata.append(HEADER, header.parse().unwrap());
            }
            let found = key(&metadata, field).map_err(|fault| {
                assert_eq!(fault.kind, Kind::InvalidArgument);
            });
            let expected = expected.map(|key| key.map(str::to_owned));
            assert_eq!(found, expected, "{headers:?} {field:?}");
        }
    }
}
