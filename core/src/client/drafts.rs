//! Drafts: two colleagues may write one note. Finalizing fixes what its author saw.

use super::Client;
use super::splice::Splice;
use super::timeline::{check_time, entry, now};
use crate::bytes::ByteArray;
use crate::document::draft_digest;
use crate::error::{Code, Result, SyncError};
use crate::id::{EntryId, PatientId};
use crate::outbox::{NewWrite, Saved, submit};
use crate::record::{Compartment, DraftEdit, Intent, Kind, NewEntry};
use crate::redact::Sensitive;
use crate::step::Step;
use crate::store::entries::{EntryRow, EntryStatus};
use crate::time::Zoned;

/// Drafts: open, edit, finalize.
#[derive(Debug)]
pub struct Drafts<'a>(pub(super) &'a Client);

fn draft(step: &Step<'_>, id: &EntryId) -> Result<EntryRow> {
    let row = entry(step, id)?;
    if row.status == EntryStatus::Draft {
        Ok(row)
    } else {
        Err(SyncError::from(Code::NotADraft))
    }
}

/// What this version does not know it shows, and never edits.
fn check_known(step: &Step<'_>, row: &EntryRow) -> Result<()> {
    let kind = Kind(row.kind.clone());
    step.kinds.admit(&kind)?;
    if step.kinds.needs_update(&kind) {
        return Err(SyncError::from(Code::AppTooOld));
    }
    Ok(())
}

fn save(step: &mut Step<'_>, row: &EntryRow, intent: Intent) -> Result<Saved> {
    if matches!(intent, Intent::EditDraft { .. }) {
        check_known(step, row)?;
    }
    submit(
        step,
        NewWrite {
            unit: None,
            compartment: row.compartment,
            patient: Some(row.patient),
            replaces: None,
            intent,
        },
    )
}

fn canonical(body: Option<String>) -> Result<Option<Sensitive<String>>> {
    body.map(|body| crate::record::canonical_json(&body).map(Sensitive))
        .transpose()
}

impl Drafts<'_> {
    /// Opens a draft the whole unit can read and write.
    pub async fn open(
        &self,
        patient: PatientId,
        kind: Kind,
        occurred_at: Option<Zoned>,
        text: String,
        body: Option<String>,
    ) -> Result<Saved> {
        self.0
            .call(move |step| {
                let body = canonical(body)?;
                let occurred_at = occurred_at.unwrap_or_else(|| now(step));
                submit(
                    step,
                    NewWrite {
                        unit: None,
                        compartment: Compartment::Clinical,
                        patient: Some(patient),
                        replaces: None,
                        intent: Intent::OpenDraft {
                            draft: None,
                            kind,
                            occurred_at,
                            text: Sensitive(text),
                            body,
                        },
                    },
                )
            })
            .await
    }

    /// Changes a draft's text from what was `shown` to `text`, as the smallest splices: what others wrote since then,
    /// and write meanwhile, stays. Without `shown` it is changed from what is here now: where no person read it.
    pub async fn write(&self, id: EntryId, shown: Option<String>, text: String) -> Result<Saved> {
        self.0
            .call(move |step| {
                let row = draft(step, &id)?;
                let shown = shown.unwrap_or_else(|| row.text.0.clone());
                let edit = DraftEdit {
                    text: Splice::between(&shown, &text)
                        .map(|ours| ours.after(Splice::between(&shown, &row.text)))
                        .unwrap_or_default(),
                    ..Default::default()
                };
                save(
                    step,
                    &row,
                    Intent::EditDraft {
                        draft: id,
                        chapter: row.chapter,
                        edit,
                    },
                )
            })
            .await
    }

    /// Changes a draft, also after it became final on another device: then the edit shows there as a late one.
    pub async fn edit(&self, id: EntryId, edit: DraftEdit) -> Result<Saved> {
        self.0
            .call(move |step| {
                let row = entry(step, &id)?;
                if row.draft_digest.is_none() {
                    return Err(SyncError::from(Code::NotADraft));
                }
                save(
                    step,
                    &row,
                    Intent::EditDraft {
                        draft: id,
                        chapter: row.chapter,
                        edit,
                    },
                )
            })
            .await
    }

    /// Makes a draft final as it was `shown` ([`EntryRow::draft_digest`]): nobody signs words that came while they
    /// read. Without `shown` it becomes final as it is here now.
    ///
    /// # Errors
    /// `content_changed`, `not_a_draft`, `text_empty`, `body_invalid`, `occurred_in_future`; nothing is saved.
    pub async fn finalize(&self, id: EntryId, shown: Option<[u8; 32]>, confirm_time: bool) -> Result<Saved> {
        self.0
            .call(move |step| {
                let row = draft(step, &id)?;
                if shown.is_some() && row.draft_digest != shown {
                    return Err(SyncError::from(Code::ContentChanged));
                }
                let seen = draft_digest(
                    &row.text,
                    row.body.as_ref().map(|body| body.0.as_str()),
                    Some(row.occurred_at),
                );
                let mut entry = NewEntry::new(Kind(row.kind.clone()), row.occurred_at, row.text.0.clone());
                entry.body = row.body.clone();
                check_time(step, &mut entry, confirm_time)?;
                let entry = entry.validated(step.kinds)?;
                let draft_seen = ByteArray::new(seen);
                save(
                    step,
                    &row,
                    Intent::Finalize {
                        draft: id,
                        chapter: row.chapter,
                        entry,
                        draft_seen,
                    },
                )
            })
            .await
    }

    /// Lets edits be that came after the entry was final.
    pub async fn dismiss_late_edit(&self, id: EntryId) -> Result<Saved> {
        self.0
            .call(move |step| {
                let row = entry(step, &id)?;
                let digest = row.draft_digest.filter(|_| row.late_edit.is_some());
                let draft_seen = ByteArray::new(digest.ok_or(SyncError::from(Code::UnknownConflict))?);
                save(
                    step,
                    &row,
                    Intent::DismissLateEdit {
                        entry: id,
                        chapter: row.chapter,
                        draft_seen,
                    },
                )
            })
            .await
    }
}
