//! Drafts: two colleagues may write one note. Finalizing fixes what its author saw.

use super::Client;
use super::timeline::{check_time, entry, now};
use crate::bytes::ByteArray;
use crate::document::draft_digest;
use crate::error::{Code, Result, SyncError};
use crate::id::{EntryId, PatientId};
use crate::outbox::{NewWrite, Saved, submit};
use crate::record::{Compartment, DraftEdit, Intent, Kind, NewEntry, TextEdit};
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

fn save(step: &mut Step<'_>, row: &EntryRow, intent: Intent) -> Result<Saved> {
    submit(
        step,
        NewWrite {
            unit: Some(row.unit),
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

    /// Changes a draft's text to `text`, as the smallest splice: what others write elsewhere in it stays.
    pub async fn write(&self, id: EntryId, text: String) -> Result<Saved> {
        self.0
            .call(move |step| {
                let row = draft(step, &id)?;
                let edit = splice(&row.text, &text);
                let edit = DraftEdit {
                    text: edit.into_iter().collect(),
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

    /// Makes a draft final with the content it has here now.
    ///
    /// # Errors
    /// `not_a_draft`, `text_empty`, `body_invalid`, `occurred_in_future`.
    pub async fn finalize(&self, id: EntryId, confirm_time: bool) -> Result<Saved> {
        self.0
            .call(move |step| {
                let row = draft(step, &id)?;
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

/// The one splice that turns `old` into `new`: what is equal at both ends stays.
fn splice(old: &str, new: &str) -> Option<TextEdit> {
    let (old, new): (Vec<char>, Vec<char>) = (old.chars().collect(), new.chars().collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let tail = old[head..]
        .iter()
        .rev()
        .zip(new[head..].iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let insert: String = new[head..new.len() - tail].iter().collect();
    let delete = (old.len() - tail - head) as u32;
    (delete > 0 || !insert.is_empty()).then_some(TextEdit {
        at: head as u32,
        delete,
        insert: Sensitive(insert),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_splice_keeps_what_is_equal_at_both_ends() {
        let edit = splice("dor de cabeça", "dor forte de cabeça").expect("they differ");
        assert_eq!((edit.at, edit.delete, edit.insert.0.as_str()), (4, 0, "forte "));
        assert_eq!(splice("a", "a"), None);
    }
}
