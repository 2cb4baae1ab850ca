//! `admin users`: who works here, as what, and what they read besides.

use super::{StoreArguments, open};
use crate::device::DeviceOptions;
use crate::failure::{Ending, Result};
use crate::output::{Output, Table};
use crate::words::{Message, Words};
use serde::Serialize;
use vereda_core::id::UserId;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Whose; the only tenant when not given.
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    store: StoreArguments,
}

#[derive(Serialize)]
struct Scope {
    unit: String,
    compartment: &'static str,
}

#[derive(Serialize)]
struct User {
    user: UserId,
    name: String,
    role: &'static str,
    units: Vec<String>,
    speciality: Option<String>,
    scopes: Vec<Scope>,
}

#[derive(Serialize)]
struct Users {
    users: Vec<User>,
}

pub(crate) fn run(arguments: &Arguments, device: &DeviceOptions, output: &Output) -> Result {
    let people = open(&arguments.store, device)?.people(arguments.tenant.as_deref())?;
    let users = people.into_iter().map(|person| User {
        user: person.user,
        name: person.name,
        role: person.role.name(),
        units: person.units,
        speciality: person.speciality,
        scopes: person
            .scopes
            .into_iter()
            .map(|scope| Scope {
                unit: scope.unit,
                compartment: scope.compartment.name(),
            })
            .collect(),
    });
    let users = Users {
        users: users.collect(),
    };
    output.show(&users, |words| table(words, &users));
    Ok(Ending::Done)
}

fn table(words: Words, users: &Users) -> String {
    let mut table = Table::new([
        words.of(Message::StatusUser),
        words.of(Message::ColumnRole),
        words.of(Message::ColumnUnit),
        words.of(Message::ColumnSpeciality),
        words.of(Message::ColumnBesides),
    ]);
    for user in &users.users {
        let scopes = user.scopes.iter();
        let scopes = scopes.map(|scope| format!("{} ({})", scope.compartment, scope.unit));
        table.row([
            user.name.clone(),
            user.role.to_owned(),
            user.units.join(", "),
            user.speciality.clone().unwrap_or_default(),
            scopes.collect::<Vec<_>>().join(", "),
        ]);
    }
    table.text()
}
