//! Page tokens: where the last page ended.
//!
//! A token holds the sort key of the last trip, not a number of trips, so that what is booked in
//! between neither repeats nor hides one. It is sealed: the key in it is believed.

use contracts::rt::violation::Invalid;
use mesh::seal::Key;
use tonic::Status;

use crate::domain::{ports::Place, trip::Trip};

/// What a token is sealed for.
const TRIPS: &str = "page.trips";

/// Leads on after a trip.
pub(super) fn seal(key: &Key, last: &Trip) -> String {
    let mut bytes = last.created.to_be_bytes().to_vec();
    bytes.extend(last.id.as_bytes());
    key.seal(TRIPS, &bytes)
}

/// Where to go on; none for the first page.
pub(super) fn open(key: &Key, token: &str) -> Result<Option<Place>, Status> {
    if token.is_empty() {
        return Ok(None);
    }
    let place = key.open(TRIPS, token).ok().and_then(|bytes| {
        let (created, trip_id) = bytes.split_first_chunk()?;
        Some(Place {
            created: i64::from_be_bytes(*created),
            trip_id: String::from_utf8(trip_id.to_vec()).ok()?,
        })
    });
    let invalid = || Invalid::one("page_token", "is not a next_page_token of this method");
    place.map(Some).ok_or_else(|| invalid().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::trip::testing::trip;

    #[test]
    fn a_token_leads_back_to_its_place() {
        let key = Key::new([7; 32]);
        let token = seal(&key, &trip("t", &[]));
        let place = Place {
            created: 1_000,
            trip_id: "t".to_owned(),
        };
        assert_eq!(open(&key, &token).unwrap(), Some(place));
        assert_eq!(open(&key, "").unwrap(), None);
        for (key, token) in [(Key::new([8; 32]), token.as_str()), (key, "x")] {
            assert_eq!(
                open(&key, token).unwrap_err().message(),
                "page_token: is not a next_page_token of this method"
            );
        }
    }
}
