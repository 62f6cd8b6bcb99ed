//! Patterns: what a timetable is made of.
//!
//! A pattern says "this flight, at these local times, on these weekdays, between these days": a
//! year of a daily flight is one pattern of 48 bytes and never 365 objects.

use std::{collections::HashMap, fmt};

use super::{airport::AirportId, day::Day};

/// Cabins of an aircraft; the value is their place in [`Pattern::seats`] and [`Pattern::fares`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cabin {
    /// Economy.
    Economy,
    /// Premium economy.
    PremiumEconomy,
    /// Business.
    Business,
    /// First.
    First,
}

impl Cabin {
    /// All of them, from economy upwards.
    pub const ALL: [Self; 4] = [
        Self::Economy,
        Self::PremiumEconomy,
        Self::Business,
        Self::First,
    ];

    /// Its place in arrays per cabin.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// IATA code of a carrier: two capital letters or digits, not two digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Carrier([u8; 2]);

impl Carrier {
    /// Reads a code in either case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 2] = text.as_bytes().try_into().ok()?;
        let plausible = bytes.iter().all(u8::is_ascii_alphanumeric)
            && bytes.iter().any(u8::is_ascii_alphabetic);
        plausible.then(|| Self(bytes.map(|byte| byte.to_ascii_uppercase())))
    }

    /// Its two characters.
    #[must_use]
    pub const fn bytes(self) -> [u8; 2] {
        self.0
    }

    /// From two characters that [`Carrier::bytes`] gave.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 2]) -> Self {
        Self(bytes)
    }

    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Carrier {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// Days of the week: bit 0 is Monday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weekdays(pub u8);

impl Weekdays {
    /// Every day.
    pub const DAILY: Self = Self(0x7F);

    /// Whether a day's weekday is among them.
    #[must_use]
    pub const fn contains(self, day: Day) -> bool {
        self.0 >> day.weekday() & 1 == 1
    }
}

/// A flight that repeats.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern {
    /// Carrier.
    pub carrier: Carrier,
    /// Flight number, 1 to 9999.
    pub number: u16,
    /// Airport of departure.
    pub origin: AirportId,
    /// Airport of arrival.
    pub destination: AirportId,
    /// Local departure, minutes after midnight.
    pub departure: u16,
    /// Local arrival, minutes after midnight of its own day.
    pub arrival: u16,
    /// Days from the local day of departure to that of arrival, -1 to 2.
    pub arrival_day: i8,
    /// Weekdays of departure.
    pub weekdays: Weekdays,
    /// First local day of departure.
    pub from: Day,
    /// Last local day of departure.
    pub to: Day,
    /// Seats per cabin; none means that there is no such cabin.
    pub seats: [u16; 4],
    /// Base fare per cabin in US cents; see [`super::fare`].
    pub fares: [u32; 4],
}

impl Pattern {
    /// Whether it departs on a local day.
    #[must_use]
    pub const fn operates(&self, day: Day) -> bool {
        self.from.number() <= day.number()
            && day.number() <= self.to.number()
            && self.weekdays.contains(day)
    }

    /// What makes its dated flights' names, days apart.
    #[must_use]
    pub const fn designator(&self) -> (Carrier, u16, AirportId) {
        (self.carrier, self.number, self.origin)
    }

    /// The first day on which both would depart under the same name.
    #[must_use]
    pub fn clash(&self, other: &Self) -> Option<Day> {
        if self.designator() != other.designator() {
            return None;
        }
        let common = Weekdays(self.weekdays.0 & other.weekdays.0);
        let (from, to) = (self.from.max(other.from), self.to.min(other.to));
        (0..7)
            .map(|days| from.plus(days))
            .find(|day| *day <= to && common.contains(*day))
    }

    /// What is left of it when `other`'s days are taken out: at most three patterns.
    #[must_use]
    pub fn without(&self, other: &Self) -> Vec<Self> {
        if self.clash(other).is_none() {
            return vec![self.clone()];
        }
        let (from, to) = (self.from.max(other.from), self.to.min(other.to));
        let before = Self {
            to: from.plus(-1),
            ..self.clone()
        };
        let between = Self {
            from,
            to,
            weekdays: Weekdays(self.weekdays.0 & !other.weekdays.0),
            ..self.clone()
        };
        let after = Self {
            from: to.plus(1),
            ..self.clone()
        };
        [before, between, after]
            .into_iter()
            .filter(Self::ever_operates)
            .collect()
    }

    /// Whether there is a day on which it departs.
    #[must_use]
    pub fn ever_operates(&self) -> bool {
        (0..7)
            .map(|days| self.from.plus(days))
            .any(|day| self.operates(day))
    }
}

/// Lays patterns over others: where both name the same dated flight, it is the one of `over`.
#[must_use]
pub fn overlay(base: Vec<Pattern>, over: Vec<Pattern>) -> Vec<Pattern> {
    let mut by_designator: HashMap<_, Vec<&Pattern>> = HashMap::new();
    for row in &over {
        by_designator.entry(row.designator()).or_default().push(row);
    }
    let mut rows: Vec<Pattern> = Vec::with_capacity(base.len() + over.len());
    for row in base {
        match by_designator.get(&row.designator()) {
            None => rows.push(row),
            Some(others) => rows.extend(others.iter().fold(vec![row], |left, other| {
                left.iter().flat_map(|row| row.without(other)).collect()
            })),
        }
    }
    rows.extend(over);
    rows
}

/// A pattern for tests, in the native format's short form: `AS21 JFK-SEA 10:00-13:15 1234567`.
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod testing {
    use super::*;
    use crate::domain::airport::{Airports, Code};

    pub(crate) fn pattern(text: &str) -> Pattern {
        let words: Vec<&str> = text.split(' ').collect();
        let (carrier, number) = words[0].split_at(2);
        let airport = |code: &str| {
            Airports::embedded()
                .find(Code::parse(code).unwrap())
                .unwrap()
        };
        let clock = |time: &str| {
            time[..2].parse::<u16>().unwrap() * 60 + time[3..5].parse::<u16>().unwrap()
        };
        let (departure, arrival) = words[2].split_once('-').unwrap();
        Pattern {
            carrier: Carrier::parse(carrier).unwrap(),
            number: number.parse().unwrap(),
            origin: airport(&words[1][..3]),
            destination: airport(&words[1][4..]),
            departure: clock(departure),
            arrival: clock(arrival),
            arrival_day: arrival.get(5..).map_or(0, |days| {
                if days.is_empty() {
                    0
                } else {
                    days.parse().unwrap()
                }
            }),
            weekdays: Weekdays(words.get(3).map_or(0x7F, |days| {
                days.bytes().fold(0, |mask, day| mask | 1 << (day - b'1'))
            })),
            from: words
                .get(4)
                .map_or(Day::MIN, |day| Day::parse(day).unwrap()),
            to: words
                .get(5)
                .map_or(Day::MAX, |day| Day::parse(day).unwrap()),
            seats: [100, 0, 0, 10],
            fares: [10_000, 0, 0, 40_000],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::pattern, *};

    #[test]
    fn a_pattern_is_small() {
        assert!(size_of::<Pattern>() <= 56, "{}", size_of::<Pattern>());
    }

    #[test]
    fn it_departs_on_its_weekdays_between_its_days() {
        let weekend = pattern("AS21 JFK-SEA 10:00-13:15 67 2026-11-21 2026-11-28");
        let days: Vec<String> = (0..14)
            .map(|days| Day::parse("2026-11-18").unwrap().plus(days))
            .filter(|day| weekend.operates(*day))
            .map(|day| day.to_string())
            .collect();
        assert_eq!(days, ["2026-11-21", "2026-11-22", "2026-11-28"]);
    }

    #[test]
    fn two_patterns_clash_where_a_name_would_be_given_twice() {
        let base = pattern("AS21 JFK-SEA 10:00-13:15 135 2026-12-01 2026-12-31");
        for (other, expected) in [
            (
                "AS21 JFK-PDX 18:00-21:15 15 2026-12-20 2027-01-31",
                Some("2026-12-21"),
            ),
            ("AS21 JFK-PDX 18:00-21:15 246 2026-12-01 2026-12-31", None),
            (
                "AS21 JFK-PDX 18:00-21:15 1234567 2027-01-01 2027-01-31",
                None,
            ),
            ("AS21 JFK-PDX 18:00-21:15 3 2026-12-31 2026-12-31", None),
            ("AS22 JFK-PDX 18:00-21:15", None),
            ("AS21 SEA-PDX 18:00-21:15", None),
        ] {
            assert_eq!(
                base.clash(&pattern(other))
                    .map(|day| day.to_string())
                    .as_deref(),
                expected,
                "{other}"
            );
        }
    }

    #[test]
    fn what_is_laid_over_wins_on_its_days() {
        let rows = overlay(
            vec![
                pattern("AS21 JFK-SEA 10:00-13:15"),
                pattern("AS22 JFK-SEA 10:00-13:15"),
            ],
            vec![pattern("AS21 JFK-PDX 11:00-14:15 1 2026-12-07 2026-12-07")],
        );
        let on = |day: &str| {
            rows.iter()
                .filter(|row| row.operates(Day::parse(day).unwrap()) && row.number == 21)
                .map(|row| row.departure)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            (on("2026-12-06"), on("2026-12-07"), on("2026-12-08")),
            (vec![600], vec![660], vec![600])
        );
        assert_eq!(rows.iter().filter(|row| row.number == 22).count(), 1);
    }

    #[test]
    fn taking_days_out_leaves_exactly_the_others() {
        let first = Day::parse("2026-12-01").unwrap();
        for base in [
            "AS21 JFK-SEA 10:00-13:15",
            "AS21 JFK-SEA 10:00-13:15 135 2026-12-03 2026-12-20",
        ] {
            for other in [
                "AS21 JFK-SEA 11:00-14:15 17 2026-12-06 2026-12-13",
                "AS21 JFK-SEA 11:00-14:15",
                "AS21 JFK-SEA 11:00-14:15 1 2027-12-06 2027-12-13",
            ] {
                let (base, other) = (pattern(base), pattern(other));
                let left = base.without(&other);
                for day in (0..40).map(|days| first.plus(days)) {
                    let expected = usize::from(base.operates(day) && !other.operates(day));
                    assert_eq!(
                        left.iter().filter(|pattern| pattern.operates(day)).count(),
                        expected,
                        "{day}"
                    );
                }
            }
        }
    }
}
