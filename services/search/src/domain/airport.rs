//! The world's airports: who they are and how far apart.
//!
//! The table is part of the program (`data/airports.csv`): a timetable that could name airports
//! of its own would need their zones and positions too, and would be wrong about them.

use std::{fmt, sync::LazyLock};

use chrono_tz::Tz;

/// An airport: its row in [`Airports`]. Rows are in order of code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AirportId(pub u16);

/// IATA code of an airport, three capital letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code([u8; 3]);

impl Code {
    /// Reads a code in either case; none unless it is three letters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 3] = text.as_bytes().try_into().ok()?;
        bytes
            .iter()
            .all(u8::is_ascii_alphabetic)
            .then(|| Self(bytes.map(|byte| byte.to_ascii_uppercase())))
    }

    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// A number below 2¹⁵ that sorts as the code does.
    #[must_use]
    pub fn number(self) -> u16 {
        self.0
            .iter()
            .fold(0, |number, byte| number * 26 + u16::from(byte - b'A'))
    }

    /// The code with that number.
    #[must_use]
    pub fn from_number(number: u16) -> Self {
        let letter = |at: u16| b'A' + u8::try_from(at % 26).unwrap_or_default();
        Self([letter(number / 676), letter(number / 26), letter(number)])
    }
}

impl fmt::Display for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// What is known of an airport.
#[derive(Debug)]
pub struct Airport {
    /// IATA code.
    pub code: Code,
    /// Full name.
    pub name: Box<str>,
    /// City served; empty where the source names none.
    pub city: Box<str>,
    /// State, province or region; empty where the source names none.
    pub subdivision: Box<str>,
    /// ISO 3166-1 alpha-2.
    pub country: [u8; 2],
    /// Degrees, north positive.
    pub latitude: f64,
    /// Degrees, east positive.
    pub longitude: f64,
    /// Its zone, as a row of [`Airports::zones`].
    pub zone: u16,
}

/// Every airport, and the zones that they keep.
#[derive(Debug)]
pub struct Airports {
    rows: Vec<Airport>,
    zones: Vec<Tz>,
}

static EMBEDDED: LazyLock<Airports> =
    LazyLock::new(|| Airports::read(include_str!("../../../../data/airports.csv")));

impl Airports {
    /// The airports of `data/airports.csv`.
    #[must_use]
    pub fn embedded() -> &'static Self {
        &EMBEDDED
    }

    /// Reads the embedded table; a test holds that none of its rows is left out.
    fn read(csv: &str) -> Self {
        let mut airports = Self {
            rows: Vec::new(),
            zones: Vec::new(),
        };
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        for record in reader.records().flatten() {
            if let Some(row) = airports.row(&record) {
                airports.rows.push(row);
            }
        }
        airports.rows.sort_by_key(|row| row.code);
        airports
    }

    fn row(&mut self, record: &csv::StringRecord) -> Option<Airport> {
        let tz: Tz = record.get(8)?.parse().ok()?;
        let known = self.zones.iter().position(|zone| *zone == tz);
        let zone = known.unwrap_or_else(|| {
            self.zones.push(tz);
            self.zones.len() - 1
        });
        Some(Airport {
            code: Code::parse(record.get(0)?)?,
            name: record.get(2)?.into(),
            city: record.get(3)?.into(),
            subdivision: record.get(4)?.into(),
            country: record.get(5)?.as_bytes().try_into().ok()?,
            latitude: record.get(6)?.parse().ok()?,
            longitude: record.get(7)?.parse().ok()?,
            zone: u16::try_from(zone).ok()?,
        })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// All of them in order of code.
    pub fn iter(&self) -> impl Iterator<Item = (AirportId, &Airport)> {
        (0..).map(AirportId).zip(&self.rows)
    }

    /// The airport with that code.
    #[must_use]
    pub fn find(&self, code: Code) -> Option<AirportId> {
        let row = self
            .rows
            .binary_search_by_key(&code, |airport| airport.code)
            .ok()?;
        u16::try_from(row).ok().map(AirportId)
    }

    /// What is known of one.
    #[must_use]
    pub fn get(&self, id: AirportId) -> &Airport {
        &self.rows[usize::from(id.0)]
    }

    /// The zones that occur, each once.
    #[must_use]
    pub fn zones(&self) -> &[Tz] {
        &self.zones
    }

    /// Great-circle distance in kilometres, rounded, on a sphere of 6,371 km (haversine).
    #[must_use]
    pub fn distance_km(&self, from: AirportId, to: AirportId) -> u32 {
        let (from, to) = (self.get(from), self.get(to));
        let (lat1, lat2) = (from.latitude.to_radians(), to.latitude.to_radians());
        let half = |a: f64, b: f64| ((b - a) / 2.0).sin().powi(2);
        let chord = half(lat1, lat2)
            + lat1.cos()
                * lat2.cos()
                * half(from.longitude.to_radians(), to.longitude.to_radians());
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // at most 20,016
        let km = (2.0 * 6_371.0 * chord.sqrt().min(1.0).asin()).round() as u32;
        km
    }

    /// Whether a flight between the two crosses a border.
    #[must_use]
    pub fn crosses_border(&self, from: AirportId, to: AirportId) -> bool {
        self.get(from).country != self.get(to).country
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(code: &str) -> AirportId {
        Airports::embedded()
            .find(Code::parse(code).unwrap())
            .unwrap()
    }

    #[test]
    fn no_row_of_the_table_is_left_out() {
        let airports = Airports::embedded();
        assert_eq!(
            airports.len(),
            include_str!("../../../../data/airports.csv")
                .lines()
                .count()
                - 1
        );
        assert!(
            airports
                .rows
                .windows(2)
                .all(|pair| pair[0].code < pair[1].code)
        );
    }

    #[test]
    fn airports_are_found_by_code_in_either_case() {
        let airport = Airports::embedded().get(id("jfk"));
        assert_eq!(
            (airport.code.as_str(), &*airport.city, &airport.country),
            ("JFK", "New York", b"US")
        );
        assert_eq!(
            Airports::embedded().zones()[usize::from(airport.zone)].name(),
            "America/New_York"
        );
        assert_eq!(
            Code::parse("ZZZ").and_then(|code| Airports::embedded().find(code)),
            None
        );
        assert_eq!(Code::parse("JF1"), None);
    }

    #[test]
    fn codes_sort_as_their_numbers() {
        for code in ["AAA", "JFK", "ZZZ"] {
            let code = Code::parse(code).unwrap();
            assert_eq!(Code::from_number(code.number()), code);
        }
        assert!(Code::parse("ABZ").unwrap().number() < Code::parse("ACA").unwrap().number());
    }

    #[test]
    fn distances_are_great_circles() {
        for (from, to, km) in [
            ("JFK", "SEA", 3_886),
            ("LHR", "JFK", 5_540),
            ("JFK", "JFK", 0),
        ] {
            let measured = Airports::embedded().distance_km(id(from), id(to));
            assert!(measured.abs_diff(km) <= 15, "{from}-{to}: {measured}");
        }
        assert!(Airports::embedded().crosses_border(id("JFK"), id("LHR")));
        assert!(!Airports::embedded().crosses_border(id("JFK"), id("SJU")));
    }
}
