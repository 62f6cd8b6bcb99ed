//! Calendar days and minutes: the only two units of time in this service.
//!
//! A timetable speaks of local days and minutes of the day; a journey of instants. Both are small
//! integers here, so that a dated flight costs a few bytes and comparing two costs one instruction.

use std::fmt;

use chrono::{Datelike, NaiveDate};

/// Minutes since the Unix epoch, UTC.
pub type Minute = i32;

/// Minutes in a day.
pub const DAY_MINUTES: i32 = 24 * 60;

/// A day of the Gregorian calendar, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

impl Day {
    /// 1970-01-01: in a timetable, "since ever".
    pub const MIN: Self = Self(0);
    /// 2328-11-11: in a timetable, "until further notice". The last day that fits a [`super::flight_id::FlightId`].
    pub const MAX: Self = Self((1 << 17) - 1);

    /// The day so many days after 1970-01-01.
    #[must_use]
    pub const fn from_number(number: i32) -> Self {
        Self(number)
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0
    }

    /// The day of a date; none where the calendar has no such date.
    #[must_use]
    pub fn from_ymd(year: i32, month: u32, day: u32) -> Option<Self> {
        NaiveDate::from_ymd_opt(year, month, day).map(|date| Self(date.to_epoch_days()))
    }

    /// Reads `YYYY-MM-DD`; none where that is not a date between [`Day::MIN`] and [`Day::MAX`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let shaped = text.len() == 10
            && text.bytes().enumerate().all(|(at, byte)| {
                if at == 4 || at == 7 {
                    byte == b'-'
                } else {
                    byte.is_ascii_digit()
                }
            });
        if !shaped {
            return None;
        }
        let day = Self::from_ymd(
            text[..4].parse().ok()?,
            text[5..7].parse().ok()?,
            text[8..].parse().ok()?,
        )?;
        (Self::MIN <= day && day <= Self::MAX).then_some(day)
    }

    /// The local day of an instant at an offset from UTC in minutes.
    #[must_use]
    pub const fn of(minute: Minute, offset: i16) -> Self {
        Self((minute + offset as i32).div_euclid(DAY_MINUTES))
    }

    /// Day of the week, Monday 0 to Sunday 6.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0 to 6
    pub const fn weekday(self) -> u8 {
        // 1970-01-01 was a Thursday.
        (self.0 + 3).rem_euclid(7) as u8
    }

    /// ISO 8601 week, 1 to 53.
    #[must_use]
    pub fn iso_week(self) -> u32 {
        self.date().iso_week().week()
    }

    /// The day `days` later, or earlier where negative.
    #[must_use]
    pub const fn plus(self, days: i32) -> Self {
        Self(self.0 + days)
    }

    /// The same day as chrono has it.
    #[must_use]
    pub fn date(self) -> NaiveDate {
        NaiveDate::from_epoch_days(self.0).unwrap_or(NaiveDate::MAX)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = self.date();
        write!(
            out,
            "{:04}-{:02}-{:02}",
            date.year(),
            date.month(),
            date.day()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_count_from_the_epoch() {
        for (text, number, weekday) in [
            ("1970-01-01", 0, 3),
            ("2026-11-22", 20_779, 6),
            ("2328-11-11", (1 << 17) - 1, 6),
        ] {
            let day = Day::parse(text).unwrap();
            assert_eq!(
                (day.number(), day.weekday(), day.to_string().as_str()),
                (number, weekday, text)
            );
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "2026-02-29",
            "2026-13-01",
            "26-11-22",
            "2026-1-22",
            "2026/11/22",
            "1969-12-31",
            "9999-01-01",
            "2026-11-2x",
            "+026-11-22",
        ] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_local_day_follows_the_offset() {
        let midnight = Day::parse("2026-11-22").unwrap().number() * DAY_MINUTES;
        assert_eq!(Day::of(midnight, -300).to_string(), "2026-11-21");
        assert_eq!(Day::of(midnight, 330).to_string(), "2026-11-22");
    }
}
