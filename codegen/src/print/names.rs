//! What things of the contract are called in Rust. Types are named as prost-build names them.

use heck::{ToShoutySnakeCase, ToSnakeCase as _, ToUpperCamelCase as _};
use prost_reflect::{EnumDescriptor, FieldDescriptor, MessageDescriptor};

/// Module path of a package, for example `google::r#type`.
pub(super) fn module(package: &str) -> String {
    package
        .split('.')
        .map(identifier)
        .collect::<Vec<_>>()
        .join("::")
}

/// A name as an identifier: keywords that can occur as a package are escaped.
pub(super) fn identifier(name: &str) -> String {
    match name {
        "type" | "match" | "move" | "mod" | "use" | "loop" | "ref" => format!("r#{name}"),
        name => name.to_owned(),
    }
}

/// Path of the static that describes a message.
pub(super) fn message_table(message: &MessageDescriptor) -> String {
    table(message.package_name(), message.full_name())
}

/// Path of the static that describes an enum.
pub(super) fn enum_table(descriptor: &EnumDescriptor) -> String {
    table(descriptor.package_name(), descriptor.full_name())
}

fn table(package: &str, full_name: &str) -> String {
    format!(
        "crate::schema::{}::{}",
        module(package),
        static_name(package, full_name)
    )
}

/// Name of the static of a message or enum within its package: `BAD_REQUEST_FIELD_VIOLATION`.
pub(super) fn static_name(package: &str, full_name: &str) -> String {
    within(package, full_name)
        .map(ToShoutySnakeCase::to_shouty_snake_case)
        .collect::<Vec<_>>()
        .join("_")
}

/// Path of the type that prost generates for a message.
pub(super) fn rust_type(message: &MessageDescriptor) -> String {
    let package = message.package_name();
    let mut parts: Vec<_> = within(package, message.full_name()).collect();
    let name = parts.pop().unwrap_or_default().to_upper_camel_case();
    let mut path = vec!["crate".to_owned(), module(package)];
    path.extend(parts.iter().map(|part| part.to_snake_case()));
    path.push(name);
    path.join("::")
}

fn within<'a>(package: &str, full_name: &'a str) -> impl Iterator<Item = &'a str> {
    let name = full_name.strip_prefix(package).unwrap_or(full_name);
    name.trim_start_matches('.').split('.')
}

/// The place of `field` in its message's table, which is in ascending order of number.
pub(super) fn field_index(field: &FieldDescriptor) -> usize {
    field
        .parent_message()
        .fields()
        .filter(|other| other.number() < field.number())
        .count()
}

/// Names of an enum's values in JSON: without the prefix that repeats the enum's name, where all
/// of them have it.
pub(crate) fn json_values(descriptor: &EnumDescriptor) -> Vec<(i32, String, String)> {
    let prefix = format!("{}_", descriptor.name().to_shouty_snake_case());
    let short = |name: &str| {
        let rest = name.strip_prefix(&prefix)?;
        rest.starts_with(|c: char| c.is_ascii_alphabetic())
            .then(|| rest.to_owned())
    };
    let strip = descriptor
        .values()
        .all(|value| short(value.name()).is_some());
    let mut values: Vec<_> = descriptor
        .values()
        .map(|value| {
            let name = value.name().to_owned();
            let json = short(&name)
                .filter(|_| strip)
                .unwrap_or_else(|| name.clone());
            (value.number(), name, json)
        })
        .collect();
    values.sort_by_key(|(number, ..)| *number); // stable: of aliases the first stays first
    values
}
