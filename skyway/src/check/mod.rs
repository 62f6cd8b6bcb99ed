//! `skyway check`: what is in effect, why, and whether what it names answers.

mod dial;

use crate::config::Loaded;
use crate::process;
use crate::table::{Align, Table};

/// Prints every setting, then dials every dependency.
///
/// # Errors
/// One line that counts the dependencies that did not answer; each has a line of its own before it.
pub(crate) fn check(loaded: &Loaded) -> anyhow::Result<()> {
    let mut settings = Table::new([
        ("KEY", Align::Left),
        ("VALUE", Align::Left),
        ("SET BY", Align::Left),
    ]);
    for row in loaded.rows() {
        settings.row([row.key, row.value, row.origin]);
    }
    println!("{}", settings.text());
    process::make_data_dir(&loaded.config.data_dir)?;
    let dialled = process::single_threaded()?.block_on(dial::all(&loaded.config));
    let failed = dialled.iter().filter(|(_, result)| result.is_err()).count();
    for (name, result) in &dialled {
        match result {
            Ok(answer) => println!("ok      {name}: {answer}"),
            Err(error) => println!("FAILED  {name}: {error:#}"),
        }
    }
    anyhow::ensure!(
        failed == 0,
        "{failed} of {} dependencies do not answer",
        dialled.len()
    );
    Ok(())
}
