//! `chart show | set`.

use super::{PURPOSE, author, pair, show_saved};
use crate::failure::{Ending, Result};
use crate::output::{Output, Table};
use crate::words::Message;
use serde::Serialize;
use vereda_core::client::Client;
use vereda_core::id::{ChartItemId, PatientId};
use vereda_core::record::ChartKind;
use vereda_core::redact::Sensitive;
use vereda_core::store::chart::ChartRow;
use vereda_core::store::conflicts::ConflictRow;

/// What is done with the chart.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Shows what is true of a patient now, and what is in conflict.
    Show {
        /// Whose.
        #[arg(long)]
        patient: PatientId,
        /// Why it is opened, for the audit.
        #[arg(long, default_value = PURPOSE)]
        purpose: String,
    },
    /// Sets fields of an item; a new one when none is named.
    Set {
        /// Whose.
        #[arg(long)]
        patient: PatientId,
        /// allergy, problem, medication, alert or task.
        #[arg(long)]
        kind: String,
        /// The item.
        #[arg(long)]
        item: Option<ChartItemId>,
        /// `display=…`, `status=…`, `severity=…`; several may be given, an empty value clears one.
        #[arg(long, required = true, value_name = "NAME=VALUE", value_parser = pair)]
        field: Vec<(String, String)>,
    },
}

#[derive(Serialize)]
struct Chart {
    items: Vec<ChartRow>,
    conflicts: Vec<ConflictRow>,
}

pub(crate) async fn run(command: Command, client: &Client, output: &Output) -> Result {
    match command {
        Command::Show { patient, purpose } => show(patient, purpose, client, output).await,
        Command::Set {
            patient,
            kind,
            item,
            field,
        } => {
            let fields = field
                .into_iter()
                .map(|(name, value)| (name, Sensitive(value)))
                .collect();
            let saved = client.chart().set(patient, item, ChartKind(kind), fields).await?;
            show_saved(output, &saved);
            Ok(Ending::Done)
        }
    }
}

async fn show(patient: PatientId, purpose: String, client: &Client, output: &Output) -> Result {
    let view = client.open_patient(patient, purpose).await?;
    let chart = Chart {
        items: view.chart().await?,
        conflicts: view.conflicts().await?,
    };
    let identity = client.identity().await.ok();
    output.show(&chart, |words| {
        let mut table = Table::new([
            words.of(Message::ColumnId),
            words.of(Message::ColumnKind),
            words.of(Message::ColumnAuthor),
            words.of(Message::ColumnValue),
        ]);
        for item in &chart.items {
            let fields: Vec<String> = item
                .fields
                .iter()
                .map(|(name, value)| format!("{name}: {}", value.0))
                .collect();
            table.row([
                item.id.to_string(),
                item.kind.clone(),
                author(identity.as_ref(), item.author),
                fields.join(", "),
            ]);
        }
        let mut text = table.text();
        if !chart.conflicts.is_empty() {
            text.push('\n');
            text.push_str(&super::conflicts::table(
                words,
                identity.as_ref(),
                &chart.conflicts,
            ));
        }
        text
    });
    Ok(Ending::Done)
}
