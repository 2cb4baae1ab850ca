//! `patient share | end-share | move | find | places`: which units have a patient.

use super::{instant, show_saved, time, unit};
use crate::failure::{Ending, Failure, Result, Usage};
use crate::output::{Output, Table};
use crate::words::{Message, Words};
use serde::Serialize;
use vereda_core::client::{Client, FoundPatient};
use vereda_core::id::{PatientId, UnitId, WriteId};
use vereda_core::record::Compartment;
use vereda_core::store::places::{PlaceKind, PlaceRow};

/// What is done about the units that have a patient.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Shares a patient with another unit of the organisation: a referral, a second unit. Both are told.
    Share {
        /// The patient.
        id: PatientId,
        /// The unit, by name or id (`vereda reference list --kind unit`).
        #[arg(long)]
        to: String,
        /// What besides the record; several may be given.
        #[arg(long, value_parser = ["clinical", "sensitive"], default_values = ["clinical"])]
        compartment: Vec<String>,
        /// When it ends by itself (RFC 3339).
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
        /// Why.
        #[arg(long, allow_hyphen_values = true)]
        reason: String,
    },
    /// Ends a share or a claim.
    EndShare {
        /// The patient.
        id: PatientId,
        /// The write that shared (`patient places`).
        #[arg(long)]
        share: WriteId,
        /// Why.
        #[arg(long, allow_hyphen_values = true)]
        reason: String,
    },
    /// Moves a patient to another unit; this one keeps them for thirty days.
    Move {
        /// The patient.
        id: PatientId,
        /// The unit, by name or id.
        #[arg(long)]
        to: String,
        /// Why.
        #[arg(long, allow_hyphen_values = true)]
        reason: String,
    },
    /// Finds a patient of another unit by an exact identifier, and opens them here for 72 hours. Needs the network.
    Find {
        /// The taxpayer number.
        #[arg(long, conflicts_with_all = ["cns", "identifier"])]
        cpf: Option<String>,
        /// The national health card.
        #[arg(long, conflicts_with = "identifier")]
        cns: Option<String>,
        /// Another identifier.
        #[arg(long, value_name = "SYSTEM=VALUE", value_parser = super::pair)]
        identifier: Option<(String, String)>,
        /// For which of the user's units; the first when not given.
        #[arg(long)]
        unit: Option<String>,
        /// Why: it stands in the audit and in both units' logs.
        #[arg(long, allow_hyphen_values = true)]
        reason: String,
    },
    /// Lists the units that have or had a patient.
    Places {
        /// The patient.
        id: PatientId,
    },
}

#[derive(Serialize)]
struct Places {
    places: Vec<PlaceRow>,
}

#[derive(Serialize)]
struct Found {
    found: Vec<FoundPatient>,
}

pub(crate) async fn run(command: Command, client: &Client, output: &Output) -> Result {
    match command {
        Command::Share {
            id,
            to,
            compartment,
            until,
            reason,
        } => {
            let to = any_unit(client, &to).await?;
            let compartments = compartment
                .iter()
                .filter_map(|name| name.parse::<Compartment>().ok());
            let until_ms = time(until.as_deref())?.map(|until| until.utc_ms);
            let placement = client.placement();
            let saved = placement
                .share(id, to, compartments.collect(), reason, until_ms)
                .await?;
            show_saved(output, &saved);
        }
        Command::EndShare { id, share, reason } => {
            show_saved(output, &client.placement().end(id, share, reason).await?);
        }
        Command::Move { id, to, reason } => {
            let to = any_unit(client, &to).await?;
            show_saved(output, &client.placement().transfer(id, to, reason).await?);
        }
        Command::Find {
            cpf,
            cns,
            identifier,
            unit: named,
            reason,
        } => {
            let cpf = cpf.map(|value| ("cpf".to_owned(), value));
            let cns = cns.map(|value| ("cns".to_owned(), value));
            let Some((system, value)) = cpf.or(cns).or(identifier) else {
                return Err(Failure::Usage(Usage::new(
                    Message::OneOfNeeded,
                    &["--cpf, --cns, --identifier"],
                )));
            };
            let unit = unit(client, named.as_deref()).await?;
            let found = Found {
                found: client.placement().find(&system, &value, unit, reason).await?,
            };
            output.show(&found, |words| {
                let ids = found.found.iter().map(|found| found.patient.to_string());
                let ids: Vec<String> = ids.collect();
                format!("{}\n{}", ids.join("\n"), words.of(Message::FoundNext))
            });
        }
        Command::Places { id } => {
            let places = Places {
                places: client.placement().list(id).await?,
            };
            output.show(&places, |words| table(words, &places.places));
        }
    }
    Ok(Ending::Done)
}

/// A unit of the organisation, by its name or id.
async fn any_unit(client: &Client, named: &str) -> Result<UnitId> {
    if let Ok(id) = named.parse::<UnitId>() {
        return Ok(id);
    }
    let units = client.reference().units().await?.rows;
    let found = units.iter().find(|unit| unit.content.name == named);
    match found.and_then(|unit| unit.id.parse().ok()) {
        Some(id) => Ok(id),
        None => {
            let names: Vec<&str> = units.iter().map(|unit| unit.content.name.as_str()).collect();
            Err(Failure::Usage(Usage::new(
                Message::UnitOfAllUnknown,
                &[&names.join(", ")],
            )))
        }
    }
}

fn table(words: Words, places: &[PlaceRow]) -> String {
    let mut table = Table::new([
        words.of(Message::ColumnId),
        words.of(Message::ColumnUnit),
        words.of(Message::ColumnWhat),
        words.of(Message::ColumnUntil),
        words.of(Message::ColumnReason),
    ]);
    for place in places {
        let kind = match place.kind {
            PlaceKind::Shared => Message::PlaceShared,
            PlaceKind::Claimed => Message::PlaceClaimed,
            PlaceKind::Moved => Message::PlaceMoved,
            PlaceKind::Kept => Message::PlaceKept,
        };
        let until = match (place.ended, place.until_ms) {
            (true, _) => words.of(Message::PlaceEnded).to_owned(),
            (false, Some(until_ms)) => instant(until_ms),
            (false, None) => String::new(),
        };
        table.row([
            place.write.to_string(),
            place.unit.to_string(),
            words.of(kind).to_owned(),
            until,
            place.reason.0.clone(),
        ]);
    }
    if table.is_empty() {
        return words.of(Message::None).to_owned();
    }
    table.text()
}
