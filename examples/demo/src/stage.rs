//! What the audience sees: a bar that moves on, lines that stay, and a table at the end.

use indicatif::{ProgressBar, ProgressStyle};

/// Where it is shown.
pub(crate) struct Stage {
    bar: ProgressBar,
}

impl Stage {
    /// A stage for so many scenes; without a bar when nobody sits before it.
    pub(crate) fn new(scenes: u64, headless: bool) -> Self {
        if headless {
            return Self {
                bar: ProgressBar::hidden(),
            };
        }
        let bar = ProgressBar::new(scenes);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {bar:30} {pos}/{len} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(std::time::Duration::from_millis(120));
        Self { bar }
    }

    /// Something begins.
    pub(crate) fn scene(&self, what: &'static str) {
        self.bar.inc(1);
        self.bar.set_message(what);
        self.tell(what);
    }

    /// A line that stays.
    pub(crate) fn tell(&self, line: &str) {
        self.bar.suspend(|| println!("{line}"));
    }

    /// The end.
    pub(crate) fn close(&self) {
        self.bar.finish_and_clear();
    }
}

/// Rows with aligned columns.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
