//! Reads `buf.validate` constraints.
//!
//! Only constraints that the runtime checks are taken. Every other one, above all CEL, is a
//! mistake: a rule that is written down and not enforced is worse than none.

use std::collections::BTreeMap;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};

use crate::{
    Diagnostics,
    diagnostics::{FIELD_OPTIONS, MESSAGE_OPTIONS, ONEOF_OPTIONS, Place},
};

/// Number of the extensions `buf.validate.{field,oneof,message}`.
const EXTENSION_NUMBER: u32 = 1159;

/// Constraints of a field.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldRules {
    /// The field must be set.
    pub required: bool,
    /// Rules do not apply to a zero value.
    pub ignore_zero: bool,
    /// Least number of elements.
    pub min_items: Option<u64>,
    /// Greatest number of elements.
    pub max_items: Option<u64>,
    /// Elements must differ.
    pub unique: bool,
    /// Rules of the value or, where the field repeats, of each element.
    pub values: Vec<ValueRule>,
}

/// One constraint on one value; the meaning of each is that of the runtime's `Rule`.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // explained where they are checked
pub enum ValueRule {
    MinLen(u64),
    MaxLen(u64),
    MinBytes(u64),
    MaxBytes(u64),
    Pattern(String),
    In(Vec<String>),
    Range(i128, i128),
    FloatRange(f64, f64),
    Finite,
    Defined,
}

/// The constraints of every field of `message` that has any, by number.
pub(crate) fn of_message(
    message: &MessageDescriptor,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<u32, FieldRules> {
    let options = message.options();
    if extension(message, &options, "buf.validate.message").is_some() {
        let place = Place::option(
            message.parent_file(),
            message.path(),
            MESSAGE_OPTIONS,
            EXTENSION_NUMBER,
        );
        diagnostics.add(&place, "rules of whole messages are not supported");
    }
    let mut all = BTreeMap::new();
    for field in message.fields() {
        let Some(rules) = extension(message, &field.options(), "buf.validate.field") else {
            continue;
        };
        let place = Place::option(
            field.parent_file(),
            field.path(),
            FIELD_OPTIONS,
            EXTENSION_NUMBER,
        );
        match of_field(&field, &rules) {
            Ok(rules) if rules == FieldRules::default() => {}
            Ok(rules) => {
                all.insert(field.number(), rules);
            }
            Err(problem) => diagnostics.add(&place, format!("{}: {problem}", field.full_name())),
        }
    }
    all
}

/// Names of the oneofs of `message` of which one member must be set.
pub(crate) fn required_oneofs(
    message: &MessageDescriptor,
    diagnostics: &mut Diagnostics,
) -> Vec<String> {
    let mut required = Vec::new();
    for oneof in message.oneofs() {
        let Some(rules) = extension(message, &oneof.options(), "buf.validate.oneof") else {
            continue;
        };
        for (field, value) in rules.fields() {
            if field.name() == "required" && value.as_bool() == Some(true) {
                required.push(oneof.name().to_owned());
            } else if field.name() != "required" {
                let place = Place::option(
                    oneof.parent_file(),
                    oneof.path(),
                    ONEOF_OPTIONS,
                    EXTENSION_NUMBER,
                );
                let problem = format!("{}: rule '{}' is not supported", oneof.name(), field.name());
                diagnostics.add(&place, problem);
            }
        }
    }
    required
}

fn extension(
    message: &MessageDescriptor,
    options: &DynamicMessage,
    name: &str,
) -> Option<DynamicMessage> {
    let extension = message.parent_pool().get_extension_by_name(name)?;
    if !options.has_extension(&extension) {
        return None;
    }
    options.get_extension(&extension).as_message().cloned()
}

fn of_field(field: &FieldDescriptor, source: &DynamicMessage) -> Result<FieldRules, String> {
    let mut rules = FieldRules::default();
    refuse_extensions(source)?;
    for (rule, value) in source.fields() {
        match (rule.name(), value) {
            ("required", Value::Bool(required)) => rules.required = *required,
            ("ignore", Value::EnumNumber(0)) => {}
            ("ignore", Value::EnumNumber(1)) => rules.ignore_zero = true,
            ("repeated", Value::Message(inner)) if field.is_list() => {
                repeated(&field.kind(), inner, &mut rules)?;
            }
            ("map", Value::Message(inner)) if field.is_map() => map(inner, &mut rules)?,
            (name, Value::Message(inner)) if is_of_kind(name, field) => {
                rules.values = value_rules(&field.kind(), inner)?;
            }
            (name, Value::Message(_)) if is_type(name) => {
                return Err(format!(
                    "rules of '{name}' do not fit a field of type {}",
                    ty(field)
                ));
            }
            (name, _) => return Err(format!("rule '{name}' is not supported")),
        }
    }
    Ok(rules)
}

fn is_type(name: &str) -> bool {
    ["repeated", "map"].contains(&name) || KINDS.contains(&name)
}

const KINDS: [&str; 16] = [
    "double", "float", "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32",
    "fixed64", "sfixed32", "sfixed64", "bool", "string", "bytes", "enum",
];

/// What a field is called among the rules, for example `uint32`.
fn ty(field: &FieldDescriptor) -> &'static str {
    if field.is_map() {
        "map"
    } else if field.is_list() {
        "repeated"
    } else {
        kind_name(&field.kind())
    }
}

fn is_of_kind(name: &str, field: &FieldDescriptor) -> bool {
    !field.is_list() && !field.is_map() && kind_name(&field.kind()) == name
}

fn kind_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Double => "double",
        Kind::Float => "float",
        Kind::Int32 => "int32",
        Kind::Int64 => "int64",
        Kind::Uint32 => "uint32",
        Kind::Uint64 => "uint64",
        Kind::Sint32 => "sint32",
        Kind::Sint64 => "sint64",
        Kind::Fixed32 => "fixed32",
        Kind::Fixed64 => "fixed64",
        Kind::Sfixed32 => "sfixed32",
        Kind::Sfixed64 => "sfixed64",
        Kind::Bool => "bool",
        Kind::String => "string",
        Kind::Bytes => "bytes",
        Kind::Message(_) => "message",
        Kind::Enum(_) => "enum",
    }
}

fn repeated(kind: &Kind, source: &DynamicMessage, rules: &mut FieldRules) -> Result<(), String> {
    refuse_extensions(source)?;
    for (rule, value) in source.fields() {
        match (rule.name(), value) {
            ("min_items", Value::U64(count)) => rules.min_items = Some(*count),
            ("max_items", Value::U64(count)) => rules.max_items = Some(*count),
            ("unique", Value::Bool(_)) if matches!(kind, Kind::Message(_)) => {
                return Err("'unique' does not fit messages".to_owned());
            }
            ("unique", Value::Bool(unique)) => rules.unique = *unique,
            ("items", Value::Message(items)) => rules.values = item_rules(kind, items)?,
            (name, _) => return Err(format!("rule 'repeated.{name}' is not supported")),
        }
    }
    Ok(())
}

fn item_rules(kind: &Kind, source: &DynamicMessage) -> Result<Vec<ValueRule>, String> {
    refuse_extensions(source)?;
    let mut rules = Vec::new();
    for (rule, value) in source.fields() {
        match (rule.name(), value) {
            (name, Value::Message(inner)) if kind_name(kind) == name => {
                rules = value_rules(kind, inner)?;
            }
            (name, _) => {
                let kind = kind_name(kind);
                return Err(format!(
                    "rule 'items.{name}' is not supported for elements of type {kind}"
                ));
            }
        }
    }
    Ok(rules)
}

fn map(source: &DynamicMessage, rules: &mut FieldRules) -> Result<(), String> {
    refuse_extensions(source)?;
    for (rule, value) in source.fields() {
        match (rule.name(), value) {
            ("min_pairs", Value::U64(count)) => rules.min_items = Some(*count),
            ("max_pairs", Value::U64(count)) => rules.max_items = Some(*count),
            (name, _) => return Err(format!("rule 'map.{name}' is not supported")),
        }
    }
    Ok(())
}

fn refuse_extensions(source: &DynamicMessage) -> Result<(), String> {
    match source.extensions().next() {
        Some((extension, _)) => Err(format!("rule '{}' is not supported", extension.full_name())),
        None => Ok(()),
    }
}

fn value_rules(kind: &Kind, source: &DynamicMessage) -> Result<Vec<ValueRule>, String> {
    refuse_extensions(source)?;
    match kind {
        Kind::String => string(source),
        Kind::Bytes => bytes(source),
        Kind::Enum(_) => enumeration(source),
        Kind::Double | Kind::Float => float(kind, source),
        Kind::Bool | Kind::Message(_) => source
            .fields()
            .next()
            .map_or(Ok(Vec::new()), |(rule, _)| unsupported(kind, rule.name())),
        _ => integer(kind, source),
    }
}

fn unsupported<T>(kind: &Kind, rule: &str) -> Result<T, String> {
    Err(format!(
        "rule '{}.{rule}' is not supported",
        kind_name(kind)
    ))
}

fn string(source: &DynamicMessage) -> Result<Vec<ValueRule>, String> {
    let mut rules = Vec::new();
    for (rule, value) in source.fields() {
        match (rule.name(), value) {
            ("len", Value::U64(n)) => rules.extend([ValueRule::MinLen(*n), ValueRule::MaxLen(*n)]),
            ("min_len", Value::U64(n)) => rules.push(ValueRule::MinLen(*n)),
            ("max_len", Value::U64(n)) => rules.push(ValueRule::MaxLen(*n)),
            ("min_bytes", Value::U64(n)) => rules.push(ValueRule::MinBytes(*n)),
            ("max_bytes", Value::U64(n)) => rules.push(ValueRule::MaxBytes(*n)),
            ("const", Value::String(text)) => rules.push(ValueRule::In(vec![text.clone()])),
            ("in", Value::List(list)) => {
                let texts = list.iter().filter_map(Value::as_str).map(str::to_owned);
                rules.push(ValueRule::In(texts.collect()));
            }
            ("pattern", Value::String(pattern)) => {
                regex::Regex::new(pattern).map_err(|error| {
                    let reason = error.to_string();
                    let reason = reason.lines().last().unwrap_or_default();
                    format!("pattern '{pattern}' does not compile: {reason}")
                })?;
                rules.push(ValueRule::Pattern(pattern.clone()));
            }
            (name, _) => return unsupported(&Kind::String, name),
        }
    }
    Ok(rules)
}

fn bytes(source: &DynamicMessage) -> Result<Vec<ValueRule>, String> {
    let mut rules = Vec::new();
    for (rule, value) in source.fields() {
        match (rule.name(), value) {
            ("min_len", Value::U64(n)) => rules.push(ValueRule::MinBytes(*n)),
            ("max_len", Value::U64(n)) => rules.push(ValueRule::MaxBytes(*n)),
            (name, _) => return unsupported(&Kind::Bytes, name),
        }
    }
    Ok(rules)
}

fn enumeration(source: &DynamicMessage) -> Result<Vec<ValueRule>, String> {
    let mut rules = Vec::new();
    for (rule, value) in source.fields() {
        match (rule.name(), value) {
            ("defined_only", Value::Bool(true)) => rules.push(ValueRule::Defined),
            ("defined_only", Value::Bool(false)) => {}
            (name, _) => return Err(format!("rule 'enum.{name}' is not supported")),
        }
    }
    Ok(rules)
}

fn integer(kind: &Kind, source: &DynamicMessage) -> Result<Vec<ValueRule>, String> {
    let (mut least, mut greatest) = match kind {
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => (i32::MIN.into(), i32::MAX.into()),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => (i64::MIN.into(), i64::MAX.into()),
        Kind::Uint32 | Kind::Fixed32 => (0, u32::MAX.into()),
        _ => (0, i128::from(u64::MAX)),
    };
    let mut bounded = false;
    for (rule, value) in source.fields() {
        let value = match value {
            Value::I32(n) => i128::from(*n),
            Value::I64(n) => i128::from(*n),
            Value::U32(n) => i128::from(*n),
            Value::U64(n) => i128::from(*n),
            _ => return unsupported(kind, rule.name()),
        };
        match rule.name() {
            "const" => (least, greatest) = (value, value),
            "gt" => least = value + 1,
            "gte" => least = value,
            "lt" => greatest = value - 1,
            "lte" => greatest = value,
            name => return unsupported(kind, name),
        }
        bounded = true;
    }
    if least > greatest {
        return Err(format!(
            "no number is at least {least} and at most {greatest}"
        ));
    }
    Ok(if bounded {
        vec![ValueRule::Range(least, greatest)]
    } else {
        Vec::new()
    })
}

fn float(kind: &Kind, source: &DynamicMessage) -> Result<Vec<ValueRule>, String> {
    let (mut least, mut greatest) = (f64::NEG_INFINITY, f64::INFINITY);
    let mut bounded = false;
    let mut rules = Vec::new();
    for (rule, value) in source.fields() {
        let value = match value {
            Value::F64(n) => *n,
            Value::F32(n) => f64::from(*n),
            Value::Bool(true) if rule.name() == "finite" => {
                rules.push(ValueRule::Finite);
                continue;
            }
            _ => return unsupported(kind, rule.name()),
        };
        match rule.name() {
            "gte" => least = value,
            "lte" => greatest = value,
            name => return unsupported(kind, name),
        }
        bounded = true;
    }
    if least > greatest {
        return Err(format!(
            "no number is at least {least} and at most {greatest}"
        ));
    }
    if bounded {
        rules.push(ValueRule::FloatRange(least, greatest));
    }
    Ok(rules)
}
