//! Values of the contract's JSON for people.

use serde_json::Value;

/// `google.type.Money` for people: `412.50 USD`.
pub(super) fn money(value: &Value) -> String {
    let units = value["units"].as_str().unwrap_or("0");
    let cents = value["nanos"].as_i64().unwrap_or_default() / 10_000_000;
    let currency = value["currencyCode"].as_str().unwrap_or_default();
    format!("{units}.{:02} {currency}", cents.abs())
}

/// A JSON duration of whole minutes for people: `6h15m` for `22500s`.
pub(super) fn duration(value: &Value) -> String {
    let seconds = value.as_str().and_then(|text| text.strip_suffix('s'));
    let seconds: Option<u64> =
        seconds.and_then(|text| text.split('.').next().unwrap_or(text).parse().ok());
    match seconds {
        Some(seconds) => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
        None => String::new(),
    }
}

/// An instant for people, in UTC: `2026-12-01 15:00:00`.
pub(super) fn instant(value: &Value) -> String {
    formatted(value, "%Y-%m-%d %H:%M:%S")
}

/// The same to the millisecond, where one thing comes quickly after another.
pub(super) fn precise_instant(value: &Value) -> String {
    formatted(value, "%Y-%m-%d %H:%M:%S%.3f")
}

fn formatted(value: &Value, format: &str) -> String {
    let text = value.as_str().unwrap_or_default();
    match chrono::DateTime::parse_from_rfc3339(text) {
        Ok(time) => time.to_utc().format(format).to_string(),
        Err(_) => text.to_owned(),
    }
}

/// Departure and arrival of a flight on the clocks of its airports:
/// `JFK 2026-12-01 22:00 → SEA 01:15 +1`, where `+1` means a day later.
pub(super) fn route(flight: &Value) -> String {
    let field = |name: &str| flight[name].as_str().unwrap_or_default();
    let local = |name: &str| chrono::DateTime::parse_from_rfc3339(field(name)).ok();
    let (from, to) = (field("origin"), field("destination"));
    let (Some(leaves), Some(arrives)) = (local("departureLocal"), local("arrivalLocal")) else {
        return format!("{from} → {to}");
    };
    let days = (arrives.date_naive() - leaves.date_naive()).num_days();
    let later = if days == 0 {
        String::new()
    } else {
        format!(" {days:+}")
    };
    let (leaves, arrives) = (leaves.format("%Y-%m-%d %H:%M"), arrives.format("%H:%M"));
    format!("{from} {leaves} → {to} {arrives}{later}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_for_people() {
        for (shown, expected) in [
            (
                money(&json!({"currencyCode": "USD", "units": "412", "nanos": 500_000_000})),
                "412.50 USD",
            ),
            (
                money(&json!({"currencyCode": "USD", "units": "7"})),
                "7.00 USD",
            ),
            (duration(&json!("22500s")), "6h15m"),
            (duration(&json!("300s")), "0h05m"),
            (duration(&Value::Null), ""),
            (
                instant(&json!("2026-12-01T15:00:00.123Z")),
                "2026-12-01 15:00:00",
            ),
            (
                precise_instant(&json!("2026-12-01T15:00:00.123456Z")),
                "2026-12-01 15:00:00.123",
            ),
            (
                route(&json!({
                    "origin": "JFK", "destination": "SEA",
                    "departureLocal": "2026-12-01T22:00:00-05:00", "arrivalLocal": "2026-12-02T01:15:00-08:00",
                })),
                "JFK 2026-12-01 22:00 → SEA 01:15 +1",
            ),
            (
                route(&json!({
                    "origin": "SEA", "destination": "JFK",
                    "departureLocal": "2026-12-01T10:00:00-08:00", "arrivalLocal": "2026-12-01T18:15:00-05:00",
                })),
                "SEA 2026-12-01 10:00 → JFK 18:15",
            ),
            (
                route(&json!({"origin": "SEA", "destination": "JFK"})),
                "SEA → JFK",
            ),
        ] {
            assert_eq!(shown, expected);
        }
    }
}
