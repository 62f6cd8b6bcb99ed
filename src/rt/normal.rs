//! Brings a message into the order that encoders use.
//!
//! Protobuf lets the fields of a message come in any order, a list in several runs, a single
//! field more than once and several members of a oneof; it also says what each of these means.
//! Encoders hardly ever use that freedom, so the JSON writer assumes the plain order and calls
//! this where it finds another.

use super::{
    schema::{Field, Kind, Label, Message},
    value::{self, Raw},
    wire::{self, WireError, WireType},
};

/// One occurrence of a known field.
struct Record<'a> {
    field: usize,
    raw: Raw<'a>,
}

/// The same message with its known fields in ascending order, each list in one run, each single
/// field at most once, and of each oneof only the last member. Inner messages stay as they are.
///
/// # Errors
/// Fails where `wire` is not a message.
pub(super) fn normalise(message: &Message, wire: &[u8]) -> Result<Vec<u8>, WireError> {
    Ok(encode(message, records(message, wire)?, wire.len()))
}

/// Like [`normalise`], with nothing but `field`.
///
/// # Errors
/// Fails where `wire` is not a message.
pub(super) fn only(message: &Message, field: &Field, wire: &[u8]) -> Result<Vec<u8>, WireError> {
    let mut records = records(message, wire)?;
    records.retain(|record| message.fields[record.field].number == field.number);
    Ok(encode(message, records, 0))
}

fn encode(message: &Message, mut records: Vec<Record<'_>>, length: usize) -> Vec<u8> {
    records.sort_by_key(|record| record.field); // stable: occurrences stay in order
    let mut out = Vec::with_capacity(length);
    for run in records.chunk_by(|a, b| a.field == b.field) {
        let field = &message.fields[run[0].field];
        match field.label {
            Label::Repeated | Label::Map => {
                for record in run {
                    put(&mut out, field, record.raw);
                }
            }
            Label::Implicit | Label::Optional => put_single(&mut out, field, run),
        }
    }
    out
}

/// The known fields of `wire` in its order, without those that a later member of their oneof
/// replaces. A value of a wrong wire type counts as unknown.
fn records<'a>(message: &Message, mut wire: &'a [u8]) -> Result<Vec<Record<'a>>, WireError> {
    let mut records: Vec<Record<'a>> = Vec::new();
    // The member that each oneof has so far, and the record at which it took over.
    let mut members: Vec<(Option<usize>, usize)> = vec![(None, 0); message.oneofs.len()];
    while !wire.is_empty() {
        let (number, wire_type) = wire::tag(&mut wire)?;
        let known = message
            .fields
            .binary_search_by_key(&number, |field| field.number)
            .ok()
            .filter(|index| fits(&message.fields[*index], wire_type));
        let Some(index) = known else {
            wire::skip(&mut wire, number, wire_type)?;
            continue;
        };
        if let Some(oneof) = message.fields[index].oneof
            && members[usize::from(oneof)].0 != Some(index)
        {
            members[usize::from(oneof)] = (Some(index), records.len());
        }
        records.push(Record {
            field: index,
            raw: value::read(&mut wire, wire_type)?,
        });
    }
    let mut position = 0;
    records.retain(|record| {
        let oneof = message.fields[record.field].oneof;
        let since = oneof.map_or(0, |oneof| members[usize::from(oneof)].1);
        position += 1;
        position > since
    });
    Ok(records)
}

/// Whether a value laid out like this can be one of the field's, alone or packed.
pub(super) fn fits(field: &Field, wire_type: WireType) -> bool {
    let packed =
        field.label == Label::Repeated && field.kind.packable() && wire_type == WireType::Bytes;
    wire_type == field.kind.wire_type() || packed
}

/// The last value; of a message all occurrences, which together are one.
fn put_single(out: &mut Vec<u8>, field: &Field, run: &[Record<'_>]) {
    let last = run[run.len() - 1].raw;
    if run.len() == 1 || !matches!(field.kind, Kind::Message(_)) {
        return put(out, field, last);
    }
    let mut merged = Vec::new();
    for record in run {
        if let Raw::Bytes(bytes) = record.raw {
            merged.extend_from_slice(bytes);
        }
    }
    put(out, field, Raw::Bytes(&merged));
}

fn put(out: &mut Vec<u8>, field: &Field, raw: Raw<'_>) {
    let wire_type = match raw {
        Raw::Varint(_) => WireType::Varint,
        Raw::Fixed32(_) => WireType::Fixed32,
        Raw::Fixed64(_) => WireType::Fixed64,
        Raw::Bytes(_) => WireType::Bytes,
    };
    wire::put_tag(out, field.number, wire_type);
    value::put(out, raw);
}
