//! `stats`. The same entries give the same document on every device.

use super::completeness;
use super::selection::Selection;
use crate::failure::{Ending, Failure, Result, Usage};
use crate::output::{Output, Table};
use crate::words::{Message, Words};
use std::collections::BTreeMap;
use vereda_core::client::{Client, NumericRequest, NumericSeries, NumericStatistics, TimelineStatistics};
use vereda_core::record::{Heatmap, NumericField, Window};

/// Which entries, and what of them.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    selection: Option<Selection>,
    /// Of all patients: counts by kind and hour, and nothing of anybody's content.
    #[arg(long, conflicts_with_all = ["Selection", "value"])]
    all_patients: bool,
    /// Of one of the user's units, by name or id; of all when not given.
    #[arg(long, requires = "all_patients")]
    unit: Option<String>,
    /// The values of a numeric field of a kind's bodies, as vitals.systolic or observation.value.
    #[arg(long, value_name = "KIND.FIELD", value_parser = field)]
    value: Option<NumericField>,
    /// How many values the moving average looks at: 1 to 1000.
    #[arg(long, value_name = "VALUES", value_parser = window, default_value = "7", requires = "value")]
    window: Window,
}

fn field(text: &str) -> Result<NumericField, String> {
    NumericField::parse(text).map_err(|_| "KIND.FIELD is needed".to_owned())
}

fn window(text: &str) -> Result<Window, String> {
    let values = text.parse().ok().and_then(Window::new);
    values.ok_or("a whole number from 1 to 1000 is needed".to_owned())
}

pub(crate) async fn run(arguments: Arguments, client: &Client, output: &Output) -> Result {
    let Some(selection) = arguments.selection else {
        return of_everybody(arguments.all_patients, arguments.unit.as_deref(), client, output).await;
    };
    let filter = selection.filter()?;
    let window = arguments.window;
    let numeric = arguments.value.map(|field| NumericRequest { field, window });
    let view = selection.open(client).await?;
    let statistics = view.statistics(filter, numeric).await?;
    output.show(&statistics, |words| text(words, &statistics));
    Ok(Ending::Done)
}

async fn of_everybody(asked: bool, unit: Option<&str>, client: &Client, output: &Output) -> Result {
    if !asked {
        return Err(Failure::Usage(Usage::new(
            Message::OneOfNeeded,
            &["--patient, --all-patients"],
        )));
    }
    let unit = super::unit(client, unit).await?;
    let statistics = client.patients().statistics(unit).await?;
    output.show(&statistics, |words| {
        let mut text = counts(words, &statistics.by_kind, &statistics.heatmap);
        text.push_str(&format!("\n{}", completeness(words, &statistics.completeness)));
        text
    });
    Ok(Ending::Done)
}

fn counts(words: Words, by_kind: &BTreeMap<String, u64>, heatmap: &Heatmap) -> String {
    let mut kinds = Table::new([words.of(Message::ColumnKind), words.of(Message::StatusEntries)]);
    for (kind, entries) in by_kind {
        kinds.row([kind.clone(), entries.to_string()]);
    }
    if kinds.is_empty() {
        return words.of(Message::None).to_owned();
    }
    let mut text = kinds.text();
    text.push_str(&format!("\n{}\n", words.of(Message::StatisticsHours)));
    text.push_str(&hours(words, heatmap));
    text
}

fn text(words: Words, statistics: &TimelineStatistics) -> String {
    let mut text = counts(words, &statistics.by_kind, &statistics.heatmap);
    if let Some(numeric) = &statistics.numeric {
        text.push_str(&values(words, numeric));
    }
    text.push('\n');
    text.push_str(&completeness(words, &statistics.completeness));
    text
}

/// A line for each day, a column for each hour.
fn hours(words: Words, heatmap: &Heatmap) -> String {
    let weekdays = [
        Message::Monday,
        Message::Tuesday,
        Message::Wednesday,
        Message::Thursday,
        Message::Friday,
        Message::Saturday,
        Message::Sunday,
    ];
    let hour_names: Vec<String> = (0..24).map(|hour| format!("{hour:02}")).collect();
    let mut heading = [words.of(Message::ColumnWeekday); 25];
    for (column, hour) in heading.iter_mut().skip(1).zip(&hour_names) {
        *column = hour;
    }
    let mut table = Table::new(heading);
    for (weekday, name) in (1..).zip(weekdays) {
        let mut row = [const { String::new() }; 25];
        row.fill("·".to_owned());
        row[0] = words.of(name).to_owned();
        for cell in heatmap.cells().filter(|cell| cell.weekday == weekday) {
            row[usize::from(cell.hour) + 1] = cell.entries.to_string();
        }
        table.row(row);
    }
    table.text()
}

fn values(words: Words, numeric: &NumericStatistics) -> String {
    let mut figures = Table::new([
        words.of(Message::ColumnMeasure),
        words.of(Message::ColumnUnit),
        words.of(Message::ColumnValues),
        words.of(Message::ColumnMean),
        words.of(Message::ColumnPercentile),
    ]);
    for series in &numeric.series {
        figures.row([
            measured(series),
            unit(series),
            series.points.len().to_string(),
            format!("{:.2}", series.mean.get()),
            series.p95.get().to_string(),
        ]);
    }
    let mut text = match figures.is_empty() {
        true => format!("\n{}\n", words.of(Message::None)),
        false => format!("\n{}", figures.text()),
    };
    for series in &numeric.series {
        let mut points = Table::new([
            words.of(Message::ColumnWhen),
            words.of(Message::ColumnMeasure),
            words.of(Message::ColumnUnit),
            words.of(Message::ColumnValue),
            words.of(Message::ColumnMovingAverage),
        ]);
        for point in &series.points {
            points.row([
                point.at.to_string(),
                measured(series),
                unit(series),
                point.value.get().to_string(),
                format!("{:.2}", point.moving_average.get()),
            ]);
        }
        text.push_str(&format!("\n{}", points.text()));
    }
    if numeric.left_out > 0 {
        let left_out = words.with(Message::StatisticsLeftOut, &[&numeric.left_out]);
        text.push_str(&format!("\n{left_out}\n"));
    }
    text
}

fn measured(series: &NumericSeries) -> String {
    series
        .measure
        .code
        .as_ref()
        .map_or("–".to_owned(), |code| code.0.clone())
}

fn unit(series: &NumericSeries) -> String {
    series
        .measure
        .unit
        .as_ref()
        .map_or("–".to_owned(), |unit| unit.0.clone())
}
