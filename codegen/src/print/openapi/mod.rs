//! Prints the OpenAPI 3.1 document: every REST binding, as a client sees it.
//!
//! It says what the gateway does with a request and nothing else: names as in JSON, constraints as
//! they are checked, access as it is enforced, because all of it comes from the same model.

mod operation;
mod schema;

use prost_reflect::{EnumDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use self::operation::{operation, path};
use crate::{Binding, Contract, Method, comment};

/// Prints `openapi.json`.
#[must_use]
pub fn openapi(contract: &Contract) -> String {
    let mut document = Document {
        contract,
        schemas: Map::new(),
    };
    let mut paths = Map::new();
    let mut tags = Vec::new();
    for service in &contract.services {
        let bound = service
            .methods
            .iter()
            .any(|method| !method.bindings.is_empty());
        if bound {
            let descriptor = &service.descriptor;
            let description = comment::of(&descriptor.parent_file(), descriptor.path());
            tags.push(json!({"name": descriptor.name(), "description": description}));
        }
        for method in &service.methods {
            for (index, binding) in method.bindings.iter().enumerate() {
                document.add(&mut paths, method, binding, index);
            }
        }
    }
    let mut schemas = document.schemas;
    schemas.insert("Error".to_owned(), schema::error());
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Skyway",
            "description": "Flight search and booking. Generated from the contracts in proto/.",
            "version": "v1",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {
                "Error": {
                    "description": "Any error, as google.rpc.Status in the form of AIP-193.",
                    "content": {"application/json": {"schema": reference("Error")}},
                },
            },
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            },
        },
    });
    format!("{document:#}\n")
}

/// The document while it is written.
struct Document<'c> {
    contract: &'c Contract,
    /// Schemas of messages and enums by full name; a name is entered before its schema is made,
    /// so that messages may contain themselves.
    schemas: Map<String, Value>,
}

impl Document<'_> {
    fn add(
        &mut self,
        paths: &mut Map<String, Value>,
        method: &Method,
        binding: &Binding,
        index: usize,
    ) {
        let verb = binding.verb.to_lowercase();
        let known = [
            "get", "put", "post", "delete", "options", "head", "patch", "trace",
        ];
        if !known.contains(&verb.as_str()) {
            return; // OpenAPI has no place for other verbs
        }
        let item = paths.entry(path(binding)).or_insert_with(|| json!({}));
        item[verb] = operation(self, method, binding, index);
    }

    /// A reference to the schema of a message, which is added where it is new.
    fn message(&mut self, message: &MessageDescriptor) -> Value {
        let name = message.full_name();
        if !self.schemas.contains_key(name) {
            self.schemas.insert(name.to_owned(), Value::Null);
            let schema = schema::message(self, message);
            self.schemas.insert(name.to_owned(), schema);
        }
        reference(name)
    }

    /// A reference to the schema of an enum, which is added where it is new.
    fn enumeration(&mut self, descriptor: &EnumDescriptor) -> Value {
        let name = descriptor.full_name();
        if !self.schemas.contains_key(name) {
            self.schemas
                .insert(name.to_owned(), schema::enumeration(descriptor));
        }
        reference(name)
    }

    /// The schema of one value of a kind.
    fn value(&mut self, kind: &Kind) -> Value {
        match kind {
            Kind::Message(message) => {
                schema::well_known(message).unwrap_or_else(|| self.message(message))
            }
            Kind::Enum(descriptor) => self.enumeration(descriptor),
            scalar => schema::scalar(scalar),
        }
    }
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}
