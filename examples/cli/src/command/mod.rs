//! The commands, one file for each family, and what several of them share.

pub(crate) mod admin;
pub(crate) mod audit;
pub(crate) mod chart;
pub(crate) mod conflicts;
pub(crate) mod doctor;
pub(crate) mod drawer;
pub(crate) mod enrol;
pub(crate) mod event;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod inbox;
pub(crate) mod patient;
pub(crate) mod placement;
pub(crate) mod queue;
pub(crate) mod reference;
pub(crate) mod selection;
pub(crate) mod serve;
pub(crate) mod statistics;
pub(crate) mod sync;
pub(crate) mod timeline;
pub(crate) mod verify;

use crate::failure::{Failure, Usage};
use crate::output::Output;
use crate::words::{Message, Words};
use vereda_core::client::{Client, Identity};
use vereda_core::engine::Completeness;
use vereda_core::error::Code;
use vereda_core::id::{UnitId, UserId};
use vereda_core::outbox::Saved;
use vereda_core::time::Zoned;

/// Why a patient is opened, unless told otherwise.
pub(crate) const PURPOSE: &str = "care";

/// `NAME=VALUE`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("NAME=VALUE is needed".to_owned()),
    }
}

/// A typed time; the library's code when it is none between 1900 and 2200.
pub(crate) fn time(text: Option<&str>) -> Result<Option<Zoned>, Failure> {
    text.map(|text| Zoned::parse(text).ok_or(Failure::from(Code::NotADate)))
        .transpose()
}

/// The unit that is named by its name or id; none when none is named.
pub(crate) async fn unit(client: &Client, named: Option<&str>) -> Result<Option<UnitId>, Failure> {
    let Some(named) = named else { return Ok(None) };
    let units = client.identity().await?.scope.units;
    let found = units
        .iter()
        .find(|unit| unit.name.0 == named || unit.id.to_string() == named);
    match found {
        Some(unit) => Ok(Some(unit.id)),
        None => {
            let names: Vec<&str> = units.iter().map(|unit| unit.name.0.as_str()).collect();
            Err(Failure::Usage(Usage::new(
                Message::UnitUnknown,
                &[&names.join(", ")],
            )))
        }
    }
}

/// An instant as people read it.
pub(crate) fn instant(ms: i64) -> String {
    Zoned {
        utc_ms: ms,
        offset_minutes: 0,
    }
    .to_string()
}

/// A colleague's name, or the beginning of their id.
pub(crate) fn author(identity: Option<&Identity>, user: UserId) -> String {
    let people = identity.map(|identity| identity.scope.people.as_slice());
    people
        .and_then(|people| people.iter().find(|person| person.id == user))
        .map_or_else(|| user.to_string(), |person| person.name.0.clone())
}

/// Shows a saved write.
pub(crate) fn show_saved(output: &Output, saved: &Saved) {
    output.show(saved, |words| {
        let mut text = words.of(Message::Saved).to_owned();
        if let Some(entry) = saved.entry {
            text.push_str(&format!("\n{entry}"));
        } else if let Some(item) = saved.chart_item {
            text.push_str(&format!("\n{item}"));
        }
        text
    });
}

/// What a list can be trusted for, in words.
pub(crate) fn completeness(words: Words, completeness: &Completeness) -> String {
    match completeness {
        Completeness::Complete => words.of(Message::Complete).to_owned(),
        Completeness::Partial => words.of(Message::Partial).to_owned(),
        Completeness::StaleSince(since) => words.with(Message::StaleSince, &[&instant(*since)]),
    }
}
