//! The directory for state that has no other place.

use std::{
    io,
    path::{Path, PathBuf},
};

/// It cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the data directory {}", path.display())]
pub struct DataDirError {
    path: PathBuf,
    source: io::Error,
}

/// Makes the directory where it is missing.
///
/// # Errors
/// Where it cannot be made, or something else has its name.
pub fn make_data_dir(path: &Path) -> Result<(), DataDirError> {
    std::fs::create_dir_all(path).map_err(|source| DataDirError {
        path: path.to_owned(),
        source,
    })
}
