//! Checks messages against the constraints of their contract.
//!
//! The check reads the wire form, so that a gateway can refuse a request that it never decodes,
//! and follows protovalidate: a field without presence is checked also where it is zero, unless
//! its rules say otherwise; one with presence only where it is set.

use std::collections::HashSet;

use super::{
    normal,
    schema::{Field, Kind, Label, Message, Rule, Rules},
    text,
    value::{self, Raw, map_entry},
    violation::{Invalid, Violation},
    wire::{self, MAX_DEPTH, WireError, WireType, unzigzag},
};

/// Violations that are reported of one message; who breaks more rules than this fixes some first.
const MAX_VIOLATIONS: usize = 32;

/// Checks a message.
///
/// # Errors
/// Fails with every constraint that the message breaks, or where `wire` is not a message.
pub fn check(message: &'static Message, wire: &[u8]) -> Result<(), Invalid> {
    if !message.constrained {
        return Ok(());
    }
    let mut checker = Checker {
        path: String::new(),
        violations: Vec::new(),
    };
    if let Err(error) = checker.message(message, wire, 0) {
        checker.add(error.to_string());
    }
    if checker.violations.is_empty() {
        return Ok(());
    }
    checker.violations.truncate(MAX_VIOLATIONS);
    Err(Invalid {
        violations: checker.violations,
    })
}

struct Checker {
    /// Path of what is being checked, for example `legs[0].flight_id`.
    path: String,
    violations: Vec<Violation>,
}

/// The values of one field.
type Values<'w> = Vec<Raw<'w>>;

impl Checker {
    fn message(
        &mut self,
        message: &'static Message,
        wire: &[u8],
        depth: u32,
    ) -> Result<(), WireError> {
        if !message.constrained {
            return Ok(());
        }
        if depth >= MAX_DEPTH {
            return Err(WireError::Depth);
        }
        let normal = normal::normalise(message, wire)?;
        let values = values(message, &normal)?;
        for (field, values) in message.fields.iter().zip(&values) {
            self.at(field.name, |checker| checker.field(field, values, depth))?;
        }
        for oneof in message.required_oneofs {
            let member = |field: &Field| field.oneof.is_some_and(|o| usize::from(o) == *oneof);
            let set = message.fields.iter().zip(&values);
            if !set
                .into_iter()
                .any(|(field, values)| member(field) && !values.is_empty())
            {
                self.at(message.oneofs[*oneof], |checker| {
                    checker.add("one of it must be set");
                });
            }
        }
        Ok(())
    }

    fn field(
        &mut self,
        field: &'static Field,
        values: &[Raw<'_>],
        depth: u32,
    ) -> Result<(), WireError> {
        match field.label {
            Label::Repeated => self.list(field, values, depth),
            Label::Map => self.map(field, values, depth),
            Label::Implicit => {
                let raw = values
                    .last()
                    .copied()
                    .unwrap_or(Raw::default_of(field.kind));
                let zero = field.kind.is_default(raw);
                if zero && field.rules.required {
                    self.add("must be set");
                } else if !(zero && field.rules.ignore_zero) {
                    self.value(field, raw);
                }
                Ok(())
            }
            Label::Optional => match (values.last(), field.kind) {
                (None, _) if field.rules.required => {
                    self.add("must be set");
                    Ok(())
                }
                (None, _) => Ok(()),
                (Some(Raw::Bytes(wire)), Kind::Message(inner)) => {
                    self.message(inner, wire, depth + 1)
                }
                (Some(raw), kind) => {
                    if !(field.rules.ignore_zero && kind.is_default(*raw)) {
                        self.value(field, *raw);
                    }
                    Ok(())
                }
            },
        }
    }

    fn list(
        &mut self,
        field: &'static Field,
        values: &[Raw<'_>],
        depth: u32,
    ) -> Result<(), WireError> {
        if !self.count(field.rules, values.len(), "elements") {
            return Ok(());
        }
        if field.rules.unique {
            let mut seen = HashSet::new();
            if !values.iter().all(|raw| seen.insert(*raw)) {
                self.add("must not hold an element twice");
            }
        }
        for (index, raw) in values.iter().enumerate() {
            if self.violations.len() >= MAX_VIOLATIONS {
                break;
            }
            let length = self.path.len();
            self.path.extend(["[", &index.to_string(), "]"]);
            let checked = match (*raw, field.kind) {
                (Raw::Bytes(wire), Kind::Message(inner)) => self.message(inner, wire, depth + 1),
                (raw, _) => {
                    self.value(field, raw);
                    Ok(())
                }
            };
            self.path.truncate(length);
            checked?;
        }
        Ok(())
    }

    fn map(
        &mut self,
        field: &'static Field,
        entries: &[Raw<'_>],
        depth: u32,
    ) -> Result<(), WireError> {
        if !self.count(field.rules, entries.len(), "entries") {
            return Ok(());
        }
        let Kind::Message(entry) = field.kind else {
            return Ok(());
        };
        let [key, value] = entry.fields else {
            return Ok(());
        };
        let Kind::Message(inner) = value.kind else {
            return Ok(());
        };
        for raw in entries {
            let Raw::Bytes(wire) = raw else { continue };
            if let (name, Raw::Bytes(wire)) = map_entry(key, value, wire)? {
                let length = self.path.len();
                self.path.extend(["[", &key_text(key.kind, name), "]"]);
                self.message(inner, wire, depth + 1)?;
                self.path.truncate(length);
            }
        }
        Ok(())
    }

    /// Whether the number of elements is right and there is more to check.
    fn count(&mut self, rules: &Rules, length: usize, of: &str) -> bool {
        let length = length as u64;
        if length == 0 && rules.ignore_zero {
            return false;
        }
        if length == 0 && rules.required {
            self.add("must not be empty");
        } else if rules.min_items.is_some_and(|least| length < least) {
            self.add(format!(
                "must have at least {} {of}",
                rules.min_items.unwrap_or_default()
            ));
        } else if rules.max_items.is_some_and(|greatest| length > greatest) {
            self.add(format!(
                "must have at most {} {of}",
                rules.max_items.unwrap_or_default()
            ));
            return false; // too many to look at each
        }
        true
    }

    fn value(&mut self, field: &Field, raw: Raw<'_>) {
        if let Some(broken) = field
            .rules
            .value
            .iter()
            .find(|rule| !obeys(field.kind, raw, rule))
        {
            self.add(describe(field.kind, broken));
        }
    }

    /// Calls `check` with `name` added to the path.
    fn at<T>(&mut self, name: &str, check: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        let result = check(self);
        self.path.truncate(length);
        result
    }

    fn add(&mut self, description: impl Into<String>) {
        let violation = Violation {
            field: self.path.clone(),
            description: description.into(),
        };
        self.violations.push(violation);
    }
}

/// The values of every field of a message in normal form, field by field.
fn values<'w>(message: &'static Message, mut wire: &'w [u8]) -> Result<Vec<Values<'w>>, WireError> {
    let mut all = vec![Vec::new(); message.fields.len()];
    while !wire.is_empty() {
        let (number, wire_type) = wire::tag(&mut wire)?;
        let index = message
            .fields
            .binary_search_by_key(&number, |field| field.number);
        let index = index.map_err(|_| WireError::Tag)?;
        let single = message.fields[index].kind.wire_type();
        if wire_type == WireType::Bytes && single != WireType::Bytes {
            let mut packed = wire::bytes(&mut wire)?;
            while !packed.is_empty() {
                all[index].push(value::read(&mut packed, single)?);
            }
        } else {
            all[index].push(value::read(&mut wire, wire_type)?);
        }
    }
    Ok(all)
}

fn obeys(kind: Kind, raw: Raw<'_>, rule: &Rule) -> bool {
    match rule {
        Rule::MinLen(least) => string(raw).is_none_or(|text| characters(text) >= *least),
        Rule::MaxLen(greatest) => string(raw).is_none_or(|text| characters(text) <= *greatest),
        Rule::MinBytes(least) => length(raw) >= *least,
        Rule::MaxBytes(greatest) => length(raw) <= *greatest,
        Rule::Pattern(pattern) => string(raw).is_none_or(|text| pattern.matches(text)),
        Rule::In(texts) => string(raw).is_none_or(|text| texts.contains(&text)),
        Rule::Range(least, greatest) => {
            integer(kind, raw).is_none_or(|value| (*least..=*greatest).contains(&value))
        }
        Rule::FloatRange(least, greatest) => {
            float(raw).is_none_or(|value| (*least..=*greatest).contains(&value))
        }
        Rule::Finite => float(raw).is_none_or(f64::is_finite),
        Rule::Defined => match (kind, raw) {
            (Kind::Enum(descriptor), Raw::Varint(n)) => descriptor.value(n as i32).is_some(),
            _ => true,
        },
    }
}

/// What would be right.
fn describe(kind: Kind, rule: &Rule) -> String {
    match rule {
        Rule::MinLen(1) | Rule::MinBytes(1) => "must not be empty".to_owned(),
        Rule::MinLen(least) => format!("must have at least {least} characters"),
        Rule::MaxLen(greatest) => format!("must have at most {greatest} characters"),
        Rule::MinBytes(least) => format!("must have at least {least} bytes"),
        Rule::MaxBytes(greatest) => format!("must have at most {greatest} bytes"),
        Rule::Pattern(pattern) => format!("must match {}", pattern.text()),
        Rule::In(texts) => format!("must be one of: {}", texts.join(", ")),
        Rule::Range(least, greatest) => integer_range(kind, *least, *greatest),
        Rule::FloatRange(least, greatest) => match (least.is_finite(), greatest.is_finite()) {
            (true, true) => format!("must be between {least} and {greatest}"),
            (true, false) => format!("must be at least {least}"),
            (false, true) => format!("must be at most {greatest}"),
            (false, false) => "must be a number".to_owned(),
        },
        Rule::Finite => "must be a finite number".to_owned(),
        Rule::Defined => match kind {
            Kind::Enum(descriptor) => text::one_of(descriptor),
            _ => "must be a value of the contract".to_owned(),
        },
    }
}

/// Bounds that are the type's own go without saying.
fn integer_range(kind: Kind, least: i128, greatest: i128) -> String {
    let (lowest, highest) = text::bounds(kind);
    match (least > lowest, greatest < highest) {
        (true, false) => format!("must be at least {least}"),
        (false, true) if lowest == 0 => format!("must be between 0 and {greatest}"),
        (false, true) => format!("must be at most {greatest}"),
        _ => format!("must be between {least} and {greatest}"),
    }
}

/// A key of a map, as it stands in a path.
fn key_text(kind: Kind, raw: Raw<'_>) -> String {
    match raw {
        Raw::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        raw => integer(kind, raw).unwrap_or_default().to_string(),
    }
}

/// The text of a string; what is not UTF-8 is refused when the message is decoded.
fn string(raw: Raw<'_>) -> Option<&str> {
    match raw {
        Raw::Bytes(bytes) => str::from_utf8(bytes).ok(),
        _ => None,
    }
}

fn characters(text: &str) -> u64 {
    text.chars().count() as u64
}

fn length(raw: Raw<'_>) -> u64 {
    match raw {
        Raw::Bytes(bytes) => bytes.len() as u64,
        _ => 0,
    }
}

fn integer(kind: Kind, raw: Raw<'_>) -> Option<i128> {
    Some(match (kind, raw) {
        (Kind::Int32, Raw::Varint(n)) => (n as i32).into(),
        (Kind::Uint32, Raw::Varint(n)) => (n as u32).into(),
        (Kind::Sint32, Raw::Varint(n)) => unzigzag(u64::from(n as u32)).into(),
        (Kind::Sint64, Raw::Varint(n)) => unzigzag(n).into(),
        (Kind::Sfixed32, Raw::Fixed32(n)) => n.cast_signed().into(),
        (Kind::Int64, Raw::Varint(n)) | (Kind::Sfixed64, Raw::Fixed64(n)) => n.cast_signed().into(),
        (_, Raw::Varint(n) | Raw::Fixed64(n)) => n.into(),
        (_, Raw::Fixed32(n)) => n.into(),
        (_, Raw::Bytes(_)) => return None,
    })
}

fn float(raw: Raw<'_>) -> Option<f64> {
    match raw {
        Raw::Fixed32(bits) => Some(f32::from_bits(bits).into()),
        Raw::Fixed64(bits) => Some(f64::from_bits(bits)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::{rt::schema::Described as _, search::v1::SearchItinerariesRequest};

    fn good() -> SearchItinerariesRequest {
        SearchItinerariesRequest {
            origin: "JFK".to_owned(),
            destination: "SEA".to_owned(),
            departure_date: "2026-12-01".to_owned(),
            ..Default::default()
        }
    }

    fn violations(change: impl FnOnce(&mut SearchItinerariesRequest)) -> Vec<String> {
        let mut request = good();
        change(&mut request);
        let checked = check(SearchItinerariesRequest::MESSAGE, &request.encode_to_vec());
        let violations = checked
            .err()
            .map(|invalid| invalid.violations)
            .unwrap_or_default();
        violations
            .iter()
            .map(|v| format!("{}: {}", v.field, v.description))
            .collect()
    }

    #[test]
    fn good_requests_pass() {
        assert_eq!(violations(|_| {}), [""; 0]);
        assert_eq!(violations(|r| r.passengers = Some(9)), [""; 0]);
        assert_eq!(violations(|r| r.order_by = "price".to_owned()), [""; 0]);
    }

    #[test]
    fn each_broken_rule_is_named() {
        type Change = fn(&mut SearchItinerariesRequest);
        let cases: [(Change, &str); 12] = [
            (
                |r| r.origin = "XXX1".to_owned(),
                "origin: must match ^[A-Za-z]{3}$",
            ),
            (|r| r.origin.clear(), "origin: must match ^[A-Za-z]{3}$"),
            (
                |r| r.passengers = Some(0),
                "passengers: must be between 1 and 9",
            ),
            (
                |r| r.passengers = Some(10),
                "passengers: must be between 1 and 9",
            ),
            (
                |r| r.max_stops = Some(3),
                "max_stops: must be between 0 and 2",
            ),
            (|r| r.page_size = -1, "page_size: must be at least 0"),
            (
                |r| r.order_by = "colour".to_owned(),
                "order_by: must be one of: price, duration, departure",
            ),
            (
                |r| r.page_token = "x".repeat(1025),
                "page_token: must have at most 1024 characters",
            ),
            (
                |r| r.carriers = vec!["AS".into(), "X".into()],
                "carriers[1]: must match ^[A-Za-z0-9]{2}$",
            ),
            (
                |r| r.carriers = vec!["AS".into(); 21],
                "carriers: must have at most 20 elements",
            ),
            (
                |r| r.max_price = Some(f64::NAN),
                "max_price: must be a finite number",
            ),
            (
                |r| r.cabin = 77,
                "cabin: must be one of: UNSPECIFIED, ECONOMY, PREMIUM_ECONOMY, BUSINESS, FIRST",
            ),
        ];
        for (change, wanted) in cases {
            assert_eq!(violations(change), [wanted]);
        }
    }

    #[test]
    fn every_broken_field_is_reported() {
        let all = violations(|r| {
            r.origin.clear();
            r.passengers = Some(0);
        });
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn the_last_value_of_a_field_counts() {
        let mut wire = good().encode_to_vec();
        wire.extend_from_slice(&[0x28, 0, 0x28, 3]); // passengers = 0, then 3
        assert_eq!(check(SearchItinerariesRequest::MESSAGE, &wire), Ok(()));
        wire.extend_from_slice(&[0x28, 0]);
        assert!(check(SearchItinerariesRequest::MESSAGE, &wire).is_err());
    }

    #[test]
    fn bytes_that_are_no_message_are_refused() {
        let error = check(SearchItinerariesRequest::MESSAGE, &[0x0a, 5]).expect_err("is cut off");
        assert_eq!(error.to_string(), "the message is cut off");
    }
}
