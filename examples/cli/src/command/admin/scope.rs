//! `admin scope grant | revoke | list`: what a user reads in a unit beyond their role.

use super::{StoreArguments, open};
use crate::device::DeviceOptions;
use crate::failure::{Ending, Result};
use crate::output::{Output, Table};
use crate::words::{Message, Words};
use serde::Serialize;
use vereda_core::client::Clock;
use vereda_core::platform::native::SystemClock;
use vereda_core::record::Compartment;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Grants a compartment to a user in one unit.
    Grant(GrantArguments),
    /// Takes a grant back; what the user's devices hold of it goes at their next sync.
    Revoke(GrantArguments),
    /// Lists what is granted.
    List {
        /// Whose; the only tenant when not given.
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        store: StoreArguments,
    },
}

#[derive(clap::Args)]
pub(crate) struct GrantArguments {
    /// The user.
    #[arg(long)]
    user: String,
    /// A unit they work in.
    #[arg(long)]
    unit: String,
    /// What is granted.
    #[arg(long, value_parser = ["sensitive"])]
    compartment: String,
    /// Whose; the only tenant when not given.
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    store: StoreArguments,
}

#[derive(Serialize)]
struct Grant {
    user: String,
    unit: String,
    compartment: &'static str,
    granted: bool,
}

#[derive(Serialize)]
struct Scope {
    user: String,
    unit: String,
    compartment: &'static str,
}

#[derive(Serialize)]
struct Scopes {
    scopes: Vec<Scope>,
}

pub(crate) fn run(command: Command, device: &DeviceOptions, output: &Output) -> Result {
    match command {
        Command::Grant(arguments) => change(arguments, true, device, output)?,
        Command::Revoke(arguments) => change(arguments, false, device, output)?,
        Command::List { tenant, store } => {
            let rows = open(&store, device)?.scopes(tenant.as_deref())?;
            let scopes = rows.into_iter().map(|row| Scope {
                user: row.user,
                unit: row.unit,
                compartment: row.compartment.name(),
            });
            let scopes = Scopes {
                scopes: scopes.collect(),
            };
            output.show(&scopes, |words| table(words, &scopes));
        }
    }
    Ok(Ending::Done)
}

fn change(arguments: GrantArguments, granted: bool, device: &DeviceOptions, output: &Output) -> Result<()> {
    let GrantArguments {
        user,
        unit,
        compartment: _,
        tenant,
        store,
    } = arguments;
    let compartment = Compartment::Sensitive;
    let now_ms = SystemClock.now().wall_ms;
    let mut administration = open(&store, device)?;
    let tenant = tenant.as_deref();
    if granted {
        administration.grant_scope(tenant, &user, &unit, compartment, now_ms)?;
    } else {
        administration.revoke_scope(tenant, &user, &unit, compartment, now_ms)?;
    }
    let changed = Grant {
        user,
        unit,
        compartment: compartment.name(),
        granted,
    };
    output.show(&changed, |words| words.of(Message::Done).to_owned());
    Ok(())
}

fn table(words: Words, scopes: &Scopes) -> String {
    let mut table = Table::new([
        words.of(Message::StatusUser),
        words.of(Message::ColumnUnit),
        words.of(Message::ColumnWhat),
    ]);
    for scope in &scopes.scopes {
        table.row([
            scope.user.clone(),
            scope.unit.clone(),
            scope.compartment.to_owned(),
        ]);
    }
    table.text()
}
