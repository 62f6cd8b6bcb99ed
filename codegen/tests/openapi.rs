//! The OpenAPI document of a contract with every kind of binding: the golden file
//! `openapi/every.json`, and its structure. `UPDATE_GOLDEN=1` writes the file anew.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use codegen::{Contract, print};
use serde_json::Value;

fn document(folder: &str, file: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let includes = [&*root.join(folder), &*root.join("../proto")];
    let contract = Contract::load(&includes, &[PathBuf::from(file)]);
    print::openapi(&contract.unwrap_or_else(|error| panic!("{error}")))
}

fn documents() -> [Value; 2] {
    [
        ("fixture/proto", "every.proto"),
        ("../proto", "skyway/search/v1/search_service.proto"),
    ]
    .map(|(folder, file)| serde_json::from_str(&document(folder, file)).expect("is JSON"))
}

#[test]
fn every_binding_is_documented_as_in_the_golden_file() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openapi/every.json");
    let found = document("fixture/proto", "every.proto");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&golden, &found).expect("the golden file can be written");
    }
    let wanted = fs::read_to_string(&golden).expect("the golden file can be read");
    assert_eq!(found, wanted);
}

fn visit(value: &Value, each: &mut impl FnMut(&Value)) {
    each(value);
    match value {
        Value::Array(values) => values.iter().for_each(|value| visit(value, each)),
        Value::Object(members) => members.values().for_each(|value| visit(value, each)),
        _ => {}
    }
}

#[test]
fn every_reference_resolves() {
    for document in documents() {
        let mut count = 0;
        visit(&document, &mut |value| {
            if let Some(reference) = value["$ref"].as_str() {
                let pointer = reference.strip_prefix('#').expect("is within the document");
                assert!(
                    document.pointer(pointer).is_some_and(Value::is_object),
                    "{reference}"
                );
                count += 1;
            }
        });
        assert!(count > 10);
    }
}

#[test]
fn paths_and_their_parameters_agree() {
    for document in documents() {
        for (path, item) in document["paths"].as_object().expect("has paths") {
            let named: BTreeSet<_> = path
                .split('{')
                .skip(1)
                .filter_map(|rest| rest.split('}').next())
                .collect();
            for operation in item.as_object().expect("has operations").values() {
                let parameters = operation["parameters"]
                    .as_array()
                    .cloned()
                    .unwrap_or_default();
                let all: Vec<_> = parameters
                    .iter()
                    .map(|p| (p["in"].as_str(), p["name"].as_str()))
                    .collect();
                let unique: BTreeSet<_> = all.iter().collect();
                assert_eq!(unique.len(), all.len(), "{path}");
                let declared: BTreeSet<_> = parameters
                    .iter()
                    .filter(|parameter| parameter["in"] == "path")
                    .filter_map(|parameter| parameter["name"].as_str())
                    .collect();
                assert_eq!(named, declared, "{path}");
            }
        }
    }
}

#[test]
fn operations_have_names_of_their_own() {
    for document in documents() {
        let mut names = BTreeSet::new();
        visit(&document["paths"], &mut |value| {
            if let Some(name) = value["operationId"].as_str() {
                assert!(names.insert(name.to_owned()), "{name}");
            }
        });
        assert!(names.len() >= 6);
    }
}
