//! When a job runs: a cron expression with seconds, in a time zone.
//!
//! Where clocks are put forward, a job of a fixed time that does not exist that day runs right after; where they are
//! put back, it runs once. A job of every so many hours, minutes or seconds goes on in real time.

use std::borrow::Cow;

use chrono::{DateTime, TimeZone};
use chrono_tz::Tz;
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};

/// Why a job cannot be planned: its author's mistake, and so an error at start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The expression is none.
    #[error("{job}: {expression:?} is no cron expression with seconds: {why}")]
    Expression {
        /// The job.
        job: &'static str,
        /// What was to be its expression.
        expression: String,
        /// What is wrong with it.
        why: String,
    },
    /// There is no such time zone.
    #[error("{job}: there is no time zone {zone:?}")]
    Zone {
        /// The job.
        job: &'static str,
        /// What was to be its zone.
        zone: String,
    },
    /// The expression names no time that is still to come.
    #[error("{job}: {expression:?} never comes")]
    Never {
        /// The job.
        job: &'static str,
        /// Its expression.
        expression: String,
    },
    /// Another job has this name already.
    #[error("{0}: there are two jobs of this name")]
    Twice(&'static str),
}

/// An expression that has been understood. Times are Unix milliseconds.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    expression: Cow<'static, str>,
    cron: Cron,
    zone: Tz,
}

impl Schedule {
    pub(super) fn new(
        job: &'static str,
        expression: Cow<'static, str>,
        zone: &str,
    ) -> Result<Self, ScheduleError> {
        let parser = CronParser::builder()
            .seconds(Seconds::Required)
            .year(Year::Disallowed)
            .build();
        let cron = parser
            .parse(&expression)
            .map_err(|why| ScheduleError::Expression {
                job,
                expression: expression.clone().into_owned(),
                why: why.to_string(),
            })?;
        let zone = zone.parse().map_err(|_| ScheduleError::Zone {
            job,
            zone: zone.to_owned(),
        })?;
        Ok(Self {
            expression,
            cron,
            zone,
        })
    }

    pub(super) fn expression(&self) -> &str {
        &self.expression
    }

    pub(super) fn zone(&self) -> &'static str {
        self.zone.name()
    }

    /// The first tick after an instant; none where there never is one.
    pub(super) fn after(&self, instant: i64) -> Option<i64> {
        let next = self.cron.find_next_occurrence(&self.at(instant)?, false);
        next.ok().map(|tick| tick.timestamp_millis())
    }

    /// The last tick after `instant` and not after `now`; none where none has passed between them.
    pub(super) fn latest(&self, instant: i64, now: i64) -> Option<i64> {
        let first = self.after(instant).filter(|first| *first <= now)?;
        let last = self.cron.find_previous_occurrence(&self.at(now)?, true);
        let last = last.ok().map(|tick| tick.timestamp_millis());
        // Going back, the library is free to see a change of clocks in another way: no tick is made of that.
        Some(
            last.filter(|last| *last <= now)
                .map_or(first, |last| last.max(first)),
        )
    }

    /// In whole seconds, as ticks are.
    fn at(&self, instant: i64) -> Option<DateTime<Tz>> {
        self.zone
            .timestamp_opt(instant.div_euclid(1_000), 0)
            .single()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(expression: &'static str, zone: &str) -> Schedule {
        Schedule::new("test", expression.into(), zone).unwrap()
    }

    fn instant(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text)
            .unwrap()
            .timestamp_millis()
    }

    /// The next ticks after an instant, as UTC.
    fn ticks(schedule: &Schedule, after: &str, count: usize) -> Vec<String> {
        let mut last = instant(after);
        let mut next = || {
            last = schedule.after(last).unwrap();
            let tick = DateTime::from_timestamp_millis(last).unwrap();
            tick.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn mistakes_are_told() {
        for (expression, zone) in [
            ("*/5 * * * *", "UTC"),
            ("0 0 * * * * 2027", "UTC"),
            ("0 61 * * * *", "UTC"),
            ("", "UTC"),
            ("0 0 * * * *", "Mars/Olympus"),
        ] {
            let error = Schedule::new("tidy", expression.into(), zone).unwrap_err();
            assert!(error.to_string().starts_with("tidy: "), "{error}");
        }
    }

    #[test]
    fn a_daily_job_runs_once_a_day_across_both_changes_of_clocks() {
        let daily = schedule("0 30 2 * * *", "Europe/Berlin");
        assert_eq!(
            ticks(&daily, "2026-03-27T12:00:00Z", 3),
            [
                "2026-03-28T01:30:00Z",
                // 02:30 does not exist: right after the gap, at 03:00.
                "2026-03-29T01:00:00Z",
                "2026-03-30T00:30:00Z"
            ]
        );
        assert_eq!(
            ticks(&daily, "2026-10-23T12:00:00Z", 3),
            [
                "2026-10-24T00:30:00Z",
                // 02:30 comes twice: the first time.
                "2026-10-25T00:30:00Z",
                "2026-10-26T01:30:00Z"
            ]
        );
    }

    #[test]
    fn looking_back_finds_what_looking_ahead_would() {
        for (expression, zone, from, to, step) in [
            (
                "*/10 * * * * *",
                "UTC",
                "2026-12-01T00:00:00Z",
                "2026-12-01T00:05:00Z",
                3_000,
            ),
            (
                "0 30 2 * * *",
                "Europe/Berlin",
                "2026-03-27T00:00:00Z",
                "2026-03-31T00:00:00Z",
                1_200_000,
            ),
            (
                "0 30 2 * * *",
                "Europe/Berlin",
                "2026-10-23T00:00:00Z",
                "2026-10-28T00:00:00Z",
                1_200_000,
            ),
            (
                "0 */15 * * * *",
                "Europe/Berlin",
                "2026-10-24T22:00:00Z",
                "2026-10-25T04:00:00Z",
                100_000,
            ),
        ] {
            let schedule = schedule(expression, zone);
            let (from, to) = (instant(from), instant(to));
            let mut expected = None;
            let mut now = from;
            while now < to {
                while let Some(next) = schedule.after(expected.unwrap_or(from))
                    && next <= now
                {
                    expected = Some(next);
                }
                assert_eq!(
                    schedule.latest(from, now),
                    expected,
                    "{expression} at {now}"
                );
                now += step;
            }
            assert!(expected.is_some());
        }
    }
}
