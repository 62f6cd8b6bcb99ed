//! The native format: a pattern per row.

use std::collections::HashMap;

use csv::ByteRecord;

use super::{
    Row,
    table::{Column, Reason, plausible},
};
use crate::domain::{
    airport::{AirportId, Airports},
    day::{DAY_MINUTES, Day},
    pattern::{Cabin, Carrier, Pattern, Weekdays},
    timetable::{HORIZON_DAYS, times},
    zone::Zones,
};

/// Columns in any order; the first six and one cabin's two must be there.
///
/// - `carrier`: two characters; `number`: 1 to 9999; `origin`, `destination`: IATA codes.
/// - `departure`, `arrival`: local times, `HH:MM`; `arrival_day`: days from the one to the other, -1 to 2, empty means 0.
/// - `weekdays`: of departure, 1 is Monday and 7 Sunday, for example `12345`; empty means every day.
/// - `effective_from`, `effective_to`: `YYYY-MM-DD`, both included; empty means without end.
/// - `…_seats`: 0 or empty means that there is no such cabin; `…_fare`: base fare in US dollars, for example `129.50`.
pub const COLUMNS: [&str; 18] = [
    "carrier",
    "number",
    "origin",
    "destination",
    "departure",
    "arrival",
    "arrival_day",
    "weekdays",
    "effective_from",
    "effective_to",
    "economy_seats",
    "economy_fare",
    "premium_economy_seats",
    "premium_economy_fare",
    "business_seats",
    "business_fare",
    "first_seats",
    "first_fare",
];

/// How many of them must be there.
const REQUIRED: usize = 6;
/// Dearest base fare, cents.
const MOST_FARE: u32 = 10_000_000;
/// Largest cabin.
const MOST_SEATS: u16 = 1_000;

/// Whether a header is of this format rather than another.
pub(super) fn is_native(header: &[String]) -> bool {
    ["number", "destination", "departure"]
        .iter()
        .all(|name| header.iter().any(|column| column == name))
}

/// Where the columns stand.
pub(super) struct Columns([Option<Column>; COLUMNS.len()]);

impl Columns {
    pub(super) fn find(header: &[String]) -> Result<Self, Reason> {
        if let Some(unknown) = header
            .iter()
            .find(|name| !name.is_empty() && !COLUMNS.contains(&name.as_str()))
        {
            return Err(format!(
                "{unknown:?} is not a column of the native format, which has {}",
                COLUMNS.join(",")
            ));
        }
        let column = |name: &str| {
            header
                .iter()
                .position(|column| column == name)
                .map(|at| Column {
                    at,
                    name: name.to_owned(),
                })
        };
        let columns = Self(COLUMNS.map(column));
        if let Some(missing) = (0..REQUIRED).find(|at| columns.0[*at].is_none()) {
            return Err(format!("column {:?} is missing", COLUMNS[missing]));
        }
        if (10..COLUMNS.len())
            .step_by(2)
            .all(|at| columns.0[at].is_none() || columns.0[at + 1].is_none())
        {
            return Err(
                "no cabin has both its columns, for example \"economy_seats\" and \"economy_fare\""
                    .to_owned(),
            );
        }
        Ok(columns)
    }

    fn required(&self, at: usize) -> Result<&Column, Reason> {
        self.0[at]
            .as_ref()
            .ok_or_else(|| format!("{}: is missing", COLUMNS[at]))
    }

    /// A column that may be absent, where its cell is not empty.
    fn optional<'s>(
        &'s self,
        at: usize,
        row: &'s ByteRecord,
    ) -> Result<Option<(&'s Column, &'s str)>, Reason> {
        match &self.0[at] {
            Some(column) if row.get(column.at).is_some_and(|cell| !cell.is_empty()) => {
                Ok(Some((column, column.text(row)?)))
            }
            _ => Ok(None),
        }
    }
}

/// Patterns read so far.
pub(super) struct Reader {
    patterns: Vec<Pattern>,
    by_designator: HashMap<(Carrier, u16, AirportId), Vec<usize>>,
    zones: Zones,
    today: Day,
}

impl Reader {
    pub(super) fn new(today: Day) -> Self {
        Self {
            patterns: Vec::new(),
            by_designator: HashMap::new(),
            zones: Zones::new(Airports::embedded(), today),
            today,
        }
    }

    pub(super) fn row(&mut self, columns: &Columns, row: &ByteRecord) -> Row {
        match pattern(columns, row).and_then(|pattern| self.add(pattern)) {
            Ok(()) => Row::Taken,
            Err(reason) => Row::Refused(reason),
        }
    }

    pub(super) fn finish(self) -> Vec<Pattern> {
        self.patterns
    }

    fn add(&mut self, pattern: Pattern) -> Result<(), Reason> {
        self.check_block(&pattern)?;
        let same = self.by_designator.entry(pattern.designator()).or_default();
        if let Some(day) = same
            .iter()
            .find_map(|at| self.patterns[*at].clash(&pattern))
        {
            let origin = Airports::embedded().get(pattern.origin).code;
            return Err(format!(
                "number: {}{} leaves {origin} twice on {day}; a row before says so too",
                pattern.carrier, pattern.number
            ));
        }
        same.push(self.patterns.len());
        self.patterns.push(pattern);
        Ok(())
    }

    /// Its times make sense on the first day on which it can be searched, and half a year later.
    fn check_block(&self, pattern: &Pattern) -> Result<(), Reason> {
        let km = Airports::embedded().distance_km(pattern.origin, pattern.destination);
        let first = pattern.from.max(self.today).min(pattern.to);
        for day in [first, first.plus(HORIZON_DAYS / 2)]
            .into_iter()
            .filter(|day| *day <= pattern.to)
        {
            let (departure, arrival) = times(&self.zones, pattern, day);
            plausible(km, arrival.utc - departure.utc)?;
        }
        Ok(())
    }
}

fn pattern(columns: &Columns, row: &ByteRecord) -> Result<Pattern, Reason> {
    let (origin, destination) = (
        columns.required(2)?.airport(row)?,
        columns.required(3)?.airport(row)?,
    );
    if origin == destination {
        return Err("destination: must differ from origin".to_owned());
    }
    let day = |at: usize, otherwise: Day| match columns.optional(at, row)? {
        None => Ok(otherwise),
        Some((column, text)) => {
            Day::parse(text).ok_or_else(|| column.wrong(text, "a date such as 2026-12-01"))
        }
    };
    let (from, to) = (day(8, Day::MIN)?, day(9, Day::MAX)?);
    let (seats, fares) = cabins(columns, row)?;
    let pattern = Pattern {
        carrier: columns.required(0)?.carrier(row)?,
        number: columns.required(1)?.flight_number(row)?,
        origin,
        destination,
        departure: clock(columns.required(4)?, row)?,
        arrival: clock(columns.required(5)?, row)?,
        arrival_day: arrival_day(columns, row)?,
        weekdays: weekdays(columns, row)?,
        from,
        to,
        seats,
        fares,
    };
    if from > to {
        return Err("effective_to: is before effective_from".to_owned());
    }
    if !pattern.ever_operates() {
        return Err(
            "weekdays: none of them lies between effective_from and effective_to".to_owned(),
        );
    }
    Ok(pattern)
}

fn clock(column: &Column, row: &ByteRecord) -> Result<u16, Reason> {
    let text = column.text(row)?;
    let two = |digits: &str| {
        Some(digits)
            .filter(|digits| {
                digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit())
            })
            .and_then(|digits| digits.parse::<u16>().ok())
    };
    let parsed = text
        .split_once(':')
        .and_then(|(hours, minutes)| Some((two(hours)?, two(minutes)?)));
    let minutes = parsed
        .filter(|(hours, minutes)| *hours < 24 && *minutes < 60)
        .map(|(hours, minutes)| hours * 60 + minutes);
    minutes
        .filter(|minutes| i32::from(*minutes) < DAY_MINUTES)
        .ok_or_else(|| column.wrong(text, "a time of day such as 09:05"))
}

fn arrival_day(columns: &Columns, row: &ByteRecord) -> Result<i8, Reason> {
    let Some((column, text)) = columns.optional(6, row)? else {
        return Ok(0);
    };
    let days = text.parse().ok().filter(|days| (-1..=2).contains(days));
    days.ok_or_else(|| column.wrong(text, "a number of days from -1 to 2"))
}

fn weekdays(columns: &Columns, row: &ByteRecord) -> Result<Weekdays, Reason> {
    let Some((column, text)) = columns.optional(7, row)? else {
        return Ok(Weekdays::DAILY);
    };
    if !text.bytes().all(|day| (b'1'..=b'7').contains(&day)) {
        return Err(column.wrong(
            text,
            "digits from 1 for Monday to 7 for Sunday, such as 12345",
        ));
    }
    Ok(Weekdays(
        text.bytes().fold(0, |mask, day| mask | 1 << (day - b'1')),
    ))
}

fn cabins(columns: &Columns, row: &ByteRecord) -> Result<([u16; 4], [u32; 4]), Reason> {
    let (mut seats, mut fares) = ([0; 4], [0; 4]);
    for cabin in Cabin::ALL.map(Cabin::index) {
        let Some((column, text)) = columns.optional(10 + 2 * cabin, row)? else {
            continue;
        };
        let count = text.parse().ok().filter(|seats| *seats <= MOST_SEATS);
        seats[cabin] =
            count.ok_or_else(|| column.wrong(text, "a number of seats from 0 to 1000"))?;
        if seats[cabin] > 0 {
            let (column, text) = columns.optional(11 + 2 * cabin, row)?.ok_or_else(|| {
                format!(
                    "{}: is missing, though there are seats",
                    COLUMNS[11 + 2 * cabin]
                )
            })?;
            fares[cabin] = cents(text).ok_or_else(|| {
                column.wrong(
                    text,
                    "a fare in dollars from 0.01 to 100000.00, such as 129.50",
                )
            })?;
        }
    }
    if seats == [0; 4] {
        return Err("economy_seats: no cabin has a seat".to_owned());
    }
    Ok((seats, fares))
}

/// Cents of an amount such as `129`, `129.5` or `129.50`.
fn cents(text: &str) -> Option<u32> {
    let (dollars, rest) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| {
        (!text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit()))
            .then(|| text.parse::<u32>().ok())
            .flatten()
    };
    let hundredths = match rest.len() {
        1 => digits(rest)? * 10,
        2 => digits(rest)?,
        _ => return None,
    };
    let cents = digits(dollars)?.checked_mul(100)?.checked_add(hundredths)?;
    (1..=MOST_FARE).contains(&cents).then_some(cents)
}

#[cfg(test)]
mod tests {
    use super::{super::testing::*, *};
    use crate::domain::timetable::Timetable;

    const HEADER: &str = "carrier,number,origin,destination,departure,arrival,arrival_day,weekdays,effective_from,effective_to,economy_seats,economy_fare,first_seats,first_fare";

    fn check(row: &str, expected: &str) {
        let text = format!("{HEADER}\nUA,1,SFO,LAX,10:00,11:30,,,,,100,99,,\n{row}\n");
        let (patterns, summary) = read_text(&[&text], options()).unwrap();
        let reasons: Vec<&str> = summary
            .refused
            .iter()
            .map(|refused| refused.reason.as_str())
            .collect();
        assert_eq!(
            reasons,
            if expected.is_empty() {
                vec![]
            } else {
                vec![expected]
            },
            "{row}"
        );
        assert_eq!(patterns.len(), 2 - summary.refused.len());
    }

    #[test]
    fn a_row_is_a_pattern() {
        let text = format!(
            "{HEADER}\nAS,21,JFK,SEA,10:00,13:15,,67,2026-12-01,2027-01-31,150,129.5,12,480.25\n"
        );
        let (patterns, summary) = read_text(&[&text], options()).unwrap();
        let row = &patterns[0];
        assert_eq!(
            (
                row.carrier.as_str(),
                row.number,
                row.departure,
                row.arrival,
                row.arrival_day,
                row.weekdays
            ),
            ("AS", 21, 600, 795, 0, Weekdays(0b110_0000))
        );
        assert_eq!(
            (row.seats, row.fares),
            ([150, 0, 0, 12], [12_950, 0, 0, 48_025])
        );
        assert_eq!(
            (summary.first_date, summary.last_date),
            (Day::parse("2026-12-01"), Day::parse("2027-01-31"))
        );
        let table = Timetable::new(patterns, options().today);
        assert!(
            table.find("AS21-2026-12-05-JFK".parse().unwrap()).is_some()
                && table.find("AS21-2026-12-07-JFK".parse().unwrap()).is_none()
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_what_would_be_right() {
        for (row, expected) in [
            ("AS,21,JFK,SEA,10:00,13:15,0,1234567,,,150,129.50,0,", ""),
            ("AS,21,JFK,NRT,10:00,14:15,1,,,,150,129.50,,", ""),
            (
                "A,21,JFK,SEA,10:00,13:15,,,,,150,129.50,,",
                "carrier: \"A\" is not a carrier's code such as AS or B6",
            ),
            (
                "AS,0,JFK,SEA,10:00,13:15,,,,,150,129.50,,",
                "number: \"0\" is not a flight number from 1 to 9999",
            ),
            (
                "AS,21,JFK,ZZZ,10:00,13:15,,,,,150,129.50,,",
                "destination: \"ZZZ\" is not the code of a known airport",
            ),
            (
                "AS,21,JFK,JFK,10:00,13:15,,,,,150,129.50,,",
                "destination: must differ from origin",
            ),
            (
                "AS,21,JFK,SEA,24:00,13:15,,,,,150,129.50,,",
                "departure: \"24:00\" is not a time of day such as 09:05",
            ),
            (
                "AS,21,JFK,SEA,10:00,,,,,,150,129.50,,",
                "arrival: is missing",
            ),
            (
                "AS,21,JFK,SEA,10:00,13:15,3,,,,150,129.50,,",
                "arrival_day: \"3\" is not a number of days from -1 to 2",
            ),
            (
                "AS,21,JFK,SEA,10:00,13:15,,08,,,150,129.50,,",
                "weekdays: \"08\" is not digits from 1 for Monday to 7 for Sunday, such as 12345",
            ),
            (
                "AS,21,JFK,SEA,10:00,13:15,,,2026-02-30,,150,129.50,,",
                "effective_from: \"2026-02-30\" is not a date such as 2026-12-01",
            ),
            (
                "AS,21,JFK,SEA,10:00,13:15,,,2026-12-02,2026-12-01,150,129.50,,",
                "effective_to: is before effective_from",
            ),
            (
                "AS,21,JFK,SEA,10:00,13:15,,1,2026-12-01,2026-12-05,150,129.50,,",
                "weekdays: none of them lies between effective_from and effective_to",
            ),
            (
                "AS,21,JFK,SEA,10:00,13:15,,,,,150,1.999,,",
                "economy_fare: \"1.999\" is not a fare in dollars from 0.01 to 100000.00, such as 129.50",
            ),
            (
                "AS,21,JFK,SEA,10:00,13:15,,,,,150,,,",
                "economy_fare: is missing, though there are seats",
            ),
            (
                "AS,21,JFK,SEA,10:00,13:15,,,,,,,,",
                "economy_seats: no cabin has a seat",
            ),
            (
                "AS,21,JFK,SEA,10:00,09:15,,,,,150,129.50,,",
                "arrival: 135 minutes after departure is not plausible for 3887 km, which take 194 to 1172",
            ),
            (
                "UA,1,SFO,SEA,20:00,22:00,,3,,,150,129.50,,",
                "number: UA1 leaves SFO twice on 1970-01-07; a row before says so too",
            ),
        ] {
            check(row, expected);
        }
    }
}
