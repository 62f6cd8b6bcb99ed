//! Scalars as JSON text.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::rt::{
    schema::{Enum, Field, Kind},
    value::Raw,
    wire::{WireError, unzigzag},
};

/// Appends one value that is no message.
///
/// # Errors
/// Fails where a string is not UTF-8.
#[inline]
pub(super) fn write(out: &mut Vec<u8>, field: &Field, raw: Raw<'_>) -> Result<(), WireError> {
    match (field.kind, raw) {
        (Kind::String, Raw::Bytes(bytes)) => return string(out, bytes, field.name),
        (Kind::Int32, Raw::Varint(n)) => integer(out, n as i32),
        (Kind::Uint32, Raw::Varint(n)) => integer(out, n as u32),
        (Kind::Sint32, Raw::Varint(n)) => integer(out, unzigzag(u64::from(n as u32)) as i32),
        (Kind::Fixed32, Raw::Fixed32(n)) => integer(out, n),
        (Kind::Sfixed32, Raw::Fixed32(n)) => integer(out, n.cast_signed()),
        (Kind::Int64, Raw::Varint(n)) | (Kind::Sfixed64, Raw::Fixed64(n)) => {
            quoted(out, n.cast_signed());
        }
        (Kind::Uint64, Raw::Varint(n)) | (Kind::Fixed64, Raw::Fixed64(n)) => quoted(out, n),
        (Kind::Sint64, Raw::Varint(n)) => quoted(out, unzigzag(n)),
        (Kind::Bool, Raw::Varint(n)) => {
            out.extend_from_slice(if n == 0 { b"false" } else { b"true" });
        }
        (Kind::Double, Raw::Fixed64(bits)) => double(out, f64::from_bits(bits)),
        (Kind::Float, Raw::Fixed32(bits)) => float(out, f32::from_bits(bits)),
        (Kind::Bytes, Raw::Bytes(bytes)) => base64(out, bytes),
        (Kind::Enum(descriptor), Raw::Varint(n)) => enumeration(out, descriptor, n as i32),
        // A value is read by its kind's wire type, and messages are written elsewhere.
        _ => return Err(WireError::Tag),
    }
    Ok(())
}

#[inline]
fn integer(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Integers of 64 bits are strings in JSON, since JavaScript's numbers cannot hold them.
#[inline]
fn quoted(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.push(b'"');
    integer(out, value);
    out.push(b'"');
}

pub(super) fn double(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        finite(out, ryu::Buffer::new().format_finite(value));
    } else {
        out.extend_from_slice(not_finite(value.is_nan(), value.is_sign_negative()));
    }
}

fn float(out: &mut Vec<u8>, value: f32) {
    if value.is_finite() {
        finite(out, ryu::Buffer::new().format_finite(value));
    } else {
        out.extend_from_slice(not_finite(value.is_nan(), value.is_sign_negative()));
    }
}

fn finite(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.strip_suffix(".0").unwrap_or(text).as_bytes());
}

fn not_finite(nan: bool, negative: bool) -> &'static [u8] {
    match (nan, negative) {
        (true, _) => b"\"NaN\"",
        (false, false) => b"\"Infinity\"",
        (false, true) => b"\"-Infinity\"",
    }
}

pub(super) fn base64(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(bytes, &mut out[start..]).unwrap_or(0);
    out.truncate(start + written);
    out.push(b'"');
}

fn enumeration(out: &mut Vec<u8>, descriptor: &Enum, number: i32) {
    match descriptor.value(number) {
        Some(_) if descriptor.is_null() => out.extend_from_slice(b"null"),
        Some(value) => {
            out.push(b'"');
            out.extend_from_slice(value.json.as_bytes());
            out.push(b'"');
        }
        None => integer(out, number),
    }
}

/// Appends a string, quoted and escaped.
///
/// # Errors
/// Fails where it is not UTF-8.
#[inline]
pub(super) fn string(
    out: &mut Vec<u8>,
    bytes: &[u8],
    field: &'static str,
) -> Result<(), WireError> {
    out.push(b'"');
    if is_plain(bytes) {
        out.extend_from_slice(bytes);
    } else {
        let text = str::from_utf8(bytes).map_err(|_| WireError::Utf8(field))?;
        escape(out, text.as_bytes());
    }
    out.push(b'"');
    Ok(())
}

/// Whether a string can be copied as it is: ASCII without anything to escape. Eight bytes are
/// looked at together, and the last eight of a string again where its length is no multiple.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk::<8>() else {
        return is_short_plain(bytes);
    };
    let (words, _) = bytes.as_chunks::<8>();
    let found = words
        .iter()
        .fold(0, |found, word| found | special(u64::from_le_bytes(*word)));
    (found | special(u64::from_le_bytes(*last))) & HIGHS == 0
}

/// As [`is_plain`], of less than eight bytes: codes of airports and carriers, mostly.
#[inline]
fn is_short_plain(bytes: &[u8]) -> bool {
    let mut word = [b' '; 8];
    for (to, from) in word.iter_mut().zip(bytes) {
        *to = *from;
    }
    special(u64::from_le_bytes(word)) & HIGHS == 0
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Has the high bit of a byte set where that byte of `word` is a control character, a quote, a
/// backslash or not ASCII. Subtracting borrows from a byte only behind one that is special itself,
/// so no word is taken for special that is not. See "Determine if a word has a byte less than n"
/// in Bit Twiddling Hacks.
#[inline]
const fn special(word: u64) -> u64 {
    let quote = (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    word | word.wrapping_sub(ONES * 0x20) | quote | backslash
}

#[inline]
const fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Appends a string whose special characters are escaped; the runs between them are copied whole.
fn escape(out: &mut Vec<u8>, mut text: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    while let Some(length) = text.iter().position(|byte| needs_escape(*byte)) {
        out.extend_from_slice(&text[..length]);
        let byte = text[length];
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            _ => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
        text = &text[length + 1..];
    }
    out.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_as_serde_json_does() {
        let mut texts: Vec<String> = (0..=0x7f_u8).map(|c| char::from(c).to_string()).collect();
        texts.push("plain text of more than eight bytes".to_owned());
        for position in 0..20 {
            for odd in ['"', '\\', '\n', '\u{1}', 'é', '\u{7f}', '\u{2028}', '✈'] {
                let mut text = "01234567890123456789".to_owned();
                text.insert(position, odd);
                texts.push(text);
            }
        }
        for text in texts {
            let mut out = Vec::new();
            string(&mut out, text.as_bytes(), "field").expect("is UTF-8");
            assert_eq!(
                String::from_utf8(out).ok(),
                serde_json::to_string(&text).ok()
            );
        }
    }

    #[test]
    fn strings_must_be_utf8() {
        assert_eq!(
            string(&mut Vec::new(), b"\xc3\x28", "name"),
            Err(WireError::Utf8("name"))
        );
    }

    #[test]
    fn floats_are_as_short_as_they_can_be() {
        let cases = [
            (0.0, "0"),
            (-0.0, "-0"),
            (100.0, "100"),
            (40.6413, "40.6413"),
            (1e300, "1e300"),
            (f64::NAN, "\"NaN\""),
            (f64::INFINITY, "\"Infinity\""),
            (f64::NEG_INFINITY, "\"-Infinity\""),
        ];
        for (value, text) in cases {
            let mut out = Vec::new();
            double(&mut out, value);
            assert_eq!(out, text.as_bytes());
        }
    }
}
