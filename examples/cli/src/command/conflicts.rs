//! `conflicts list | resolve`.

use super::{author, show_saved};
use crate::failure::{Ending, Failure, Result, Usage};
use crate::output::{Output, Table};
use crate::words::{Message, Words};
use serde::Serialize;
use vereda_core::client::{Client, Identity, Resolution};
use vereda_core::error::{Code, SyncError};
use vereda_core::id::{ConflictId, WriteId};
use vereda_core::redact::Sensitive;
use vereda_core::store::conflicts::ConflictRow;

/// What is done with conflicts.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Lists open conflicts: both values, who and when.
    List,
    /// Decides one.
    Resolve {
        /// The conflict.
        id: ConflictId,
        /// The write whose value it shall be.
        #[arg(long, value_name = "WRITE")]
        choose: Option<WriteId>,
        /// Another value.
        #[arg(long, conflicts_with = "choose")]
        value: Option<String>,
    },
}

#[derive(Serialize)]
struct Conflicts {
    conflicts: Vec<ConflictRow>,
}

pub(crate) async fn run(command: Command, client: &Client, output: &Output) -> Result {
    match command {
        Command::List => {
            let listed = Conflicts {
                conflicts: client.conflicts().list().await?,
            };
            let identity = client.identity().await.ok();
            output.show(&listed, |words| {
                table(words, identity.as_ref(), &listed.conflicts)
            });
        }
        Command::Resolve { id, choose, value } => {
            let resolution = match (choose, value) {
                (Some(write), _) => Resolution::Choice(write),
                (None, Some(value)) => Resolution::Value(Sensitive(value)),
                (None, None) => {
                    let usage = Usage::new(Message::OneOfNeeded, &["--choose, --value"]);
                    return Err(Failure::Usage(usage));
                }
            };
            let open = client.conflicts().list().await?;
            let shown = open.into_iter().find(|conflict| conflict.id == id);
            let shown = shown.ok_or(SyncError::from(Code::UnknownConflict))?;
            show_saved(output, &client.conflicts().resolve(shown, resolution).await?);
        }
    }
    Ok(Ending::Done)
}

/// One row for each value of each conflict.
pub(super) fn table(words: Words, identity: Option<&Identity>, conflicts: &[ConflictRow]) -> String {
    let mut table = Table::new([
        words.of(Message::ColumnId),
        words.of(Message::ColumnField),
        words.of(Message::ColumnWrite),
        words.of(Message::ColumnAuthor),
        words.of(Message::ColumnWhen),
        words.of(Message::ColumnValue),
    ]);
    for conflict in conflicts {
        for choice in &conflict.choices {
            let mut value = choice.value.0.clone();
            if choice.shown {
                value = format!("{value} ({})", words.of(Message::Shown));
            }
            table.row([
                conflict.id.to_string(),
                conflict.field.clone(),
                choice.write.to_string(),
                author(identity, choice.author),
                choice.recorded_at.to_string(),
                value,
            ]);
        }
    }
    if table.is_empty() {
        return words.of(Message::None).to_owned();
    }
    table.text()
}
