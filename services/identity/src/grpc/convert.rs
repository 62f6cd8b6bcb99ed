//! From the domain to the contract.

use contracts::identity::v1::{Role, Session, User};
use prost_types::Timestamp;

use crate::{accounts::Tokens, domain};

/// A user.
pub(super) fn user(user: domain::user::User) -> User {
    let mut roles = vec![Role::User.into()];
    if user.admin {
        roles.push(Role::Admin.into());
    }
    User {
        user_id: user.id,
        email: user.email,
        roles,
        create_time: Some(timestamp(user.created)),
    }
}

/// Tokens that were given.
pub(super) fn session(tokens: Tokens) -> Session {
    Session {
        access_token: tokens.access,
        token_type: "Bearer".to_owned(),
        expire_time: Some(timestamp(tokens.access_expires)),
        refresh_token: tokens.refresh,
        refresh_expire_time: Some(timestamp(tokens.refresh_expires)),
        user: Some(user(tokens.user)),
    }
}

fn timestamp(millis: i64) -> Timestamp {
    let nanos = i32::try_from(millis.rem_euclid(1000) * 1_000_000);
    Timestamp {
        seconds: millis.div_euclid(1000),
        nanos: nanos.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_milliseconds() {
        for (millis, seconds, nanos) in [(1_500, 1, 500_000_000), (-1, -1, 999_000_000), (0, 0, 0)]
        {
            assert_eq!(timestamp(millis), Timestamp { seconds, nanos });
        }
    }
}
