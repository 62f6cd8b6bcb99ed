//! Names of dated flights, packed into 64 bits.
//!
//! Sold seats, ties between itineraries and page tokens all refer to dated flights by name, and
//! there are seven million a year: so a name is a number, which sorts exactly as its text does.

use std::{fmt, str::FromStr};

use super::{
    airport::{AirportId, Airports, Code},
    day::Day,
    pattern::Carrier,
};

/// A dated flight: carrier, number, local day of departure and origin, as in `AS21-2026-12-01-JFK`.
///
/// Layout, most significant first: carrier 16 bits; number as four digits of 4 bits, left-aligned,
/// each one more than its value, so that the end of a shorter number sorts first as `-` does; day 17; origin 15.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlightId(u64);

/// The text is not the name of a dated flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a flight id such as AS21-2026-12-01-JFK")]
pub struct InvalidFlightId;

impl FlightId {
    /// The name of a flight on a day.
    #[must_use]
    pub fn new(carrier: Carrier, number: u16, day: Day, origin: Code) -> Self {
        Self::undated(carrier, number, origin).on(day)
    }

    /// The name without its day, to be completed by [`FlightId::on`].
    #[must_use]
    pub fn undated(carrier: Carrier, number: u16, origin: Code) -> Self {
        let mut digits = 0_u64;
        let mut rest = number;
        while rest > 0 {
            digits = digits >> 4 | u64::from(rest % 10 + 1) << 12;
            rest /= 10;
        }
        Self(
            u64::from(u16::from_be_bytes(carrier.bytes())) << 48
                | digits << 32
                | u64::from(origin.number()),
        )
    }

    /// An undated name on a day.
    #[must_use]
    pub fn on(self, day: Day) -> Self {
        #[allow(clippy::cast_sign_loss)] // a `Day` of a timetable is not negative
        let day = day.number().clamp(0, Day::MAX.number()) as u64;
        Self(self.0 & !(0x1_FFFF << 15) | day << 15)
    }

    /// Its carrier.
    #[must_use]
    pub fn carrier(self) -> Carrier {
        Carrier::from_bytes([self.byte(56), self.byte(48)])
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u16 {
        let digits = (0..4).map(|at| (self.0 >> (44 - 4 * at) & 0xF) as u16);
        digits
            .take_while(|digit| *digit > 0)
            .fold(0, |number, digit| number * 10 + digit - 1)
    }

    /// Its local day of departure.
    #[must_use]
    pub fn day(self) -> Day {
        Day::from_number((self.0 >> 15 & 0x1_FFFF) as i32)
    }

    /// Its origin.
    #[must_use]
    pub fn origin(self) -> Code {
        Code::from_number((self.0 & 0x7FFF) as u16)
    }

    /// As a number.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// From a number that [`FlightId::bits`] gave.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The name of a flight from an airport of the table.
    #[must_use]
    pub fn undated_from(
        airports: &Airports,
        carrier: Carrier,
        number: u16,
        origin: AirportId,
    ) -> Self {
        Self::undated(carrier, number, airports.get(origin).code)
    }

    fn byte(self, shift: u32) -> u8 {
        (self.0 >> shift & 0xFF) as u8
    }
}

impl fmt::Display for FlightId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{}{}-{}-{}",
            self.carrier(),
            self.number(),
            self.day(),
            self.origin()
        )
    }
}

impl FromStr for FlightId {
    type Err = InvalidFlightId;

    fn from_str(text: &str) -> Result<Self, InvalidFlightId> {
        let mut parts = text.splitn(2, '-');
        let (flight, rest) = (
            parts.next().unwrap_or_default(),
            parts.next().ok_or(InvalidFlightId)?,
        );
        if rest.len() != 14
            || !rest.is_ascii()
            || rest.as_bytes()[10] != b'-'
            || !flight.is_ascii()
            || flight.len() < 3
        {
            return Err(InvalidFlightId);
        }
        let (carrier, number) = flight.split_at(2);
        let plain = number.len() <= 4
            && !number.starts_with('0')
            && number.bytes().all(|byte| byte.is_ascii_digit());
        let capital = rest[11..].bytes().all(|byte| byte.is_ascii_uppercase())
            && !carrier.bytes().any(|byte| byte.is_ascii_lowercase());
        if !plain || !capital {
            return Err(InvalidFlightId);
        }
        let day = Day::parse(&rest[..10]).ok_or(InvalidFlightId)?;
        let origin = Code::parse(&rest[11..]).ok_or(InvalidFlightId)?;
        let carrier = Carrier::parse(carrier).ok_or(InvalidFlightId)?;
        Ok(Self::new(
            carrier,
            number.parse().map_err(|_| InvalidFlightId)?,
            day,
            origin,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_packing() {
        for text in [
            "AS21-2026-12-01-JFK",
            "9E9999-1970-01-01-ZZZ",
            "B61-2328-11-11-AAA",
            "WN100-2027-03-14-MDW",
        ] {
            let id: FlightId = text.parse().unwrap();
            assert_eq!(id.to_string(), text);
            assert_eq!(FlightId::from_bits(id.bits()), id);
        }
    }

    #[test]
    fn names_sort_as_their_text() {
        let mut ids: Vec<FlightId> = [
            "AS3", "AS21", "AS2", "AS210", "9E1", "B6100", "AS1009", "AS20",
        ]
        .iter()
        .flat_map(|flight| {
            ["2026-12-01-JFK", "2026-12-01-JFL", "2026-12-02-AAA"]
                .map(|rest| format!("{flight}-{rest}").parse().unwrap())
        })
        .collect();
        let mut texts: Vec<String> = ids.iter().map(ToString::to_string).collect();
        ids.sort();
        texts.sort();
        assert_eq!(
            ids.iter().map(ToString::to_string).collect::<Vec<_>>(),
            texts
        );
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "",
            "AS21",
            "NOPE-2026-12-01-JFK",
            "AS-2026-12-01-JFK",
            "AS0-2026-12-01-JFK",
            "AS021-2026-12-01-JFK",
            "AS12345-2026-12-01-JFK",
            "AS21-2026-02-30-JFK",
            "AS21-2026-12-01-JF1",
            "AS21-2026-12-01-jfk",
            "as21-2026-12-01-JFK",
            "AS21-2026-12-01-JFKX",
            "ÄS2-2026-12-01-JFK",
        ] {
            assert_eq!(text.parse::<FlightId>(), Err(InvalidFlightId), "{text}");
        }
    }
}
