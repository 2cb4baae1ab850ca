//! `admin professional | speciality | kind`: what the tenant keeps for all its devices.

use super::{StoreArguments, open};
use crate::device::DeviceOptions;
use crate::failure::{Ending, Failure, Result};
use crate::output::{Output, Table};
use crate::words::{Message, Words};
use serde::Serialize;
use serde_json::Value;
use std::path::PathBuf;
use vereda_core::error::Code;
use vereda_core::platform::native::SystemEntropy;
use vereda_core::protocol::ReferenceItem;
use vereda_core::record::{Council, Professional, ReferenceKind, Speciality};

/// Where the rows are.
#[derive(clap::Args)]
pub(crate) struct Place {
    /// Whose; the only tenant when not given.
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    store: StoreArguments,
}

#[derive(clap::Subcommand)]
pub(crate) enum ProfessionalCommand {
    /// Adds somebody patients are seen by or referred to, with or without a device.
    Add {
        /// Their name.
        name: String,
        /// The code of their speciality.
        #[arg(long)]
        speciality: Option<String>,
        /// A unit they work in; several may be given.
        #[arg(long)]
        unit: Vec<String>,
        /// Their council, as people write it.
        #[arg(long, requires = "number", value_name = "COUNCIL")]
        council: Option<String>,
        /// Their number there.
        #[arg(long, requires = "council")]
        number: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Lists them.
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Offers one for nothing new.
    Retire {
        /// The row's id.
        id: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(clap::Subcommand)]
pub(crate) enum SpecialityCommand {
    /// Adds a speciality, or changes its titles.
    Add {
        /// Its code (CBO, or a code of one's own).
        code: String,
        /// Its title in Portuguese.
        #[arg(long)]
        pt: String,
        /// Its title in English.
        #[arg(long)]
        en: String,
        #[command(flatten)]
        place: Place,
    },
    /// Lists them.
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Offers one for nothing new.
    Retire {
        /// Its code.
        code: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(clap::Subcommand)]
pub(crate) enum KindCommand {
    /// Adds a kind of entries of the tenant's own (`x-org.name`), or a later version of one.
    Add {
        /// Its definition, JSON.
        #[arg(value_name = "FILE")]
        definition: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    /// Lists them.
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Offers one for nothing new.
    Retire {
        /// Its name.
        name: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Serialize)]
struct Row {
    id: String,
    retired: bool,
    content: Value,
}

#[derive(Serialize)]
struct Rows {
    kind: &'static str,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Changed {
    kind: &'static str,
    id: String,
    retired: bool,
}

pub(crate) fn professional(command: ProfessionalCommand, device: &DeviceOptions, output: &Output) -> Result {
    let kind = ReferenceKind::Professional;
    match command {
        ProfessionalCommand::Add {
            name,
            speciality,
            unit,
            council,
            number,
            place,
        } => {
            let professional = Professional {
                name: name.into(),
                speciality,
                units: Vec::new(),
                council: council.zip(number).map(|(kind, number)| Council { kind, number }),
            };
            let units: Vec<&str> = unit.iter().map(String::as_str).collect();
            let id = open(&place.store, device)?.add_professional(
                &mut SystemEntropy,
                place.tenant.as_deref(),
                professional,
                &units,
            )?;
            Ok(changed(kind, id, false, output))
        }
        ProfessionalCommand::List { place } => list(kind, &place, device, output),
        ProfessionalCommand::Retire { id, place } => retire(kind, id, &place, device, output),
    }
}

pub(crate) fn speciality(command: SpecialityCommand, device: &DeviceOptions, output: &Output) -> Result {
    let kind = ReferenceKind::Speciality;
    match command {
        SpecialityCommand::Add { code, pt, en, place } => {
            let row = Speciality { pt, en };
            open(&place.store, device)?.put_speciality(place.tenant.as_deref(), &code, &row)?;
            Ok(changed(kind, code, false, output))
        }
        SpecialityCommand::List { place } => list(kind, &place, device, output),
        SpecialityCommand::Retire { code, place } => retire(kind, code, &place, device, output),
    }
}

pub(crate) fn kind(command: KindCommand, device: &DeviceOptions, output: &Output) -> Result {
    let kind = ReferenceKind::Kind;
    match command {
        KindCommand::Add { definition, place } => {
            let definition =
                std::fs::read_to_string(definition).map_err(|_| Failure::from(Code::FileUnreadable))?;
            let name = open(&place.store, device)?.put_kind(place.tenant.as_deref(), &definition)?;
            Ok(changed(kind, name, false, output))
        }
        KindCommand::List { place } => list(kind, &place, device, output),
        KindCommand::Retire { name, place } => retire(kind, name, &place, device, output),
    }
}

fn retire(kind: ReferenceKind, id: String, place: &Place, device: &DeviceOptions, output: &Output) -> Result {
    open(&place.store, device)?.retire_reference(place.tenant.as_deref(), kind, &id)?;
    Ok(changed(kind, id, true, output))
}

fn changed(kind: ReferenceKind, id: String, retired: bool, output: &Output) -> Ending {
    let changed = Changed {
        kind: kind.name(),
        id,
        retired,
    };
    output.show(&changed, |_| changed.id.clone());
    Ending::Done
}

fn list(kind: ReferenceKind, place: &Place, device: &DeviceOptions, output: &Output) -> Result {
    let rows = open(&place.store, device)?.references(place.tenant.as_deref(), kind)?;
    let rows = Rows {
        kind: kind.name(),
        rows: rows.into_iter().map(row).collect(),
    };
    output.show(&rows, |words| table(words, &rows));
    Ok(Ending::Done)
}

fn row(item: ReferenceItem) -> Row {
    Row {
        id: item.id,
        retired: item.retired,
        // The store holds canonical JSON only.
        content: serde_json::from_str(&item.content).unwrap_or_default(),
    }
}

fn table(words: Words, rows: &Rows) -> String {
    let mut table = Table::new([
        words.of(Message::ColumnId),
        words.of(Message::ColumnRetired),
        words.of(Message::ColumnValue),
    ]);
    for row in &rows.rows {
        let retired = if row.retired { Message::Yes } else { Message::No };
        let told = match rows.kind {
            "kind" => row.content["titles"].to_string(),
            _ => row.content.to_string(),
        };
        table.row([row.id.clone(), words.of(retired).to_owned(), told]);
    }
    table.text()
}
