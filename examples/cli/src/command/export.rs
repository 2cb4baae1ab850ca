//! `export`: a patient's whole record for another program, noted in the audit.

use super::PURPOSE;
use super::timeline::status_name;
use crate::failure::{Ending, Failure, Result};
use crate::output::Output;
use serde::Serialize;
use vereda_core::client::{Client, PageRequest, PatientView};
use vereda_core::error::Code;
use vereda_core::id::PatientId;
use vereda_core::limits::PAGE_ROWS_MAX;
use vereda_core::redact::Sensitive;
use vereda_core::store::chart::ChartRow;
use vereda_core::store::conflicts::ConflictRow;
use vereda_core::store::entries::{EntryFilter, EntryRow};
use vereda_core::store::patients::PatientRow;

/// Of what shape.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Format {
    /// One JSON document: record, chart, conflicts, entries.
    Json,
    /// A row for each entry (RFC 4180); a cell that a spreadsheet would run as a formula begins with an apostrophe.
    Csv,
}

/// What is exported.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Whose.
    #[arg(long)]
    patient: PatientId,
    /// json or csv.
    #[arg(long)]
    format: Format,
    /// Why, for the audit.
    #[arg(long, default_value = "export")]
    reason: String,
    /// Why the patient is opened, for the audit.
    #[arg(long, default_value = PURPOSE)]
    purpose: String,
}

#[derive(Serialize)]
struct PatientExport {
    patient: PatientRow,
    chart: Vec<ChartRow>,
    conflicts: Vec<ConflictRow>,
    entries: Vec<EntryRow>,
}

pub(crate) async fn run(arguments: Arguments, client: &Client, output: &Output) -> Result {
    let view = client.open_patient(arguments.patient, arguments.purpose).await?;
    view.export(arguments.reason).await?;
    let entries = entries(&view).await?;
    match arguments.format {
        Format::Json => {
            let export = PatientExport {
                patient: view.record().await?,
                chart: view.chart().await?,
                conflicts: view.conflicts().await?,
                entries,
            };
            output.print(&serde_json::to_string_pretty(&export).unwrap_or_default());
        }
        Format::Csv => output.print(entries_csv(&entries)?.trim_end()),
    }
    Ok(Ending::Done)
}

async fn entries(view: &PatientView) -> Result<Vec<EntryRow>> {
    let filter = EntryFilter {
        oldest_first: true,
        ..EntryFilter::default()
    };
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let request = PageRequest {
            limit: Some(PAGE_ROWS_MAX),
            after,
        };
        let page = view.timeline(filter.clone(), request).await?;
        all.extend(page.rows);
        after = page.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

fn entries_csv(entries: &[EntryRow]) -> Result<String> {
    let heading = [
        "id",
        "occurred_at",
        "recorded_at",
        "kind",
        "status",
        "author",
        "unit",
        "performer",
        "text",
        "body",
        "origin",
    ];
    let text =
        |value: &Option<Sensitive<String>>| value.as_ref().map_or_else(String::new, |value| value.0.clone());
    let rows = entries.iter().map(|entry| {
        [
            entry.id.to_string(),
            entry.occurred_at.to_string(),
            entry.recorded_at.to_string(),
            entry.kind.clone(),
            status_name(entry.status).to_owned(),
            entry.author.to_string(),
            entry.unit.to_string(),
            text(&entry.performer),
            entry.text.0.clone(),
            text(&entry.body),
            entry.origin.clone().unwrap_or_default(),
        ]
    });
    csv(heading, rows)
}

/// Rows as CSV, with formulas made harmless.
pub(super) fn csv<const N: usize>(
    heading: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> Result<String> {
    let failed = |_| Failure::from(Code::Internal);
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(heading).map_err(failed)?;
    for row in rows {
        writer.write_record(row.map(harmless)).map_err(failed)?;
    }
    let bytes = writer.into_inner().map_err(|_| Failure::from(Code::Internal))?;
    String::from_utf8(bytes).map_err(|_| Failure::from(Code::Internal))
}

/// A spreadsheet runs a cell that begins so as a formula (OWASP, CSV injection).
fn harmless(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{cell}")
    } else {
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_a_spreadsheet_would_run_begins_with_an_apostrophe() {
        let row = ["=HYPERLINK(\"x\")".to_owned(), "37,5 \"graus\"".to_owned()];
        let text = csv(["a", "b"], [row].into_iter()).expect("it is written");
        assert_eq!(text, "a,b\n\"'=HYPERLINK(\"\"x\"\")\",\"37,5 \"\"graus\"\"\"\n");
    }
}
