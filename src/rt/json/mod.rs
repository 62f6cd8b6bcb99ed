//! The proto3 JSON mapping, straight between wire bytes and JSON bytes.
//!
//! Both ways work on a message's table and build no message: what an answer costs is what its
//! bytes cost. Out go lowerCamelCase names, integers of 64 bits as strings, enums by the short
//! form of their names, and no field that has its default value without tracking presence. In come
//! both spellings of a name, and every deviation is refused with the path of its field.

mod any;
mod read;
mod scalar;
mod visit;
mod wkt;
mod write;

use self::write::Writer;
use super::{
    normal,
    schema::{Field, Kind, Label, Message},
    value::Raw,
    violation::Invalid,
};

pub use super::wire::WireError;

/// JSON is about this many times as long as its wire form; answers of flights have 3.
const GROWTH: usize = 4;

/// Appends the JSON of the message whose wire form is `wire`.
///
/// # Errors
/// Fails where `wire` is not a message, or where a well-known type has no JSON form, such as an
/// instant outside the years 1 to 9999. What was appended until then is to be thrown away.
pub fn write(message: &'static Message, wire: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
    out.reserve(wire.len() * GROWTH);
    Writer::new(out).message(message, wire)
}

/// Appends the JSON of one field of the message whose wire form is `wire`: an empty list or map, a
/// zero, or null for a message, where it is absent.
///
/// # Errors
/// As [`write()`].
pub fn write_field(
    field: &'static Field,
    message: &'static Message,
    wire: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let start = out.len();
    let only = normal::only(message, field, wire)?;
    Writer::new(out).members(message, &only, true)?;
    if out.len() > start {
        out.drain(start..start + field.key.len());
        return Ok(());
    }
    match (field.label, field.kind) {
        (Label::Repeated, _) => out.extend_from_slice(b"[]"),
        (Label::Map, _) => out.extend_from_slice(b"{}"),
        (_, Kind::Message(_)) => out.extend_from_slice(b"null"),
        (_, kind) => scalar::write(out, field, Raw::default_of(kind))?,
    }
    Ok(())
}

/// Appends the wire form of the message that `json` is.
///
/// # Errors
/// Fails with everything in `json` that the message does not take, each with its path in names of
/// the contract; nothing is appended then.
pub fn read(message: &'static Message, json: &[u8], out: &mut Vec<u8>) -> Result<(), Invalid> {
    read::document(message, json, out)
}

/// Appends tag and value of the field whose value `json` is.
///
/// # Errors
/// As [`read()`].
pub fn read_field(field: &'static Field, json: &[u8], out: &mut Vec<u8>) -> Result<(), Invalid> {
    read::field(field, json, out)
}
