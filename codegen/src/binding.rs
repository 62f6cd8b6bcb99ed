//! Reads `google.api.http` and resolves its field names.
//!
//! Every way in which a rule can be ambiguous or impossible is found here, so that the router
//! never has to choose and a request never meets a route that cannot bind it.

use std::collections::HashMap;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};

use crate::{
    Access, Binding, Body, Diagnostics, Service, Variable,
    diagnostics::{METHOD_OPTIONS, Place},
    http_rule,
};

const EXTENSION: &str = "google.api.http";
const EXTENSION_NUMBER: u32 = 72_295_728;

/// The REST bindings of `method`, the main one first. A rule with a mistake is left out.
pub(crate) fn of(
    method: &MethodDescriptor,
    access: Access,
    diagnostics: &mut Diagnostics,
) -> Vec<Binding> {
    let place = place(method);
    let Some(rule) = rule(method) else {
        return Vec::new();
    };
    if access == Access::Mesh {
        let message = format!(
            "{} is for the mesh only; leave its HTTP rule out",
            method.full_name()
        );
        diagnostics.add(&place, message);
        return Vec::new();
    }
    if method.is_client_streaming() {
        let message = format!("{} streams requests, which REST cannot", method.full_name());
        diagnostics.add(&place, message);
        return Vec::new();
    }
    let additional = additional(&rule);
    if additional
        .iter()
        .any(|rule| !self::additional(rule).is_empty())
    {
        diagnostics.add(
            &place,
            "additional_bindings cannot have additional_bindings",
        );
    }
    let mut bindings = Vec::new();
    for rule in std::iter::once(&rule).chain(&additional) {
        match resolve(method, rule) {
            Ok(binding) => bindings.push(binding),
            Err(message) => diagnostics.add(&place, message),
        }
    }
    bindings
}

/// Refuses two bindings that match the same requests, whatever their variables are called.
pub(crate) fn check_ambiguity(services: &[Service], diagnostics: &mut Diagnostics) {
    let mut seen: HashMap<(&str, String), String> = HashMap::new();
    for method in services.iter().flat_map(|service| &service.methods) {
        for binding in &method.bindings {
            let key = (binding.verb.as_str(), binding.template.shape());
            let name = format!("{} of {}", binding.text, method.descriptor.full_name());
            if let Some(other) = seen.get(&key) {
                let message = format!(
                    "{} {name} matches the same requests as {other}",
                    binding.verb
                );
                diagnostics.add(&place(&method.descriptor), message);
            } else {
                seen.insert(key, name);
            }
        }
    }
}

fn place(method: &MethodDescriptor) -> Place {
    Place::option(
        method.parent_file(),
        method.path(),
        METHOD_OPTIONS,
        EXTENSION_NUMBER,
    )
}

fn rule(method: &MethodDescriptor) -> Option<DynamicMessage> {
    let extension = method.parent_pool().get_extension_by_name(EXTENSION)?;
    let options = method.options();
    if !options.has_extension(&extension) {
        return None;
    }
    options.get_extension(&extension).as_message().cloned()
}

fn additional(rule: &DynamicMessage) -> Vec<DynamicMessage> {
    let value = rule.get_field_by_name("additional_bindings");
    let list = value
        .as_ref()
        .and_then(|value| value.as_list())
        .unwrap_or_default();
    list.iter()
        .filter_map(|value| value.as_message().cloned())
        .collect()
}

fn resolve(method: &MethodDescriptor, rule: &DynamicMessage) -> Result<Binding, String> {
    let (verb, text) = verb_and_template(rule)?;
    let template = http_rule::parse(&text).map_err(|error| format!("{text}: {error}"))?;
    let input = method.input();
    let mut variables = Vec::new();
    for variable in &template.variables {
        let fields = variable_fields(&input, &variable.path)?;
        variables.push(Variable {
            fields,
            start: variable.start,
            end: variable.end,
        });
    }
    let body = body(&input, &verb, &string(rule, "body"))?;
    if let Body::Field(field) = &body
        && variables
            .iter()
            .any(|variable| variable.fields.as_slice() == [field.clone()])
    {
        return Err(format!(
            "'{}' is both the body and a path variable",
            field.name()
        ));
    }
    let response_body = match string(rule, "response_body") {
        name if name.is_empty() => None,
        name => Some(top_level(&method.output(), &name, "response_body")?),
    };
    Ok(Binding {
        verb,
        text,
        template,
        variables,
        body,
        response_body,
    })
}

fn verb_and_template(rule: &DynamicMessage) -> Result<(String, String), String> {
    for name in ["get", "put", "post", "delete", "patch"] {
        if rule.has_field_by_name(name) {
            return Ok((name.to_uppercase(), string(rule, name)));
        }
    }
    let custom = rule.get_field_by_name("custom");
    let custom = custom.as_ref().and_then(|value| value.as_message());
    if let Some(custom) = custom.filter(|_| rule.has_field_by_name("custom")) {
        let kind = string(custom, "kind");
        if kind.is_empty() || !kind.chars().all(|c| c.is_ascii_uppercase() || c == '-') {
            return Err(format!(
                "'{kind}' is not an HTTP method; name one in capitals"
            ));
        }
        return Ok((kind, string(custom, "path")));
    }
    Err("the HTTP rule has no pattern; give it get, put, post, delete, patch or custom".to_owned())
}

fn body(input: &MessageDescriptor, verb: &str, name: &str) -> Result<Body, String> {
    if name.is_empty() {
        return Ok(Body::None);
    }
    if verb == "GET" || verb == "DELETE" {
        return Err(format!("{verb} has no body; leave body out"));
    }
    if name == "*" {
        return Ok(Body::Whole);
    }
    top_level(input, name, "body").map(Body::Field)
}

fn top_level(
    message: &MessageDescriptor,
    name: &str,
    option: &str,
) -> Result<FieldDescriptor, String> {
    if name.contains('.') {
        return Err(format!(
            "{option} '{name}' must be a field of {} itself",
            message.full_name()
        ));
    }
    field(message, name)
}

/// The fields of a path variable: messages on the way, and one plain value at the end.
fn variable_fields(
    input: &MessageDescriptor,
    path: &[String],
) -> Result<Vec<FieldDescriptor>, String> {
    let mut message = input.clone();
    let mut fields: Vec<FieldDescriptor> = Vec::new();
    for (index, name) in path.iter().enumerate() {
        let field = field(&message, name)?;
        let last = index + 1 == path.len();
        if field.is_list() || field.is_map() {
            return Err(format!("path variable '{}' repeats", path.join(".")));
        }
        match field.kind() {
            Kind::Message(_) if last => {
                let path = path.join(".");
                return Err(format!(
                    "path variable '{path}' is a message; name one of its fields"
                ));
            }
            Kind::Message(inner) => message = inner,
            _ if !last => {
                return Err(format!(
                    "'{name}' of path variable '{}' is no message",
                    path.join(".")
                ));
            }
            _ => {}
        }
        fields.push(field);
    }
    Ok(fields)
}

fn field(message: &MessageDescriptor, name: &str) -> Result<FieldDescriptor, String> {
    message
        .get_field_by_name(name)
        .ok_or_else(|| format!("{} has no field '{name}'", message.full_name()))
}

fn string(message: &DynamicMessage, field: &str) -> String {
    let value = message.get_field_by_name(field);
    value
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}
