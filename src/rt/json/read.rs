//! JSON bytes to wire bytes, in one pass.
//!
//! `serde_json` tokenises; the seeds know from the table what is to come and append it to the wire
//! form at once, so that no value is built. Reading goes on behind a wrong value and reports
//! everything that is wrong with a document together; only broken syntax ends it early.

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess};

use super::{
    any,
    visit::{ContentVisitor, ListVisitor, MapVisitor, Name, ScalarVisitor},
};
use crate::rt::{
    schema::{Field, Kind, Label, Message, Shape},
    text,
    violation::{Invalid, Violation},
    wire::{self, MAX_DEPTH, WireType},
};

/// Violations that are reported of one document; who makes more mistakes fixes some first.
const MAX_VIOLATIONS: usize = 32;
/// Characters of an unknown name that a violation repeats.
const MAX_NAME: usize = 64;

/// Appends the wire form of a whole document.
pub(super) fn document(
    message: &'static Message,
    json: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), Invalid> {
    let mut reader = Reader::new(out, "");
    let mut json = serde_json::Deserializer::from_slice(json);
    let read = Content {
        reader: &mut reader,
        message,
    }
    .deserialize(&mut json);
    reader.finish(read.and_then(|set| json.end().map(|()| set)))
}

/// Appends the wire form of a field whose value is the document.
pub(super) fn field(field: &'static Field, json: &[u8], out: &mut Vec<u8>) -> Result<(), Invalid> {
    let mut reader = Reader::new(out, field.name);
    let mut json = serde_json::Deserializer::from_slice(json);
    let read = Member {
        reader: &mut reader,
        field,
    }
    .deserialize(&mut json);
    reader.finish(read.and_then(|set| json.end().map(|()| set)))
}

/// What is known while a document is read.
pub(super) struct Reader<'o> {
    pub(super) out: &'o mut Vec<u8>,
    start: usize,
    /// Path of what is being read, in names of the contract. Where syntax is broken it stays as
    /// it was, and so tells where.
    path: String,
    violations: Vec<Violation>,
    depth: u32,
}

impl<'o> Reader<'o> {
    fn new(out: &'o mut Vec<u8>, path: &str) -> Self {
        let start = out.len();
        Self {
            out,
            start,
            path: path.to_owned(),
            violations: Vec::new(),
            depth: 0,
        }
    }

    fn finish(mut self, read: Result<bool, serde_json::Error>) -> Result<(), Invalid> {
        if let Err(error) = read
            && !error.is_data()
        {
            self.fault(format!("is not valid JSON: {error}"));
        }
        if self.violations.is_empty() {
            return Ok(());
        }
        self.out.truncate(self.start);
        Err(Invalid {
            violations: self.violations,
        })
    }

    /// Notes what is wrong with the value at the path.
    pub(super) fn fault(&mut self, description: impl Into<String>) {
        let violation = Violation {
            field: self.path.clone(),
            description: description.into(),
        };
        self.violations.push(violation);
    }

    /// Calls `read` with `segment` added to the path.
    pub(super) fn at<T, E>(
        &mut self,
        segment: &str,
        read: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let length = self.path.len();
        if length > 0 && !segment.starts_with('[') {
            self.path.push('.');
        }
        self.path.push_str(segment);
        let value = read(self)?;
        self.path.truncate(length);
        Ok(value)
    }

    /// Ends the reading where there are enough violations.
    pub(super) fn go_on<E: serde::de::Error>(&self) -> Result<(), E> {
        if self.violations.len() < MAX_VIOLATIONS {
            return Ok(());
        }
        Err(E::custom("too many violations"))
    }

    /// Reads the members of an object into the fields of `message`.
    pub(super) fn members<'de, A: MapAccess<'de>>(
        &mut self,
        message: &'static Message,
        mut members: A,
    ) -> Result<(), A::Error> {
        let mut seen = vec![false; message.fields.len()];
        let mut oneofs: Vec<Option<&Field>> = vec![None; message.oneofs.len()];
        while let Some(name) = members.next_key_seed(Name { message })? {
            self.go_on()?;
            let index = match name {
                Ok(index) => index,
                Err(unknown) => {
                    self.unknown(message, &unknown, &mut members)?;
                    continue;
                }
            };
            let field = &message.fields[index];
            let length = self.out.len();
            let set = self.at(field.name, |reader| {
                if std::mem::replace(&mut seen[index], true) {
                    reader.fault("is given twice");
                }
                members.next_value_seed(Member { reader, field })
            })?;
            if !set {
                self.out.truncate(length);
            } else if let Some(oneof) = field.oneof
                && let Some(other) = oneofs[usize::from(oneof)].replace(field)
            {
                self.at(field.name, |reader| {
                    reader.fault(format!("must not be set together with {}", other.name));
                    Ok::<_, A::Error>(())
                })?;
            }
        }
        Ok(())
    }

    fn unknown<'de, A: MapAccess<'de>>(
        &mut self,
        message: &'static Message,
        name: &str,
        members: &mut A,
    ) -> Result<(), A::Error> {
        let name: String = name.chars().take(MAX_NAME).collect();
        self.at(&name, |reader| {
            let known: Vec<_> = message.fields.iter().map(|field| field.json).collect();
            reader.fault(if known.is_empty() {
                "is unknown; no member is expected".to_owned()
            } else {
                format!("is unknown; known are {}", known.join(", "))
            });
            members.next_value::<IgnoredAny>().map(drop)
        })
    }

    /// Reads the elements of an array into a repeated field.
    pub(super) fn elements<'de, A: SeqAccess<'de>>(
        &mut self,
        field: &'static Field,
        mut elements: A,
    ) -> Result<(), A::Error> {
        for index in 0_usize.. {
            self.go_on()?;
            let element = self.at(&format!("[{index}]"), |reader| {
                let set = elements.next_element_seed(Single { reader, field })?;
                if set == Some(false) {
                    reader.fault("must not be null");
                }
                Ok(set)
            })?;
            if element.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Reads the members of an object into a map.
    pub(super) fn entries<'de, A: MapAccess<'de>>(
        &mut self,
        map: &'static Field,
        mut members: A,
    ) -> Result<(), A::Error> {
        let Kind::Message(entry) = map.kind else {
            return Ok(());
        };
        let [key, value] = entry.fields else {
            return Ok(());
        };
        let mut seen = std::collections::HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            self.go_on()?;
            let shown: String = name.chars().take(MAX_NAME).collect();
            self.at(&format!("[{shown}]"), |reader| {
                wire::put_tag(reader.out, map.number, WireType::Bytes);
                let start = wire::open(reader.out);
                if let Err(wanted) = text::write_value(key, &name, reader.out) {
                    reader.fault(format!("has a key that {wanted}"));
                }
                let field = value;
                if !members.next_value_seed(Single {
                    reader: &mut *reader,
                    field,
                })? {
                    reader.fault("must not be null");
                }
                wire::close(reader.out, start);
                Ok(())
            })?;
            if !seen.insert(name) {
                self.at(&format!("[{shown}]"), |reader| {
                    reader.fault("is given twice");
                    Ok::<_, A::Error>(())
                })?;
            }
        }
        Ok(())
    }
}

/// A field's value: a list, a map or a single one. Yields whether it was set, that is, not null.
pub(super) struct Member<'r, 'o> {
    pub(super) reader: &'r mut Reader<'o>,
    pub(super) field: &'static Field,
}

impl<'de> DeserializeSeed<'de> for Member<'_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<bool, D::Error> {
        let Self { reader, field } = self;
        match field.label {
            Label::Repeated => json.deserialize_any(ListVisitor { reader, field }),
            Label::Map => json.deserialize_any(MapVisitor { reader, field }),
            Label::Implicit | Label::Optional => Single { reader, field }.deserialize(json),
        }
    }
}

/// One value of a field, with its tag. Yields whether it was set, that is, not null.
pub(super) struct Single<'r, 'o> {
    pub(super) reader: &'r mut Reader<'o>,
    pub(super) field: &'static Field,
}

impl<'de> DeserializeSeed<'de> for Single<'_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<bool, D::Error> {
        let Self { reader, field } = self;
        let Kind::Message(message) = field.kind else {
            return json.deserialize_any(ScalarVisitor { reader, field });
        };
        wire::put_tag(reader.out, field.number, WireType::Bytes);
        let start = wire::open(reader.out);
        let set = Content {
            reader: &mut *reader,
            message,
        }
        .deserialize(json)?;
        wire::close(reader.out, start);
        Ok(set)
    }
}

/// What stands within a message, without tag and length. Yields whether it was not null.
pub(super) struct Content<'r, 'o> {
    pub(super) reader: &'r mut Reader<'o>,
    pub(super) message: &'static Message,
}

impl<'de> DeserializeSeed<'de> for Content<'_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<bool, D::Error> {
        let Self { reader, message } = self;
        if reader.depth >= MAX_DEPTH {
            reader.fault("is nested too deep");
            return Err(D::Error::custom("too deep"));
        }
        reader.depth += 1;
        let set = match (message.shape, message.fields) {
            (Shape::Wrapper, [field]) => Single {
                reader: &mut *reader,
                field,
            }
            .deserialize(json),
            (Shape::Any, _) => any::read(reader, json),
            _ => json.deserialize_any(ContentVisitor {
                reader: &mut *reader,
                message,
            }),
        }?;
        reader.depth -= 1;
        Ok(set)
    }
}
