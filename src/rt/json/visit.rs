//! What a JSON value means for a field: one visitor per kind of place.
//!
//! A value of the wrong type is noted as a violation and passed over, never returned as an error,
//! so that reading goes on. Every visitor yields whether the field is set, that is, not null.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::read::Reader;
use crate::rt::{
    schema::{Field, Kind, Message, Shape},
    text,
    value::{self, Raw},
    wire::{self, WireType},
};

/// Numbers of the members of `google.protobuf.Value`.
mod dynamic {
    pub(super) const NULL: u32 = 1;
    pub(super) const NUMBER: u32 = 2;
    pub(super) const STRING: u32 = 3;
    pub(super) const BOOL: u32 = 4;
    pub(super) const STRUCT: u32 = 5;
    pub(super) const LIST: u32 = 6;
}

/// The name of a member: the index of its field, or the name where there is none.
pub(super) struct Name {
    pub(super) message: &'static Message,
}

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Result<usize, String>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Result<usize, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        let mut fields = self.message.fields.iter();
        let index = fields.position(|field| field.json == name || field.name == name);
        Ok(index.ok_or_else(|| name.to_owned()))
    }
}

/// Implements the visits that a place has no use for: each notes what is wanted.
macro_rules! refuse {
    ($($visit:ident)*) => { $(refuse!(@ $visit);)* };
    (@ bool) => { refuse!(@@ visit_bool, bool); };
    (@ i64) => { refuse!(@@ visit_i64, i64); };
    (@ u64) => { refuse!(@@ visit_u64, u64); };
    (@ f64) => { refuse!(@@ visit_f64, f64); };
    (@ str) => { refuse!(@@ visit_str, &str); };
    (@@ $visit:ident, $ty:ty) => {
        fn $visit<E>(self, _: $ty) -> Result<bool, E> {
            Ok(self.refuse())
        }
    };
    (@ map) => {
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(self.refuse())
        }
    };
    (@ seq) => {
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok(self.refuse())
        }
    };
    (@ null) => {
        fn visit_unit<E>(self) -> Result<bool, E> {
            Ok(false)
        }
    };
}

/// The array of a repeated field.
pub(super) struct ListVisitor<'r, 'o> {
    pub(super) reader: &'r mut Reader<'o>,
    pub(super) field: &'static Field,
}

impl ListVisitor<'_, '_> {
    fn refuse(self) -> bool {
        self.reader.fault("must be an array");
        true
    }
}

impl<'de> Visitor<'de> for ListVisitor<'_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<bool, A::Error> {
        self.reader.elements(self.field, elements)?;
        Ok(true)
    }

    refuse!(bool i64 u64 f64 str map null);
}

/// The object of a map.
pub(super) struct MapVisitor<'r, 'o> {
    pub(super) reader: &'r mut Reader<'o>,
    pub(super) field: &'static Field,
}

impl MapVisitor<'_, '_> {
    fn refuse(self) -> bool {
        self.reader.fault("must be an object");
        true
    }
}

impl<'de> Visitor<'de> for MapVisitor<'_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<bool, A::Error> {
        self.reader.entries(self.field, members)?;
        Ok(true)
    }

    refuse!(bool i64 u64 f64 str seq null);
}

/// A scalar or an enum.
pub(super) struct ScalarVisitor<'r, 'o> {
    pub(super) reader: &'r mut Reader<'o>,
    pub(super) field: &'static Field,
}

impl ScalarVisitor<'_, '_> {
    fn put(self, raw: Result<Raw<'_>, String>) -> bool {
        match raw {
            Ok(raw) => {
                let wire_type = self.field.kind.wire_type();
                wire::put_tag(self.reader.out, self.field.number, wire_type);
                value::put(self.reader.out, raw);
            }
            Err(wanted) => self.reader.fault(wanted),
        }
        true
    }

    fn refuse(self) -> bool {
        let wanted = match self.field.kind {
            Kind::Bool => "must be true or false".to_owned(),
            Kind::Double | Kind::Float => "must be a number".to_owned(),
            Kind::String => "must be a string".to_owned(),
            Kind::Bytes => "must be a string of base64".to_owned(),
            Kind::Enum(descriptor) => text::one_of(descriptor),
            kind => text::wanted_integer(kind),
        };
        self.put(Err(wanted))
    }

    fn integer(self, number: i128) -> bool {
        match self.field.kind {
            Kind::Bool | Kind::String | Kind::Bytes => self.refuse(),
            Kind::Enum(_) => match i32::try_from(number) {
                Ok(number) => self.put(Ok(text::enum_value(number))),
                Err(_) => self.refuse(),
            },
            kind @ (Kind::Double | Kind::Float) => self.put(text::float(kind, number as f64)),
            kind => self.put(text::integer(kind, number)),
        }
    }
}

impl<'de> Visitor<'de> for ScalarVisitor<'_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scalar")
    }

    fn visit_bool<E>(self, value: bool) -> Result<bool, E> {
        let is_bool = matches!(self.field.kind, Kind::Bool);
        Ok(if is_bool {
            self.put(Ok(Raw::Varint(value.into())))
        } else {
            self.refuse()
        })
    }

    fn visit_i64<E>(self, number: i64) -> Result<bool, E> {
        Ok(self.integer(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<bool, E> {
        Ok(self.integer(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<bool, E> {
        Ok(match self.field.kind {
            kind @ (Kind::Double | Kind::Float) => self.put(text::float(kind, number)),
            // 1.0 and 1e2 are integers too; 128 bits hold any that could be in range.
            _ if number.fract() == 0.0 && number.abs() < 1e30 => self.integer(number as i128),
            _ => self.refuse(),
        })
    }

    fn visit_str<E>(self, value: &str) -> Result<bool, E> {
        if matches!(self.field.kind, Kind::Bool) {
            return Ok(self.refuse());
        }
        if let Err(wanted) = text::write_value(self.field, value, self.reader.out) {
            self.reader.fault(wanted);
        }
        Ok(true)
    }

    /// Null means not set, but for the enum whose only value it is.
    fn visit_unit<E>(self) -> Result<bool, E> {
        let is_null = matches!(self.field.kind, Kind::Enum(descriptor) if descriptor.is_null());
        Ok(is_null && self.put(Ok(Raw::Varint(0))))
    }

    refuse!(map seq);
}

/// What stands within a message of any shape but a wrapper or Any.
pub(super) struct ContentVisitor<'r, 'o> {
    pub(super) reader: &'r mut Reader<'o>,
    pub(super) message: &'static Message,
}

impl ContentVisitor<'_, '_> {
    fn refuse(self) -> bool {
        self.reader.fault(match self.message.shape {
            Shape::Timestamp => "must be an instant in RFC 3339, such as 2026-12-01T15:00:00Z",
            Shape::Duration => "must be a number of seconds, such as \"1.5s\"",
            Shape::FieldMask => "must be a string of paths, joined by commas",
            Shape::List => "must be an array",
            _ => "must be an object",
        });
        true
    }

    fn put(self, number: u32, raw: Raw<'_>, wire_type: WireType) -> bool {
        if self.message.shape != Shape::Value {
            return self.refuse();
        }
        wire::put_tag(self.reader.out, number, wire_type);
        value::put(self.reader.out, raw);
        true
    }

    fn number(self, number: f64) -> bool {
        self.put(
            dynamic::NUMBER,
            Raw::Fixed64(number.to_bits()),
            WireType::Fixed64,
        )
    }
}

impl<'de> Visitor<'de> for ContentVisitor<'_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<bool, A::Error> {
        let Self { reader, message } = self;
        match (message.shape, message.fields) {
            (Shape::Object, _) => reader.members(message, members)?,
            (Shape::Struct, [fields]) => reader.entries(fields, members)?,
            (Shape::Value, _) => {
                if let Some(fields) = only_field(message, dynamic::STRUCT) {
                    wire::put_tag(reader.out, dynamic::STRUCT, WireType::Bytes);
                    let start = wire::open(reader.out);
                    reader.entries(fields, members)?;
                    wire::close(reader.out, start);
                }
            }
            _ => {
                while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                return Ok(Self { reader, message }.refuse());
            }
        }
        Ok(true)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<bool, A::Error> {
        let Self { reader, message } = self;
        match (message.shape, message.fields) {
            (Shape::List, [values]) => reader.elements(values, elements)?,
            (Shape::Value, _) => {
                if let Some(values) = only_field(message, dynamic::LIST) {
                    wire::put_tag(reader.out, dynamic::LIST, WireType::Bytes);
                    let start = wire::open(reader.out);
                    reader.elements(values, elements)?;
                    wire::close(reader.out, start);
                }
            }
            _ => {
                while elements.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(Self { reader, message }.refuse());
            }
        }
        Ok(true)
    }

    fn visit_str<E>(self, value: &str) -> Result<bool, E> {
        if self.message.shape == Shape::Value {
            return Ok(self.put(
                dynamic::STRING,
                Raw::Bytes(value.as_bytes()),
                WireType::Bytes,
            ));
        }
        let strings = [Shape::Timestamp, Shape::Duration, Shape::FieldMask];
        if !strings.contains(&self.message.shape) {
            return Ok(self.refuse());
        }
        if let Err(wanted) = text::write_content(self.message, value, self.reader.out) {
            self.reader.fault(wanted);
        }
        Ok(true)
    }

    fn visit_bool<E>(self, value: bool) -> Result<bool, E> {
        Ok(self.put(dynamic::BOOL, Raw::Varint(value.into()), WireType::Varint))
    }

    fn visit_i64<E>(self, number: i64) -> Result<bool, E> {
        Ok(self.number(number as f64))
    }

    fn visit_u64<E>(self, number: u64) -> Result<bool, E> {
        Ok(self.number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<bool, E> {
        Ok(self.number(number))
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        let is_value = self.message.shape == Shape::Value;
        Ok(is_value && self.put(dynamic::NULL, Raw::Varint(0), WireType::Varint))
    }
}

/// The one field of the message that is member `number` of a Value: the map of a Struct, the
/// elements of a `ListValue`.
fn only_field(value: &Message, number: u32) -> Option<&'static Field> {
    match value.field(number)?.kind {
        Kind::Message(message) => message.fields.first(),
        _ => None,
    }
}
