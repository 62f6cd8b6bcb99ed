//! Wire bytes to JSON bytes, in one pass.
//!
//! An encoder writes fields in ascending order of number, lists in one run and single fields once.
//! A message like that becomes JSON without anything being built: each field is looked for where
//! the last one left off, its key is copied from the table, its value goes from one buffer to the
//! other. A message in any other order is brought into this one first (see `rt::normal`).

use std::collections::BTreeMap;

use super::{scalar, wkt};
use crate::rt::{
    normal,
    schema::{Field, Kind, Label, Message, Shape},
    value::{self, Raw, map_entry},
    wire::{self, MAX_DEPTH, WireError, WireType},
};

/// Writes one document.
pub(super) struct Writer<'o> {
    pub(super) out: &'o mut Vec<u8>,
    depth: u32,
    /// Whether an odd order was met. From then on every message is normalised before it is
    /// written: else each odd message within another odd one would double the work.
    odd: bool,
}

impl<'o> Writer<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>) -> Self {
        Self {
            out,
            depth: 0,
            odd: false,
        }
    }

    /// Writes a message as its shape asks for.
    pub(super) fn message(
        &mut self,
        message: &'static Message,
        wire: &[u8],
    ) -> Result<(), WireError> {
        if message.shape != Shape::Object {
            return self.nested(|writer| wkt::write(writer, message, wire));
        }
        self.nested(|writer| {
            writer.out.push(b'{');
            writer.members(message, wire, true)?;
            writer.out.push(b'}');
            Ok(())
        })
    }

    fn nested(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        if self.depth >= MAX_DEPTH {
            return Err(WireError::Depth);
        }
        self.depth += 1;
        write(self)?;
        self.depth -= 1;
        Ok(())
    }

    /// Writes what `write` writes, or nothing where that fails. Returns whether it succeeded.
    pub(super) fn attempt(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<(), WireError>,
    ) -> bool {
        let (start, depth) = (self.out.len(), self.depth);
        let written = write(self).is_ok();
        if !written {
            self.out.truncate(start);
            self.depth = depth;
        }
        written
    }

    /// Writes the members of an object, without its braces. `first` says that none stands before.
    pub(super) fn members(
        &mut self,
        message: &'static Message,
        wire: &[u8],
        first: bool,
    ) -> Result<(), WireError> {
        if !self.odd {
            let start = self.out.len();
            let depth = self.depth;
            if self.ascending(message, wire, first)? {
                return Ok(());
            }
            self.out.truncate(start);
            self.depth = depth;
            self.odd = true;
        }
        let normal = normal::normalise(message, wire)?;
        self.ascending(message, &normal, first).map(drop)
    }

    /// Writes members whose fields are in ascending order. Returns false where they are not; what
    /// was written then is to be thrown away.
    fn ascending(
        &mut self,
        message: &'static Message,
        mut wire: &[u8],
        mut first: bool,
    ) -> Result<bool, WireError> {
        let mut fields = message.fields;
        let mut oneofs_seen = 0_u64;
        while !wire.is_empty() {
            let (number, wire_type) = wire::tag(&mut wire)?;
            while let [next, rest @ ..] = fields
                && next.number < number
            {
                fields = rest;
            }
            let field = match fields {
                [next, rest @ ..] if next.number == number => {
                    fields = rest;
                    next
                }
                _ if message.field(number).is_some() => return Ok(false),
                _ => {
                    wire::skip(&mut wire, number, wire_type)?;
                    continue;
                }
            };
            if let Some(oneof) = field.oneof {
                let bit = 1_u64.checked_shl(u32::from(oneof)).unwrap_or(u64::MAX);
                if oneofs_seen & bit != 0 {
                    return Ok(false);
                }
                oneofs_seen |= bit;
            }
            self.field(field, wire_type, &mut wire, &mut first)?;
        }
        Ok(true)
    }

    /// Writes one member from the run of records that begins behind a tag of its field.
    #[inline]
    fn field(
        &mut self,
        field: &'static Field,
        wire_type: WireType,
        wire: &mut &[u8],
        first: &mut bool,
    ) -> Result<(), WireError> {
        match field.label {
            Label::Repeated => self.list(field, wire_type, wire, first),
            Label::Map => self.map(field, wire_type, wire, first),
            Label::Implicit | Label::Optional => {
                if wire_type != field.kind.wire_type() {
                    return wire::skip(wire, field.number, wire_type);
                }
                let raw = match wire_type {
                    WireType::Bytes => Raw::Bytes(wire::bytes(wire)?),
                    _ => value::read(wire, wire_type)?,
                };
                if field.label == Label::Implicit && field.kind.is_default(raw) {
                    return Ok(());
                }
                self.key(field, first);
                self.value(field, raw)
            }
        }
    }

    #[inline]
    fn key(&mut self, field: &Field, first: &mut bool) {
        if !*first {
            self.out.push(b',');
        }
        *first = false;
        self.out.extend_from_slice(field.key.as_bytes());
    }

    /// Writes one value.
    #[inline]
    pub(super) fn value(&mut self, field: &'static Field, raw: Raw<'_>) -> Result<(), WireError> {
        match (field.kind, raw) {
            (Kind::String, Raw::Bytes(bytes)) => scalar::string(self.out, bytes, field.name),
            (Kind::Message(message), Raw::Bytes(wire)) => self.message(message, wire),
            _ => scalar::write(self.out, field, raw),
        }
    }

    fn list(
        &mut self,
        field: &'static Field,
        wire_type: WireType,
        wire: &mut &[u8],
        first: &mut bool,
    ) -> Result<(), WireError> {
        let (start, was_first) = (self.out.len(), *first);
        self.key(field, first);
        self.out.push(b'[');
        let empty = self.out.len();
        self.run(field, wire_type, wire, |writer, raw| {
            if writer.out.len() > empty {
                writer.out.push(b',');
            }
            writer.value(field, raw)
        })?;
        if self.out.len() == empty {
            // Only empty packed runs: the same as no list at all.
            self.out.truncate(start);
            *first = was_first;
        } else {
            self.out.push(b']');
        }
        Ok(())
    }

    /// Calls `each` for every value of the run of records that begins behind a tag of `field`.
    fn run<'w>(
        &mut self,
        field: &'static Field,
        mut wire_type: WireType,
        wire: &mut &'w [u8],
        mut each: impl FnMut(&mut Self, Raw<'w>) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        let single = field.kind.wire_type();
        loop {
            if wire_type == single {
                let raw = value::read(wire, single)?;
                each(self, raw)?;
            } else if normal::fits(field, wire_type) {
                let mut packed = wire::bytes(wire)?;
                while !packed.is_empty() {
                    let raw = value::read(&mut packed, single)?;
                    each(self, raw)?;
                }
            } else {
                wire::skip(wire, field.number, wire_type)?;
            }
            let mut ahead = *wire;
            if ahead.is_empty() {
                return Ok(());
            }
            let (number, next) = wire::tag(&mut ahead)?;
            if number != field.number {
                return Ok(());
            }
            *wire = ahead;
            wire_type = next;
        }
    }

    /// Writes a map, in the order of its keys: encoders write maps in any order, and of a key that
    /// occurs twice the last value counts.
    fn map(
        &mut self,
        field: &'static Field,
        wire_type: WireType,
        wire: &mut &[u8],
        first: &mut bool,
    ) -> Result<(), WireError> {
        let Kind::Message(entry) = field.kind else {
            return Err(WireError::Tag);
        };
        let [key, value] = entry.fields else {
            return Err(WireError::Tag);
        };
        let mut entries = BTreeMap::new();
        self.run(field, wire_type, wire, |_, raw| {
            let Raw::Bytes(wire) = raw else {
                return Err(WireError::Tag);
            };
            let (key_raw, value_raw) = map_entry(key, value, wire)?;
            let mut text = Vec::new();
            map_key(&mut text, key, key_raw)?;
            entries.insert(text, value_raw);
            Ok(())
        })?;
        if entries.is_empty() {
            return Ok(());
        }
        self.key(field, first);
        self.out.push(b'{');
        for (index, (text, raw)) in entries.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.out.extend_from_slice(text);
            self.out.push(b':');
            self.value(value, *raw)?;
        }
        self.out.push(b'}');
        Ok(())
    }
}

/// Keys are strings in JSON, whatever their type.
fn map_key(out: &mut Vec<u8>, key: &Field, raw: Raw<'_>) -> Result<(), WireError> {
    let quoted = matches!(
        key.kind,
        Kind::String | Kind::Int64 | Kind::Uint64 | Kind::Sint64 | Kind::Fixed64 | Kind::Sfixed64
    );
    if quoted {
        return scalar::write(out, key, raw);
    }
    out.push(b'"');
    scalar::write(out, key, raw)?;
    out.push(b'"');
    Ok(())
}
