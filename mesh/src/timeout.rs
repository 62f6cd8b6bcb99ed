//! The `grpc-timeout` header: how much time a caller has left.
//!
//! Format as in gRPC's "HTTP/2 protocol mapping": at most eight digits and one unit. It carries a
//! duration and no instant, so that clocks need not agree.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

/// Name of the header.
pub const HEADER: HeaderName = HeaderName::from_static("grpc-timeout");

/// The time left according to `headers`; none where the header is absent or not well-formed.
#[must_use]
pub fn read(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(HEADER)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(amount * 3600),
        "M" => Duration::from_secs(amount * 60),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}

/// Says in `headers` that `left` is left, rounded down to the finest unit that holds it.
pub fn write(headers: &mut HeaderMap, left: Duration) {
    const MOST: u128 = 99_999_999;
    let (amount, unit) = match left.as_micros() {
        micros if micros <= MOST => (micros, 'u'),
        micros if micros / 1_000 <= MOST => (micros / 1_000, 'm'),
        micros => ((micros / 1_000_000).min(MOST), 'S'),
    };
    // Digits and a letter are always a valid header.
    if let Ok(value) = HeaderValue::try_from(format!("{amount}{unit}")) {
        headers.insert(HEADER, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &'static str) -> Option<Duration> {
        read(&HeaderMap::from_iter([(
            HEADER,
            HeaderValue::from_static(text),
        )]))
    }

    #[test]
    fn reads_every_unit_and_nothing_else() {
        for (text, expected) in [
            ("2H", Some(Duration::from_hours(2))),
            ("3M", Some(Duration::from_mins(3))),
            ("42S", Some(Duration::from_secs(42))),
            ("13m", Some(Duration::from_millis(13))),
            ("900000u", Some(Duration::from_millis(900))),
            ("82n", Some(Duration::from_nanos(82))),
            ("99999999H", Some(Duration::from_hours(99_999_999))),
            ("123456789m", None),
            ("m", None),
            ("", None),
            ("+5m", None),
            ("5x", None),
        ] {
            assert_eq!(parsed(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for (left, expected) in [
            (Duration::ZERO, Duration::ZERO),
            (Duration::from_micros(1), Duration::from_micros(1)),
            (Duration::from_secs(2), Duration::from_secs(2)),
            (Duration::from_micros(100_000_001), Duration::from_secs(100)),
            (
                Duration::from_secs(1_000_000),
                Duration::from_secs(1_000_000),
            ),
        ] {
            let mut headers = HeaderMap::new();
            write(&mut headers, left);
            assert_eq!(read(&headers), Some(expected), "{left:?}");
        }
    }
}
