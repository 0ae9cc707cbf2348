//! Columns that line up.

use unicode_width::UnicodeWidthStr;

use super::clean::clean;
use super::style::Style;

/// A table with a head, whose columns are as wide as what stands in them.
#[derive(Debug)]
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    pub(crate) fn new(head: &[&str]) -> Self {
        Self { head: head.iter().map(|name| (*name).to_owned()).collect(), rows: Vec::new() }
    }

    /// A table of rows, the first of which is the head.
    pub(crate) fn of(rows: &[Vec<String>]) -> Self {
        let (head, rows) = rows.split_first().map_or((Vec::new(), rows), |(head, rows)| (head.clone(), rows));
        let mut table = Self { head, rows: Vec::new() };
        rows.iter().for_each(|row| table.row(row));
        table
    }

    /// Adds a row. Cells are one line each, and safe to show.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = impl AsRef<str>>) {
        self.rows
            .push(cells.into_iter().map(|cell| clean(cell.as_ref()).replace(['\n', '\t'], " ")).collect());
    }

    /// The whole table, one line a row.
    pub(crate) fn render(&self, colored: bool) -> String {
        let widths = self.widths();
        let mut text = Style::Dim.paint(&line(&self.head, &widths), colored);
        text.push('\n');
        for row in &self.rows {
            text.push_str(&line(row, &widths));
            text.push('\n');
        }
        text
    }

    fn widths(&self) -> Vec<usize> {
        let widest = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width());
            cells.max().unwrap_or(0)
        };
        self.head.iter().enumerate().map(|(column, name)| name.width().max(widest(column))).collect()
    }
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let mut text = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        text.push_str(cell);
        text.push_str(&" ".repeat(width.saturating_sub(cell.width()) + 2));
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&["run", "state"]);
        table.row(["né", "ended"]);
        table.row(["longer", "a\nb"]);
        assert_eq!(table.render(false), "run     state\nné      ended\nlonger  a b\n");
    }
}
