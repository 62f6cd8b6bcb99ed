//! Tables that describe messages, one `static` per message, printed by `codegen`.
//!
//! They hold what JSON, query parameters and field constraints need to know, and nothing that
//! would have to be built at start-up: every name is ready to be copied.

use std::sync::OnceLock;

use regex::Regex;

/// A message type.
#[derive(Debug)]
pub struct Message {
    /// Full name, for example `skyway.search.v1.Flight`.
    pub name: &'static str,
    /// What its JSON looks like.
    pub shape: Shape,
    /// Fields in ascending order of number.
    pub fields: &'static [Field],
    /// Names of its oneofs; [`Field::oneof`] is an index into it.
    pub oneofs: &'static [&'static str],
    /// Those of them that must have a member set, as indices into [`Message::oneofs`].
    pub required_oneofs: &'static [usize],
    /// Whether this message or one that it contains has a constraint, so that a check can be skipped.
    pub constrained: bool,
}

impl Message {
    /// The field with this number.
    #[must_use]
    pub fn field(&self, number: u32) -> Option<&'static Field> {
        let index = self
            .fields
            .binary_search_by_key(&number, |field| field.number)
            .ok()?;
        Some(&self.fields[index])
    }

    /// The field with this name, in the contract's spelling or in JSON's.
    #[must_use]
    pub fn field_named(&self, name: &str) -> Option<&'static Field> {
        self.fields
            .iter()
            .find(|field| field.json == name || field.name == name)
    }
}

/// How a message looks in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// An object with a member per field.
    Object,
    /// `google.protobuf.Timestamp`: an RFC 3339 string.
    Timestamp,
    /// `google.protobuf.Duration`: seconds with the suffix `s`.
    Duration,
    /// `google.protobuf.FieldMask`: paths in lowerCamelCase, joined by commas.
    FieldMask,
    /// A wrapper such as `google.protobuf.Int64Value`: its value.
    Wrapper,
    /// `google.protobuf.Any`: the object with `@type` added.
    Any,
    /// `google.protobuf.Struct`: any object.
    Struct,
    /// `google.protobuf.Value`: any value.
    Value,
    /// `google.protobuf.ListValue`: any array.
    List,
}

/// A field of a message.
#[derive(Debug)]
pub struct Field {
    /// Number on the wire.
    pub number: u32,
    /// Name in the contract, for example `flight_id`.
    pub name: &'static str,
    /// Name in JSON, for example `flightId`.
    pub json: &'static str,
    /// [`Field::json`] as it stands in a document: quoted, followed by a colon.
    pub key: &'static str,
    /// Type of one value.
    pub kind: Kind,
    /// How many values, and whether zero counts as one.
    pub label: Label,
    /// The oneof that it belongs to, as an index into [`Message::oneofs`].
    pub oneof: Option<u8>,
    /// Constraints from `buf.validate`.
    pub rules: &'static Rules,
}

/// How often a field occurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// Once; a default value and an absent one are the same.
    Implicit,
    /// Once; presence is tracked (`optional`, a message, a member of a oneof).
    Optional,
    /// Any number of times.
    Repeated,
    /// A map: repeated entries of `key = 1`, `value = 2`.
    Map,
}

/// Type of one value of a field.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // the names are the contract language's own
pub enum Kind {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    String,
    Bytes,
    Enum(&'static Enum),
    Message(&'static Message),
}

/// An enum type.
#[derive(Debug)]
pub struct Enum {
    /// Full name, for example `skyway.search.v1.Cabin`.
    pub name: &'static str,
    /// Values in ascending order of number; of aliases, the first declared comes first.
    pub values: &'static [EnumValue],
}

impl Enum {
    /// The value with this number; of aliases, the one that was declared first.
    #[must_use]
    pub fn value(&self, number: i32) -> Option<&'static EnumValue> {
        // Most enums count from zero without a gap.
        let guess = usize::try_from(number)
            .ok()
            .and_then(|index| self.values.get(index));
        if let Some(value) = guess.filter(|value| value.number == number) {
            return Some(value);
        }
        let index = self.values.partition_point(|value| value.number < number);
        self.values
            .get(index)
            .filter(|value| value.number == number)
    }

    /// The value with this name, with or without the prefix.
    #[must_use]
    pub fn value_named(&self, name: &str) -> Option<&'static EnumValue> {
        self.values
            .iter()
            .find(|value| value.json == name || value.name == name)
    }

    /// Whether this is `google.protobuf.NullValue`, which is `null` in JSON.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.name == "google.protobuf.NullValue"
    }
}

/// A value of an enum.
#[derive(Debug)]
pub struct EnumValue {
    /// Number on the wire.
    pub number: i32,
    /// Name in the contract, for example `CABIN_ECONOMY`.
    pub name: &'static str,
    /// Name in JSON: without the prefix that repeats the enum's own name, for example `ECONOMY`.
    /// Both names are read; this one is written.
    pub json: &'static str,
}

/// Constraints of a field. The defaults constrain nothing.
#[derive(Debug)]
pub struct Rules {
    /// The field must be set.
    pub required: bool,
    /// Rules do not apply to a zero value, as with `IGNORE_IF_ZERO_VALUE`.
    pub ignore_zero: bool,
    /// Least number of elements of a repeated field or map.
    pub min_items: Option<u64>,
    /// Greatest number of elements of a repeated field or map.
    pub max_items: Option<u64>,
    /// Elements of a repeated field must differ.
    pub unique: bool,
    /// Rules of the value or, where the field repeats, of each element.
    pub value: &'static [Rule],
}

impl Rules {
    /// No constraint.
    pub const NONE: &'static Rules = &Rules {
        required: false,
        ignore_zero: false,
        min_items: None,
        max_items: None,
        unique: false,
        value: &[],
    };
}

/// One constraint on one value.
#[derive(Debug)]
pub enum Rule {
    /// String: least number of characters.
    MinLen(u64),
    /// String: greatest number of characters.
    MaxLen(u64),
    /// Bytes: least number of bytes.
    MinBytes(u64),
    /// Bytes: greatest number of bytes.
    MaxBytes(u64),
    /// String: matches this expression (RE2 syntax).
    Pattern(&'static Pattern),
    /// String: is one of these.
    In(&'static [&'static str]),
    /// Integer: is within these bounds, both included.
    Range(i128, i128),
    /// Float: is within these bounds, both included; never NaN.
    FloatRange(f64, f64),
    /// Float: is neither NaN nor infinite.
    Finite,
    /// Enum: is a value of the contract.
    Defined,
}

/// An expression, compiled when it is first used.
#[derive(Debug)]
pub struct Pattern {
    text: &'static str,
    compiled: OnceLock<Regex>,
}

impl Pattern {
    /// The pattern of an expression that `codegen` has proved to compile.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self {
            text,
            compiled: OnceLock::new(),
        }
    }

    /// The expression as the contract has it.
    #[must_use]
    pub const fn text(&self) -> &'static str {
        self.text
    }

    /// Whether `text` contains a match.
    ///
    /// # Panics
    /// Panics where the expression does not compile; such a contract does not build.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let compile = || Regex::new(self.text).expect("codegen compiled this expression");
        self.compiled.get_or_init(compile).is_match(text)
    }
}

/// A generated message and the table that describes it.
pub trait Described {
    /// The table.
    const MESSAGE: &'static Message;
}
