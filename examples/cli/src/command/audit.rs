//! `audit list | verify | export`.

use crate::failure::{Ending, Result};
use crate::output::{Output, Table};
use crate::words::{Message, Words};
use serde::Serialize;
use vereda_core::audit::AuditEntry;
use vereda_core::client::Client;
use vereda_core::protocol::AuditRecord;

/// What is done with the audit.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Lists the records kept here.
    List {
        /// After this record.
        #[arg(long, default_value_t = 0, value_name = "K")]
        after: u64,
        /// Rows of the page.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Walks the chain; exits with 1 where it is broken.
    Verify,
    /// All records kept here, as JSON or CSV; itself audited.
    Export {
        /// json or csv.
        #[arg(long, default_value = "json")]
        format: Format,
        /// Why.
        #[arg(long, default_value = "review", allow_hyphen_values = true)]
        reason: String,
    },
}

/// Of what shape.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Format {
    /// One JSON document.
    Json,
    /// A row for each record.
    Csv,
}

#[derive(Serialize)]
struct Audit {
    records: Vec<AuditEntry>,
    next: Option<u64>,
}

pub(crate) async fn run(command: Command, client: &Client, output: &Output) -> Result {
    let audit = client.audit();
    match command {
        Command::List { after, limit } => {
            let records = audit.list(after, limit).await?;
            let next = records
                .last()
                .filter(|_| records.len() == limit)
                .map(|last| last.k);
            let listed = Audit { records, next };
            output.show(&listed, |words| table(words, &listed));
        }
        Command::Verify => {
            let found = audit.verify().await?;
            output.show(&found, |words| match found.broken_at {
                Some(record) => words.with(Message::DoctorAuditBroken, &[&record]),
                None => words.with(Message::AuditWhole, &[&found.records, &found.received]),
            });
            if found.broken_at.is_some() {
                return Ok(Ending::NeedsPerson);
            }
        }
        Command::Export { format, reason } => {
            let exported = audit.export(reason).await?;
            match format {
                Format::Json => {
                    output.print(&serde_json::to_string_pretty(&exported).unwrap_or_default());
                }
                Format::Csv => {
                    let heading = ["k", "at", "what", "who", "subject", "reason", "head", "received"];
                    let rows = exported.records.iter().map(|entry| {
                        let told = Told::of(&entry.record);
                        let received = entry.received.to_string();
                        [
                            entry.k.to_string(),
                            told.at,
                            told.what,
                            told.who,
                            told.subject,
                            told.reason,
                            entry.head.clone(),
                            received,
                        ]
                    });
                    output.print_whole(&super::export::csv(heading, rows)?);
                }
            }
        }
    }
    Ok(Ending::Done)
}

/// A record as people read it.
#[derive(Default)]
pub(super) struct Told {
    pub(super) at: String,
    pub(super) what: String,
    pub(super) who: String,
    pub(super) subject: String,
    pub(super) reason: String,
}

impl Told {
    pub(super) fn of(record: &AuditRecord) -> Self {
        match record {
            AuditRecord::Wrote { n, .. } => Self {
                what: "wrote".into(),
                subject: n.to_string(),
                ..Self::default()
            },
            AuditRecord::Opened {
                user,
                patient,
                purpose,
                at_ms,
                ..
            } => Self {
                at: super::instant(*at_ms),
                what: "opened".into(),
                who: user.to_string(),
                subject: patient.to_string(),
                reason: purpose.clone(),
            },
            AuditRecord::Listed {
                user,
                list,
                count,
                at_ms,
                ..
            } => Self {
                at: super::instant(*at_ms),
                what: format!("listed {list}"),
                who: user.to_string(),
                subject: count.to_string(),
                reason: String::new(),
            },
            AuditRecord::Did {
                user,
                action,
                subject,
                reason,
                at_ms,
            } => Self {
                at: super::instant(*at_ms),
                what: action.clone(),
                who: user.to_string(),
                subject: subject.map_or_else(String::new, |subject| subject.to_string()),
                reason: reason.0.clone(),
            },
        }
    }
}

fn table(words: Words, listed: &Audit) -> String {
    let mut table = Table::new([
        "",
        words.of(Message::ColumnWhen),
        words.of(Message::ColumnWhat),
        words.of(Message::ColumnAuthor),
        words.of(Message::ColumnId),
        words.of(Message::ColumnReason),
    ]);
    for entry in &listed.records {
        let told = Told::of(&entry.record);
        table.row([
            entry.k.to_string(),
            told.at,
            told.what,
            told.who,
            told.subject,
            told.reason,
        ]);
    }
    let mut text = table.text();
    if let Some(next) = listed.next {
        text.push_str(&words.with(Message::More, &[&next]));
    }
    text
}
