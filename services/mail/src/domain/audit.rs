//! The promises that are checked against the data itself.

/// Ids that a check names at most.
pub const MOST_EXAMPLES: usize = 20;

/// What came out of checking one promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// What it promises, for people.
    pub promise: &'static str,
    /// Rows that were checked.
    pub rows: u64,
    /// Rows that break it.
    pub violations: u64,
    /// What breaks it, at most [`MOST_EXAMPLES`].
    pub examples: Vec<String>,
}
