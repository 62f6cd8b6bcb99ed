//! The identity that one part of the mesh vouches for to another.
//!
//! It is sealed for one method and a minute, so that whoever reads a header on the way can at most
//! repeat the very call that it came with. Handlers take that into account anyway: calls that must
//! not be done twice have idempotency keys.

use std::net::IpAddr;

use http::HeaderValue;

use super::{Caller, User};
use crate::seal::{Key, OpenError};

/// How long a sealed identity is good for, in seconds.
const LIFE: u64 = 60;
/// How far the clocks of two hosts may be apart, in seconds.
const SKEW: u64 = 30;
/// Longest value that is looked at.
const MOST_BYTES: usize = 1024;

const NOBODY: u8 = 0;
const USER: u8 = 1;
const ADMIN: u8 = 2;
const SERVICE: u8 = 3;

/// Who calls, and from where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    /// None at public methods.
    pub(crate) caller: Option<Caller>,
    /// The client at the edge, where the edge tells it.
    pub(crate) client: Option<IpAddr>,
}

/// Why an identity is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum IdentityError {
    /// It was made for another method, or by somebody else.
    #[error(transparent)]
    Seal(#[from] OpenError),
    /// Its time is up, or has not come.
    #[error("not of this time")]
    Expired,
    /// It is sealed, but means nothing: made by another version.
    #[error("cannot be read")]
    Unreadable,
}

/// Seals an identity for a call of the method with this path.
pub(super) fn seal(
    key: &Key,
    path: &str,
    caller: Option<&Caller>,
    client: Option<IpAddr>,
    now: u64,
) -> HeaderValue {
    let (kind, fields) = match caller {
        None => (NOBODY, ["", ""]),
        Some(Caller::User(user)) => (
            if user.admin { ADMIN } else { USER },
            [user.id.as_str(), user.session.as_str()],
        ),
        Some(Caller::Service(name)) => (SERVICE, [name.as_str(), ""]),
    };
    let client = client.map(|client| client.to_string()).unwrap_or_default();
    let mut payload = Vec::with_capacity(128);
    payload.push(kind);
    payload.extend((now + LIFE).to_be_bytes());
    for field in fields.into_iter().chain([client.as_str()]) {
        // Ids and names are tens of bytes; what does not fit could not be opened, so it is nobody's.
        let length = u8::try_from(field.len()).unwrap_or(0);
        payload.push(length);
        payload.extend(&field.as_bytes()[..usize::from(length)]);
    }
    let token = key.seal(&purpose(path), &payload);
    HeaderValue::from_str(&token).expect("base64url is visible ASCII")
}

/// Opens what [`seal`] made for a call of the same method.
pub(super) fn open(
    key: &Key,
    path: &str,
    value: &HeaderValue,
    now: u64,
) -> Result<Identity, IdentityError> {
    let token = value.to_str().map_err(|_| OpenError::Malformed)?;
    if token.len() > MOST_BYTES {
        return Err(OpenError::Malformed.into());
    }
    let payload = key.open(&purpose(path), token)?;
    let (kind, expires, [first, second, client]) =
        read(&payload).ok_or(IdentityError::Unreadable)?;
    if expires + SKEW < now || expires > now + LIFE + SKEW {
        return Err(IdentityError::Expired);
    }
    let user = |admin| {
        Some(Caller::User(User {
            id: first.to_owned(),
            session: second.to_owned(),
            admin,
        }))
    };
    let caller = match kind {
        NOBODY => None,
        _ if first.is_empty() => return Err(IdentityError::Unreadable),
        USER => user(false),
        ADMIN => user(true),
        SERVICE => Some(Caller::Service(first.to_owned())),
        _ => return Err(IdentityError::Unreadable),
    };
    Ok(Identity {
        caller,
        client: client.parse().ok(),
    })
}

fn purpose(path: &str) -> String {
    format!("identity{path}")
}

/// Kind, expiry and the three texts.
fn read(payload: &[u8]) -> Option<(u8, u64, [&str; 3])> {
    let (kind, rest) = payload.split_first()?;
    let (expires, mut rest) = rest.split_first_chunk()?;
    let mut fields = [""; 3];
    for field in &mut fields {
        let (length, after) = rest.split_first()?;
        let (text, after) = after.split_at_checked(usize::from(*length))?;
        *field = std::str::from_utf8(text).ok()?;
        rest = after;
    }
    Some((*kind, u64::from_be_bytes(*expires), fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = Key::new([7; 32]);
    const PATH: &str = "/skyway.booking.v1.BookingService/HoldSeats";
    const NOW: u64 = 1_800_000_000;

    fn callers() -> [Option<Caller>; 4] {
        let user = |admin| {
            Caller::User(User {
                id: "0198".to_owned(),
                session: "0199".to_owned(),
                admin,
            })
        };
        [
            None,
            Some(user(false)),
            Some(user(true)),
            Some(Caller::Service("booking".to_owned())),
        ]
    }

    #[test]
    fn what_is_sealed_is_opened_alike() {
        for caller in callers() {
            for client in [None, "192.0.2.7".parse().ok(), "2001:db8::7".parse().ok()] {
                let sealed = seal(&KEY, PATH, caller.as_ref(), client, NOW);
                let expected = Identity {
                    caller: caller.clone(),
                    client,
                };
                assert_eq!(open(&KEY, PATH, &sealed, NOW), Ok(expected));
            }
        }
    }

    #[test]
    fn it_opens_one_method_for_a_minute() {
        let sealed = seal(&KEY, PATH, callers()[3].as_ref(), None, NOW);
        let forged = Err(IdentityError::Seal(OpenError::Forged));
        let expired = Err(IdentityError::Expired);
        for (key, path, now, expected) in [
            (
                KEY,
                "/skyway.booking.v1.BookingService/ReleaseHold",
                NOW,
                forged,
            ),
            (Key::new([8; 32]), PATH, NOW, forged),
            (KEY, PATH, NOW + LIFE + SKEW, Ok(())),
            (KEY, PATH, NOW + LIFE + SKEW + 1, expired),
            (KEY, PATH, NOW - SKEW, Ok(())),
            (KEY, PATH, NOW - SKEW - 1, expired),
        ] {
            let opened = open(&key, path, &sealed, now).map(|_| ());
            assert_eq!(opened, expected, "{path} {now}");
        }
    }

    #[test]
    fn what_means_nothing_is_not_accepted() {
        let expires = NOW.to_be_bytes();
        let payload = |kind: u8, rest: &[u8]| [&[kind], &expires[..], rest].concat();
        for payload in [
            vec![],
            payload(USER, &[]),
            payload(USER, &[0, 0, 0]),
            payload(9, &[1, b'a', 0, 0]),
            payload(USER, &[5, b'a', 0, 0]),
            payload(USER, &[1, 0xff, 0, 0]),
        ] {
            let token = KEY.seal(&purpose(PATH), &payload);
            let value = HeaderValue::from_str(&token).unwrap();
            let opened = open(&KEY, PATH, &value, NOW);
            assert_eq!(opened, Err(IdentityError::Unreadable), "{payload:?}");
        }
    }
}
