//! Page tokens: where the last page ended, and of which search.
//!
//! A token holds the sort key of the last item, not a number of items, so that what is added or
//! sold in between neither repeats nor hides an item. It is sealed: the key in it is believed.

use contracts::rt::violation::Invalid;
use mesh::seal::Key as SealKey;
use prost::Message;
use tonic::Status;

use crate::domain::{airport::AirportId, flight_id::FlightId, itinerary::Key, typeahead::Rank};

const ITINERARIES: &str = "page.itineraries";
const AIRPORTS: &str = "page.airports";

/// Tells requests apart: FNV-1a of a request, which must not have its page fields set.
pub(super) fn fingerprint(request: &impl Message) -> u64 {
    request
        .encode_to_vec()
        .iter()
        .fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
        })
}

pub(super) fn seal_itineraries(key: &SealKey, fingerprint: u64, last: &Key) -> String {
    let mut bytes = fingerprint.to_be_bytes().to_vec();
    bytes.extend(last.first.to_be_bytes());
    bytes.extend(last.price.to_be_bytes());
    bytes.extend(last.duration.to_be_bytes());
    bytes.extend(last.departure.to_be_bytes());
    let flights = last
        .flights
        .iter()
        .map(|flight| flight.bits())
        .filter(|bits| *bits > 0);
    bytes.extend(flights.flat_map(u64::to_be_bytes));
    key.seal(ITINERARIES, &bytes)
}

/// Where to go on; none for the first page.
pub(super) fn open_itineraries(
    key: &SealKey,
    fingerprint: u64,
    token: &str,
) -> Result<Option<Key>, Status> {
    let Some(bytes) = open(key, ITINERARIES, fingerprint, token)? else {
        return Ok(None);
    };
    let read = |mut bytes: &[u8]| {
        let (first, price) = (
            i64::from_be_bytes(take(&mut bytes)?),
            i64::from_be_bytes(take(&mut bytes)?),
        );
        let (duration, departure) = (
            i32::from_be_bytes(take(&mut bytes)?),
            i32::from_be_bytes(take(&mut bytes)?),
        );
        let mut flights = [FlightId::default(); 6];
        for flight in &mut flights {
            *flight =
                FlightId::from_bits(take(&mut bytes).map(u64::from_be_bytes).unwrap_or_default());
        }
        Some(Key {
            first,
            price,
            duration,
            departure,
            flights,
        })
    };
    read(&bytes).map(Some).ok_or_else(|| invalid().into())
}

pub(super) fn seal_airports(key: &SealKey, fingerprint: u64, last: Rank) -> String {
    let mut bytes = fingerprint.to_be_bytes().to_vec();
    bytes.push(last.fit);
    bytes.extend(last.importance.to_be_bytes());
    bytes.extend(last.airport.0.to_be_bytes());
    key.seal(AIRPORTS, &bytes)
}

/// Where to go on; none for the first page.
pub(super) fn open_airports(
    key: &SealKey,
    fingerprint: u64,
    token: &str,
) -> Result<Option<Rank>, Status> {
    let Some(bytes) = open(key, AIRPORTS, fingerprint, token)? else {
        return Ok(None);
    };
    let read = |mut bytes: &[u8]| {
        let [fit] = take(&mut bytes)?;
        Some(Rank {
            fit,
            importance: u16::from_be_bytes(take(&mut bytes)?),
            airport: AirportId(u16::from_be_bytes(take(&mut bytes)?)),
        })
    };
    read(&bytes).map(Some).ok_or_else(|| invalid().into())
}

/// The bytes behind the fingerprint; none where there is no token.
fn open(
    key: &SealKey,
    purpose: &str,
    fingerprint: u64,
    token: &str,
) -> Result<Option<Vec<u8>>, Status> {
    if token.is_empty() {
        return Ok(None);
    }
    let bytes = key.open(purpose, token).map_err(|_| invalid())?;
    let mut rest = bytes.as_slice();
    match take(&mut rest).map(u64::from_be_bytes) {
        Some(of) if of == fingerprint => Ok(Some(rest.to_vec())),
        Some(_) => Err(Invalid::one(
            "page_token",
            "belongs to another search: send it with all other fields unchanged",
        )
        .into()),
        None => Err(invalid().into()),
    }
}

/// Takes the first bytes, where there are as many.
fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*first)
}

fn invalid() -> Invalid {
    Invalid::one("page_token", "is not a next_page_token of this method")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: SealKey = SealKey::new([7; 32]);

    #[test]
    fn a_token_leads_back_to_its_place() {
        for flights in [
            ["AS21-2026-12-01-JFK"; 1].as_slice(),
            &["AS21-2026-12-01-JFK", "B62-2026-12-01-ORD"],
            &["AS21-2026-12-01-JFK"; 6],
        ] {
            let mut place = Key {
                first: -5,
                price: 41_250,
                duration: 375,
                departure: 29_000_000,
                flights: [FlightId::default(); 6],
            };
            place
                .flights
                .iter_mut()
                .zip(flights)
                .for_each(|(to, from)| *to = from.parse().unwrap());
            let token = seal_itineraries(&KEY, 9, &place);
            assert_eq!(open_itineraries(&KEY, 9, &token).unwrap(), Some(place));
            assert!(token.len() < 256);
        }
        let rank = Rank {
            fit: 4,
            importance: 65_000,
            airport: AirportId(7_000),
        };
        assert_eq!(
            open_airports(&KEY, 9, &seal_airports(&KEY, 9, rank)).unwrap(),
            Some(rank)
        );
        assert_eq!(open_airports(&KEY, 9, "").unwrap(), None);
    }

    #[test]
    fn a_token_of_something_else_is_refused() {
        let rank = Rank {
            fit: 4,
            importance: 65_000,
            airport: AirportId(7_000),
        };
        let token = seal_airports(&KEY, 9, rank);
        let other_search = open_airports(&KEY, 10, &token).unwrap_err();
        assert_eq!(
            other_search.message(),
            "page_token: belongs to another search: send it with all other fields unchanged"
        );
        for refused in [
            open_itineraries(&KEY, 9, &token).map(|_| ()),
            open_airports(&SealKey::new([8; 32]), 9, &token).map(|_| ()),
            open_airports(&KEY, 9, "x").map(|_| ()),
        ] {
            assert_eq!(
                refused.unwrap_err().message(),
                "page_token: is not a next_page_token of this method"
            );
        }
    }
}
