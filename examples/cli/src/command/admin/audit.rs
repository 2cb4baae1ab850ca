//! `admin audit list | verify`: the whole tenant's audit, for a user whose duty it is.

use super::super::audit::Told;
use super::{StoreArguments, open};
use crate::device::DeviceOptions;
use crate::failure::{Ending, Result};
use crate::output::{Output, Table};
use crate::words::{Message, Words};
use serde::Serialize;
use vereda_core::client::Clock;
use vereda_core::id::{Incarnation, StoreId};
use vereda_core::platform::native::SystemClock;
use vereda_core::protocol::AuditRecord;
use vereda_server::admin::AuditReport;
use vereda_server::store::{AuditPlace, AuditRow};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Lists the records the server holds, chain after chain; itself audited.
    List {
        #[command(flatten)]
        auditor: Auditor,
        /// The `next` of the page before.
        #[arg(long, value_parser = place)]
        after: Option<AuditPlace>,
        /// Rows of the page.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Walks every chain; exits with 1 where one is broken. Itself audited.
    Verify {
        #[command(flatten)]
        auditor: Auditor,
    },
}

/// Who reads it.
#[derive(clap::Args)]
pub(crate) struct Auditor {
    /// The user who reads: an auditor.
    #[arg(long = "as", value_name = "USER")]
    user: String,
    /// Whose; the only tenant when not given.
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    store: StoreArguments,
}

/// `STORE:INCARNATION:K`, as `next` says it.
fn place(text: &str) -> std::result::Result<AuditPlace, String> {
    let read = || {
        let (store, rest) = text.split_once(':')?;
        let (number, k) = rest.split_once(':')?;
        Some(AuditPlace {
            incarnation: Incarnation {
                store: StoreId(store.parse().ok()?),
                number: number.parse().ok()?,
            },
            k: k.parse().ok()?,
        })
    };
    read().ok_or_else(|| "the `next` of a page".to_owned())
}

fn name(place: &AuditPlace) -> String {
    let incarnation = &place.incarnation;
    format!("{}:{}:{}", incarnation.store, incarnation.number, place.k)
}

#[derive(Serialize)]
struct Record {
    /// None: the server's own chain.
    device: Option<u32>,
    user: Option<String>,
    chain: String,
    k: u64,
    received_at: String,
    record: AuditRecord,
    head: String,
}

#[derive(Serialize)]
struct Records {
    records: Vec<Record>,
    next: Option<String>,
}

#[derive(Serialize)]
struct Verified {
    chains: u64,
    records: u64,
    broken: Vec<String>,
}

pub(crate) fn run(command: Command, device: &DeviceOptions, output: &Output) -> Result {
    let now_ms = SystemClock.now().wall_ms;
    match command {
        Command::List {
            auditor,
            after,
            limit,
        } => {
            let rows = open(&auditor.store, device)?.audit(
                auditor.tenant.as_deref(),
                &auditor.user,
                after,
                limit,
                now_ms,
            )?;
            let next = rows.last().filter(|_| rows.len() == limit);
            let records = Records {
                next: next.map(|row| name(&row.place)),
                records: rows.into_iter().map(record).collect(),
            };
            output.show(&records, |words| table(words, &records));
            Ok(Ending::Done)
        }
        Command::Verify { auditor } => {
            let AuditReport {
                chains,
                records,
                broken,
            } = open(&auditor.store, device)?.verify_audit(
                auditor.tenant.as_deref(),
                &auditor.user,
                now_ms,
            )?;
            let verified = Verified {
                chains,
                records,
                broken: broken.iter().map(name).collect(),
            };
            output.show(&verified, |words| match verified.broken.first() {
                Some(place) => words.with(Message::DoctorAuditBroken, &[place]),
                None => words.with(Message::AuditWhole, &[&records]),
            });
            Ok(if verified.broken.is_empty() {
                Ending::Done
            } else {
                Ending::NeedsPerson
            })
        }
    }
}

fn record(row: AuditRow) -> Record {
    let (device, user) = row.device.unzip();
    let incarnation = &row.place.incarnation;
    Record {
        device,
        user,
        chain: format!("{}:{}", incarnation.store, incarnation.number),
        k: row.place.k,
        received_at: super::instant(row.received_ms),
        head: row.head.iter().map(|byte| format!("{byte:02x}")).collect(),
        record: row.record,
    }
}

fn table(words: Words, records: &Records) -> String {
    let mut table = Table::new([
        words.of(Message::StatusUser),
        "",
        words.of(Message::ColumnAtServer),
        words.of(Message::ColumnWhat),
        words.of(Message::ColumnId),
        words.of(Message::ColumnReason),
    ]);
    for record in &records.records {
        let told = Told::of(&record.record);
        table.row([
            record.user.clone().unwrap_or_else(|| told.who.clone()),
            record.k.to_string(),
            record.received_at.clone(),
            told.what,
            told.subject,
            told.reason,
        ]);
    }
    let mut text = table.text();
    if let Some(next) = &records.next {
        text.push_str(&words.with(Message::More, &[next]));
    }
    text
}
