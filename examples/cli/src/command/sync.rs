//! `sync [--watch]`, `resync`, `status`.

use super::{author, completeness, instant};
use crate::device::DeviceOptions;
use crate::failure::{Ending, Result};
use crate::output::{Output, Table};
use crate::words::{Message, Words};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::io::IsTerminal;
use std::time::Duration;
use vereda_core::client::{Client, Identity, SyncEnd};
use vereda_core::engine::Status;
use vereda_core::error::Code;

/// How to synchronise.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Stays and synchronises by itself, until interrupted.
    #[arg(long)]
    watch: bool,
    /// Milliseconds it may take to wait for what cannot go out at once.
    #[arg(long, default_value_t = 30_000, value_name = "MS")]
    budget_ms: u64,
}

#[derive(Serialize)]
struct Synchronised {
    #[serde(flatten)]
    end: SyncEnd,
    status: Status,
}

pub(crate) async fn run(arguments: Arguments, device: &DeviceOptions, output: &Output) -> Result {
    if arguments.watch {
        return watch(device, output).await;
    }
    let store = device.open()?;
    synchronise(&store, arguments.budget_ms, output).await
}

/// How to fetch everything again.
#[derive(clap::Args)]
pub(crate) struct ResyncArguments {
    /// Why, for the audit.
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    reason: String,
    /// Milliseconds it may take now; the rest comes with the next synchronisation.
    #[arg(long, default_value_t = 600_000, value_name = "MS")]
    budget_ms: u64,
}

pub(crate) async fn resync(arguments: ResyncArguments, device: &DeviceOptions, output: &Output) -> Result {
    let store = device.open()?;
    store.resync(arguments.reason).await?;
    synchronise(&store, arguments.budget_ms, output).await
}

async fn synchronise(store: &Client, budget_ms: u64, output: &Output) -> Result {
    let bar = progress_bar(store, output);
    let end = until_ended(store, budget_ms).await;
    if let Some(bar) = bar {
        bar.abort();
    }
    let synchronised = Synchronised {
        end: end?,
        status: store.status().await?,
    };
    output.show(&synchronised, |words| {
        let mut lines = vec![end_text(words, &synchronised.end)];
        lines.extend(held_text(words, &synchronised.status));
        lines.join("\n")
    });
    Ok(ending(&synchronised.end))
}

/// Rounds, while what is left only waits for its time and there is some.
async fn until_ended(client: &Client, budget_ms: u64) -> Result<SyncEnd> {
    let rounds = async {
        loop {
            match client.sync_once(budget_ms).await? {
                SyncEnd::AgainLater { in_ms, code: None } => {
                    tokio::time::sleep(Duration::from_millis(in_ms.max(1))).await;
                }
                end => return Ok(end),
            }
        }
    };
    let budget = Duration::from_millis(budget_ms);
    let used_up = SyncEnd::AgainLater { in_ms: 0, code: None };
    tokio::time::timeout(budget, rounds).await.unwrap_or(Ok(used_up))
}

fn ending(end: &SyncEnd) -> Ending {
    match end {
        SyncEnd::Done => Ending::Done,
        SyncEnd::AgainLater { .. } => Ending::NoContact,
        // Another process of this store is sending just now.
        SyncEnd::NeedsPerson { code } if code == Code::ServerBusy.as_str() => Ending::NoContact,
        SyncEnd::NeedsPerson { .. } => Ending::NeedsPerson,
    }
}

fn end_text(words: Words, end: &SyncEnd) -> String {
    match end {
        SyncEnd::Done => words.of(Message::SyncDone).to_owned(),
        SyncEnd::AgainLater { code, .. } => {
            let code = code.as_deref().unwrap_or(Code::WaitingFor.as_str());
            words.with(Message::SyncLater, &[&code])
        }
        SyncEnd::NeedsPerson { code } => words.with(Message::SyncPerson, &[code]),
    }
}

/// What the server did not let in: it is sent, and yet not where its author believes it.
fn held_text(words: Words, status: &Status) -> impl Iterator<Item = String> {
    let counts = [
        (Message::SyncHeld, status.held_waiting),
        (Message::SyncHeldDecided, status.held_decided),
    ];
    let counts = counts.into_iter().filter(|(_, count)| *count > 0);
    counts.map(move |(message, count)| words.with(message, &[&count]))
}

/// A bar on the terminal that follows the answer as it is applied.
fn progress_bar(client: &Client, output: &Output) -> Option<tokio::task::JoinHandle<()>> {
    if !std::io::stderr().is_terminal() {
        return None;
    }
    let (asking, applying) = (
        output.words().of(Message::Asking),
        output.words().of(Message::Applying),
    );
    let mut progress = client.progress();
    Some(tokio::spawn(async move {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {wide_bar} {pos}/{len} {elapsed}") {
            bar.set_style(style);
        }
        let bar = Cleared(bar);
        bar.0.enable_steady_tick(Duration::from_millis(120));
        bar.0.set_message(asking);
        while progress.changed().await.is_ok() {
            let (applied, total) = *progress.borrow_and_update();
            bar.0.set_message(applying);
            bar.0.set_length(total as u64);
            bar.0.set_position(applied as u64);
        }
    }))
}

/// Leaves the terminal clean, also when its task is cut off.
struct Cleared(ProgressBar);

impl Drop for Cleared {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

async fn watch(device: &DeviceOptions, output: &Output) -> Result {
    let store = device.open_with(|options| options.automatic(true))?;
    if !store.status().await?.enrolled {
        return Err(Code::NotEnrolled.into());
    }
    let bar = progress_bar(&store, output);
    let mut statuses = store.watch_status();
    loop {
        tokio::select! {
            status = statuses.next() => {
                let status = status?;
                output.show(&status, |words| line(words, &status));
            }
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    if let Some(bar) = bar {
        bar.abort();
    }
    Ok(Ending::Done)
}

fn line(words: Words, status: &Status) -> String {
    let mut text = format!(
        "{}: {}  {}: {}",
        words.of(Message::StatusPending),
        status.pending.saturating_sub(status.parked),
        words.of(Message::StatusEntries),
        status.entries
    );
    if let Some(failure) = &status.failure {
        text.push_str(&format!("  ({})", failure.code));
    }
    text
}

#[derive(Serialize)]
struct StatusDocument {
    identity: Option<Identity>,
    #[serde(flatten)]
    status: Status,
}

/// How it stands.
pub(crate) async fn status(client: &Client, output: &Output) -> Result {
    let document = StatusDocument {
        identity: client.identity().await.ok(),
        status: client.status().await?,
    };
    output.show(&document, |words| status_table(words, &document));
    Ok(Ending::Done)
}

fn status_table(words: Words, document: &StatusDocument) -> String {
    let status = &document.status;
    let mut table = Table::new([words.of(Message::ColumnWhat), words.of(Message::ColumnValue)]);
    let mut row = |message, value: String| table.row([words.of(message).to_owned(), value]);
    if let Some(identity) = &document.identity {
        row(Message::StatusUser, author(Some(identity), identity.user));
        row(Message::StatusServer, identity.server.clone());
    }
    row(Message::StatusPatients, status.patients.to_string());
    row(Message::StatusEntries, status.entries.to_string());
    row(
        Message::StatusPending,
        status.pending.saturating_sub(status.parked).to_string(),
    );
    row(Message::StatusParked, status.parked.to_string());
    row(Message::StatusDrawer, status.drawer.to_string());
    row(Message::StatusConflicts, status.conflicts.to_string());
    row(Message::StatusUndecided, status.undecided.to_string());
    let held = status.held_waiting + status.held_decided;
    row(Message::StatusHeld, held.to_string());
    let last = status.last_success_ms.map(instant);
    row(
        Message::StatusLastSuccess,
        last.unwrap_or_else(|| words.of(Message::Never).to_owned()),
    );
    row(
        Message::StatusCompleteness,
        completeness(words, &status.completeness),
    );
    row(Message::StatusDurability, status.durability.to_owned());
    let verified = status.verified_at_ms.map(instant);
    row(
        Message::StatusVerified,
        verified.unwrap_or_else(|| words.of(Message::Never).to_owned()),
    );
    table.text()
}
