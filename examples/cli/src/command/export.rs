//! `export`: a patient's whole record, or many, for another program, noted in the audit.

use super::PURPOSE;
use super::timeline::status_name;
use crate::failure::{Ending, Failure, Result, Usage};
use crate::output::Output;
use crate::words::Message;
use serde::Serialize;
use std::collections::BTreeSet;
use vereda_core::client::{Client, ExportFormat, PageRequest, PatientFilter, PatientView};
use vereda_core::error::Code;
use vereda_core::id::PatientId;
use vereda_core::limits::PAGE_ROWS_MAX;
use vereda_core::redact::Sensitive;
use vereda_core::store::chart::ChartRow;
use vereda_core::store::conflicts::ConflictRow;
use vereda_core::store::entries::{EntryFilter, EntryRow};
use vereda_core::store::patients::PatientRow;
use vereda_fhir::export::{self, ExportedRecord};

/// Of what shape.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Format {
    /// One JSON document.
    Json,
    /// A row for each entry or patient (RFC 4180); a cell that a spreadsheet would run as a formula begins with an
    /// apostrophe.
    Csv,
    /// FHIR R4: of a patient a transaction Bundle, of several one resource on each line (NDJSON).
    Fhir,
}

/// What is exported.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Arguments {
    #[command(flatten)]
    what: What,
    /// Only patients with these words in their names, or with this CPF or CNS.
    #[arg(long, value_name = "WORDS", conflicts_with = "patient")]
    search: Option<String>,
    /// json, csv or fhir.
    #[arg(long)]
    format: Format,
    /// Why, for the audit.
    #[arg(long, default_value = "export", allow_hyphen_values = true)]
    reason: String,
    /// Why the patient is opened, for the audit.
    #[arg(long, default_value = PURPOSE)]
    purpose: String,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct What {
    /// A patient: record, chart, conflicts, entries, with the records linked.
    #[arg(long)]
    patient: Option<PatientId>,
    /// The list of patients: their records.
    #[arg(long)]
    patients_list: bool,
    /// All patients with everything; only as FHIR. Each is opened, which the audit notes.
    #[arg(long)]
    all: bool,
}

#[derive(Serialize)]
struct PatientExport {
    patient: PatientRow,
    linked: Vec<PatientRow>,
    chart: Vec<ChartRow>,
    conflicts: Vec<ConflictRow>,
    entries: Vec<EntryRow>,
}

#[derive(Serialize)]
struct PatientsExport {
    patients: Vec<PatientRow>,
}

impl From<Format> for ExportFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Json => Self::Json,
            Format::Csv => Self::Csv,
            Format::Fhir => Self::Fhir,
        }
    }
}

pub(crate) async fn run(arguments: Arguments, client: &Client, output: &Output) -> Result {
    match arguments.what.patient {
        Some(patient) => one(patient, arguments, client, output).await,
        None if arguments.what.all => all(arguments, client, output).await,
        None => list(arguments, client, output).await,
    }
}

async fn one(patient: PatientId, arguments: Arguments, client: &Client, output: &Output) -> Result {
    let view = client.open_patient(patient, arguments.purpose).await?;
    view.export(arguments.format.into(), arguments.reason).await?;
    match arguments.format {
        Format::Json => {
            let mut records = view.records().await?;
            let linked = records.split_off(1.min(records.len()));
            let patient = records.pop().ok_or(Failure::from(Code::UnknownPatient))?;
            let export = PatientExport {
                patient,
                linked,
                chart: view.chart().await?,
                conflicts: view.conflicts().await?,
                entries: entries(&view).await?,
            };
            print_json(&export, output);
        }
        Format::Csv => output.print_whole(&entries_csv(&entries(&view).await?)?),
        Format::Fhir => {
            let resources =
                export::resources(&export::gather(&view).await?, &export::signatures(client).await?);
            print_json(&export::bundle(resources), output);
        }
    }
    Ok(Ending::Done)
}

async fn list(arguments: Arguments, client: &Client, output: &Output) -> Result {
    let patients = listed(&arguments, client).await?;
    match arguments.format {
        Format::Json => print_json(&PatientsExport { patients }, output),
        Format::Csv => output.print_whole(&patients_csv(&patients)?),
        Format::Fhir => {
            let records = patients.into_iter().map(|patient| ExportedRecord {
                patient,
                links: Vec::new(),
                chart: Vec::new(),
                entries: Vec::new(),
            });
            let records: Vec<ExportedRecord> = records.collect();
            print_lines(
                &export::resources(&records, &export::signatures(client).await?),
                output,
            );
        }
    }
    Ok(Ending::Done)
}

async fn all(arguments: Arguments, client: &Client, output: &Output) -> Result {
    if arguments.format != Format::Fhir {
        return Err(Failure::Usage(Usage::new(
            Message::OnlyAs,
            &["--all", "--format fhir"],
        )));
    }
    let signatures = export::signatures(client).await?;
    let mut known = BTreeSet::new();
    for patient in listed(&arguments, client).await? {
        if known.contains(&patient.id) {
            continue;
        }
        let view = client.open_patient(patient.id, arguments.purpose.clone()).await?;
        let records = export::gather(&view).await?;
        known.extend(records.iter().map(|record| record.patient.id));
        print_lines(&export::resources(&records, &signatures), output);
    }
    Ok(Ending::Done)
}

async fn listed(arguments: &Arguments, client: &Client) -> Result<Vec<PatientRow>, Failure> {
    let filter = PatientFilter {
        words: arguments.search.clone().map(Sensitive),
    };
    let format = arguments.format.into();
    Ok(client
        .patients()
        .export(filter, format, arguments.reason.clone())
        .await?)
}

fn print_json(document: &impl Serialize, output: &Output) {
    output.print(&serde_json::to_string_pretty(document).unwrap_or_default());
}

fn print_lines(resources: &[serde_json::Value], output: &Output) {
    for resource in resources {
        output.print(&resource.to_string());
    }
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
        "patient",
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
            entry.patient.to_string(),
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

fn patients_csv(patients: &[PatientRow]) -> Result<String> {
    let heading = [
        "id",
        "name",
        "birth_date",
        "gender",
        "identifiers",
        "contacts",
        "deceased",
        "unit",
        "version",
    ];
    let text =
        |value: &Option<Sensitive<String>>| value.as_ref().map_or_else(String::new, |value| value.0.clone());
    let rows = patients.iter().map(|patient| {
        let record = &patient.record;
        let identifiers = record.identifiers.iter();
        let identifiers: Vec<String> = identifiers
            .map(|it| format!("{}={}", it.system.0, it.value.0))
            .collect();
        let contacts = record.contacts.iter();
        let contacts: Vec<String> = contacts
            .map(|it| format!("{}={}", it.system, it.value.0))
            .collect();
        [
            patient.id.to_string(),
            record.name.0.clone(),
            text(&record.birth_date),
            text(&record.gender),
            identifiers.join("; "),
            contacts.join("; "),
            text(&record.deceased),
            patient.unit.to_string(),
            patient.version.to_string(),
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
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    writer.write_record(heading).map_err(failed)?;
    for row in rows {
        writer.write_record(row.map(harmless)).map_err(failed)?;
    }
    let bytes = writer.into_inner().map_err(|_| Failure::from(Code::Internal))?;
    String::from_utf8(bytes).map_err(|_| Failure::from(Code::Internal))
}

/// A spreadsheet runs a cell that begins so as a formula (OWASP, CSV injection). One that separates cells by semicolons,
/// as in Portuguese, sees another cell behind each of them, quoted or not.
fn harmless(cell: String) -> String {
    let mut text = String::with_capacity(cell.len());
    let mut begins = true;
    for letter in cell.chars() {
        if begins && matches!(letter, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n') {
            text.push('\'');
        }
        text.push(letter);
        begins = matches!(letter, ';' | '\t' | '\r' | '\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_a_spreadsheet_would_run_begins_with_an_apostrophe() {
        let row = ["=HYPERLINK(\"x\")".to_owned(), "37,5 \"graus\"".to_owned()];
        let text = csv(["a", "b"], [row].into_iter()).expect("it is written");
        assert_eq!(
            text,
            "a,b\r\n\"'=HYPERLINK(\"\"x\"\")\",\"37,5 \"\"graus\"\"\"\r\n"
        );
        assert_eq!(
            harmless("tosse;=cmd|'x'!A0;fim".to_owned()),
            "tosse;'=cmd|'x'!A0;fim"
        );
        assert_eq!(harmless("linha\n=1+1".to_owned()), "linha\n'=1+1");
        assert_eq!(harmless("120/80; pulso 72".to_owned()), "120/80; pulso 72");
    }
}
