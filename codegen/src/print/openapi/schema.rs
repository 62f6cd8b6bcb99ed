//! Schemas of messages, enums and fields.

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use super::Document;
use crate::{FieldRules, ValueRule, comment, print::names};

/// The object that a message is in JSON.
pub(super) fn message(document: &mut Document<'_>, message: &MessageDescriptor) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in message.fields() {
        if is_required(document, &field) {
            required.push(field.json_name().to_owned());
        }
        properties.insert(field.json_name().to_owned(), self::field(document, &field));
    }
    let mut schema = json!({"type": "object"});
    describe(
        &mut schema,
        &comment::of(&message.parent_file(), message.path()),
    );
    schema["properties"] = properties.into();
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

/// A field with its description and constraints.
pub(super) fn field(document: &mut Document<'_>, field: &FieldDescriptor) -> Value {
    let rules = rules(document, field);
    let kind = field.kind();
    let mut schema = if field.is_map() {
        let value = kind
            .as_message()
            .map(MessageDescriptor::map_entry_value_field);
        let value = value.map_or(json!({}), |value| document.value(&value.kind()));
        json!({"type": "object", "additionalProperties": value})
    } else if field.is_list() {
        let mut items = document.value(&kind);
        constrain(&mut items, &kind, &rules.values);
        json!({"type": "array", "items": items})
    } else {
        let mut schema = document.value(&kind);
        constrain(&mut schema, &kind, &rules.values);
        schema
    };
    let (least, greatest) = if field.is_map() {
        ("minProperties", "maxProperties")
    } else {
        ("minItems", "maxItems")
    };
    if let Some(count) = rules.min_items {
        schema[least] = count.into();
    }
    if let Some(count) = rules.max_items {
        schema[greatest] = count.into();
    }
    if rules.unique {
        schema["uniqueItems"] = true.into();
    }
    describe(
        &mut schema,
        &comment::of(&field.parent_file(), field.path()),
    );
    schema
}

/// Whether a request without the field is refused: its rules ask for it, or its zero value breaks
/// them.
pub(super) fn is_required(document: &Document<'_>, field: &FieldDescriptor) -> bool {
    let rules = rules(document, field);
    let zero_counts = !rules.ignore_zero && !field.supports_presence();
    let zero_fails = if field.is_list() || field.is_map() {
        rules.min_items.is_some_and(|least| least > 0)
    } else {
        !rules.values.iter().all(zero_obeys)
    };
    rules.required || (zero_counts && zero_fails)
}

fn zero_obeys(rule: &ValueRule) -> bool {
    match rule {
        ValueRule::MinLen(least) | ValueRule::MinBytes(least) => *least == 0,
        ValueRule::Pattern(pattern) => {
            regex::Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(""))
        }
        ValueRule::In(texts) => texts.iter().any(String::is_empty),
        ValueRule::Range(least, greatest) => (*least..=*greatest).contains(&0),
        ValueRule::FloatRange(least, greatest) => (*least..=*greatest).contains(&0.0),
        ValueRule::MaxLen(_) | ValueRule::MaxBytes(_) | ValueRule::Finite | ValueRule::Defined => {
            true
        }
    }
}

fn rules(document: &Document<'_>, field: &FieldDescriptor) -> FieldRules {
    let messages = &document.contract.messages;
    let message = messages
        .iter()
        .find(|message| message.descriptor == *field.parent_message());
    message
        .and_then(|message| message.rules.get(&field.number()))
        .cloned()
        .unwrap_or_default()
}

fn describe(schema: &mut Value, description: &str) {
    if !description.is_empty() {
        schema["description"] = description.into();
    }
}

fn constrain(schema: &mut Value, kind: &Kind, rules: &[ValueRule]) {
    let number = schema["type"] == "integer" || schema["type"] == "number";
    for rule in rules {
        match rule {
            ValueRule::MinLen(least) => schema["minLength"] = (*least).into(),
            ValueRule::MaxLen(greatest) => schema["maxLength"] = (*greatest).into(),
            ValueRule::Pattern(pattern) => schema["pattern"] = pattern.as_str().into(),
            ValueRule::In(texts) => schema["enum"] = texts.clone().into(),
            ValueRule::Range(least, greatest) if number => {
                let (lowest, highest) = bounds(kind);
                if *least > lowest {
                    schema["minimum"] = integer(*least);
                }
                if *greatest < highest {
                    schema["maximum"] = integer(*greatest);
                }
            }
            ValueRule::FloatRange(least, greatest) => {
                if least.is_finite() {
                    schema["minimum"] = float(*least);
                }
                if greatest.is_finite() {
                    schema["maximum"] = float(*greatest);
                }
            }
            // JSON Schema has no word for these: it counts neither bytes nor 64-bit numbers in
            // strings, its numbers are finite, and enums list their values anyway.
            ValueRule::MinBytes(_)
            | ValueRule::MaxBytes(_)
            | ValueRule::Range(..)
            | ValueRule::Finite
            | ValueRule::Defined => {}
        }
    }
}

fn bounds(kind: &Kind) -> (i128, i128) {
    match kind {
        Kind::Uint32 | Kind::Fixed32 => (-1, u32::MAX.into()), // 0 is worth saying
        _ => (i32::MIN.into(), i32::MAX.into()),
    }
}

fn integer(value: i128) -> Value {
    i64::try_from(value).map_or(Value::Null, Value::from)
}

fn float(value: f64) -> Value {
    // A whole number reads better without a fraction.
    let text = format!("{value}");
    text.parse::<i64>()
        .map_or_else(|_| Value::from(value), Value::from)
}

/// The schema of a scalar.
pub(super) fn scalar(kind: &Kind) -> Value {
    match kind {
        Kind::Double => json!({"type": "number", "format": "double"}),
        Kind::Float => json!({"type": "number", "format": "float"}),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            json!({"type": "integer", "format": "int32"})
        }
        Kind::Uint32 | Kind::Fixed32 => {
            json!({"type": "integer", "format": "uint32", "minimum": 0})
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => json!({"type": "string", "format": "int64"}),
        Kind::Uint64 | Kind::Fixed64 => json!({"type": "string", "format": "uint64"}),
        Kind::Bool => json!({"type": "boolean"}),
        Kind::Bytes => json!({"type": "string", "contentEncoding": "base64"}),
        Kind::String | Kind::Enum(_) | Kind::Message(_) => json!({"type": "string"}),
    }
}

/// The schema of a well-known type that is no object of its fields in JSON.
pub(super) fn well_known(message: &MessageDescriptor) -> Option<Value> {
    let name = message.full_name().strip_prefix("google.protobuf.")?;
    Some(match name {
        "Timestamp" => json!({"type": "string", "format": "date-time"}),
        "Duration" => json!({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$"}),
        "FieldMask" => json!({"type": "string"}),
        "Any" => json!({
            "type": "object",
            "properties": {"@type": {"type": "string"}},
            "additionalProperties": true,
        }),
        "Struct" => json!({"type": "object", "additionalProperties": true}),
        "Value" => json!({}),
        "ListValue" => json!({"type": "array", "items": {}}),
        "Empty" => json!({"type": "object"}),
        _ => {
            let wrapped = message
                .fields()
                .next()
                .filter(|_| name.ends_with("Value"))?;
            let mut schema = scalar(&wrapped.kind());
            schema["type"] = json!([schema["type"].clone(), "null"]);
            schema
        }
    })
}

/// The names of an enum, with what each means.
pub(super) fn enumeration(descriptor: &EnumDescriptor) -> Value {
    let names: Vec<String> = names::json_values(descriptor)
        .into_iter()
        .map(|(_, _, json)| json)
        .collect();
    let file = descriptor.parent_file();
    let mut lines = vec![comment::of(&file, descriptor.path())];
    for (number, _, json) in names::json_values(descriptor) {
        let value = descriptor.values().find(|value| value.number() == number);
        let text = value
            .map(|value| comment::of(&file, value.path()))
            .unwrap_or_default();
        if !text.is_empty() {
            lines.push(format!("- `{json}`: {text}"));
        }
    }
    let mut schema = json!({"type": "string", "enum": names});
    describe(&mut schema, lines.join("\n").trim());
    schema
}

/// The body of every error, in the form of AIP-193.
pub(super) fn error() -> Value {
    json!({
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "status", "message"],
                "properties": {
                    "code": {"type": "integer", "description": "HTTP status."},
                    "status": {
                        "type": "string",
                        "description": "google.rpc.Code, for example INVALID_ARGUMENT.",
                    },
                    "message": {"type": "string", "description": "What is wrong, for people."},
                    "details": {
                        "type": "array",
                        "description": "Always a google.rpc.ErrorInfo with a stable reason; google.rpc.BadRequest names fields, google.rpc.RetryInfo says when to try again.",
                        "items": {
                            "type": "object",
                            "required": ["@type"],
                            "properties": {"@type": {"type": "string"}},
                            "additionalProperties": true,
                        },
                    },
                },
            },
        },
    })
}
