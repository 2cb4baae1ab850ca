//! The drawer: what the server refused. Read it, edit and send it again, export it, or discard it with a reason.
//! It never expires.

use super::submit::submit_as;
use super::{NewWrite, Saved};
use crate::audit;
use crate::error::{Code, Result, SyncError};
use crate::id::{Incarnation, PatientId, WriteId};
use crate::record::{Intent, Write};
use crate::redact::Sensitive;
use crate::step::Step;
use crate::store::drawer::{self, DrawerRow};
use rusqlite::Connection;
use serde::Serialize;

/// A refused write as a person sees it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct DrawerItem {
    /// The write.
    pub id: WriteId,
    /// The refused write it belongs to.
    pub case: WriteId,
    /// The stable code.
    pub code: String,
    /// More, safe to log.
    pub detail: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was saved.
    pub saved_ms: i64,
    /// When it was refused.
    pub refused_ms: i64,
    /// The write that took its place and waits.
    pub resent_as: Option<WriteId>,
    /// The patient.
    pub patient: PatientId,
    /// The write itself, whole.
    pub write: Write,
}

fn item(row: DrawerRow) -> Result<DrawerItem> {
    let write = Write::from_bytes(&row.bytes).ok_or(SyncError::from(Code::StoreDamaged))?;
    Ok(DrawerItem {
        id: row.id,
        case: row.case,
        code: row.code,
        detail: row.detail,
        attempts: row.attempts,
        saved_ms: row.saved_ms,
        refused_ms: row.refused_ms,
        resent_as: row.resent_as,
        patient: write.patient,
        write,
    })
}

/// Everything in the drawer, by case.
pub fn list(connection: &Connection) -> Result<Vec<DrawerItem>> {
    drawer::list(connection)?.into_iter().map(item).collect()
}

/// Sends a refused write again, edited or as it was: a new write that names the old one. The old one stays until
/// the new one is accepted.
///
/// # Errors
/// `unknown_write`; `field_invalid` when text or body is given for a write that has none; what `submit` refuses.
pub fn resend(
    step: &mut Step<'_>,
    id: &WriteId,
    text: Option<String>,
    body: Option<String>,
) -> Result<Saved> {
    let row = drawer::get(step.transaction, id)?.ok_or(SyncError::from(Code::UnknownWrite))?;
    if row.resent_as.is_some() {
        return Err(SyncError::new(
            Code::UnknownWrite,
            "this write was already sent again",
        ));
    }
    let mut write = Write::from_bytes(&row.bytes).ok_or(SyncError::from(Code::StoreDamaged))?;
    let written_in = Incarnation {
        number: row.incarnation,
        ..step.device.incarnation
    };
    let first_key = write.first_key(&written_in);
    edit(&mut write.intent, text, body)?;
    let saved = submit_as(
        step,
        NewWrite {
            unit: Some(write.unit),
            compartment: write.compartment,
            patient: Some(write.patient),
            replaces: Some(*id),
            intent: write.intent,
        },
        // A refused registration keeps its patient's id, so that its notes still find it.
        Some(first_key),
    )?;
    drawer::set_resent(step.transaction, id, &saved.write)?;
    Ok(saved)
}

fn edit(intent: &mut Intent, text: Option<String>, body: Option<String>) -> Result<()> {
    if text.is_none() && body.is_none() {
        return Ok(());
    }
    let entry = match intent {
        Intent::Add { entries } if entries.len() == 1 => &mut entries[0],
        Intent::Finalize { entry, .. } => entry,
        Intent::SetChart {
            entry: Some(entry), ..
        } => entry,
        Intent::OpenDraft {
            text: old,
            body: old_body,
            ..
        } => {
            if let Some(text) = text {
                *old = Sensitive(text);
            }
            if let Some(body) = body {
                *old_body = Some(Sensitive(crate::record::canonical_json(&body)?));
            }
            return Ok(());
        }
        _ => {
            return Err(SyncError::new(
                Code::FieldInvalid,
                "this write has no text or body to edit",
            ));
        }
    };
    if let Some(text) = text {
        entry.text = Sensitive(text);
    }
    if let Some(body) = body {
        entry.body = Some(Sensitive(crate::record::canonical_json(&body)?));
    }
    Ok(())
}

/// Discards a refused write for good, with a reason that is audited.
///
/// # Errors
/// `unknown_write`; `reason_required`.
pub fn discard(step: &mut Step<'_>, id: &WriteId, reason: &str) -> Result<()> {
    if reason.trim().is_empty() {
        return Err(SyncError::from(Code::ReasonRequired));
    }
    if drawer::get(step.transaction, id)?.is_none() {
        return Err(SyncError::from(Code::UnknownWrite));
    }
    audit::did(step, "discard", Some(id.0), reason)?;
    drawer::remove(step.transaction, id)?;
    step.changes.queue = true;
    Ok(())
}
