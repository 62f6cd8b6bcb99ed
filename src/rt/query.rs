//! Query parameters and path variables, written straight onto protobuf wire bytes.
//!
//! No tree is built: each parameter `a.b.c=v` becomes a fragment of its own in which `a` and `b`
//! are nested messages, and protobuf merges the occurrences of a message field. What merging would
//! hide is refused here instead: a single value given twice, and two members of one oneof.
//!
//! Every fault is collected, so that a client learns of all of them at once.

use super::schema::{Field, Kind, Label, Message, Shape};
use super::text;
use super::violation::Violation;
use super::wire::{self, WireType};

/// Messages nested in a parameter's name: `a.b.c` has three.
const MAX_DEPTH: usize = 8;
/// Parameters of one request; also bounds the comparison of each with those before it.
const MAX_PARAMETERS: usize = 256;
/// Faults worth reporting at once.
const MAX_VIOLATIONS: usize = 32;

/// Binds path variables and query parameters to the fields of one request message.
#[derive(Debug)]
pub struct Binder<'a> {
    message: &'static Message,
    out: &'a mut Vec<u8>,
    violations: Vec<Violation>,
    /// The path of every field set so far.
    set: Vec<Vec<&'static Field>>,
    parameters: usize,
}

impl<'a> Binder<'a> {
    /// Binds to `message`, whose wire bytes are appended to `out`.
    pub fn new(message: &'static Message, out: &'a mut Vec<u8>) -> Self {
        Self {
            message,
            out,
            violations: Vec::new(),
            set: Vec::new(),
            parameters: 0,
        }
    }

    /// Keeps `field` for the body of the request: parameters below it are refused.
    pub fn reserve(&mut self, field: &'static Field) {
        self.set.push(vec![field]);
    }

    /// Sets the field at `path` to a variable of the URL's path, already percent-decoded.
    ///
    /// A variable never conflicts with what was set before: it names the resource, and as the
    /// last value on the wire it wins over one in the body.
    pub fn variable(&mut self, path: &[&'static Field], text: &str) {
        if let Err(wanted) = self.write(path, text) {
            self.refuse(dotted(path), wanted);
        }
        self.set.push(path.to_vec());
    }

    /// Sets the field called `name` to a parameter of the query, already percent-decoded.
    ///
    /// Names are spelled as in the contract or in lowerCamelCase.
    pub fn parameter(&mut self, name: &str, text: &str) {
        self.parameters += 1;
        if self.parameters > MAX_PARAMETERS {
            if self.parameters == MAX_PARAMETERS + 1 {
                self.refuse(
                    name,
                    format!("is one of more than {MAX_PARAMETERS} parameters"),
                );
            }
            return;
        }
        let path = match resolve(self.message, name) {
            Ok(path) => path,
            Err(wanted) => return self.refuse(name, wanted),
        };
        if let Some(conflict) = self.set.iter().find_map(|earlier| conflict(earlier, &path)) {
            return self.refuse(dotted(&path), conflict);
        }
        if let Err(wanted) = self.write(&path, text) {
            self.refuse(dotted(&path), wanted);
        }
        if !self.set.iter().any(|earlier| same(earlier, &path)) {
            self.set.push(path);
        }
    }

    /// Records a fault that the caller found, for example in the spelling of a parameter.
    pub fn refuse(&mut self, field: impl Into<String>, description: impl Into<String>) {
        if self.violations.len() < MAX_VIOLATIONS {
            self.violations.push(Violation {
                field: field.into(),
                description: description.into(),
            });
        }
    }

    /// Every fault found; without any, the message is complete.
    #[must_use]
    pub fn finish(self) -> Vec<Violation> {
        self.violations
    }

    fn write(&mut self, path: &[&'static Field], text: &str) -> Result<(), String> {
        match path {
            [] => Ok(()),
            [field] => text::write_value(field, text, self.out),
            [parents @ .., field] => {
                let mut value = Vec::new();
                text::write_value(field, text, &mut value)?;
                for parent in parents.iter().rev() {
                    let mut wrapped = Vec::with_capacity(value.len() + 8);
                    wire::put_tag(&mut wrapped, parent.number, WireType::Bytes);
                    wire::put_bytes(&mut wrapped, &value);
                    value = wrapped;
                }
                self.out.append(&mut value);
                Ok(())
            }
        }
    }
}

/// Paths are the same when their numbers are: they start at the same message.
fn same(a: &[&'static Field], b: &[&'static Field]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.number == b.number)
}

fn dotted(path: &[&'static Field]) -> String {
    path.iter()
        .map(|field| field.name)
        .collect::<Vec<_>>()
        .join(".")
}

/// Finds the field that a parameter names, or says why there is none.
fn resolve(mut message: &'static Message, name: &str) -> Result<Vec<&'static Field>, String> {
    let mut path = Vec::with_capacity(1);
    let mut parts = name.split('.').peekable();
    while let Some(part) = parts.next() {
        let Some(field) = message
            .fields
            .iter()
            .find(|f| f.name == part || f.json == part)
        else {
            return Err(unknown(message, &path, part));
        };
        path.push(field);
        if path.len() > MAX_DEPTH {
            return Err(format!("is nested more than {MAX_DEPTH} levels deep"));
        }
        let nested = match field.kind {
            Kind::Message(nested) if nested.shape == Shape::Object => Some(nested),
            _ => None,
        };
        match (parts.peek(), nested) {
            (None, None) => check_value(field)?,
            (_, Some(_)) if repeats(field) => return Err(only_in_a_body()),
            (None, Some(nested)) => {
                let example = nested.fields.first().map_or("", |field| field.json);
                return Err(format!(
                    "is a message; set its fields, as in {name}.{example}"
                ));
            }
            (Some(_), Some(nested)) => message = nested,
            (Some(_), None) => return Err(format!("is not a parameter: {part} has no fields")),
        }
    }
    Ok(path)
}

fn repeats(field: &Field) -> bool {
    matches!(field.label, Label::Repeated | Label::Map)
}

fn check_value(field: &Field) -> Result<(), String> {
    let textual = match field.kind {
        Kind::Message(message) => matches!(
            message.shape,
            Shape::Timestamp | Shape::Duration | Shape::FieldMask | Shape::Wrapper
        ),
        _ => true,
    };
    if textual && field.label != Label::Map {
        Ok(())
    } else {
        Err(only_in_a_body())
    }
}

fn only_in_a_body() -> String {
    "cannot be given as a parameter, only in a body".to_owned()
}

/// Why two parameters of one request exclude each other, if they do.
fn conflict(earlier: &[&'static Field], path: &[&'static Field]) -> Option<String> {
    if let Some((a, b)) = earlier.iter().zip(path).find(|(a, b)| a.number != b.number) {
        let same_oneof = a.oneof.is_some() && a.oneof == b.oneof;
        return same_oneof.then(|| {
            format!(
                "cannot be combined with {}: only one of them may be set",
                a.json
            )
        });
    }
    let again = earlier.last().is_some_and(|field| !repeats(field));
    match (earlier.len() == path.len(), again) {
        (true, true) => Some("is given more than once".to_owned()),
        (false, _) => Some("is already set by the path or the body".to_owned()),
        (true, false) => None,
    }
}

fn unknown(message: &Message, parents: &[&'static Field], part: &str) -> String {
    let prefix: String = parents.iter().flat_map(|field| [field.json, "."]).collect();
    match nearest(message, part) {
        Some(field) => format!(
            "is not a parameter of this request; did you mean {prefix}{}?",
            field.json
        ),
        None => "is not a parameter of this request".to_owned(),
    }
}

/// The field whose name takes the fewest edits to reach, if they are few.
fn nearest(message: &Message, name: &str) -> Option<&'static Field> {
    let wanted = name.to_ascii_lowercase();
    message
        .fields
        .iter()
        .flat_map(|field| [(field, field.json), (field, field.name)])
        .map(|(field, candidate)| (distance(&wanted, &candidate.to_ascii_lowercase()), field))
        .filter(|(edits, field)| *edits <= 1 + field.json.len() / 4)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, field)| field)
}

/// Levenshtein's distance in bytes; names longer than any field's are far from all of them.
fn distance(a: &str, b: &str) -> usize {
    if a.len() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::super::schema::Rules;
    use super::*;

    /// A message with a field of every kind that matters here, nested in itself.
    static MESSAGE: Message = Message {
        name: "test.Message",
        shape: Shape::Object,
        fields: &[
            field(
                1,
                "flight_id",
                "flightId",
                Kind::String,
                Label::Implicit,
                None,
            ),
            field(
                2,
                "page_size",
                "pageSize",
                Kind::Int32,
                Label::Implicit,
                None,
            ),
            field(
                3,
                "carriers",
                "carriers",
                Kind::String,
                Label::Repeated,
                None,
            ),
            field(
                4,
                "either_text",
                "eitherText",
                Kind::String,
                Label::Optional,
                Some(0),
            ),
            field(
                5,
                "either_message",
                "eitherMessage",
                Kind::Message(&MESSAGE),
                Label::Optional,
                Some(0),
            ),
            field(
                6,
                "nested",
                "nested",
                Kind::Message(&MESSAGE),
                Label::Optional,
                None,
            ),
            field(
                7,
                "list",
                "list",
                Kind::Message(&MESSAGE),
                Label::Repeated,
                None,
            ),
            field(
                8,
                "since",
                "since",
                Kind::Message(&TIMESTAMP),
                Label::Optional,
                None,
            ),
        ],
        oneofs: &["either"],
        required_oneofs: &[],
        constrained: false,
    };

    static TIMESTAMP: Message = Message {
        name: "google.protobuf.Timestamp",
        shape: Shape::Timestamp,
        fields: &[],
        oneofs: &[],
        required_oneofs: &[],
        constrained: false,
    };

    const fn field(
        number: u32,
        name: &'static str,
        json: &'static str,
        kind: Kind,
        label: Label,
        oneof: Option<u8>,
    ) -> Field {
        Field {
            number,
            name,
            json,
            key: "",
            kind,
            label,
            oneof,
            rules: Rules::NONE,
        }
    }

    /// Binds `a=b&c=d` and gives the wire bytes, or the faults as `field: description`.
    fn bind(query: &str) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        let mut binder = Binder::new(&MESSAGE, &mut out);
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap();
            binder.parameter(name, value);
        }
        let faults = binder.finish();
        let faults: Vec<_> = faults
            .iter()
            .map(|v| format!("{}: {}", v.field, v.description))
            .collect();
        if faults.is_empty() {
            Ok(out)
        } else {
            Err(faults.join("\n"))
        }
    }

    #[test]
    fn parameters_become_fields() {
        for (query, wire) in [
            ("flight_id=F1", &b"\x0a\x02F1"[..]),
            ("flightId=F1&pageSize=3", b"\x0a\x02F1\x10\x03"),
            ("carriers=AA&carriers=UA", b"\x1a\x02AA\x1a\x02UA"),
            ("nested.nested.flightId=x", b"\x32\x05\x32\x03\x0a\x01x"),
            (
                "nested.pageSize=1&nested.flight_id=y",
                b"\x32\x02\x10\x01\x32\x03\x0a\x01y",
            ),
            (
                "eitherMessage.pageSize=1&either_message.flightId=z",
                b"\x2a\x02\x10\x01\x2a\x03\x0a\x01z",
            ),
            ("since=1970-01-01T00:00:05Z", b"\x42\x02\x08\x05"),
        ] {
            assert_eq!(bind(query).as_deref(), Ok(wire), "{query}");
        }
    }

    #[test]
    fn faults_say_what_would_be_right() {
        for (query, fault) in [
            ("colour=1", "colour: is not a parameter of this request"),
            (
                "fligthId=1",
                "fligthId: is not a parameter of this request; did you mean flightId?",
            ),
            (
                "nested.page_sise=1",
                "nested.page_sise: is not a parameter of this request; did you mean nested.pageSize?",
            ),
            (
                "pageSize=1&page_size=2",
                "page_size: is given more than once",
            ),
            (
                "nested=1",
                "nested: is a message; set its fields, as in nested.flightId",
            ),
            (
                "list.pageSize=1",
                "list.pageSize: cannot be given as a parameter, only in a body",
            ),
            (
                "list=1",
                "list: cannot be given as a parameter, only in a body",
            ),
            (
                "pageSize.x=1",
                "pageSize.x: is not a parameter: pageSize has no fields",
            ),
            (
                "eitherText=1&eitherMessage.pageSize=2",
                "either_message.page_size: cannot be combined with eitherText: only one of them may be set",
            ),
            (
                "eitherMessage.pageSize=2&eitherText=1",
                "either_text: cannot be combined with eitherMessage: only one of them may be set",
            ),
            (
                "nested.eitherText=1&nested.eitherMessage.flightId=2",
                "nested.either_message.flight_id: cannot be combined with eitherText: only one of them may be set",
            ),
            ("=1", ": is not a parameter of this request"),
        ] {
            assert_eq!(bind(query).unwrap_err(), fault, "{query}");
        }
    }

    #[test]
    fn every_fault_is_collected() {
        let faults = bind("colour=red&pageSize=many&pageSize=2&since=now").unwrap_err();
        let fields: Vec<_> = faults
            .lines()
            .map(|fault| fault.split(':').next().unwrap())
            .collect();
        assert_eq!(fields, ["colour", "page_size", "page_size", "since"]);
    }

    #[test]
    fn depth_and_number_are_bounded() {
        let deep = format!("{}flightId=1", "nested.".repeat(MAX_DEPTH));
        assert!(bind(&deep).unwrap_err().contains("levels deep"));
        let many = vec!["carriers=AA"; MAX_PARAMETERS + 10].join("&");
        assert_eq!(
            bind(&many).unwrap_err(),
            "carriers: is one of more than 256 parameters"
        );
    }

    #[test]
    fn what_path_and_body_set_is_not_set_again() {
        let mut out = Vec::new();
        let mut binder = Binder::new(&MESSAGE, &mut out);
        let [flight_id, page_size, .., nested, _, _] = MESSAGE.fields else {
            unreachable!()
        };
        binder.reserve(nested);
        binder.variable(&[flight_id], "F1");
        binder.variable(&[nested, page_size], "7");
        binder.variable(&[page_size], "seven");
        for name in ["flightId", "nested.flightId"] {
            binder.parameter(name, "x");
        }
        let faults: Vec<_> = binder
            .finish()
            .into_iter()
            .map(|fault| fault.field)
            .collect();
        assert_eq!(faults, ["page_size", "flight_id", "nested.flight_id"]);
        assert_eq!(out, b"\x0a\x02F1\x32\x02\x10\x07");
    }
}
