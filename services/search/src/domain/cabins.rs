//! Cabins and base fares where the source has none: derived from the distance flown.
//!
//! Real schedules carry neither. What is made up here is plausible and no more: short routes are
//! flown by regional jets, long ones by aircraft with more cabins, and a fare is a fixed part
//! and a part by distance, up to a fifth more or less from flight to flight.

/// Seats and base fares in cents, from economy to first.
pub type Cabins = ([u16; 4], [u32; 4]);

/// Fixed part of a fare, cents.
const FIXED: u64 = 4_500;
/// Part of a fare by distance, cents per kilometre.
const PER_KM: u64 = 4;
/// What a cabin costs, in hundredths of economy.
const CABIN_FACTORS: [u64; 4] = [100, 155, 290, 400];

/// Cabins of a flight over so many kilometres; `seed` tells apart flights of the same route, and
/// `single` is for carriers that have one class only.
#[must_use]
pub fn derive(km: u32, single: bool, seed: u64) -> Cabins {
    let seats = match km {
        _ if single => [143, 0, 0, 0],
        ..600 => [50, 0, 0, 0],
        600..1_200 => [64, 0, 0, 12],
        1_200..2_500 => [126, 18, 0, 12],
        2_500..3_600 => [138, 24, 0, 16],
        _ => [144, 30, 28, 8],
    };
    let economy = (FIXED + PER_KM * u64::from(km)) * (800 + seed % 401) / 1_000;
    let fare = |cabin: usize| {
        if seats[cabin] > 0 {
            u32::try_from(economy * CABIN_FACTORS[cabin] / 100).unwrap_or(u32::MAX)
        } else {
            0
        }
    };
    (seats, [fare(0), fare(1), fare(2), fare(3)])
}

/// Spreads the bits of a number (the finaliser of `SplitMix64`, Steele et al. 2014).
#[must_use]
pub fn scatter(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ bits >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cabin_has_a_fare_where_it_has_seats() {
        for km in [0, 599, 600, 1_200, 2_500, 3_600, 20_000] {
            for seed in [0, 400, u64::MAX] {
                let (seats, fares) = derive(km, false, seed);
                assert!(
                    seats
                        .iter()
                        .zip(fares)
                        .all(|(seats, fare)| (*seats > 0) == (fare > 0)),
                    "{km} km"
                );
                assert!(seats[0] > 0 && fares[0] >= 3_600);
            }
        }
    }
}
