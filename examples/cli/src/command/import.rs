//! `import fhir PATH…`.

use crate::failure::{Ending, Result};
use crate::output::{Output, Table};
use crate::words::{Message, Words};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::PathBuf;
use vereda_core::client::Client;
use vereda_fhir::{ClientTarget, Import, ImportReport, Origins, Progress};

/// What is imported.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// FHIR R4: transaction Bundles, single resources, NDJSON; files, or folders of them.
    Fhir {
        /// Files and folders.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// Names the server or program that numbered the resources, where several meet in one tenant.
        #[arg(long, value_name = "NAME")]
        origin: Option<String>,
        /// In which of the user's units new patients are registered, by name or id; the first when not given.
        #[arg(long)]
        unit: Option<String>,
    },
}

pub(crate) async fn run(command: Command, client: &Client, output: &Output) -> Result {
    let Command::Fhir { paths, origin, unit } = command;
    // Asked before the files are looked through: a device that may not write says so at once.
    client.identity().await?;
    let unit = super::unit(client, unit.as_deref()).await?;
    let origins = origin.map_or_else(Origins::unique, Origins::named);
    let import = Import::open(&paths, origins)?;
    let bar = bar(output.words());
    let mut target = ClientTarget::new(client, |progress: &Progress| {
        bar.set_length(progress.bytes_total);
        bar.set_position(progress.bytes);
        bar.set_message(progress.entries.to_string());
    })
    .in_unit(unit);
    let report = import.run(&mut target).await;
    bar.finish_and_clear();
    let report = report?;
    output.show(&report, |words| text(words, &report));
    Ok(if report.problems.iter().any(|problem| !problem.imported) {
        Ending::NeedsPerson
    } else {
        Ending::Done
    })
}

fn bar(words: Words) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0).with_prefix(words.of(Message::Importing));
    match ProgressStyle::with_template("{prefix} {wide_bar} {bytes}/{total_bytes} {msg} {elapsed}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn text(words: Words, report: &ImportReport) -> String {
    let skipped: u64 = report.skipped.values().sum();
    let mut text = words.with(
        Message::Imported,
        &[
            &report.resources,
            &report.entries.added,
            &report.entries.changed,
            &report.entries.unchanged,
            &skipped,
            &report.problems.len(),
        ],
    );
    text.push('\n');
    let mut table = Table::new(["", "", "", words.of(Message::ColumnReason)]);
    for problem in &report.problems {
        let index = problem.index.map_or_else(String::new, |index| index.to_string());
        table.row([
            problem.file.0.clone(),
            index,
            problem.resource.clone(),
            format!("{}: {}", problem.code.as_str(), problem.reason),
        ]);
    }
    if !table.is_empty() {
        text.push_str(&table.text());
    }
    text
}
