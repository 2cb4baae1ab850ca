//! `event add | show | edit | finalize | amend | retract | move | dismiss`.

use super::{PURPOSE, author, show_saved, time};
use crate::device::now;
use crate::failure::{Ending, Failure, Result, Usage};
use crate::output::{Output, Table};
use crate::words::Message;
use std::io::BufRead;
use vereda_core::client::Client;
use vereda_core::error::Code;
use vereda_core::id::{EntryId, PatientId};
use vereda_core::outbox::Saved;
use vereda_core::record::{Compartment, Kind, NewEntry};

/// What is done with entries.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Adds an entry, final or as a draft.
    Add(AddArguments),
    /// Shows all that is known of an entry.
    Show {
        /// The entry.
        id: EntryId,
        /// Whose.
        #[arg(long)]
        patient: PatientId,
        /// Why it is opened, for the audit.
        #[arg(long, default_value = PURPOSE)]
        purpose: String,
    },
    /// Writes a draft's text; what others write elsewhere in it stays.
    Edit {
        /// The draft.
        id: EntryId,
        /// The whole new text.
        #[arg(long, allow_hyphen_values = true)]
        text: String,
    },
    /// Makes a draft final.
    Finalize {
        /// The draft.
        id: EntryId,
        /// Takes a time in the future as meant.
        #[arg(long)]
        confirm_time: bool,
    },
    /// Adds an entry that takes the place of another one; both stay readable.
    Amend {
        /// The entry.
        id: EntryId,
        /// The new text.
        #[arg(long, allow_hyphen_values = true)]
        text: Option<String>,
        /// The new structured part.
        #[arg(long, value_name = "JSON")]
        body: Option<String>,
    },
    /// Says that an entry was entered in error; it stays readable, marked.
    Retract {
        /// The entry.
        id: EntryId,
        /// Why.
        #[arg(long, allow_hyphen_values = true)]
        reason: String,
    },
    /// Moves an entry to the right patient's chart.
    Move {
        /// The entry.
        id: EntryId,
        /// The right patient.
        #[arg(long, value_name = "PATIENT")]
        to: PatientId,
        /// Why.
        #[arg(long, allow_hyphen_values = true)]
        reason: String,
    },
    /// Lets edits be that came after an entry was final.
    Dismiss {
        /// The entry.
        id: EntryId,
    },
}

/// A new entry.
#[derive(clap::Args)]
pub(crate) struct AddArguments {
    /// Whose.
    #[arg(long)]
    patient: PatientId,
    /// note, vitals, encounter, observation, lab, medication, immunization, procedure …
    #[arg(long, default_value = "note")]
    kind: String,
    /// What a person reads.
    #[arg(long, required_unless_present = "lines", allow_hyphen_values = true)]
    text: Option<String>,
    /// When it happened; now when not given.
    #[arg(long, value_name = "RFC3339")]
    at: Option<String>,
    /// The structured part.
    #[arg(long, value_name = "JSON")]
    body: Option<String>,
    /// A draft that colleagues can read and write.
    #[arg(long)]
    draft: bool,
    /// Only for those who work with what a unit keeps closer.
    #[arg(long, conflicts_with = "draft")]
    sensitive: bool,
    /// Takes a time in the future as meant.
    #[arg(long)]
    confirm_time: bool,
    /// One entry for each line of stdin; each is answered by one JSON document on a line, once it is durable.
    #[arg(long, conflicts_with_all = ["text", "draft"])]
    lines: bool,
}

pub(crate) async fn run(command: Command, client: &Client, output: &Output) -> Result {
    let saved = match command {
        Command::Add(arguments) if arguments.lines => return add_lines(&arguments, client, output).await,
        Command::Add(arguments) => {
            let text = arguments.text.clone().unwrap_or_default();
            add(&arguments, text, client).await?
        }
        Command::Show { id, patient, purpose } => return show(id, patient, purpose, client, output).await,
        Command::Edit { id, text } => client.drafts().write(id, None, text).await?,
        Command::Finalize { id, confirm_time } => client.drafts().finalize(id, None, confirm_time).await?,
        Command::Amend {
            text: None,
            body: None,
            ..
        } => {
            let usage = Usage::new(Message::OneOfNeeded, &["--text, --body"]);
            return Err(Failure::Usage(usage));
        }
        Command::Amend { id, text, body } => client.timeline().amend(id, text, body).await?,
        Command::Retract { id, reason } => client.timeline().retract(id, reason).await?,
        Command::Move { id, to, reason } => client.timeline().move_to(id, to, reason).await?,
        Command::Dismiss { id } => client.drafts().dismiss_late_edit(id).await?,
    };
    show_saved(output, &saved);
    Ok(Ending::Done)
}

async fn add(arguments: &AddArguments, text: String, client: &Client) -> Result<Saved> {
    let at = time(arguments.at.as_deref())?;
    let kind = Kind(arguments.kind.clone());
    let body = arguments.body.clone();
    if arguments.draft {
        return Ok(client
            .drafts()
            .open(arguments.patient, kind, at, text, body)
            .await?);
    }
    let mut entry = NewEntry::new(kind, at.unwrap_or_else(now), text);
    if let Some(body) = body {
        entry = entry.with_body(body);
    }
    let compartment = if arguments.sensitive {
        Compartment::Sensitive
    } else {
        Compartment::Clinical
    };
    let timeline = client.timeline();
    Ok(timeline
        .add_in(arguments.patient, compartment, entry, arguments.confirm_time)
        .await?)
}

async fn add_lines(arguments: &AddArguments, client: &Client, output: &Output) -> Result {
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|_| Failure::from(Code::FileUnreadable))?;
        let saved = add(arguments, line, client).await?;
        output.print(&serde_json::to_string(&saved).unwrap_or_default());
    }
    Ok(Ending::Done)
}

async fn show(id: EntryId, patient: PatientId, purpose: String, client: &Client, output: &Output) -> Result {
    let detail = client.open_patient(patient, purpose).await?.entry(id).await?;
    let identity = client.identity().await.ok();
    output.show(&detail, |words| {
        let entry = &detail.entry;
        let mut table = Table::new([words.of(Message::ColumnField), words.of(Message::ColumnValue)]);
        let mut row = |message, value: String| table.row([words.of(message).to_owned(), value]);
        row(Message::ColumnWhen, entry.occurred_at.to_string());
        row(Message::ColumnKind, entry.kind.clone());
        row(Message::ColumnAuthor, author(identity.as_ref(), entry.author));
        let received = detail.received_ms.map(super::instant);
        row(
            Message::ColumnAtServer,
            received.unwrap_or_else(|| words.of(Message::No).to_owned()),
        );
        // The whole text below: this is where it is read.
        format!("{}\n{}", table.text(), entry.text.0)
    });
    Ok(Ending::Done)
}
