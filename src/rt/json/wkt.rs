//! The well-known types whose JSON is not an object of their fields.

use super::{scalar, write::Writer};
use crate::rt::{
    normal,
    schema::{Field, Kind, Message, Shape},
    time,
    value::{self, Raw, map_entry},
    wire::{self, WireError, WireType},
};

/// Writes a message whose shape is not an object.
pub(super) fn write(
    writer: &mut Writer<'_>,
    message: &'static Message,
    wire: &[u8],
) -> Result<(), WireError> {
    match message.shape {
        Shape::Object => writer.members(message, wire, true),
        Shape::Timestamp => quoted(writer.out, message, wire, time::write_timestamp),
        Shape::Duration => quoted(writer.out, message, wire, time::write_duration),
        Shape::FieldMask => field_mask(writer.out, wire),
        Shape::Wrapper => wrapper(writer, message, wire),
        Shape::Any => any(writer, wire),
        Shape::Struct => structure(writer, message, wire),
        Shape::Value => dynamic(writer, message, wire),
        Shape::List => list(writer, message, wire),
    }
}

/// Calls `each` for every field of `wire`; groups are passed over.
fn each_field<'w>(
    mut wire: &'w [u8],
    mut each: impl FnMut(u32, Raw<'w>) -> Result<(), WireError>,
) -> Result<(), WireError> {
    while !wire.is_empty() {
        let (number, wire_type) = wire::tag(&mut wire)?;
        if matches!(wire_type, WireType::StartGroup | WireType::EndGroup) {
            wire::skip(&mut wire, number, wire_type)?;
        } else {
            each(number, value::read(&mut wire, wire_type)?)?;
        }
    }
    Ok(())
}

/// A Timestamp or Duration: `seconds = 1`, `nanos = 2`.
#[inline]
fn quoted(
    out: &mut Vec<u8>,
    message: &Message,
    wire: &[u8],
    write: fn(&mut Vec<u8>, i64, i32) -> bool,
) -> Result<(), WireError> {
    let (mut seconds, mut nanos) = (0, 0);
    each_field(wire, |number, raw| {
        match (number, raw) {
            (1, Raw::Varint(value)) => seconds = value.cast_signed(),
            (2, Raw::Varint(value)) => nanos = value as i32,
            _ => {}
        }
        Ok(())
    })?;
    out.push(b'"');
    if !write(out, seconds, nanos) {
        return Err(WireError::Range(message.name));
    }
    out.push(b'"');
    Ok(())
}

/// Paths in lowerCamelCase, joined by commas.
fn field_mask(out: &mut Vec<u8>, wire: &[u8]) -> Result<(), WireError> {
    let mut text = String::new();
    each_field(wire, |number, raw| {
        if let (1, Raw::Bytes(path)) = (number, raw) {
            let path = str::from_utf8(path).map_err(|_| WireError::Utf8("paths"))?;
            if !text.is_empty() {
                text.push(',');
            }
            camel_case(&mut text, path);
        }
        Ok(())
    })?;
    scalar::string(out, text.as_bytes(), "paths")
}

fn camel_case(out: &mut String, path: &str) {
    let mut capital = false;
    for c in path.chars() {
        match c {
            '_' => capital = true,
            c if capital => {
                out.push(c.to_ascii_uppercase());
                capital = false;
            }
            c => out.push(c),
        }
    }
}

fn wrapper(
    writer: &mut Writer<'_>,
    message: &'static Message,
    wire: &[u8],
) -> Result<(), WireError> {
    let [field] = message.fields else {
        return Err(WireError::Tag);
    };
    writer.value(
        field,
        last(field, wire)?.unwrap_or(Raw::default_of(field.kind)),
    )
}

/// The last value of `field`.
fn last<'w>(field: &Field, wire: &'w [u8]) -> Result<Option<Raw<'w>>, WireError> {
    let mut last = None;
    let wanted = std::mem::discriminant(&Raw::default_of(field.kind));
    each_field(wire, |number, raw| {
        if number == field.number && std::mem::discriminant(&raw) == wanted {
            last = Some(raw);
        }
        Ok(())
    })?;
    Ok(last)
}

/// The object with `@type` added. A type that is not known here, or a value that cannot be read,
/// keeps its bytes in base64: an error must not get lost because of its details.
fn any(writer: &mut Writer<'_>, wire: &[u8]) -> Result<(), WireError> {
    let (mut url, mut bytes): (&[u8], &[u8]) = (&[], &[]);
    each_field(wire, |number, raw| {
        match (number, raw) {
            (1, Raw::Bytes(value)) => url = value,
            (2, Raw::Bytes(value)) => bytes = value,
            _ => {}
        }
        Ok(())
    })?;
    if url.is_empty() && bytes.is_empty() {
        writer.out.extend_from_slice(b"{}");
        return Ok(());
    }
    writer.out.extend_from_slice(b"{\"@type\":");
    scalar::string(writer.out, url, "type_url")?;
    let known = str::from_utf8(url)
        .ok()
        .and_then(|url| crate::message(url.rsplit('/').next()?));
    let written =
        known.is_some_and(|message| writer.attempt(|writer| any_value(writer, message, bytes)));
    if !written {
        writer.out.extend_from_slice(b",\"value\":");
        scalar::base64(writer.out, bytes);
    }
    writer.out.push(b'}');
    Ok(())
}

/// What stands behind `@type`: the members of an object, or a `value` of any other shape.
fn any_value(
    writer: &mut Writer<'_>,
    message: &'static Message,
    wire: &[u8],
) -> Result<(), WireError> {
    if message.shape == Shape::Object {
        return writer.members(message, wire, false);
    }
    writer.out.extend_from_slice(b",\"value\":");
    writer.message(message, wire)
}

fn structure(
    writer: &mut Writer<'_>,
    message: &'static Message,
    wire: &[u8],
) -> Result<(), WireError> {
    // A Struct is one map, written as if it were the object itself.
    let [fields] = message.fields else {
        return Err(WireError::Tag);
    };
    let Kind::Message(entry) = fields.kind else {
        return Err(WireError::Tag);
    };
    let [key, value] = entry.fields else {
        return Err(WireError::Tag);
    };
    let mut entries = std::collections::BTreeMap::new();
    each_field(wire, |number, raw| {
        if let (1, Raw::Bytes(wire)) = (number, raw)
            && let (Raw::Bytes(key), raw) = map_entry(key, value, wire)?
        {
            entries.insert(key, raw);
        }
        Ok(())
    })?;
    writer.out.push(b'{');
    for (index, (name, raw)) in entries.into_iter().enumerate() {
        if index > 0 {
            writer.out.push(b',');
        }
        scalar::string(writer.out, name, "fields")?;
        writer.out.push(b':');
        writer.value(value, raw)?;
    }
    writer.out.push(b'}');
    Ok(())
}

/// A Value: the one member of its oneof. None at all is null.
fn dynamic(
    writer: &mut Writer<'_>,
    message: &'static Message,
    wire: &[u8],
) -> Result<(), WireError> {
    let normal = normal::normalise(message, wire)?;
    let mut wire = normal.as_slice();
    if wire.is_empty() {
        writer.out.extend_from_slice(b"null");
        return Ok(());
    }
    let (number, wire_type) = wire::tag(&mut wire)?;
    let field = message.field(number).ok_or(WireError::Tag)?;
    writer.value(field, value::read(&mut wire, wire_type)?)
}

fn list(writer: &mut Writer<'_>, message: &'static Message, wire: &[u8]) -> Result<(), WireError> {
    let [values] = message.fields else {
        return Err(WireError::Tag);
    };
    writer.out.push(b'[');
    let empty = writer.out.len();
    each_field(wire, |number, raw| {
        if let (1, Raw::Bytes(_)) = (number, raw) {
            if writer.out.len() > empty {
                writer.out.push(b',');
            }
            writer.value(values, raw)?;
        }
        Ok(())
    })?;
    writer.out.push(b']');
    Ok(())
}
