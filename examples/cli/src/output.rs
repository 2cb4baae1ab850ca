//! What goes to stdout: one JSON document, or tables for people.

use crate::words::Words;
use serde::Serialize;
use std::io::Write;
use vereda_core::error::Language;

/// Where and how results are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    /// One JSON document instead of tables.
    pub(crate) json: bool,
    /// The language of tables and errors.
    pub(crate) language: Language,
}

impl Output {
    /// The message catalogue.
    pub(crate) fn words(&self) -> Words {
        Words::new(self.language)
    }

    /// Shows a result: the document as JSON, or what `table` makes of it.
    pub(crate) fn show<T: Serialize>(&self, document: &T, table: impl FnOnce(Words) -> String) {
        if self.json {
            // Every document is made of maps with text keys, which always serialise.
            self.print(&serde_json::to_string(document).unwrap_or_default());
        } else {
            self.print(table(self.words()).trim_end_matches('\n'));
        }
    }

    /// Prints a text that has its own ends of lines.
    pub(crate) fn print_whole(&self, text: &str) {
        let mut stdout = std::io::stdout().lock();
        let _ = stdout.write_all(text.as_bytes());
        let _ = stdout.flush();
    }

    /// Prints a line. Whoever reads may have gone away; what was done stays done.
    pub(crate) fn print(&self, line: &str) {
        let mut stdout = std::io::stdout().lock();
        let _ = writeln!(stdout, "{line}");
        let _ = stdout.flush();
    }
}

/// A table with aligned columns.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

/// Characters of a cell that is not the last one of its row.
const CELL_CHARACTERS_MAX: usize = 40;
/// Characters of the last cell of a row.
const LAST_CHARACTERS_MAX: usize = 80;

impl Table {
    /// A table with a heading.
    pub(crate) fn new<const N: usize>(heading: [&str; N]) -> Self {
        Self {
            rows: vec![heading.map(str::to_owned).to_vec()],
        }
    }

    /// Adds a row. Line breaks and long text are cut: the whole is in the JSON.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        let last = N.saturating_sub(1);
        let cell = |(index, cell): (usize, String)| {
            let most = if index == last {
                LAST_CHARACTERS_MAX
            } else {
                CELL_CHARACTERS_MAX
            };
            shortened(&cell, most)
        };
        self.rows.push(cells.into_iter().enumerate().map(cell).collect());
    }

    /// Whether there is no row below the heading.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }

    /// The table as text.
    pub(crate) fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let cells = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:<width$}"));
            text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}

fn shortened(text: &str, most: usize) -> String {
    // A text with control characters must not steer the terminal.
    let line: String = text
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect();
    if line.chars().count() <= most {
        return line;
    }
    let mut cut: String = line.chars().take(most - 1).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_and_control_characters_do_not_reach_the_terminal() {
        let mut table = Table::new(["a", "b"]);
        table.row(["\u{1b}[2J".to_owned(), "x".to_owned()]);
        assert_eq!(table.text(), "a     b\n [2J  x\n");
    }
}
