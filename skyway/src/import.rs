//! `skyway import`: a timetable from files, with progress while it reads and a summary at the end.

use std::time::Instant;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use search::domain::day::Day;
use search::import::{Format, Options, Progress, Summary};

use crate::cli::{FileFormat, Import};
use crate::config::Config;
use crate::{process, wire};

/// Refused rows that are printed; all are counted.
const SHOWN: usize = 20;

/// Loads the files named on the command line.
///
/// # Errors
/// One line: a file that cannot be read or has no usable row, or a database that does not open.
/// The timetable is then as it was.
pub(crate) fn import(import: &Import, config: &Config) -> anyhow::Result<()> {
    process::make_data_dir(&config.data_dir)?;
    let options = Options {
        format: match import.format {
            FileFormat::Auto => Format::Auto,
            FileFormat::Native => Format::Native,
            FileFormat::Dot => Format::Dot,
        },
        keep_dates: import.keep_dates,
        merge: import.merge,
        today: today()?,
    };
    let started = Instant::now();
    let mut meter = Meter::new();
    let runtime = process::single_threaded()?;
    let settings = wire::search(config);
    let work = search::import(&settings, &import.files, options, |progress| {
        meter.show(progress);
    });
    let summary = runtime.block_on(work);
    meter.clear();
    let summary = summary.context("import")?;
    print!("{}", report(&summary, started.elapsed().as_secs_f32()));
    Ok(())
}

/// The day that observed flights are laid out from.
fn today() -> anyhow::Result<Day> {
    let today = chrono::Utc::now().date_naive().to_string();
    Day::parse(&today).with_context(|| format!("the clock of this machine says {today}"))
}

/// Progress for whoever is there: a bar for people, a line every tenth of the way for a log.
enum Meter {
    Bar(ProgressBar),
    Lines { tenths: u64 },
}

impl Meter {
    fn new() -> Self {
        if !process::on_terminal() {
            return Self::Lines { tenths: 0 };
        }
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template(
            "{bar:40} {percent:>3} %  {bytes}/{total_bytes}  {msg}  {eta} left",
        ) {
            bar.set_style(style);
        }
        Self::Bar(bar)
    }

    fn show(&mut self, progress: Progress) {
        match self {
            Self::Bar(bar) => {
                bar.set_length(progress.bytes_total);
                bar.set_position(progress.bytes_read);
                bar.set_message(format!("{} rows", progress.rows));
            }
            Self::Lines { tenths } => {
                let reached = (progress.bytes_read * 10)
                    .checked_div(progress.bytes_total)
                    .unwrap_or(10);
                if reached > *tenths {
                    *tenths = reached;
                    eprintln!("read {} %, {} rows", reached * 10, progress.rows);
                }
            }
        }
    }

    fn clear(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// What was made of the files.
fn report(summary: &Summary, seconds: f32) -> String {
    let mut lines = vec![format!("{} rows read in {seconds:.1} s", summary.rows)];
    let day =
        |day: Option<Day>, open: &str| day.map_or_else(|| open.to_owned(), |day| day.to_string());
    let (first, last) = (
        day(summary.first_date, "always"),
        day(summary.last_date, "further notice"),
    );
    lines.push(format!(
        "{} patterns made on {} routes, from {first} until {last}",
        summary.patterns, summary.routes
    ));
    if summary.beyond_horizon > 0 {
        lines.push(format!(
            "{} rows left out: their week of the year is beyond the coming 330 days",
            summary.beyond_horizon
        ));
    }
    lines.push(format!("{} rows refused", summary.refused_total));
    for refused in summary.refused.iter().take(SHOWN) {
        lines.push(format!(
            "  {}:{}: {}",
            refused.file.display(),
            refused.line,
            refused.reason
        ));
    }
    let shown = summary.refused.len().min(SHOWN) as u64;
    if summary.refused_total > shown {
        lines.push(format!("  … and {} more", summary.refused_total - shown));
    }
    lines.join("\n") + "\n"
}
