//! `drawer list | show | resend | discard | export`.

use super::show_saved;
use crate::failure::{Ending, Failure, Result};
use crate::output::{Output, Table};
use crate::words::{Message, Words};
use serde::Serialize;
use vereda_core::client::Client;
use vereda_core::error::Code;
use vereda_core::id::WriteId;
use vereda_core::outbox::DrawerItem;

/// What is done with what the server refused.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Lists refused writes with the server's reason.
    List,
    /// Shows one whole.
    Show {
        /// The write.
        id: WriteId,
    },
    /// Sends one again, edited or as it was.
    Resend {
        /// The write.
        id: WriteId,
        /// Another text.
        #[arg(long, allow_hyphen_values = true)]
        text: Option<String>,
        /// Another structured part.
        #[arg(long, value_name = "JSON")]
        body: Option<String>,
    },
    /// Discards one for good.
    Discard {
        /// The write.
        id: WriteId,
        /// Why, for the audit.
        #[arg(long, allow_hyphen_values = true)]
        reason: String,
    },
    /// Everything in it, whole, as JSON; noted in the audit.
    Export,
}

#[derive(Serialize)]
struct Drawer {
    writes: Vec<DrawerItem>,
}

#[derive(Serialize)]
struct Discarded {
    discarded: WriteId,
}

pub(crate) async fn run(command: Command, client: &Client, output: &Output) -> Result {
    let queue = client.queue();
    match command {
        Command::List => {
            let drawer = Drawer {
                writes: queue.drawer().await?,
            };
            output.show(&drawer, |words| table(words, &drawer.writes));
        }
        Command::Show { id } => {
            let item = queue.drawer().await?.into_iter().find(|item| item.id == id);
            let item = item.ok_or(Failure::from(Code::UnknownWrite))?;
            // A write is whole only as a document, for people too.
            output.show(&item, |_| serde_json::to_string_pretty(&item).unwrap_or_default());
        }
        Command::Resend { id, text, body } => show_saved(output, &queue.resend(id, text, body).await?),
        Command::Discard { id, reason } => {
            queue.discard(id, reason).await?;
            output.show(&Discarded { discarded: id }, |words| {
                words.of(Message::Discarded).to_owned()
            });
        }
        Command::Export => output.print(&queue.export_drawer().await?),
    }
    Ok(Ending::Done)
}

/// One row for each refused write.
pub(super) fn table(words: Words, items: &[DrawerItem]) -> String {
    let mut table = Table::new([
        words.of(Message::ColumnWrite),
        words.of(Message::ColumnPatient),
        words.of(Message::ColumnWhat),
        words.of(Message::ColumnReason),
    ]);
    for item in items {
        table.row([
            item.id.to_string(),
            item.patient.to_string(),
            item.write.intent.name().to_owned(),
            format!("{}: {}", item.code, item.detail),
        ]);
    }
    if table.is_empty() {
        return words.of(Message::None).to_owned();
    }
    table.text()
}
