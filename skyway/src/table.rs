//! Columns for people: as wide as what is in them, with numbers to the right.

/// Where the cells of a column stand.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows below a heading.
#[derive(Debug)]
pub(crate) struct Table<const N: usize> {
    columns: [(&'static str, Align); N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// A table with these headings.
    pub(crate) const fn new(columns: [(&'static str, Align); N]) -> Self {
        Self {
            columns,
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }

    /// The heading and the rows, each with the end of its line.
    pub(crate) fn text(&self) -> String {
        let headings = self.columns.map(|(heading, _)| heading.to_owned());
        let all = || std::iter::once(&headings).chain(&self.rows);
        let widths: [usize; N] = std::array::from_fn(|column| {
            let width = |row: &[String; N]| row[column].chars().count();
            all().map(width).max().unwrap_or_default()
        });
        let mut text = String::new();
        for row in all() {
            let cells = row.iter().zip(widths).zip(self.columns);
            let cells = cells.map(|((cell, width), (_, align))| match align {
                Align::Left => format!("{cell:<width$}"),
                Align::Right => format!("{cell:>width$}"),
            });
            let line = cells.collect::<Vec<_>>().join("  ");
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let mut table = Table::new([("NAME", Align::Left), ("ROWS", Align::Right)]);
        table.row(["é".to_owned(), "12345".to_owned()]);
        table.row(["longer".to_owned(), "1".to_owned()]);
        assert_eq!(
            table.text(),
            "NAME     ROWS\né       12345\nlonger      1\n"
        );
    }
}
