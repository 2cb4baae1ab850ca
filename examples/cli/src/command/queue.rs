//! `outbox`.

use crate::failure::{Ending, Result};
use crate::output::{Output, Table};
use crate::words::{Message, Words};
use serde::Serialize;
use vereda_core::client::{Client, OutboxItem};

/// What waits to be sent.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Tries parked writes again.
    #[arg(long)]
    unpark: bool,
}

#[derive(Serialize)]
struct Outbox {
    writes: Vec<OutboxItem>,
}

pub(crate) async fn run(arguments: Arguments, client: &Client, output: &Output) -> Result {
    if arguments.unpark {
        client.queue().unpark().await?;
    }
    let outbox = Outbox {
        writes: client.queue().outbox().await?,
    };
    output.show(&outbox, |words| table(words, &outbox.writes));
    Ok(Ending::Done)
}

/// One row for each write.
pub(super) fn table(words: Words, writes: &[OutboxItem]) -> String {
    let mut table = Table::new([
        words.of(Message::ColumnWrite),
        words.of(Message::ColumnWhen),
        words.of(Message::ColumnWhat),
        words.of(Message::ColumnStatus),
        words.of(Message::ColumnAttempts),
        words.of(Message::ColumnReason),
    ]);
    for write in writes {
        table.row([
            write.id.to_string(),
            super::instant(write.saved_ms),
            write.intent.clone(),
            write.state.to_owned(),
            write.attempts.to_string(),
            write.reason.clone().unwrap_or_default(),
        ]);
    }
    if table.is_empty() {
        return words.of(Message::None).to_owned();
    }
    table.text()
}
