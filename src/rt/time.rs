//! Timestamps and durations as text, as the proto3 JSON mapping has them.
//!
//! The calendar is the proleptic Gregorian one, computed with Howard Hinnant's `days_from_civil`
//! and `civil_from_days` (<https://howardhinnant.github.io/date_algorithms.html>): a few integer
//! operations and no tables, since an answer can hold hundreds of instants.

/// Seconds of 0001-01-01T00:00:00Z, the first instant of a Timestamp.
const FIRST_SECOND: i64 = -62_135_596_800;
/// Seconds of 9999-12-31T23:59:59Z, the last.
const LAST_SECOND: i64 = 253_402_300_799;
/// Greatest number of seconds of a Duration, either way: 10,000 years.
const MAX_DURATION: u64 = 315_576_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
/// Days from 0000-03-01, the first day of the algorithm's first era, to 1970-01-01.
const DAYS_BEFORE_1970: i64 = 719_468;

/// Appends an instant in RFC 3339, in UTC, with 0, 3, 6 or 9 digits of fraction. Returns whether it
/// is within the years 1 to 9999; nothing is appended where it is not.
pub fn write_timestamp(out: &mut Vec<u8>, seconds: i64, nanos: i32) -> bool {
    let Ok(nanos @ 0..1_000_000_000) = u32::try_from(nanos) else {
        return false;
    };
    if !(FIRST_SECOND..=LAST_SECOND).contains(&seconds) {
        return false;
    }
    // Both fit 32 bits within the range above, and such divisions are cheap.
    let days = (seconds.div_euclid(SECONDS_PER_DAY) + DAYS_BEFORE_1970) as u32;
    let second = seconds.rem_euclid(SECONDS_PER_DAY) as u32;
    let (year, month, day) = civil_from_days(days);
    let [y1, y2] = two_digits(year / 100);
    let [y3, y4] = two_digits(year % 100);
    let [mo1, mo2] = two_digits(month);
    let [d1, d2] = two_digits(day);
    let [h1, h2] = two_digits(second / 3600);
    let [mi1, mi2] = two_digits(second / 60 % 60);
    let [s1, s2] = two_digits(second % 60);
    let text = [
        y1, y2, y3, y4, b'-', mo1, mo2, b'-', d1, d2, b'T', h1, h2, b':', mi1, mi2, b':', s1, s2,
    ];
    out.extend_from_slice(&text);
    write_fraction(out, nanos);
    out.push(b'Z');
    true
}

/// Reads an instant in RFC 3339 with any offset: seconds since 1970 and nanoseconds.
#[must_use]
pub fn parse_timestamp(text: &str) -> Option<(i64, i32)> {
    let (head, rest) = text.as_bytes().split_at_checked(19)?;
    let separators = [
        head[4],
        head[7],
        head[10].to_ascii_uppercase(),
        head[13],
        head[16],
    ];
    if separators != *b"--T::" {
        return None;
    }
    let part = |from: usize, to: usize| number(&head[from..to]);
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (nanos, zone) = fraction(rest)?;
    let seconds =
        days_from_civil(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second
            - offset(zone)?;
    (FIRST_SECOND..=LAST_SECOND)
        .contains(&seconds)
        .then_some((seconds, nanos))
}

/// Appends a duration in seconds with 0, 3, 6 or 9 digits of fraction and an `s`. Returns whether
/// it is a valid Duration; nothing is appended where it is not.
pub fn write_duration(out: &mut Vec<u8>, seconds: i64, nanos: i32) -> bool {
    let signs_differ = (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0);
    let too_big = seconds.unsigned_abs() > MAX_DURATION || nanos.unsigned_abs() > 999_999_999;
    if signs_differ || too_big {
        return false;
    }
    if seconds < 0 || nanos < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(
        itoa::Buffer::new()
            .format(seconds.unsigned_abs())
            .as_bytes(),
    );
    write_fraction(out, nanos.unsigned_abs());
    out.push(b's');
    true
}

/// Reads a duration such as `1.5s`: seconds and nanoseconds, of the same sign.
#[must_use]
pub fn parse_duration(text: &str) -> Option<(i64, i32)> {
    let text = text.strip_suffix('s')?;
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |text| (-1, text));
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    if whole.len() > 12 {
        return None;
    }
    let seconds = number(whole.as_bytes())?;
    let (nanos, rest) = fraction(rest.as_bytes())?;
    let valid = rest.is_empty() && seconds.unsigned_abs() <= MAX_DURATION;
    valid.then_some((i64::from(sign) * seconds, sign * nanos))
}

fn write_fraction(out: &mut Vec<u8>, nanos: u32) {
    if nanos == 0 {
        return;
    }
    let mut text = *b".000000000";
    let mut rest = nanos;
    for digit in text[1..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let length = match nanos {
        _ if nanos.is_multiple_of(1_000_000) => 4,
        _ if nanos.is_multiple_of(1_000) => 7,
        _ => 10,
    };
    out.extend_from_slice(&text[..length]);
}

/// The digits of a number below 100.
const fn two_digits(value: u32) -> [u8; 2] {
    [b'0' + (value / 10) as u8, b'0' + (value % 10) as u8]
}

/// A number of decimal digits only.
fn number(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > 18 {
        return None;
    }
    text.iter().try_fold(0, |value, digit| {
        digit
            .is_ascii_digit()
            .then(|| value * 10 + i64::from(digit - b'0'))
    })
}

/// Nanoseconds of an optional fraction of up to nine digits, and what follows it.
fn fraction(text: &[u8]) -> Option<(i32, &[u8])> {
    let Some(text) = text.strip_prefix(b".") else {
        return Some((0, text));
    };
    let length = text.iter().take_while(|c| c.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(length);
    let scale = 9_u32.checked_sub(u32::try_from(length).ok()?)?;
    let value = i32::try_from(number(digits)?).ok()?;
    Some((value * 10_i32.pow(scale), rest))
}

/// Seconds east of UTC of `Z` or `+hh:mm`.
fn offset(zone: &[u8]) -> Option<i64> {
    match zone {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
            let seconds = hours * 3600 + minutes * 60;
            let valid = hours < 24 && minutes < 60;
            valid.then_some(if *sign == b'+' { seconds } else { -seconds })
        }
        _ => None,
    }
}

const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date. Years begin in March, so that leap days come last.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - DAYS_BEFORE_1970
}

/// Year, month and day of a day since 0000-03-01.
const fn civil_from_days(days: u32) -> (u32, u32, u32) {
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + (month <= 2) as u32;
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timestamp(seconds: i64, nanos: i32) -> Option<String> {
        let mut out = Vec::new();
        let valid = write_timestamp(&mut out, seconds, nanos);
        valid.then(|| String::from_utf8(out).expect("is ASCII"))
    }

    #[test]
    fn instants_are_written_and_read_back() {
        let cases = [
            ("1970-01-01T00:00:00Z", 0, 0),
            ("1969-12-31T23:59:59Z", -1, 0),
            ("2000-02-29T12:34:56.789Z", 951_827_696, 789_000_000),
            ("2026-12-01T15:00:00Z", 1_796_137_200, 0),
            ("2016-12-15T12:23:32.000000049Z", 1_481_804_612, 49),
            ("2100-03-01T00:00:00.000100Z", 4_107_542_400, 100_000),
            ("0001-01-01T00:00:00Z", FIRST_SECOND, 0),
            ("9999-12-31T23:59:59.999999999Z", LAST_SECOND, 999_999_999),
        ];
        for (text, seconds, nanos) in cases {
            assert_eq!(timestamp(seconds, nanos).as_deref(), Some(text));
            assert_eq!(parse_timestamp(text), Some((seconds, nanos)), "{text}");
        }
    }

    #[test]
    fn every_day_of_the_calendar_is_read_back() {
        for day in FIRST_SECOND / SECONDS_PER_DAY..=LAST_SECOND / SECONDS_PER_DAY {
            let (year, month, date) = civil_from_days((day + DAYS_BEFORE_1970) as u32);
            let [year, month, date] = [year, month, date].map(i64::from);
            assert!(date <= days_in_month(year, month));
            assert_eq!(days_from_civil(year, month, date), day);
        }
    }

    #[test]
    fn instants_outside_of_a_timestamp_are_refused() {
        assert_eq!(timestamp(FIRST_SECOND - 1, 0), None);
        assert_eq!(timestamp(LAST_SECOND + 1, 0), None);
        assert_eq!(timestamp(0, -1), None);
        assert_eq!(timestamp(0, 1_000_000_000), None);
    }

    #[test]
    fn offsets_are_read() {
        assert_eq!(parse_timestamp("1970-01-01T01:30:00+01:30"), Some((0, 0)));
        assert_eq!(
            parse_timestamp("1969-12-31t19:00:00.5-05:00"),
            Some((0, 500_000_000))
        );
    }

    #[test]
    fn texts_that_are_no_instant_are_refused() {
        let cases = [
            "",
            "null",
            "2026-12-01",
            "2026-12-01T15:00:00",
            "2026-12-01 15:00:00Z",
            "2026-13-01T15:00:00Z",
            "2026-02-29T15:00:00Z",
            "2026-12-01T24:00:00Z",
            "2026-12-01T15:00:60Z",
            "2026-12-01T15:00:00.Z",
            "2026-12-01T15:00:00.0000000001Z",
            "2026-12-01T15:00:00+1:00",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+00:01",
            "+026-12-01T15:00:00Z",
            "2026-12-0éT15:00:00Z",
        ];
        for text in cases {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn durations_are_written_and_read_back() {
        let cases = [
            ("0s", 0, 0),
            ("22500s", 22_500, 0),
            ("1.500s", 1, 500_000_000),
            ("-0.000001s", 0, -1000),
            ("-3.000000001s", -3, -1),
            ("315576000000s", 315_576_000_000, 0),
        ];
        for (text, seconds, nanos) in cases {
            let mut out = Vec::new();
            assert!(write_duration(&mut out, seconds, nanos));
            assert_eq!(out, text.as_bytes());
            assert_eq!(parse_duration(text), Some((seconds, nanos)), "{text}");
        }
        assert_eq!(parse_duration("1.5s"), Some((1, 500_000_000)));
    }

    #[test]
    fn texts_that_are_no_duration_are_refused() {
        for text in [
            "",
            "s",
            "1",
            "13h",
            "null",
            "1.s",
            ".5s",
            "+1s",
            "--1s",
            "1 s",
            "315576000001s",
            "1.0000000001s",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
        let mut out = Vec::new();
        assert!(!write_duration(&mut out, 1, -1));
        assert!(!write_duration(&mut out, 315_576_000_001, 0));
        assert!(out.is_empty());
    }
}
