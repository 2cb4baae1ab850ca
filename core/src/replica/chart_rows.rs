//! A chart item's row and conflicts, from its document.

use crate::document::{ChartState, ChartValue, DocumentKey};
use crate::error::Result;
use crate::id::ChartItemId;
use crate::record::ChartKind;
use crate::step::Step;
use crate::store::chart::{self, ChartRow};
use crate::store::conflicts::{self, Choice, ConflictRow, ConflictSubject, Subject};

/// Writes an item as its document has it, or takes it away when the document no longer has it.
pub(super) fn write(
    step: &mut Step<'_>,
    key: &DocumentKey,
    id: &ChartItemId,
    state: &ChartState,
) -> Result<()> {
    let subject = Subject {
        patient: key.patient,
        compartment: key.compartment,
        id: id.0,
    };
    let Some(row) = row_of(key, id, state) else {
        chart::remove(step.transaction, &key.patient, key.compartment, id)?;
        conflicts::keep_only(step.transaction, &subject, &[])?;
        return Ok(());
    };
    let kind = row.kind.clone();
    chart::put(step.transaction, &row)?;
    let mut open = Vec::new();
    for (field, values) in state.fields.iter().filter(|(_, values)| values.len() > 1) {
        open.push(field.as_str());
        let conflict = ConflictRow {
            id: subject.conflict_id(field),
            patient: key.patient,
            compartment: key.compartment,
            subject: id.0,
            subject_kind: ConflictSubject::ChartItem,
            field: field.clone(),
            needs_person: ChartKind(kind.clone()).needs_person(field),
            choices: values
                .iter()
                .enumerate()
                .map(|(index, value)| choice(value, index == 0))
                .collect(),
        };
        conflicts::put(step.transaction, &conflict)?;
    }
    conflicts::keep_only(step.transaction, &subject, &open)?;
    Ok(())
}

fn row_of(key: &DocumentKey, id: &ChartItemId, state: &ChartState) -> Option<ChartRow> {
    let latest = state
        .fields
        .values()
        .flatten()
        .max_by_key(|value| (value.recorded_at, value.write))?;
    let winners = state
        .fields
        .iter()
        .filter_map(|(field, values)| Some((field, values.first()?)));
    let kind = state
        .fields
        .get("kind")
        .and_then(|values| values.first())
        .map_or("", |value| value.value.as_str());
    Some(ChartRow {
        id: *id,
        patient: key.patient,
        compartment: key.compartment,
        kind: kind.to_owned(),
        fields: winners
            .filter(|(field, _)| field.as_str() != "kind")
            .map(|(field, value)| (field.clone(), value.value.clone()))
            .collect(),
        author: latest.author,
        recorded_at: latest.recorded_at,
        also: Vec::new(),
    })
}

/// Whether the row that is here is the one its document makes.
pub(super) fn is_as_written(
    step: &Step<'_>,
    key: &DocumentKey,
    id: &ChartItemId,
    state: &ChartState,
) -> Result<bool> {
    let found = chart::get(step.transaction, &key.patient, key.compartment, id)?;
    Ok(row_of(key, id, state) == found)
}

fn choice(value: &ChartValue, shown: bool) -> Choice {
    Choice {
        value: value.value.clone(),
        author: value.author,
        recorded_at: value.recorded_at,
        write: value.write,
        shown,
    }
}
