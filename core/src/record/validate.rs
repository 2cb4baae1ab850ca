//! The one judgement of a write, made by the device before it is saved and by the server before it is applied:
//! what the one accepts, the other accepts.

use super::entry::{check_occurred_at, same_body};
use super::text::{check_length, check_line, check_reason};
use super::{
    Compartment, DraftEdit, FieldChange, Intent, Kind, KindRegistry, NewEntry, PatientField, PatientRecord,
    ReferenceRow, Write,
};
use crate::error::{Code, SyncError};
use crate::limits::{
    GRANT_BYTES_MAX, TEXT_CHARACTERS_MAX, TEXT_EDITS_MAX, WRITE_AFTER_MAX, WRITE_CONTENT_BYTES_MAX,
    WRITE_ENTRIES_MAX,
};
use crate::redact::Sensitive;
use std::collections::BTreeSet;

fn invalid(detail: impl Into<String>) -> SyncError {
    SyncError::new(Code::FieldInvalid, detail)
}

impl Write {
    /// Judges the write as it stands: bodies, identifiers and fields must be in canonical form already
    /// (`NewEntry::validated`, `PatientRecord::validated`). It says nothing of clocks: a device's may be anything.
    pub fn validate(&self, registry: &KindRegistry) -> Result<(), SyncError> {
        if self.n == 0 {
            return Err(invalid("n: counts from 1"));
        }
        if self.after.len() > WRITE_AFTER_MAX || self.after.iter().any(|&n| n == 0 || n >= self.n) {
            return Err(invalid(format!(
                "after: at most {WRITE_AFTER_MAX} writes, all before this one"
            )));
        }
        let fits = match self.intent.is_of_identity() {
            true => self.compartment == Compartment::Identity,
            false => matches!(self.compartment, Compartment::Clinical | Compartment::Sensitive),
        };
        if !fits {
            return Err(invalid("compartment: not one for this intent"));
        }
        if self.intent.other_patient() == Some(self.patient) {
            let field = if matches!(self.intent, Intent::Move { .. }) {
                "to"
            } else {
                "other"
            };
            return Err(invalid(format!("{field}: the same patient")));
        }
        if let Intent::Share { to, .. } | Intent::Transfer { to, .. } = &self.intent
            && *to == self.unit
        {
            return Err(invalid("to: the same unit"));
        }
        if let Intent::Register {
            patient: Some(patient),
            ..
        } = &self.intent
            && *patient != self.patient
        {
            return Err(invalid("patient: another one than the write's"));
        }
        self.intent.validate(registry)
    }
}

impl Intent {
    /// Judges what was asked, without who and for whom.
    pub fn validate(&self, registry: &KindRegistry) -> Result<(), SyncError> {
        match self {
            Self::Register { record, .. } => record.check(),
            Self::EditRecord {
                changes, resolves, ..
            } => check_changes(changes, resolves),
            Self::Add { entries } => check_entries(entries, registry),
            Self::OpenDraft {
                draft: _,
                kind,
                occurred_at,
                text,
                body,
            } => {
                registry.admit(kind)?;
                check_occurred_at(occurred_at)?;
                check_length(text, "text", TEXT_CHARACTERS_MAX, Code::TextTooLong)?;
                check_draft_body(kind, body.as_ref(), registry)
            }
            Self::EditDraft { chapter, edit, .. } => {
                check_chapter(*chapter)?;
                edit.validate()
            }
            Self::Finalize {
                draft,
                chapter,
                entry,
                ..
            } => {
                check_chapter(*chapter)?;
                if entry.id.is_some_and(|id| id != *draft) {
                    return Err(invalid("entry.id: another one than the draft's"));
                }
                entry.check(registry)
            }
            Self::DismissLateEdit { chapter, .. } | Self::ChooseHeader { chapter, .. } => {
                check_chapter(*chapter)
            }
            Self::Move {
                chapter,
                reason,
                header,
                ..
            } => {
                check_chapter(*chapter)?;
                check_reason(reason)?;
                header.entry.check_as_it_stood()
            }
            Self::SetChart {
                item,
                kind,
                fields,
                entry,
            } => {
                super::chart::check(kind, fields, item.is_none(), registry)?;
                let values: usize = fields.values().map(|value| value.len()).sum();
                check_content(values + entry.as_ref().map_or(0, |entry| entry.content_bytes()))?;
                entry.as_ref().map_or(Ok(()), |entry| entry.check(registry))
            }
            Self::Link { reason, .. } | Self::Unlink { reason, .. } => check_reason(reason),
            Self::AddReference { rows } => check_reference(rows),
            Self::Share {
                compartments,
                reason,
                until_ms,
                ..
            } => {
                check_shared(compartments, *until_ms)?;
                check_reason(reason)
            }
            Self::EndShare { reason, .. } | Self::Transfer { reason, .. } => check_reason(reason),
            Self::Claim { grant, reason } => {
                if grant.len() > GRANT_BYTES_MAX {
                    return Err(invalid("grant: too long"));
                }
                check_reason(reason)
            }
        }
    }
}

fn check_shared(
    compartments: &BTreeSet<Compartment>,
    until_ms: Option<crate::time::EpochMs>,
) -> Result<(), SyncError> {
    if !compartments.contains(&Compartment::Identity) {
        return Err(invalid("compartments: identity is always shared"));
    }
    if compartments.contains(&Compartment::Audit) {
        return Err(invalid("compartments: the audit is never shared"));
    }
    match until_ms {
        Some(utc_ms) => check_occurred_at(&crate::time::Zoned {
            utc_ms,
            offset_minutes: 0,
        }),
        None => Ok(()),
    }
}

impl DraftEdit {
    /// Judges an edit: it changes something, within the bounds of a text.
    pub fn validate(&self) -> Result<(), SyncError> {
        if self.text.is_empty() && self.body.is_none() && self.occurred_at.is_none() {
            return Err(invalid("edit: nothing changes"));
        }
        if self.text.len() > TEXT_EDITS_MAX {
            return Err(invalid(format!(
                "edit.text: {} splices, at most {TEXT_EDITS_MAX}",
                self.text.len()
            )));
        }
        let mut inserted = 0_usize;
        for splice in &self.text {
            if splice.delete == 0 && splice.insert.is_empty() {
                return Err(invalid("edit.text: a splice that changes nothing"));
            }
            // Two that write at once may leave more than a text may hold until one of them shortens it.
            if splice.at.saturating_add(splice.delete) as usize > 4 * TEXT_CHARACTERS_MAX {
                return Err(invalid("edit.text: past the end of any text"));
            }
            check_length(
                &splice.insert,
                "edit.text.insert",
                TEXT_CHARACTERS_MAX,
                Code::TextTooLong,
            )?;
            inserted += splice.insert.len();
        }
        let body = self.body.iter().flatten().next();
        check_content(inserted + body.map_or(0, |body| body.len()))?;
        if let Some(body) = body {
            same_body(&super::kind::canonical_body(body)?, body)?;
        }
        self.occurred_at.as_ref().map_or(Ok(()), check_occurred_at)
    }
}

fn check_entries(entries: &[NewEntry], registry: &KindRegistry) -> Result<(), SyncError> {
    check_count("entries", entries.len())?;
    check_content(entries.iter().map(NewEntry::content_bytes).sum())?;
    let mut named: Vec<_> = entries.iter().filter_map(|entry| entry.id).collect();
    let count = named.len();
    named.sort_unstable();
    named.dedup();
    if named.len() != count {
        return Err(invalid("entries: one id twice"));
    }
    entries.iter().try_for_each(|entry| entry.check(registry))
}

fn check_reference(rows: &[ReferenceRow]) -> Result<(), SyncError> {
    check_count("rows", rows.len())?;
    check_content(rows.iter().map(|row| row.name.len() + row.details.len()).sum())?;
    for row in rows {
        check_line(&row.kind, "rows.kind")?;
        check_line(&row.name, "rows.name")?;
        if !row.details.is_empty() {
            same_body(&super::kind::canonical_body(&row.details)?, &row.details)?;
        }
    }
    Ok(())
}

/// Of a conflict the shown value may be the right one: deciding is then all the edit does.
fn check_changes(changes: &[FieldChange], resolves: &[PatientField]) -> Result<(), SyncError> {
    if changes.is_empty() && resolves.is_empty() {
        return Err(invalid("changes: nothing changes"));
    }
    if resolves.len() > PatientField::ALL.len() {
        return Err(invalid("resolves: one field twice"));
    }
    for (index, change) in changes.iter().enumerate() {
        if changes[..index].iter().any(|other| other.field == change.field) {
            return Err(invalid("changes: one field twice"));
        }
        // What its author saw may be what an older version or an import wrote: only its form is judged.
        let seen = super::canonical_json(&change.from)?;
        if seen != change.from.0 {
            return Err(invalid("changes.from: not in canonical form"));
        }
        let mut probe = PatientRecord::default();
        probe.set(change.field, &change.to)?;
        if probe.get(change.field) != change.to {
            return Err(invalid("changes.to: not in canonical form"));
        }
    }
    Ok(())
}

fn check_count(what: &str, count: usize) -> Result<(), SyncError> {
    if (1..=WRITE_ENTRIES_MAX).contains(&count) {
        return Ok(());
    }
    Err(invalid(format!("{what}: {count}, from 1 to {WRITE_ENTRIES_MAX}")))
}

fn check_content(bytes: usize) -> Result<(), SyncError> {
    if bytes > WRITE_CONTENT_BYTES_MAX {
        let detail =
            format!("{bytes} bytes of texts and bodies, at most {WRITE_CONTENT_BYTES_MAX} in one write");
        return Err(SyncError::new(Code::TooLarge, detail));
    }
    Ok(())
}

fn check_draft_body(
    kind: &Kind,
    body: Option<&Sensitive<String>>,
    registry: &KindRegistry,
) -> Result<(), SyncError> {
    body.map_or(Ok(()), |body| {
        same_body(&registry.validate_draft_body(kind, body)?, body)
    })
}

fn check_chapter((year, _part): (i32, u32)) -> Result<(), SyncError> {
    if (1900..2200).contains(&year) {
        return Ok(());
    }
    Err(invalid("chapter: a year between 1900 and 2200"))
}
