//! `admin drawer list`: what was refused of a unit's devices, for a user whose duty it is.

use super::{StoreArguments, open};
use crate::device::DeviceOptions;
use crate::failure::{Ending, Result};
use crate::output::{Output, Table};
use crate::words::{Message, Words};
use serde::Serialize;
use vereda_core::client::Clock;
use vereda_core::platform::native::SystemClock;
use vereda_server::store::RefusedPlace;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Lists refused writes and their reasons; the writes themselves are in their devices' drawers. Itself audited.
    List {
        /// The user who looks: a supervisor of the units.
        #[arg(long = "as", value_name = "USER")]
        user: String,
        /// The `next` of the page before.
        #[arg(long, value_parser = place)]
        after: Option<RefusedPlace>,
        /// Rows of the page.
        #[arg(long, default_value_t = 100)]
        limit: usize,
        /// Whose; the only tenant when not given.
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        store: StoreArguments,
    },
}

/// `DEVICE:INCARNATION:N`, as `next` says it.
fn place(text: &str) -> std::result::Result<RefusedPlace, String> {
    let mut parts = text.split(':');
    let read = (|| {
        Some(RefusedPlace {
            device: parts.next()?.parse().ok()?,
            incarnation: parts.next()?.parse().ok()?,
            n: parts.next()?.parse().ok()?,
        })
    })();
    read.filter(|_| parts.next().is_none())
        .ok_or_else(|| "the `next` of a page".to_owned())
}

#[derive(Serialize)]
struct Refused {
    device: u32,
    user: String,
    n: u64,
    code: String,
    detail: String,
}

#[derive(Serialize)]
struct Drawers {
    refused: Vec<Refused>,
    next: Option<String>,
}

pub(crate) fn run(command: Command, device: &DeviceOptions, output: &Output) -> Result {
    let Command::List {
        user,
        after,
        limit,
        tenant,
        store,
    } = command;
    let now_ms = SystemClock.now().wall_ms;
    let rows = open(&store, device)?.refused(tenant.as_deref(), &user, after, limit, now_ms)?;
    let next = rows.last().filter(|_| rows.len() == limit);
    let drawers = Drawers {
        next: next.map(|row| {
            let place = row.place;
            format!("{}:{}:{}", place.device, place.incarnation, place.n)
        }),
        refused: rows
            .into_iter()
            .map(|row| Refused {
                device: row.place.device,
                user: row.user,
                n: row.place.n,
                code: row.code,
                detail: row.detail,
            })
            .collect(),
    };
    output.show(&drawers, |words| table(words, &drawers));
    Ok(Ending::Done)
}

fn table(words: Words, drawers: &Drawers) -> String {
    let mut table = Table::new([
        words.of(Message::ColumnId),
        words.of(Message::StatusUser),
        words.of(Message::ColumnWrite),
        words.of(Message::ColumnReason),
        words.of(Message::ColumnText),
    ]);
    for row in &drawers.refused {
        table.row([
            row.device.to_string(),
            row.user.clone(),
            row.n.to_string(),
            row.code.clone(),
            row.detail.clone(),
        ]);
    }
    let mut text = table.text();
    if let Some(next) = &drawers.next {
        text.push_str(&words.with(Message::More, &[next]));
    }
    text
}
