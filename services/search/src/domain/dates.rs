//! From the days on which a flight was seen to the few patterns that say the same.

use super::{day::Day, pattern::Weekdays};

/// A set of days, a bit each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Days {
    /// Monday of the first week held, as a week number.
    first_week: i32,
    /// Weekdays by week.
    weeks: Vec<u8>,
}

/// Weekdays between two days, both of which are among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// First day.
    pub from: Day,
    /// Last day.
    pub to: Day,
    /// Weekdays of all its days.
    pub weekdays: Weekdays,
}

fn week_of(day: Day) -> i32 {
    // Weeks begin on Monday; 1969-12-29 was one.
    (day.number() + 3).div_euclid(7)
}

impl Days {
    /// Adds a day; false where it was there already.
    pub fn insert(&mut self, day: Day) -> bool {
        let week = week_of(day);
        if self.weeks.is_empty() {
            self.first_week = week;
        }
        if week < self.first_week {
            let missing = (self.first_week - week).unsigned_abs() as usize;
            self.weeks.splice(0..0, std::iter::repeat_n(0, missing));
            self.first_week = week;
        }
        let at = (week - self.first_week).unsigned_abs() as usize;
        if at >= self.weeks.len() {
            self.weeks.resize(at + 1, 0);
        }
        let bit = 1 << day.weekday();
        let new = self.weeks[at] & bit == 0;
        self.weeks[at] |= bit;
        new
    }

    /// Whether a day is in the set.
    #[must_use]
    pub fn contains(&self, day: Day) -> bool {
        let at = usize::try_from(week_of(day) - self.first_week).ok();
        at.and_then(|at| self.weeks.get(at))
            .is_some_and(|week| week >> day.weekday() & 1 == 1)
    }

    /// Its days in order.
    pub fn iter(&self) -> impl Iterator<Item = Day> + '_ {
        let days = (self.first_week * 7 - 3..).map(Day::from_number);
        days.take(self.weeks.len() * 7)
            .filter(|day| self.contains(*day))
    }

    /// Runs that together have exactly its days, each once: by week or by weekday, whichever needs fewer.
    #[must_use]
    pub fn runs(&self) -> Vec<Run> {
        let (by_week, by_weekday) = (self.by_week(), self.by_weekday());
        if by_week.len() <= by_weekday.len() {
            by_week
        } else {
            by_weekday
        }
    }

    /// Consecutive weeks with the same weekdays; the first and the last week may be cut short.
    fn by_week(&self) -> Vec<Run> {
        let mut runs = Vec::new();
        let mut at = 0;
        while at < self.weeks.len() {
            let start = at;
            let first = self.weeks[start];
            at += 1;
            if first == 0 {
                continue;
            }
            let mut weekdays = first;
            if let Some(second) = self
                .weeks
                .get(at)
                .filter(|second| **second & from_lowest(first) == first)
            {
                weekdays = *second;
            }
            while self.weeks.get(at) == Some(&weekdays) {
                at += 1;
            }
            // With more days before its last one a week would not be this run cut short.
            let cut_short = |last: &u8| *last != 0 && weekdays & up_to_highest(*last) == *last;
            if self.weeks.get(at).is_some_and(cut_short) {
                at += 1;
            }
            runs.push(self.run(start, at - 1, weekdays));
        }
        runs
    }

    /// For each weekday, consecutive weeks that have it; equal spans become one run.
    fn by_weekday(&self) -> Vec<Run> {
        let mut spans: Vec<(usize, usize, u8)> = Vec::new();
        for bit in (0..7).map(|weekday| 1_u8 << weekday) {
            let mut start = None;
            for at in 0..=self.weeks.len() {
                let set = self.weeks.get(at).is_some_and(|week| week & bit != 0);
                match start {
                    None if set => start = Some(at),
                    Some(from) if !set => {
                        spans.push((from, at - 1, bit));
                        start = None;
                    }
                    _ => {}
                }
            }
        }
        spans.sort_unstable();
        spans
            .chunk_by(|a, b| (a.0, a.1) == (b.0, b.1))
            .map(|same| {
                self.run(
                    same[0].0,
                    same[0].1,
                    same.iter().fold(0, |mask, span| mask | span.2),
                )
            })
            .collect()
    }

    fn run(&self, first: usize, last: usize, weekdays: u8) -> Run {
        let day = |week: usize, weekday: u32| {
            Day::from_number(
                (self.first_week + i32::try_from(week).unwrap_or_default()) * 7 - 3
                    + weekday.cast_signed(),
            )
        };
        let (start, end) = (self.weeks[first] & weekdays, self.weeks[last] & weekdays);
        Run {
            from: day(first, start.trailing_zeros()),
            to: day(last, end.ilog2()),
            weekdays: Weekdays(weekdays),
        }
    }
}

/// Bits from the lowest set one upwards.
fn from_lowest(week: u8) -> u8 {
    0x7F & !((1_u8 << week.trailing_zeros()) - 1)
}

/// Bits up to the highest set one.
fn up_to_highest(week: u8) -> u8 {
    0xFF >> week.leading_zeros()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn days(numbers: impl IntoIterator<Item = i32>) -> Days {
        let mut days = Days::default();
        numbers.into_iter().for_each(|day| {
            days.insert(Day::from_number(day));
        });
        days
    }

    #[test]
    fn a_season_of_weekdays_is_one_run() {
        let start = Day::parse("2026-12-02").unwrap().number();
        for (numbers, expected) in [
            ((start..start + 40).collect::<Vec<_>>(), 1),
            (
                (start..start + 40)
                    .filter(|day| Day::from_number(*day).weekday() < 5)
                    .collect(),
                1,
            ),
            (vec![start], 1),
            (vec![start, start + 7, start + 21], 2),
            (
                (start..start + 40)
                    .filter(|day| *day != start + 16)
                    .collect(),
                3,
            ),
        ] {
            assert_eq!(days(numbers.clone()).runs().len(), expected, "{numbers:?}");
        }
    }

    #[test]
    fn a_day_is_new_once() {
        let mut set = days([100, 200]);
        assert!(
            set.insert(Day::from_number(50))
                && !set.insert(Day::from_number(50))
                && !set.insert(Day::from_number(200))
        );
        assert_eq!(
            set.iter().map(Day::number).collect::<Vec<_>>(),
            [50, 100, 200]
        );
    }

    proptest! {
        #[test]
        fn runs_have_exactly_the_days(numbers in proptest::collection::btree_set(20_000_i32..20_060, 0..60)) {
            let set = days(numbers.iter().copied());
            for runs in [set.by_week(), set.by_weekday(), set.runs()] {
                let mut seen = BTreeSet::new();
                for run in runs {
                    for day in (run.from.number()..=run.to.number()).filter(|day| run.weekdays.contains(Day::from_number(*day))) {
                        prop_assert!(seen.insert(day), "{day} twice");
                    }
                }
                prop_assert_eq!(&seen, &numbers);
            }
        }
    }
}
