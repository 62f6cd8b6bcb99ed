//! One REST binding as an operation: its path, parameters, body and answers.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Value, json};

use super::{Document, schema};
use crate::{Access, Binding, Body, KeyRule, Method, Variable, comment, http_rule::Segment};

/// Wildcard segments of a template, each with its name and the variable it belongs to.
fn wildcards(binding: &Binding) -> Vec<(usize, String, Option<&Variable>)> {
    let segments = &binding.template.segments;
    let is_wildcard = |index: &usize| !matches!(segments[*index], Segment::Literal(_));
    (0..segments.len())
        .filter(is_wildcard)
        .map(|index| {
            let variable = binding
                .variables
                .iter()
                .find(|v| (v.start..v.end).contains(&index));
            let Some(variable) = variable else {
                return (index, format!("segment{index}"), None);
            };
            let own: Vec<usize> = (variable.start..variable.end).filter(is_wildcard).collect();
            let name = json_path(&variable.fields);
            // A variable with several wildcards has a parameter for each.
            let place = own
                .iter()
                .position(|other| *other == index)
                .unwrap_or_default();
            let name = if own.len() > 1 {
                format!("{name}{}", place + 1)
            } else {
                name
            };
            (index, name, Some(variable))
        })
        .collect()
}

/// The path of a binding with its wildcards as parameters.
pub(super) fn path(binding: &Binding) -> String {
    let wildcards = wildcards(binding);
    let mut path = String::new();
    for (index, segment) in binding.template.segments.iter().enumerate() {
        path.push('/');
        let wildcard = wildcards.iter().find(|(wildcard, ..)| *wildcard == index);
        match (segment, wildcard) {
            (Segment::Literal(text), _) => path.push_str(text),
            (_, Some((_, name, _))) => path.extend(["{", name, "}"]),
            (_, None) => {}
        }
    }
    if path.is_empty() {
        path.push('/');
    }
    if let Some(verb) = &binding.template.verb {
        path.push(':');
        path.push_str(verb);
    }
    path
}

/// The operation of a binding; `index` is its place among those of the method.
pub(super) fn operation(
    document: &mut Document<'_>,
    method: &Method,
    binding: &Binding,
    index: usize,
) -> Value {
    let descriptor = &method.descriptor;
    let service = descriptor.parent_service().name();
    let number = if index == 0 {
        String::new()
    } else {
        format!("_{}", index + 1)
    };
    let description = comment::of(&descriptor.parent_file(), descriptor.path());
    let mut parameters = path_parameters(document, binding);
    query_parameters(document, method, binding, &mut parameters);
    parameters.extend(key_parameter(method.key));

    let mut operation = json!({
        "operationId": format!("{service}_{}{number}", descriptor.name()),
        "tags": [service],
        "summary": comment::summary(&description),
        "description": description,
        "security": security(method.access),
        "x-access": format!("{:?}", method.access).to_lowercase(),
    });
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    let body = match &binding.body {
        Body::None => None,
        Body::Whole => Some(document.message(&descriptor.input())),
        Body::Field(field) => Some(schema::field(document, field)),
    };
    if let Some(schema) = body {
        operation["requestBody"] =
            json!({"required": true, "content": {"application/json": {"schema": schema}}});
    }
    operation["responses"] = json!({
        "200": answer(document, method, binding),
        "default": {"$ref": "#/components/responses/Error"},
    });
    operation
}

/// The header of the IETF draft "The Idempotency-Key HTTP Header Field".
fn key_parameter(rule: KeyRule) -> Option<Value> {
    (rule != KeyRule::None).then(|| {
        json!({
            "name": "Idempotency-Key",
            "in": "header",
            "required": rule == KeyRule::Required,
            "description": "The same key with the same body gives the same answer for 24 hours.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 128},
        })
    })
}

fn security(access: Access) -> Value {
    match access {
        Access::Public => json!([]),
        Access::User | Access::Owner | Access::Admin | Access::Mesh => json!([{"bearer": []}]),
    }
}

fn answer(document: &mut Document<'_>, method: &Method, binding: &Binding) -> Value {
    let schema = match &binding.response_body {
        Some(field) => schema::field(document, field),
        None => document.value(&Kind::Message(method.descriptor.output())),
    };
    if !method.descriptor.is_server_streaming() {
        return json!({
            "description": "The answer.",
            "content": {"application/json": {"schema": schema}},
        });
    }
    json!({
        "description": "A stream, in the form that Accept asks for: one array, a line of JSON per message, or an event per message.",
        "content": {
            "application/json": {"schema": {"type": "array", "items": schema}},
            "application/x-ndjson": {"schema": schema},
            "text/event-stream": {"schema": schema},
        },
    })
}

fn path_parameters(document: &mut Document<'_>, binding: &Binding) -> Vec<Value> {
    let mut parameters = Vec::new();
    for (index, name, variable) in wildcards(binding) {
        let spans_one = variable.is_some_and(|variable| variable.end - variable.start == 1);
        let field = variable.and_then(|variable| variable.fields.last());
        let mut schema = match field {
            Some(field) if spans_one => schema::field(document, field),
            _ => json!({"type": "string"}),
        };
        let mut description = take_description(&mut schema).unwrap_or_default();
        if binding.template.segments[index] == Segment::Rest {
            description = [description.as_str(), "May hold several segments."].join(" ");
        }
        let mut parameter = json!({"name": name, "in": "path", "required": true});
        if !description.is_empty() {
            parameter["description"] = description.into();
        }
        parameter["schema"] = schema;
        parameters.push(parameter);
    }
    parameters
}

fn query_parameters(
    document: &mut Document<'_>,
    method: &Method,
    binding: &Binding,
    parameters: &mut Vec<Value>,
) {
    let body = match &binding.body {
        Body::Whole => return,
        Body::Field(field) => Some(field),
        Body::None => None,
    };
    let input = method.descriptor.input();
    let mut path = Vec::new();
    for field in input.fields().filter(|field| body != Some(field)) {
        flatten(document, binding, &field, &mut path, true, parameters);
    }
}

/// Adds the parameters of a field and of the fields of messages within it. What no query can
/// express is left out, and so is what a message contains of its own kind.
fn flatten(
    document: &mut Document<'_>,
    binding: &Binding,
    field: &FieldDescriptor,
    path: &mut Vec<FieldDescriptor>,
    required: bool,
    parameters: &mut Vec<Value>,
) {
    path.push(field.clone());
    let in_path = binding
        .variables
        .iter()
        .any(|variable| variable.fields == *path);
    let required = required && schema::is_required(document, field);
    match nested(field) {
        _ if in_path || field.is_map() => {}
        Some(_) if field.is_list() => {}
        Some(message) => {
            let again = path
                .iter()
                .filter(|outer| *outer.parent_message() == message)
                .count()
                > 0;
            for inner in message.fields().filter(|_| !again) {
                flatten(document, binding, &inner, path, required, parameters);
            }
        }
        None if expressible(field) => {
            let mut schema = schema::field(document, field);
            let description = take_description(&mut schema);
            let mut parameter = json!({"name": json_path(path), "in": "query"});
            if required {
                parameter["required"] = true.into();
            }
            if let Some(description) = description {
                parameter["description"] = description.into();
            }
            parameter["schema"] = schema;
            parameters.push(parameter);
        }
        None => {}
    }
    path.pop();
}

/// The message whose fields are parameters of their own.
fn nested(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match field.kind() {
        Kind::Message(message) if schema::well_known(&message).is_none() => Some(message),
        _ => None,
    }
}

/// Whether one value of the field can be written as text.
fn expressible(field: &FieldDescriptor) -> bool {
    let kind = field.kind();
    let name = kind.as_message().map(MessageDescriptor::name);
    !name.is_some_and(|name| ["Any", "Struct", "Value", "ListValue", "Empty"].contains(&name))
}

/// A parameter has its description beside the schema, not in it.
fn take_description(schema: &mut Value) -> Option<String> {
    let description = schema.as_object_mut()?.shift_remove("description")?;
    description.as_str().map(str::to_owned)
}

fn json_path(fields: &[FieldDescriptor]) -> String {
    let names: Vec<_> = fields.iter().map(FieldDescriptor::json_name).collect();
    names.join(".")
}
