//! Every mistake in a contract is refused with its file and line, and says what would be right.

use std::{
    fs,
    path::{Path, PathBuf},
};

use codegen::{Contract, Error};

const HEAD: &str = r#"syntax = "proto3";
package test.v1;
import "buf/validate/validate.proto";
import "google/api/annotations.proto";
import "google/protobuf/timestamp.proto";
import "skyway/policy/v1/policy.proto";
message Request { string name = 1; repeated string names = 2; Inner inner = 3; repeated Inner inners = 4; google.protobuf.Timestamp time = 5; }
message Inner { string name = 1; }
"#;

/// Lines of [`HEAD`]: what is under test begins on the next one.
const HEAD_LINES: usize = 8;

fn compile(tail: &str) -> Result<Contract, Error> {
    let folder = tempfile::tempdir().expect("a folder can be made");
    fs::write(folder.path().join("test.proto"), format!("{HEAD}{tail}")).expect("can be written");
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto");
    Contract::load(&[folder.path(), &proto], &[PathBuf::from("test.proto")])
}

#[track_caller]
fn refuses(tail: &str, wanted: &[&str]) {
    let error = match compile(tail) {
        Ok(_) => panic!("is accepted: {tail}"),
        Err(Error::Contract(diagnostics)) => diagnostics,
        Err(error) => panic!("{error}: {tail}"),
    };
    let found: Vec<_> = error
        .0
        .iter()
        .map(|d| {
            assert_eq!(d.file, "test.proto");
            format!("{}: {}", d.line - HEAD_LINES, d.message)
        })
        .collect();
    assert_eq!(found, wanted, "{tail}");
}

/// A service with one method, whose HTTP rule stands on line 3.
fn method(http: &str) -> String {
    format!(
        "service S {{\n  rpc M(Request) returns (Request) {{\n    option (google.api.http) = {{{http}}};\n    \
         option (skyway.policy.v1.method) = {{access: ACCESS_PUBLIC}};\n  }}\n}}\n"
    )
}

/// A message with one field, on line 2.
fn field(field: &str) -> String {
    format!("message M {{\n  {field}\n}}\n")
}

#[test]
fn good_contracts_pass() {
    for tail in [
        method("get: \"/v1/{name}\""),
        method("get: \"/v1/{inner.name=a/*}\""),
        method("post: \"/v1/{name}\" body: \"inner\" response_body: \"names\""),
        method("patch: \"/v1/{inner.name}\" body: \"inner\""),
        method("get: \"/v1/a\" additional_bindings: {post: \"/v1/a\" body: \"*\"}"),
        field("string a = 1 [(buf.validate.field).string = {min_len: 1, pattern: \"^a\"}];"),
    ] {
        if let Err(error) = compile(&tail) {
            panic!("{error}: {tail}");
        }
    }
}

#[test]
fn every_method_needs_a_policy() {
    refuses(
        "service S {\n  rpc M(Request) returns (Request);\n}\n",
        &[
            "2: test.v1.S.M has no policy; give it option (skyway.policy.v1.method) = {access: ACCESS_…}",
        ],
    );
    refuses(
        "service S {\n  rpc M(Request) returns (Request) {\n    option (skyway.policy.v1.method) = {};\n  }\n}\n",
        &[
            "3: test.v1.S.M does not say who may call it; set access to ACCESS_PUBLIC, ACCESS_USER, ACCESS_OWNER, ACCESS_ADMIN or ACCESS_MESH",
        ],
    );
    refuses(
        "service S {\n  rpc M(Request) returns (stream Request) {\n    option (skyway.policy.v1.method) = {access: ACCESS_USER, default_deadline: {seconds: 1}};\n  }\n}\n",
        &["3: a stream has no default deadline; leave default_deadline out"],
    );
    refuses(
        "service S {\n  rpc M(Request) returns (stream Request) {\n    option (skyway.policy.v1.method) = {access: ACCESS_USER, spread: SPREAD_MERGED};\n  }\n}\n",
        &["3: a stream comes from one service; leave spread out"],
    );
}

#[test]
fn http_rules_must_make_sense() {
    let cases = [
        (
            "get: \"/v1/{name\"",
            "/v1/{name: column 10: expected '}', found the end",
        ),
        ("get: \"/v1/{nam}\"", "test.v1.Request has no field 'nam'"),
        (
            "get: \"/v1/{inner.nam}\"",
            "test.v1.Inner has no field 'nam'",
        ),
        (
            "get: \"/v1/{name.x}\"",
            "'name' of path variable 'name.x' is no message",
        ),
        (
            "get: \"/v1/{inner}\"",
            "path variable 'inner' is a message; name one of its fields",
        ),
        (
            "get: \"/v1/{time}\"",
            "path variable 'time' is a message; name one of its fields",
        ),
        ("get: \"/v1/{names}\"", "path variable 'names' repeats"),
        (
            "get: \"/v1/{inners.name}\"",
            "path variable 'inners.name' repeats",
        ),
        (
            "get: \"/v1/{name}/{name}\"",
            "/v1/{name}/{name}: column 13: 'name' is bound twice",
        ),
        (
            "get: \"/v1/a\" body: \"*\"",
            "GET has no body; leave body out",
        ),
        (
            "delete: \"/v1/a\" body: \"inner\"",
            "DELETE has no body; leave body out",
        ),
        (
            "post: \"/v1/{name}\" body: \"name\"",
            "'name' is both the body and a path variable",
        ),
        (
            "post: \"/v1/a\" body: \"inner.name\"",
            "body 'inner.name' must be a field of test.v1.Request itself",
        ),
        (
            "post: \"/v1/a\" body: \"x\"",
            "test.v1.Request has no field 'x'",
        ),
        (
            "get: \"/v1/a\" response_body: \"x\"",
            "test.v1.Request has no field 'x'",
        ),
        (
            "body: \"*\"",
            "the HTTP rule has no pattern; give it get, put, post, delete, patch or custom",
        ),
        (
            "custom: {kind: \"*\", path: \"/v1/a\"}",
            "'*' is not an HTTP method; name one in capitals",
        ),
        (
            "get: \"/v1/a\" additional_bindings: {get: \"/v1/b\" additional_bindings: {get: \"/v1/c\"}}",
            "additional_bindings cannot have additional_bindings",
        ),
        (
            "get: \"/v1/{name}\" additional_bindings: {get: \"/v1/{inner.name}\"}",
            "GET /v1/{inner.name} of test.v1.S.M matches the same requests as /v1/{name} of test.v1.S.M",
        ),
    ];
    for (http, message) in cases {
        refuses(&method(http), &[&format!("3: {message}")]);
    }
}

#[test]
fn methods_that_rest_cannot_serve_have_no_rule() {
    let policy = |access: &str| format!("option (skyway.policy.v1.method) = {{access: {access}}};");
    let rule = "option (google.api.http) = {get: \"/v1/a\"};";
    refuses(
        &format!(
            "service S {{\nrpc M(Request) returns (Request) {{\n{}\n{rule}\n}}\n}}\n",
            policy("ACCESS_MESH")
        ),
        &["4: test.v1.S.M is for the mesh only; leave its HTTP rule out"],
    );
    refuses(
        &format!(
            "service S {{\nrpc M(stream Request) returns (Request) {{\n{}\n{rule}\n}}\n}}\n",
            policy("ACCESS_USER")
        ),
        &["4: test.v1.S.M streams requests, which REST cannot"],
    );
}

#[test]
fn constraints_that_are_not_checked_are_refused() {
    let cases = [
        (
            "string a = 1 [(buf.validate.field).string.email = true];",
            "rule 'string.email' is not supported",
        ),
        (
            "string a = 1 [(buf.validate.field).cel = {id: \"x\", expression: \"true\"}];",
            "rule 'cel' is not supported",
        ),
        (
            "string a = 1 [(buf.validate.field).int32.gt = 1];",
            "rules of 'int32' do not fit a field of type string",
        ),
        (
            "repeated string a = 1 [(buf.validate.field).string.min_len = 1];",
            "rules of 'string' do not fit a field of type repeated",
        ),
        (
            "int32 a = 1 [(buf.validate.field).int32.in = 1];",
            "rule 'int32.in' is not supported",
        ),
        (
            "int32 a = 1 [(buf.validate.field).int32 = {gt: 5, lt: 5}];",
            "no number is at least 6 and at most 4",
        ),
        (
            "double a = 1 [(buf.validate.field).double.gt = 0];",
            "rule 'double.gt' is not supported",
        ),
        (
            "bool a = 1 [(buf.validate.field).bool.const = true];",
            "rule 'bool.const' is not supported",
        ),
        (
            "google.protobuf.Timestamp a = 1 [(buf.validate.field).timestamp.lt_now = true];",
            "rule 'timestamp' is not supported",
        ),
        (
            "map<string, string> a = 1 [(buf.validate.field).map.keys.string.min_len = 1];",
            "rule 'map.keys' is not supported",
        ),
        (
            "repeated Inner a = 1 [(buf.validate.field).repeated.unique = true];",
            "'unique' does not fit messages",
        ),
        (
            "repeated string a = 1 [(buf.validate.field).repeated.items.string.uuid = true];",
            "rule 'string.uuid' is not supported",
        ),
        (
            "repeated string a = 1 [(buf.validate.field).repeated.items.required = true];",
            "rule 'items.required' is not supported for elements of type string",
        ),
        (
            "string a = 1 [(buf.validate.field).ignore = IGNORE_ALWAYS];",
            "rule 'ignore' is not supported",
        ),
    ];
    for (text, message) in cases {
        refuses(&field(text), &[&format!("2: test.v1.M.a: {message}")]);
    }
    refuses(
        &field("string a = 1 [(buf.validate.field).string.pattern = \"(\"];"),
        &["2: test.v1.M.a: pattern '(' does not compile: error: unclosed group"],
    );
    refuses(
        "message M {\n  option (buf.validate.message).cel = {id: \"x\", expression: \"true\"};\n  string a = 1;\n}\n",
        &["2: rules of whole messages are not supported"],
    );
}

#[test]
fn all_mistakes_are_reported_together() {
    let tail = "service S {\n  rpc A(Request) returns (Request);\n  rpc B(Request) returns (Request);\n}\n";
    let Err(error) = compile(tail) else {
        panic!("is accepted")
    };
    let text = error.to_string();
    assert_eq!(text.lines().count(), 2);
    assert!(
        text.starts_with("test.proto:10: test.v1.S.A has no policy"),
        "{text}"
    );
}
