//! `google.protobuf.Any` in requests.
//!
//! Its type may stand behind the members that need it, so this one type is read into a value
//! first. No contract of ours takes it from clients; it is here because the mapping has it.

use serde::de::{Deserialize as _, DeserializeSeed as _, Deserializer, Error as _};
use serde_json::Value;

use super::read::{Content, Reader};
use crate::rt::{
    schema::Shape,
    wire::{self, WireType},
};

/// Reads the content of an Any. Returns whether it was not null.
pub(super) fn read<'de, D: Deserializer<'de>>(
    reader: &mut Reader<'_>,
    json: D,
) -> Result<bool, D::Error> {
    let mut members = match Value::deserialize(json)? {
        Value::Null => return Ok(false),
        Value::Object(members) => members,
        _ => {
            reader.fault("must be an object");
            return Ok(true);
        }
    };
    if members.is_empty() {
        return Ok(true);
    }
    let url = members.remove("@type");
    let url = url.as_ref().and_then(Value::as_str).unwrap_or_default();
    let Some(message) = url.rsplit('/').next().and_then(crate::message) else {
        reader.fault("must name a known message as \"@type\"");
        return Ok(true);
    };
    let content = if message.shape == Shape::Object {
        Value::Object(members)
    } else {
        members.remove("value").unwrap_or_default()
    };
    wire::put_tag(reader.out, 1, WireType::Bytes);
    wire::put_bytes(reader.out, url.as_bytes());
    wire::put_tag(reader.out, 2, WireType::Bytes);
    let start = wire::open(reader.out);
    let read = Content {
        reader: &mut *reader,
        message,
    }
    .deserialize(content);
    read.map_err(D::Error::custom)?;
    wire::close(reader.out, start);
    Ok(true)
}
