//! Markdown tables, aligned so that they can be read as plain text too, and the formats of their cells.

use std::fmt::{self, Display, Formatter};

/// Characters that [`one_line`] keeps.
const LINE: usize = 200;

/// A Markdown table: names to the left, numbers to the right.
#[derive(Clone, Debug)]
pub struct Table {
    /// How many columns have names.
    names: usize,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings and no rows, and names in its first columns.
    pub fn new<'a>(names: usize, headings: impl IntoIterator<Item = &'a str>) -> Table {
        Table { names, rows: vec![headings.into_iter().map(str::to_owned).collect()] }
    }

    /// Adds a row; cells that are missing are empty.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let columns = self.rows[0].len();
        let cell = |row: &[String], column: usize| row.get(column).cloned().unwrap_or_default();
        let widths: Vec<usize> = (0..columns)
            .map(|c| self.rows.iter().map(|r| cell(r, c).chars().count()).max().unwrap_or(0).max(3))
            .collect();
        for (number, row) in self.rows.iter().enumerate() {
            for (column, &width) in widths.iter().enumerate() {
                let text = cell(row, column);
                match column < self.names {
                    true => write!(f, "| {text:<width$} ")?,
                    false => write!(f, "| {text:>width$} ")?,
                }
            }
            writeln!(f, "|")?;
            if number == 0 {
                for (column, &width) in widths.iter().enumerate() {
                    match column < self.names {
                        true => write!(f, "| {} ", "-".repeat(width))?,
                        false => write!(f, "| {}: ", "-".repeat(width - 1))?,
                    }
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}

/// The first line of a text, shortened, for a list.
pub fn one_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let mut characters = line.chars();
    let start: String = characters.by_ref().take(LINE).collect();
    if characters.next().is_some() { start + "..." } else { start }
}

/// A time, given in seconds, with three significant digits.
pub fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-6 => format!("{} ns", significant(s * 1e9)),
        s if s < 1e-3 => format!("{} µs", significant(s * 1e6)),
        s if s < 1.0 => format!("{} ms", significant(s * 1e3)),
        s => format!("{} s", significant(s)),
    }
}

/// A number of bytes, in decimal units, with three significant digits.
pub fn bytes(bytes: f64) -> String {
    match bytes {
        b if b < 1e3 => format!("{b:.0} B"),
        b if b < 1e6 => format!("{} kB", significant(b / 1e3)),
        b if b < 1e9 => format!("{} MB", significant(b / 1e6)),
        b => format!("{} GB", significant(b / 1e9)),
    }
}

/// A count, shortened to millions when it is large.
pub fn count(count: f64) -> String {
    if count < 1e6 { format!("{count:.0}") } else { format!("{} M", significant(count / 1e6)) }
}

/// A ratio.
pub fn ratio(ratio: f64) -> String {
    if ratio < 0.1 { format!("{ratio:.4}x") } else { format!("{ratio:.3}x") }
}

fn significant(value: f64) -> String {
    match value {
        v if v < 9.995 => format!("{v:.2}"),
        v if v < 99.95 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned() {
        let mut table = Table::new(1, ["name", "time"]);
        table.row(vec!["hello".into(), time(0.0006)]);
        table.row(vec!["yosys".into()]);
        let expected = "\
            | name  |   time |\n\
            | ----- | -----: |\n\
            | hello | 600 µs |\n\
            | yosys |        |\n";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn cells_keep_three_digits() {
        assert_eq!(time(36.34), "36.3 s");
        assert_eq!(time(3.2e-9), "3.20 ns");
        assert_eq!(bytes(68_860_682.0), "68.9 MB");
        assert_eq!(ratio(0.0172), "0.0172x");
        assert_eq!(count(1.5e9), "1500 M");
    }
}
