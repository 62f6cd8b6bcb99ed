//! Values as text: in paths, queries, JSON strings and keys of JSON objects.
//!
//! Every reader of requests comes here for values, so that a date or an enum is written the same
//! way wherever it stands, and is refused in the same words.

use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::{
    schema::{Enum, Field, Kind, Message, Shape},
    time,
    value::{self, Raw},
    wire::{self, WireType},
};

/// Values of an enum that an error lists.
const MAX_LISTED: usize = 20;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// Appends the field's tag and the one value that `text` stands for; of a repeated field this is
/// one element. Scalars and enums are taken, and those messages that are a string in JSON or wrap
/// a scalar.
///
/// # Errors
/// Fails with what would be right, for example `must be true or false`; nothing is appended then.
pub fn write_value(field: &'static Field, text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let start = out.len();
    wire::put_tag(out, field.number, field.kind.wire_type());
    let written = match field.kind {
        Kind::String => {
            wire::put_bytes(out, text.as_bytes());
            Ok(())
        }
        Kind::Bytes => bytes(text).map(|bytes| wire::put_bytes(out, &bytes)),
        Kind::Message(message) => {
            let start = wire::open(out);
            let written = write_content(message, text, out);
            wire::close(out, start);
            written
        }
        kind => number(kind, text).map(|raw| value::put(out, raw)),
    };
    if written.is_err() {
        out.truncate(start);
    }
    written
}

/// Appends what stands within a message that is a string in JSON, without tag and length.
///
/// # Errors
/// As [`write_value`].
pub(super) fn write_content(
    message: &'static Message,
    text: &str,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    match (message.shape, message.fields) {
        (Shape::Timestamp, _) => {
            let (seconds, nanos) = time::parse_timestamp(text)
                .ok_or("must be an instant in RFC 3339, such as 2026-12-01T15:00:00Z")?;
            put_seconds(out, seconds, nanos);
            Ok(())
        }
        (Shape::Duration, _) => {
            let (seconds, nanos) =
                time::parse_duration(text).ok_or("must be a number of seconds, such as 1.5s")?;
            put_seconds(out, seconds, nanos);
            Ok(())
        }
        (Shape::FieldMask, _) => {
            for path in text.split(',').filter(|path| !path.is_empty()) {
                wire::put_tag(out, 1, WireType::Bytes);
                wire::put_bytes(out, snake_case(path).as_bytes());
            }
            Ok(())
        }
        (Shape::Wrapper, [field]) => write_value(field, text, out),
        (Shape::Object, _) => Err("must be set by its fields".to_owned()),
        _ => Err("cannot be written as text".to_owned()),
    }
}

/// A Timestamp or Duration: `seconds = 1`, `nanos = 2`.
fn put_seconds(out: &mut Vec<u8>, seconds: i64, nanos: i32) {
    for (number, value) in [(1, seconds), (2, i64::from(nanos))] {
        if value != 0 {
            wire::put_tag(out, number, WireType::Varint);
            wire::put_varint(out, value.cast_unsigned());
        }
    }
}

fn snake_case(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 4);
    for c in path.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let engine = if text.contains(['-', '_']) {
        &BASE64_URL
    } else {
        &BASE64
    };
    engine.decode(text).map_err(|_| "must be base64".to_owned())
}

fn number(kind: Kind, text: &str) -> Result<Raw<'static>, String> {
    match kind {
        Kind::Bool => match text {
            "true" => Ok(Raw::Varint(1)),
            "false" => Ok(Raw::Varint(0)),
            _ => Err("must be true or false".to_owned()),
        },
        Kind::Enum(descriptor) => {
            let named = descriptor.value_named(text).map(|value| value.number);
            let number = named.or_else(|| text.parse().ok());
            number.map(enum_value).ok_or_else(|| one_of(descriptor))
        }
        Kind::Double | Kind::Float => {
            let value = parse_float(text).ok_or("must be a number")?;
            float(kind, value)
        }
        _ => match parse_integer(text) {
            Some(value) => integer(kind, value),
            None => Err(wanted_integer(kind)),
        },
    }
}

/// An enum's number on the wire: sign-extended to 64 bits.
pub(super) fn enum_value(number: i32) -> Raw<'static> {
    Raw::Varint(i64::from(number).cast_unsigned())
}

/// The values that an enum field takes, for an error.
pub(super) fn one_of(descriptor: &Enum) -> String {
    let names: Vec<_> = descriptor
        .values
        .iter()
        .take(MAX_LISTED)
        .map(|value| value.json)
        .collect();
    let more = if descriptor.values.len() > MAX_LISTED {
        ", …"
    } else {
        ""
    };
    format!("must be one of: {}{more}", names.join(", "))
}

/// An integer as a value of `kind`.
///
/// # Errors
/// Fails where it is out of the kind's range.
pub(super) fn integer(kind: Kind, value: i128) -> Result<Raw<'static>, String> {
    let (least, greatest) = bounds(kind);
    if value < least || value > greatest {
        return Err(wanted_integer(kind));
    }
    // Within the bounds, 64 bits hold either the signed or the unsigned value.
    let bits = value as u64;
    Ok(match kind {
        Kind::Sint32 | Kind::Sint64 => Raw::Varint(wire::zigzag(bits.cast_signed())),
        Kind::Fixed32 | Kind::Sfixed32 => Raw::Fixed32(bits as u32),
        Kind::Fixed64 | Kind::Sfixed64 => Raw::Fixed64(bits),
        _ => Raw::Varint(bits),
    })
}

/// Least and greatest value of an integer kind.
pub(super) fn bounds(kind: Kind) -> (i128, i128) {
    match kind {
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => (i32::MIN.into(), i32::MAX.into()),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => (i64::MIN.into(), i64::MAX.into()),
        Kind::Uint32 | Kind::Fixed32 => (0, u32::MAX.into()),
        _ => (0, u64::MAX.into()),
    }
}

/// What an integer field takes, for an error.
pub(super) fn wanted_integer(kind: Kind) -> String {
    let (least, greatest) = bounds(kind);
    format!("must be an integer between {least} and {greatest}")
}

/// A float as a value of `kind`.
///
/// # Errors
/// Fails where a finite number is out of the kind's range.
pub(super) fn float(kind: Kind, value: f64) -> Result<Raw<'static>, String> {
    if matches!(kind, Kind::Double) {
        return Ok(Raw::Fixed64(value.to_bits()));
    }
    let narrow = value as f32;
    if narrow.is_infinite() && value.is_finite() {
        return Err("must be a number within the range of 32 bits".to_owned());
    }
    Ok(Raw::Fixed32(narrow.to_bits()))
}

fn parse_float(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        // Rust also reads words such as "inf"; a number has digits and these.
        _ if text
            .bytes()
            .all(|c| c.is_ascii_digit() || b"+-.eE".contains(&c)) =>
        {
            text.parse().ok().filter(|value: &f64| value.is_finite())
        }
        _ => None,
    }
}

/// An integer, also as `1.0` or `1e2`, computed exactly.
fn parse_integer(text: &str) -> Option<i128> {
    let (sign, digits) = text
        .strip_prefix('-')
        .map_or((1, text), |digits| (-1, digits));
    let plain = digits.len() <= 30 && digits.bytes().all(|c| c.is_ascii_digit());
    if plain {
        return digits.parse::<i128>().ok().map(|value| sign * value);
    }
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) || digits.len() > 60 {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let exponent = exponent
        .strip_prefix('+')
        .unwrap_or(exponent)
        .parse::<i64>()
        .ok()?;
    let exponent = exponent - i64::try_from(fraction.len()).ok()?;
    let value = format!("{whole}{fraction}").parse::<i128>().ok()?;
    let power = 10_i128.checked_pow(u32::try_from(exponent.unsigned_abs()).ok()?);
    let value = match (exponent < 0, power) {
        _ if value == 0 => 0,
        (false, power) => value.checked_mul(power?)?,
        (true, Some(power)) if value % power == 0 => value / power,
        (true, _) => return None,
    };
    Some(sign * value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rt::schema::{EnumValue, Label, Rules};

    static COLOUR: Enum = Enum {
        name: "test.Colour",
        values: &[
            EnumValue {
                number: 0,
                name: "COLOUR_UNSPECIFIED",
                json: "UNSPECIFIED",
            },
            EnumValue {
                number: 2,
                name: "COLOUR_RED",
                json: "RED",
            },
        ],
    };

    fn write(kind: Kind, text: &str) -> Result<Vec<u8>, String> {
        let field: &'static Field = Box::leak(Box::new(Field {
            number: 1,
            name: "field",
            json: "field",
            key: "\"field\":",
            kind,
            label: Label::Implicit,
            oneof: None,
            rules: Rules::NONE,
        }));
        let mut out = Vec::new();
        let written = write_value(field, text, &mut out);
        assert!(written.is_ok() || out.is_empty(), "nothing is left behind");
        written.map(|()| out)
    }

    #[test]
    fn integers_are_taken_exactly() {
        let cases = [
            ("0", 0),
            ("-1", -1),
            ("1.0", 1),
            ("1e2", 100),
            ("1.5E+1", 15),
            ("1500e-2", 15),
            ("18446744073709551615", u64::MAX.into()),
            ("0e9999", 0),
        ];
        for (text, value) in cases {
            assert_eq!(parse_integer(text), Some(value), "{text}");
        }
        for text in [
            "",
            "-",
            "+1",
            "1.5",
            "1e-1",
            "0x10",
            "1_000",
            " 1",
            "nan",
            "1e",
            ".5",
            "1.",
            "1e999999999999",
        ] {
            assert_eq!(parse_integer(text), None, "{text}");
        }
    }

    #[test]
    fn integers_stay_within_their_type() {
        let cases = [
            (Kind::Int32, "2147483647", "2147483648"),
            (Kind::Sint32, "-2147483648", "-2147483649"),
            (Kind::Uint32, "4294967295", "-1"),
            (
                Kind::Fixed64,
                "18446744073709551615",
                "18446744073709551616",
            ),
            (
                Kind::Sfixed64,
                "-9223372036854775808",
                "9223372036854775808",
            ),
        ];
        for (kind, good, bad) in cases {
            assert!(write(kind, good).is_ok(), "{good}");
            let error = write(kind, bad).expect_err(bad);
            assert!(error.starts_with("must be an integer between"), "{error}");
        }
    }

    #[test]
    fn values_get_their_wire_form() {
        let cases: [(Kind, &str, &[u8]); 14] = [
            (Kind::String, "", &[0x0a, 0]),
            (Kind::String, "é", &[0x0a, 2, 0xc3, 0xa9]),
            (
                Kind::Int32,
                "-1",
                &[8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
            ),
            (Kind::Sint64, "-1", &[8, 1]),
            (Kind::Fixed32, "1", &[0x0d, 1, 0, 0, 0]),
            (Kind::Bool, "true", &[8, 1]),
            (Kind::Double, "1.5", &[9, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f]),
            (Kind::Float, "-Infinity", &[0x0d, 0, 0, 0x80, 0xff]),
            (Kind::Enum(&COLOUR), "RED", &[8, 2]),
            (Kind::Enum(&COLOUR), "COLOUR_RED", &[8, 2]),
            (Kind::Enum(&COLOUR), "7", &[8, 7]),
            (Kind::Bytes, "-_8", &[0x0a, 2, 0xfb, 0xff]),
            (Kind::Bytes, "+/8=", &[0x0a, 2, 0xfb, 0xff]),
            (Kind::Bytes, "", &[0x0a, 0]),
        ];
        for (kind, text, wanted) in cases {
            assert_eq!(write(kind, text).as_deref(), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn errors_say_what_would_be_right() {
        let cases = [
            (Kind::Bool, "yes", "must be true or false"),
            (
                Kind::Enum(&COLOUR),
                "BLUE",
                "must be one of: UNSPECIFIED, RED",
            ),
            (Kind::Double, "inf", "must be a number"),
            (Kind::Double, "1e400", "must be a number"),
            (
                Kind::Float,
                "1e39",
                "must be a number within the range of 32 bits",
            ),
            (Kind::Bytes, "a+-b", "must be base64"),
        ];
        for (kind, text, wanted) in cases {
            assert_eq!(write(kind, text), Err(wanted.to_owned()), "{text}");
        }
    }

    #[test]
    fn field_masks_take_both_spellings() {
        assert_eq!(
            snake_case("totalPrice.currencyCode"),
            "total_price.currency_code"
        );
        assert_eq!(snake_case("total_price"), "total_price");
    }
}
