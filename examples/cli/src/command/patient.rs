//! `patient add | show | edit | duplicates | link | unlink | links | list`, and those of `placement`.

use super::{PURPOSE, completeness, pair};
use crate::failure::{Ending, Failure, Result, Usage};
use crate::output::{Output, Table};
use crate::words::{Message, Words};
use serde::Serialize;
use vereda_core::client::{
    Client, DuplicatePatient, LinkedPatient, Page, PageRequest, PatientFilter, PatientSummary,
};
use vereda_core::engine::Completeness;
use vereda_core::id::PatientId;
use vereda_core::outbox::Saved;
use vereda_core::record::{Contact, Identifier, PatientField, PatientRecord};
use vereda_core::redact::Sensitive;

/// What is done with patients.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Registers a patient; likely duplicates are told, never refused.
    Add {
        #[command(flatten)]
        record: RecordArguments,
        /// In which of the user's units, by name or id; the first when not given. Entries go to their patient's unit.
        #[arg(long)]
        unit: Option<String>,
    },
    /// Shows a record.
    Show {
        /// The patient.
        id: PatientId,
        /// Why it is opened, for the audit.
        #[arg(long, default_value = PURPOSE)]
        purpose: String,
    },
    /// Changes fields of a record; what is not named stays.
    Edit {
        /// The patient.
        id: PatientId,
        #[command(flatten)]
        record: RecordArguments,
        /// Why it is opened, for the audit.
        #[arg(long, default_value = PURPOSE)]
        purpose: String,
    },
    /// Finds patients who are likely the same person.
    Duplicates {
        /// The patient; or describe one with the fields.
        id: Option<PatientId>,
        #[command(flatten)]
        record: RecordArguments,
        /// Why it is opened, for the audit.
        #[arg(long, default_value = PURPOSE)]
        purpose: String,
    },
    /// Says that two records are one person's: each then shows what is under both.
    Link(Pair),
    /// Says that they are not: each shows again what it showed before.
    Unlink(Pair),
    /// Lists the records linked with one.
    Links {
        /// The patient.
        id: PatientId,
    },
    #[command(flatten)]
    Placement(super::placement::Command),
    /// Lists patients by name.
    List {
        /// Words of the name, or a whole CPF or CNS.
        #[arg(long, value_name = "WORDS")]
        search: Option<String>,
        /// Rows of the page.
        #[arg(long)]
        limit: Option<usize>,
        /// The `next` of the page before.
        #[arg(long, value_name = "CURSOR")]
        after: Option<String>,
    },
}

/// Two records.
#[derive(clap::Args)]
pub(crate) struct Pair {
    /// The patient.
    id: PatientId,
    /// The other record.
    other: PatientId,
    /// Why.
    #[arg(long, allow_hyphen_values = true)]
    reason: String,
}

/// The fields of a record.
#[derive(clap::Args)]
pub(crate) struct RecordArguments {
    /// The full name.
    #[arg(long)]
    name: Option<String>,
    /// YYYY-MM-DD, YYYY-MM or YYYY.
    #[arg(long, value_name = "DATE")]
    birth_date: Option<String>,
    /// male, female, other or unknown.
    #[arg(long)]
    gender: Option<String>,
    /// The taxpayer number.
    #[arg(long)]
    cpf: Option<String>,
    /// The national health card.
    #[arg(long)]
    cns: Option<String>,
    /// Another identifier; several may be given.
    #[arg(long, value_name = "SYSTEM=VALUE", value_parser = pair)]
    identifier: Vec<(String, String)>,
    /// A way to reach the patient (`phone=…`, `email=…`); several may be given.
    #[arg(long, value_name = "SYSTEM=VALUE", value_parser = pair)]
    contact: Vec<(String, String)>,
    /// `true`, or when they died.
    #[arg(long, value_name = "DATE")]
    deceased: Option<String>,
}

impl RecordArguments {
    fn over(self, mut record: PatientRecord) -> Result<PatientRecord> {
        if let Some(name) = self.name {
            record.name = Sensitive(name);
        }
        record.birth_date = self.birth_date.map(Sensitive).or(record.birth_date);
        record.gender = self.gender.map(Sensitive).or(record.gender);
        record.deceased = self.deceased.map(Sensitive).or(record.deceased);
        let cpf = self.cpf.map(|value| ("cpf".to_owned(), value));
        let cns = self.cns.map(|value| ("cns".to_owned(), value));
        let identifiers = cpf.into_iter().chain(cns).chain(self.identifier);
        let identifiers: Vec<Identifier> = identifiers
            .map(|(system, value)| Identifier::parse(&system, &value))
            .collect::<Result<_, _>>()?;
        // What is named takes the place of all of its system; a person may have two telephones.
        record
            .identifiers
            .retain(|old| identifiers.iter().all(|new| new.system != old.system));
        record.identifiers.extend(identifiers);
        record
            .contacts
            .retain(|old| self.contact.iter().all(|(system, _)| *system != old.system));
        record
            .contacts
            .extend(self.contact.into_iter().map(|(system, value)| Contact {
                system,
                value: Sensitive(value),
            }));
        Ok(record)
    }
}

#[derive(Serialize)]
struct Registered {
    /// The new patient; the same as `patient`.
    id: PatientId,
    #[serde(flatten)]
    saved: Saved,
    duplicates: Vec<DuplicatePatient>,
}

#[derive(Serialize)]
struct Edited {
    saved: Option<Saved>,
}

#[derive(Serialize)]
struct Duplicates {
    duplicates: Vec<DuplicatePatient>,
}

#[derive(Serialize)]
struct Links {
    links: Vec<LinkedPatient>,
}

#[derive(Serialize)]
struct Patients {
    patients: Vec<PatientSummary>,
    completeness: Completeness,
    next: Option<String>,
}

pub(crate) async fn run(command: Command, client: &Client, output: &Output) -> Result {
    match command {
        Command::Add { record, unit } => add(record, unit.as_deref(), client, output).await,
        Command::Show { id, purpose } => show(id, purpose, client, output).await,
        Command::Edit { id, record, purpose } => edit(id, record, purpose, client, output).await,
        Command::Duplicates { id, record, purpose } => duplicates(id, record, purpose, client, output).await,
        Command::Link(Pair { id, other, reason }) => {
            show_change(client.patients().link(id, other, reason).await?, output)
        }
        Command::Unlink(Pair { id, other, reason }) => {
            show_change(client.patients().unlink(id, other, reason).await?, output)
        }
        Command::Placement(command) => super::placement::run(command, client, output).await,
        Command::Links { id } => {
            let links = client.patients().links(id).await?;
            output.show(&Links { links: links.clone() }, |words| {
                links_table(words, &links)
            });
            Ok(Ending::Done)
        }
        Command::List { search, limit, after } => {
            let filter = PatientFilter {
                words: search.map(Sensitive),
            };
            let page = client
                .patients()
                .list(filter, PageRequest { limit, after })
                .await?;
            list(page, output);
            Ok(Ending::Done)
        }
    }
}

async fn add(arguments: RecordArguments, unit: Option<&str>, client: &Client, output: &Output) -> Result {
    let record = arguments.over(PatientRecord::default())?;
    let unit = super::unit(client, unit).await?;
    let saved = client.patients().register_in(unit, None, record.clone()).await?;
    let duplicates = client.patients().duplicates(record, Some(saved.patient)).await?;
    let registered = Registered {
        id: saved.patient,
        saved,
        duplicates,
    };
    output.show(&registered, |words| {
        let mut text = format!("{}\n{}\n", words.of(Message::Saved), registered.id);
        if !registered.duplicates.is_empty() {
            text.push_str(words.of(Message::Duplicates));
            text.push('\n');
            text.push_str(&duplicates_table(words, &registered.duplicates));
            text.push_str(&words.with(Message::DuplicatesLink, &[&registered.id]));
        }
        text
    });
    Ok(Ending::Done)
}

async fn show(id: PatientId, purpose: String, client: &Client, output: &Output) -> Result {
    let row = client.open_patient(id, purpose).await?.record().await?;
    output.show(&row, |words| {
        let mut table = Table::new([words.of(Message::ColumnField), words.of(Message::ColumnValue)]);
        for field in PatientField::ALL {
            table.row([field.name().to_owned(), row.record.get(field).0]);
        }
        table.row(["version".to_owned(), row.version.to_string()]);
        table.text()
    });
    Ok(Ending::Done)
}

async fn edit(
    id: PatientId,
    arguments: RecordArguments,
    purpose: String,
    client: &Client,
    output: &Output,
) -> Result {
    let row = client.open_patient(id, purpose).await?.record().await?;
    let edited = arguments.over(row.record.clone())?;
    show_change(client.patients().edit(row, edited).await?, output)
}

fn show_change(saved: Option<Saved>, output: &Output) -> Result {
    output.show(&Edited { saved }, |words| {
        words
            .of(saved.map_or(Message::NothingChanged, |_| Message::Saved))
            .to_owned()
    });
    Ok(Ending::Done)
}

fn links_table(words: Words, links: &[LinkedPatient]) -> String {
    let mut table = Table::new([
        words.of(Message::ColumnId),
        words.of(Message::ColumnName),
        words.of(Message::ColumnBirth),
        words.of(Message::ColumnReason),
    ]);
    for LinkedPatient { patient, link } in links {
        table.row([
            link.other.to_string(),
            patient
                .as_ref()
                .map_or_else(String::new, |patient| patient.name.0.clone()),
            patient.as_ref().map_or_else(String::new, birth),
            link.reason.0.clone(),
        ]);
    }
    if table.is_empty() {
        return words.of(Message::None).to_owned();
    }
    table.text()
}

async fn duplicates(
    id: Option<PatientId>,
    arguments: RecordArguments,
    purpose: String,
    client: &Client,
    output: &Output,
) -> Result {
    let described = match id {
        Some(id) => client.open_patient(id, purpose).await?.record().await?.record,
        None if arguments.name.is_none() && arguments.cpf.is_none() && arguments.cns.is_none() => {
            return Err(Failure::Usage(Usage::new(
                Message::OneOfNeeded,
                &["ID, --name, --cpf, --cns"],
            )));
        }
        None => PatientRecord::default(),
    };
    let duplicates = client
        .patients()
        .duplicates(arguments.over(described)?, id)
        .await?;
    output.show(
        &Duplicates {
            duplicates: duplicates.clone(),
        },
        |words| {
            let mut text = duplicates_table(words, &duplicates);
            if let Some(id) = id.filter(|_| !duplicates.is_empty()) {
                text.push_str(&words.with(Message::DuplicatesLink, &[&id]));
            }
            text
        },
    );
    Ok(Ending::Done)
}

fn duplicates_table(words: Words, duplicates: &[DuplicatePatient]) -> String {
    let mut table = Table::new([
        words.of(Message::ColumnId),
        words.of(Message::ColumnName),
        words.of(Message::ColumnBirth),
        words.of(Message::ColumnReason),
        words.of(Message::ColumnLinked),
    ]);
    for duplicate in duplicates {
        let patient = &duplicate.patient;
        table.row([
            patient.id.to_string(),
            patient.name.0.clone(),
            birth(patient),
            duplicate.reason.clone(),
            linked(patient),
        ]);
    }
    if table.is_empty() {
        return words.of(Message::None).to_owned();
    }
    table.text()
}

/// The other records of the same person.
fn linked(patient: &PatientSummary) -> String {
    let linked: Vec<String> = patient.linked.iter().map(PatientId::to_string).collect();
    linked.join(" ")
}

fn birth(patient: &PatientSummary) -> String {
    patient
        .birth_date
        .as_ref()
        .map_or_else(String::new, |date| date.0.clone())
}

fn list(page: Page<PatientSummary>, output: &Output) {
    let listed = Patients {
        patients: page.rows,
        completeness: page.completeness,
        next: page.next,
    };
    output.show(&listed, |words| {
        let mut table = Table::new([
            words.of(Message::ColumnId),
            words.of(Message::ColumnName),
            words.of(Message::ColumnBirth),
            words.of(Message::ColumnAtServer),
            words.of(Message::ColumnLinked),
        ]);
        for patient in &listed.patients {
            let at_server = if patient.accepted {
                Message::Yes
            } else {
                Message::No
            };
            table.row([
                patient.id.to_string(),
                patient.name.0.clone(),
                birth(patient),
                words.of(at_server).to_owned(),
                linked(patient),
            ]);
        }
        let mut text = table.text();
        text.push_str(&completeness(words, &listed.completeness));
        if let Some(next) = &listed.next {
            text.push('\n');
            text.push_str(&words.with(Message::More, &[next]));
        }
        text
    });
}
