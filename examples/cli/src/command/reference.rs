//! `reference list`: what the tenant keeps for all its devices, and how fresh it is.

use crate::failure::{Ending, Result};
use crate::output::{Output, Table};
use crate::words::{Message, Words};
use serde::Serialize;
use serde_json::Value;
use vereda_core::client::{Client, Freshness};

/// What is done with the reference data.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Lists the rows of a kind.
    List {
        /// Of which kind.
        #[arg(long, value_parser = ["unit", "speciality", "professional", "kind"])]
        kind: String,
    },
}

#[derive(Serialize)]
struct Row {
    id: String,
    name: String,
    retired: bool,
    fetched_at: String,
    expires_at: String,
    content: Value,
}

#[derive(Serialize)]
struct List {
    kind: String,
    version: u32,
    freshness: &'static str,
    stale_since: Option<String>,
    rows: Vec<Row>,
}

pub(crate) async fn run(command: Command, client: &Client, output: &Output) -> Result {
    let Command::List { kind } = command;
    let found = client.reference().rows(&kind).await?;
    let (freshness, stale_since) = match found.freshness {
        Freshness::Fresh => ("fresh", None),
        Freshness::StaleSince(since_ms) => ("stale", Some(super::instant(since_ms))),
        Freshness::Partial => ("partial", None),
    };
    let rows = found.rows.into_iter().map(|row| Row {
        name: name(&row.content, output).unwrap_or_else(|| row.id.clone()),
        id: row.id,
        retired: row.retired,
        fetched_at: super::instant(row.fetched_ms),
        expires_at: super::instant(row.expires_ms),
        content: row.content,
    });
    let list = List {
        kind,
        version: found.version,
        freshness,
        stale_since,
        rows: rows.collect(),
    };
    output.show(&list, |words| table(words, &list));
    Ok(Ending::Done)
}

/// What people call a row: a name, or a title in their language.
fn name(content: &Value, output: &Output) -> Option<String> {
    let language = match output.language {
        vereda_core::error::Language::English => "en",
        vereda_core::error::Language::Portuguese => "pt",
    };
    [&content["name"], &content[language], &content["titles"][language]]
        .into_iter()
        .find_map(Value::as_str)
        .map(str::to_owned)
}

fn table(words: Words, list: &List) -> String {
    let mut table = Table::new([
        words.of(Message::ColumnName),
        words.of(Message::ColumnId),
        words.of(Message::ColumnRetired),
    ]);
    for row in &list.rows {
        let retired = if row.retired { Message::Yes } else { Message::No };
        table.row([row.name.clone(), row.id.clone(), words.of(retired).to_owned()]);
    }
    let how = match (&list.stale_since, list.freshness) {
        (Some(since), _) => words.with(Message::StaleSince, &[since]),
        (None, "fresh") => words.of(Message::Complete).to_owned(),
        (None, _) => words.of(Message::Partial).to_owned(),
    };
    format!("{}\n{how}", table.text())
}
