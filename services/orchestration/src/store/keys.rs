//! Idempotency keys: what each was used for.

use std::fmt::Write;

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Set};

use super::{
    entity::key,
    sql::{SqlError, Store, is_taken},
};
use crate::domain::ports::{Created, KeyUse, RequestKey};

/// The row of a key's use.
pub(super) fn row(key: &RequestKey, trip_id: &str, now: i64) -> key::ActiveModel {
    key::ActiveModel {
        user_id: Set(key.caller.clone()),
        method: Set(key.method.to_owned()),
        request_key: Set(key.key.clone()),
        fingerprint: Set(hexadecimal(&key.fingerprint)),
        trip_id: Set(trip_id.to_owned()),
        created: Set(now),
    }
}

/// What a key was used for.
pub(super) async fn find(
    db: &impl ConnectionTrait,
    key: &RequestKey,
) -> Result<Option<KeyUse>, SqlError> {
    let id = (key.caller.clone(), key.method.to_owned(), key.key.clone());
    let Some(row) = key::Entity::find_by_id(id).one(db).await? else {
        return Ok(None);
    };
    Ok(Some(KeyUse {
        fingerprint: bytes(&row.fingerprint).ok_or(SqlError::Row("idempotency.fingerprint"))?,
        trip_id: row.trip_id,
        created: row.created,
    }))
}

impl Store {
    pub(super) async fn key_use_once(
        &self,
        key: &RequestKey,
        trip_id: &str,
        now: i64,
    ) -> Result<Created, SqlError> {
        let tx = self.db.begin().await?;
        let used = key::Entity::insert(row(key, trip_id, now))
            .exec_without_returning(&tx)
            .await;
        match used {
            Ok(_) => {
                tx.commit().await?;
                Ok(Created::New)
            }
            Err(error) if is_taken(&error) => {
                tx.rollback().await?;
                let known = find(self.db.reader(), key).await?;
                known
                    .map(Created::Known)
                    .ok_or(SqlError::Row("idempotency"))
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn key_forget_once(
        &self,
        key: &RequestKey,
        until: i64,
    ) -> Result<(), SqlError> {
        let tx = self.db.begin().await?;
        key::Entity::delete_many()
            .filter(key::Column::UserId.eq(&key.caller))
            .filter(key::Column::Method.eq(key.method))
            .filter(key::Column::RequestKey.eq(&key.key))
            .filter(key::Column::Created.lte(until))
            .exec(&tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn bytes(hexadecimal: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if hexadecimal.len() != 64 {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        let digits = hexadecimal.get(2 * index..2 * index + 2)?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(bytes)
}
