//! An entry's row and conflict, from its document and its receipts.

use crate::document::{DocumentKey, DraftState, EntryState};
use crate::error::Result;
use crate::id::{EntryId, UnitId, WriteId};
use crate::record::{EntryHeader, Relation};
use crate::step::Step;
use crate::store::conflicts::{self, Choice, ConflictRow, ConflictSubject, Subject};
use crate::store::entries::{self, EntryRow, EntryStatus, RelationRow};
use crate::store::receipts;

/// Writes the row of an entry as its document has it, or takes it away when the document no longer has it.
pub(super) fn write(
    step: &mut Step<'_>,
    key: &DocumentKey,
    unit: UnitId,
    id: &EntryId,
    state: &EntryState,
) -> Result<()> {
    let shown = shown_header(step, key, id, state)?;
    let row = row_of(key, unit, id, state, shown);
    if is_shown_elsewhere(step, key, id, row.as_ref())? {
        return Ok(());
    }
    match row {
        Some(row) => entries::put(step.transaction, &row, &mut step.counts)?,
        None => entries::remove(step.transaction, &key.patient, id, &mut step.counts)?,
    }
    let shown = shown.map(|header| header.write);
    write_conflict(step, key, id, state, shown)
}

fn row_of(
    key: &DocumentKey,
    unit: UnitId,
    id: &EntryId,
    state: &EntryState,
    shown: Option<&EntryHeader>,
) -> Option<EntryRow> {
    match (shown, &state.draft) {
        (Some(header), draft) => Some(final_row(key, id, header, draft.as_ref(), state)),
        (None, Some(draft)) => Some(draft_row(key, unit, id, draft)),
        (None, None) => None,
    }
}

/// Whether the row that is here is the one its document makes.
pub(super) fn is_as_written(
    step: &Step<'_>,
    key: &DocumentKey,
    unit: UnitId,
    id: &EntryId,
    state: &EntryState,
) -> Result<bool> {
    let made = row_of(key, unit, id, state, shown_header(step, key, id, state)?);
    if is_shown_elsewhere(step, key, id, made.as_ref())? {
        return Ok(true);
    }
    let found = entries::get(step.transaction, &key.patient, id)?;
    Ok(match (made, found) {
        (Some(mut made), Some(found)) => {
            // A final entry's status follows from other rows.
            if made.status != EntryStatus::Draft && found.status != EntryStatus::Draft {
                made.status = found.status;
            } else {
                // In which unit a draft is written is not in its document.
                made.unit = found.unit;
            }
            made == found
        }
        (None, None) => true,
        _ => false,
    })
}

/// An id that derives from a source (UUIDv5) may stand in two documents: two devices imported it with times in two
/// years, or for two patients. Everybody shows the one the server received first.
fn is_shown_elsewhere(
    step: &Step<'_>,
    key: &DocumentKey,
    id: &EntryId,
    row: Option<&EntryRow>,
) -> Result<bool> {
    if id.0.get_version_num() != 5 {
        return Ok(false);
    }
    let Some(shown) = entries::get(step.transaction, &key.patient, id)? else {
        return Ok(false);
    };
    let (year, part) = shown.chapter;
    let there = DocumentKey::chapter(shown.patient, shown.compartment, year, part);
    if there == *key {
        return Ok(false);
    }
    let received = |write: &WriteId, key: &DocumentKey| -> Result<_> {
        let receipt = receipts::of_entry(step.transaction, (&key.patient, id), write)?;
        let place = receipt.map_or((i64::MAX, u64::MAX), |receipt| (receipt.received_ms, receipt.seq));
        Ok((place, key.id()))
    };
    match row {
        Some(row) => Ok(received(&shown.write, &there)? < received(&row.write, key)?),
        None => Ok(true),
    }
}

/// Of several headers the one a person chose, else the first in the log's order; one that is not in the log yet
/// comes last.
fn shown_header<'a>(
    step: &Step<'_>,
    key: &DocumentKey,
    id: &EntryId,
    state: &'a EntryState,
) -> Result<Option<&'a EntryHeader>> {
    if let Some(chosen) = state.chosen.iter().find_map(|chosen| state.headers.get(chosen)) {
        return Ok(Some(chosen));
    }
    if state.headers.len() < 2 {
        return Ok(state.headers.values().next());
    }
    let mut first: Option<(u64, &EntryHeader)> = None;
    for header in state.headers.values() {
        let seq = receipts::of_entry(step.transaction, (&key.patient, id), &header.write)?
            .map_or(u64::MAX, |receipt| receipt.seq);
        if first.is_none_or(|(known, _)| seq < known) {
            first = Some((seq, header));
        }
    }
    Ok(first.map(|(_, header)| header))
}

fn final_row(
    key: &DocumentKey,
    id: &EntryId,
    header: &EntryHeader,
    draft: Option<&DraftState>,
    state: &EntryState,
) -> EntryRow {
    let digest = draft.map(DraftState::digest);
    // The final text never changes: what came into the draft after it was final shows apart.
    let late = draft.filter(|_| {
        header.draft_seen.is_some_and(|seen| digest != Some(*seen))
            && digest.is_some_and(|digest| !state.dismissed.contains(&digest))
    });
    EntryRow {
        headers: if state.chosen.is_empty() {
            distinct(state).len() as u32
        } else {
            1
        },
        late_edit: late.map(|draft| draft.text.clone()),
        draft_digest: digest,
        ..plain_row(key, id, header.clone())
    }
}

/// The row of an entry that is one header and nothing else.
pub(super) fn plain_row(key: &DocumentKey, id: &EntryId, header: EntryHeader) -> EntryRow {
    let entry = header.entry;
    let (origin, performer, origin_digest) = match entry.origin {
        Some(origin) => (Some(origin.resource), origin.performer, Some(origin.digest)),
        None => (None, None, None),
    };
    EntryRow {
        id: *id,
        patient: key.patient,
        occurred_at: entry.occurred_at,
        kind: entry.kind.0,
        status: EntryStatus::Final,
        text: entry.text,
        body: entry.body,
        author: header.author,
        unit: header.unit,
        compartment: key.compartment,
        recorded_at: header.recorded_at,
        chapter: key.chapter_numbers(),
        time_inferred: entry.marks.time_inferred,
        time_uncertain: entry.marks.time_uncertain,
        relation: entry.relation.map(|relation| match relation {
            Relation::Amends(entry) => RelationRow::Amends(entry),
            Relation::Retracts(entry) => RelationRow::Retracts(entry),
            Relation::MovedFrom { patient, entry } => RelationRow::MovedFrom(patient, entry),
        }),
        origin,
        performer,
        origin_digest,
        write: header.write,
        headers: 1,
        late_edit: None,
        draft_digest: None,
    }
}

fn draft_row(key: &DocumentKey, unit: UnitId, id: &EntryId, draft: &DraftState) -> EntryRow {
    EntryRow {
        id: *id,
        patient: key.patient,
        occurred_at: draft.occurred_at.first().copied().unwrap_or(draft.recorded_at),
        kind: draft.kind.as_str().to_owned(),
        status: EntryStatus::Draft,
        text: draft.text.clone(),
        body: draft.body.first().cloned().flatten(),
        author: draft.author,
        unit,
        compartment: key.compartment,
        recorded_at: draft.recorded_at,
        chapter: key.chapter_numbers(),
        time_inferred: false,
        time_uncertain: false,
        relation: None,
        origin: None,
        performer: None,
        origin_digest: None,
        write: WriteId(uuid::Uuid::nil()),
        headers: 0,
        late_edit: None,
        draft_digest: Some(draft.digest()),
    }
}

/// Headers that say different things: two people who import the same resource do not disagree.
fn distinct(state: &EntryState) -> Vec<&EntryHeader> {
    let mut found: Vec<&EntryHeader> = Vec::new();
    for header in state.headers.values() {
        if !found.iter().any(|known| known.entry == header.entry) {
            found.push(header);
        }
    }
    found
}

fn write_conflict(
    step: &mut Step<'_>,
    key: &DocumentKey,
    id: &EntryId,
    state: &EntryState,
    shown: Option<WriteId>,
) -> Result<()> {
    let subject = Subject {
        patient: key.patient,
        compartment: key.compartment,
        id: id.0,
    };
    let headers = distinct(state);
    if headers.len() < 2 || !state.chosen.is_empty() {
        if state.headers.len() > 1 || state.draft.is_some() {
            conflicts::keep_only(step.transaction, &subject, &[])?;
        }
        return Ok(());
    }
    let mut choices: Vec<Choice> = headers
        .into_iter()
        .map(|header| Choice {
            value: header.entry.text.clone(),
            author: header.author,
            recorded_at: header.recorded_at,
            write: header.write,
            shown: Some(header.write) == shown,
        })
        .collect();
    choices.sort_by_key(|choice| (!choice.shown, choice.write));
    conflicts::put(
        step.transaction,
        &ConflictRow {
            id: subject.conflict_id("header"),
            patient: key.patient,
            compartment: key.compartment,
            subject: id.0,
            subject_kind: ConflictSubject::Entry,
            field: "header".into(),
            needs_person: true,
            choices,
        },
    )?;
    Ok(())
}

/// The header that is shown of a final entry, whole.
pub fn shown_header_of(step: &mut Step<'_>, row: &EntryRow) -> Result<EntryHeader> {
    let key = DocumentKey::chapter(row.patient, row.compartment, row.chapter.0, row.chapter.1);
    super::apply::require_document(step, &key)?;
    let state = super::apply::with_document(step, &key, |document| Ok(document.entry(&row.id)))?;
    let header = shown_header(step, &key, &row.id, &state)?.cloned();
    header.ok_or(crate::error::SyncError::from(crate::error::Code::UnknownEntry))
}

/// Every header of a final entry, and its draft: for the detail view.
pub fn entry_state(step: &mut Step<'_>, row: &EntryRow) -> Result<EntryState> {
    let key = DocumentKey::chapter(row.patient, row.compartment, row.chapter.0, row.chapter.1);
    super::apply::require_document(step, &key)?;
    super::apply::with_document(step, &key, |document| Ok(document.entry(&row.id)))
}
