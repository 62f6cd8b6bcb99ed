//! Finds airports while their name is being typed.
//!
//! Every beginning that may be typed (the code, and each word of city and name with all that
//! follows it) is a line of one sorted list, so that a query is two binary searches. Accents
//! and case are folded on both sides.

use super::{
    airport::{AirportId, Airports},
    timetable::Timetable,
};

/// How well an airport fits a query, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
enum Fit {
    Code,
    CodePrefix,
    City,
    Name,
    Word,
}

/// The place of an airport in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// How well it fits; 0 is the exact code.
    pub fit: u8,
    /// Counts down with the number of its routes.
    pub importance: u16,
    /// In order of code.
    pub airport: AirportId,
}

#[derive(Clone, Copy)]
struct Line {
    start: u32,
    length: u16,
    airport: AirportId,
    fit: Fit,
}

/// The list.
pub struct Typeahead {
    text: String,
    /// By text.
    lines: Vec<Line>,
}

impl Typeahead {
    /// Lists all airports.
    #[must_use]
    pub fn new(airports: &Airports) -> Self {
        let mut list = Self {
            text: String::new(),
            lines: Vec::new(),
        };
        for (id, airport) in airports.iter() {
            list.add(id, airport.code.as_str(), Fit::CodePrefix);
            list.add(id, &airport.city, Fit::City);
            list.add(id, &airport.name, Fit::Name);
        }
        list.text.shrink_to_fit();
        list.lines.shrink_to_fit();
        let text = std::mem::take(&mut list.text);
        list.lines
            .sort_unstable_by(|a, b| of(&text, a).cmp(of(&text, b)));
        list.text = text;
        list
    }

    /// Airports that fit, best first, after a place in that order: at most `limit`.
    ///
    /// An exact code comes before beginnings of codes, then of cities, of names, and of any other
    /// word; among equals the airport with more routes in the timetable. An empty query lists all by code.
    #[must_use]
    pub fn find(
        &self,
        query: &str,
        timetable: &Timetable,
        after: Option<Rank>,
        limit: usize,
    ) -> Vec<Rank> {
        let folded = fold(query);
        let mut ranks = if query.trim().is_empty() {
            timetable
                .airports()
                .iter()
                .map(|(airport, _)| Rank {
                    fit: 0,
                    importance: 0,
                    airport,
                })
                .collect()
        } else if folded.is_empty() {
            Vec::new()
        } else {
            self.matches(&folded, timetable)
        };
        ranks.retain(|rank| after.is_none_or(|after| *rank > after));
        if ranks.len() > limit {
            ranks.select_nth_unstable(limit);
            ranks.truncate(limit);
        }
        ranks.sort_unstable();
        ranks
    }

    /// Each airport that fits, where it fits best, in no order.
    fn matches(&self, folded: &str, timetable: &Timetable) -> Vec<Rank> {
        let start = self
            .lines
            .partition_point(|line| of(&self.text, line) < folded);
        let end =
            self.lines[start..].partition_point(|line| of(&self.text, line).starts_with(folded));
        let mut fits: Vec<Option<Fit>> = vec![None; timetable.airports().len()];
        for line in &self.lines[start..start + end] {
            let exact = line.fit == Fit::CodePrefix && usize::from(line.length) == folded.len();
            let fit = if exact { Fit::Code } else { line.fit };
            let known = &mut fits[usize::from(line.airport.0)];
            *known = Some(known.map_or(fit, |known| known.min(fit)));
        }
        let rank = |(airport, fit): (AirportId, Option<Fit>)| {
            let importance =
                u16::MAX - u16::try_from(timetable.routes_from(airport).len()).unwrap_or(u16::MAX);
            fit.map(|fit| Rank {
                fit: fit as u8,
                importance,
                airport,
            })
        };
        (0..).map(AirportId).zip(fits).filter_map(rank).collect()
    }

    fn add(&mut self, airport: AirportId, text: &str, fit: Fit) {
        let folded = fold(text);
        let start = self.text.len();
        let words = std::iter::once(0).chain(folded.match_indices(' ').map(|(at, _)| at + 1));
        for at in words.filter(|at| *at < folded.len()) {
            let fit = if at == 0 { fit } else { Fit::Word };
            let (Ok(start), Ok(length)) =
                (u32::try_from(start + at), u16::try_from(folded.len() - at))
            else {
                continue;
            };
            self.lines.push(Line {
                start,
                length,
                airport,
                fit,
            });
        }
        self.text.push_str(&folded);
    }
}

fn of<'t>(text: &'t str, line: &Line) -> &'t str {
    let start = line.start as usize;
    &text[start..start + usize::from(line.length)]
}

/// Lower case without accents; words are separated by one space; apostrophes vanish.
fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for letter in deunicode::deunicode(text).chars() {
        if letter.is_ascii_alphanumeric() {
            folded.push(letter.to_ascii_lowercase());
        } else if letter != '\'' && letter != '`' && !folded.is_empty() && !folded.ends_with(' ') {
            folded.push(' ');
        }
    }
    folded.truncate(folded.trim_end().len());
    folded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{day::Day, demonstration};

    fn check(query: &str, expected: &[&str]) {
        let today = Day::parse("2026-11-22").unwrap();
        let table = Timetable::new(demonstration::patterns(today), today);
        let list = Typeahead::new(table.airports());
        let found = list.find(query, &table, None, expected.len());
        let codes: Vec<&str> = found
            .iter()
            .map(|rank| table.airports().get(rank.airport).code.as_str())
            .collect();
        assert_eq!(codes, expected, "{query}");
    }

    #[test]
    fn the_best_fit_comes_first() {
        check("", &["AAA", "AAB", "AAC"]);
        check("jfk", &["JFK"]);
        check("New Y", &["JFK", "LGA"]);
        check("sea", &["SEA"]);
        check("são pau", &["CGH", "GRU"]);
        check("sao pau", &["CGH", "GRU"]);
        check("o'hare", &["ORD"]);
        check("!!", &[]);
        check("zzzzzz", &[]);
    }

    #[test]
    fn pages_join_without_gap_or_repetition() {
        let today = Day::parse("2026-11-22").unwrap();
        let table = Timetable::new(demonstration::patterns(today), today);
        let list = Typeahead::new(table.airports());
        for query in ["", "san", "a"] {
            let whole = list.find(query, &table, None, usize::MAX);
            let mut pages: Vec<Rank> = Vec::new();
            loop {
                let page = list.find(query, &table, pages.last().copied(), 97);
                if page.is_empty() {
                    break;
                }
                pages.extend(page);
            }
            assert_eq!(pages, whole, "{query}");
        }
    }
}
