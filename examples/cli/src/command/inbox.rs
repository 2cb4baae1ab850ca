//! `inbox`: everything that waits for a person, in one place.

use super::{author, conflicts, drawer, instant, queue};
use crate::failure::{Ending, Result};
use crate::output::{Output, Table};
use crate::words::{Message, Words};
use serde::Serialize;
use vereda_core::client::{Client, Identity, OutboxItem};
use vereda_core::id::WriteId;
use vereda_core::outbox::DrawerItem;
use vereda_core::store::conflicts::ConflictRow;
use vereda_core::store::entries::EntryRow;
use vereda_core::store::held::{HeldRow, HeldState};

/// What to do with what waits.
#[derive(clap::Subcommand)]
pub(crate) enum InboxCommand {
    /// Everything that waits for a person.
    List,
    /// Takes what a supervisor decided about a held write as seen.
    Tick {
        /// The write.
        write: WriteId,
    },
}

#[derive(Serialize)]
struct Ticked {
    ticked: WriteId,
}

#[derive(Serialize)]
struct Inbox {
    drawer: Vec<DrawerItem>,
    conflicts: Vec<ConflictRow>,
    undecided: Vec<EntryRow>,
    parked: Vec<OutboxItem>,
    held: Vec<HeldRow>,
}

pub(crate) async fn run(command: Option<InboxCommand>, client: &Client, output: &Output) -> Result {
    match command.unwrap_or(InboxCommand::List) {
        InboxCommand::List => list(client, output).await,
        InboxCommand::Tick { write } => {
            client.queue().tick_held(write).await?;
            output.show(&Ticked { ticked: write }, |words| {
                words.of(Message::Ticked).to_owned()
            });
            Ok(Ending::Done)
        }
    }
}

async fn list(client: &Client, output: &Output) -> Result {
    let parked = client.queue().outbox().await?;
    let inbox = Inbox {
        drawer: client.queue().drawer().await?,
        conflicts: client.conflicts().list().await?,
        undecided: client.conflicts().undecided().await?,
        parked: parked
            .into_iter()
            .filter(|write| write.state == "parked")
            .collect(),
        held: client.queue().held().await?,
    };
    let identity = client.identity().await.ok();
    output.show(&inbox, |words| text(words, identity.as_ref(), &inbox));
    Ok(Ending::Done)
}

fn text(words: Words, identity: Option<&Identity>, inbox: &Inbox) -> String {
    let sections = [
        (Message::StatusDrawer, drawer::table(words, &inbox.drawer)),
        (
            Message::StatusConflicts,
            conflicts::table(words, identity, &inbox.conflicts),
        ),
        (
            Message::StatusUndecided,
            undecided(words, identity, &inbox.undecided),
        ),
        (Message::StatusParked, queue::table(words, &inbox.parked)),
        (Message::StatusHeld, held(words, &inbox.held)),
    ];
    let sections = sections.map(|(title, body)| format!("{}\n{}", words.of(title), body.trim_end()));
    sections.join("\n\n")
}

fn held(words: Words, rows: &[HeldRow]) -> String {
    let mut table = Table::new([
        words.of(Message::ColumnId),
        words.of(Message::ColumnWhen),
        words.of(Message::ColumnStatus),
        words.of(Message::ColumnWrite),
    ]);
    for row in rows {
        let state = match row.state {
            HeldState::Waiting => Message::HeldWaiting,
            HeldState::Released => Message::HeldReleased,
            HeldState::Discarded => Message::HeldDiscarded,
        };
        table.row([
            row.write.to_string(),
            instant(row.saved_ms),
            words.of(state).to_owned(),
            row.intent.clone(),
        ]);
    }
    if table.is_empty() {
        return words.of(Message::None).to_owned();
    }
    table.text()
}

fn undecided(words: Words, identity: Option<&Identity>, entries: &[EntryRow]) -> String {
    let mut table = Table::new([
        words.of(Message::ColumnId),
        words.of(Message::ColumnWhen),
        words.of(Message::ColumnAuthor),
        words.of(Message::ColumnText),
    ]);
    for entry in entries {
        let text = entry.late_edit.as_ref().unwrap_or(&entry.text);
        table.row([
            entry.id.to_string(),
            entry.occurred_at.to_string(),
            author(identity, entry.author),
            text.0.clone(),
        ]);
    }
    if table.is_empty() {
        return words.of(Message::None).to_owned();
    }
    table.text()
}
