//! `timeline`. The entries of the JSON document hold nothing of the device: two devices in step print the same bytes.

use super::selection::Selection;
use super::{author, completeness};
use crate::failure::{Ending, Result};
use crate::output::{Output, Table};
use crate::words::Message;
use serde::Serialize;
use vereda_core::client::{Client, PageRequest};
use vereda_core::engine::Completeness;
use vereda_core::store::entries::{EntryFilter, EntryRow, EntryStatus};

/// Which entries.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// Only drafts, final, amended or entered_in_error entries.
    #[arg(long, value_parser = status)]
    status: Option<EntryStatus>,
    /// The oldest first.
    #[arg(long)]
    oldest_first: bool,
    /// Rows of the page.
    #[arg(long)]
    limit: Option<usize>,
    /// The `next` of the page before.
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
}

fn status(name: &str) -> Result<EntryStatus, String> {
    match name {
        "draft" => Ok(EntryStatus::Draft),
        "final" => Ok(EntryStatus::Final),
        "amended" => Ok(EntryStatus::Amended),
        "entered_in_error" => Ok(EntryStatus::EnteredInError),
        _ => Err("one of draft, final, amended, entered_in_error".to_owned()),
    }
}

/// The status as it stands in the JSON.
pub(super) fn status_name(status: EntryStatus) -> &'static str {
    match status {
        EntryStatus::Draft => "draft",
        EntryStatus::Final => "final",
        EntryStatus::Amended => "amended",
        EntryStatus::EnteredInError => "entered_in_error",
    }
}

#[derive(Serialize)]
struct TimelinePage {
    entries: Vec<EntryRow>,
    completeness: Completeness,
    next: Option<String>,
}

pub(crate) async fn run(arguments: Arguments, client: &Client, output: &Output) -> Result {
    let filter = EntryFilter {
        status: arguments.status,
        oldest_first: arguments.oldest_first,
        ..arguments.selection.filter()?
    };
    let request = PageRequest {
        limit: arguments.limit,
        after: arguments.after,
    };
    let view = arguments.selection.open(client).await?;
    let page = view.timeline(filter, request).await?;
    let identity = client.identity().await.ok();
    let page = TimelinePage {
        entries: page.rows,
        completeness: page.completeness,
        next: page.next,
    };
    output.show(&page, |words| {
        let mut table = Table::new([
            words.of(Message::ColumnWhen),
            words.of(Message::ColumnKind),
            words.of(Message::ColumnStatus),
            words.of(Message::ColumnAuthor),
            words.of(Message::ColumnText),
        ]);
        for entry in &page.entries {
            table.row([
                entry.occurred_at.to_string(),
                entry.kind.clone(),
                status_name(entry.status).to_owned(),
                author(identity.as_ref(), entry.author),
                entry.text.0.clone(),
            ]);
        }
        let mut text = table.text();
        text.push_str(&completeness(words, &page.completeness));
        if let Some(next) = &page.next {
            text.push('\n');
            text.push_str(&words.with(Message::More, &[next]));
        }
        text
    });
    Ok(Ending::Done)
}
