//! What a write may do, before any document is opened. Times are never a reason to refuse.

use super::verdict::Verdict;
use crate::access::Caller;
use crate::places::{Places, Standing};
use crate::writer::Session;
use vereda_core::document::LoadedDocument;
use vereda_core::error::Code;
use vereda_core::id::{EntryId, PatientId};
use vereda_core::record::{Intent, NewEntry, Write};

/// Ids that derive from a source are of version 5 (RFC 9562); a device names no other ids of its own making.
fn derives_from_a_source(id: &uuid::Uuid) -> bool {
    id.get_version_num() == 5
}

/// Who writes, what, and about whom.
pub(super) fn check_write(session: &mut Session<'_>, caller: &Caller, write: &Write) -> Result<(), Verdict> {
    if write.user != caller.device.user {
        return Err(Verdict::refused(Code::PolicyRefused, "signed by another user"));
    }
    if !caller.is_released && !caller.member.role.may_write(&write.intent) {
        // The words of docs/roles.md, and nothing of the write's content.
        let (role, intent) = (caller.member.role.name(), write.intent.name());
        let detail = format!("the role {role} does not write `{intent}`");
        return Err(Verdict::refused(Code::PolicyRefused, detail));
    }
    if let Err(error) = write.validate(&session.shared.kinds) {
        return Err(match error.code {
            // A newer app's kind, too strange to be passed on.
            Code::KindUnknown => Verdict::Park(Code::ProtocolUnsupported),
            Code::TooLarge => Verdict::Park(Code::TooLarge),
            _ => Verdict::Refused(error),
        });
    }
    check_named_entries(write)?;
    if matches!(
        write.intent,
        // A claim is about a patient this unit does not have yet: its grant is judged instead.
        Intent::Register { .. } | Intent::AddReference { .. } | Intent::Claim { .. }
    ) {
        return Ok(());
    }
    // What a write says of another patient is read by all who read its stream.
    for patient in std::iter::once(write.patient).chain(write.intent.other_patient()) {
        if !is_present(session, caller, write, patient)? {
            return Err(Verdict::refused(
                Code::UnknownPatient,
                "the patient is not registered in this unit",
            ));
        }
    }
    Ok(())
}

fn check_named_entries(write: &Write) -> Result<(), Verdict> {
    let entries: &[NewEntry] = match &write.intent {
        Intent::Add { entries } => entries,
        Intent::SetChart {
            entry: Some(entry), ..
        } => std::slice::from_ref(entry),
        _ => &[],
    };
    let draft = match &write.intent {
        Intent::OpenDraft { draft, .. } => *draft,
        _ => None,
    };
    // Under an id of its choice a device could put something in the place of any entry.
    if entries
        .iter()
        .filter_map(|entry| entry.id)
        .chain(draft)
        .all(|id| derives_from_a_source(&id.0))
    {
        Ok(())
    } else {
        Err(Verdict::refused(
            Code::PolicyRefused,
            "an entry's id derives from no source",
        ))
    }
}

/// Whether a unit's stream may name a patient: it has them. Absent and elsewhere look the same.
fn is_present(
    session: &mut Session<'_>,
    caller: &Caller,
    write: &Write,
    patient: PatientId,
) -> Result<bool, Verdict> {
    let places = Places::of(session, caller.tenant(), patient)?;
    Ok(match places.map(|places| places.standing(&write.stream())) {
        Some(Standing::Has) => true,
        Some(Standing::Had) => caller.is_released,
        _ => false,
    })
}

/// What an intent presupposes of the document it goes to, as the server holds it.
pub(super) fn check_document(write: &Write, document: &LoadedDocument) -> Result<(), Verdict> {
    let entry_exists = |entry: &EntryId| {
        let state = document.entry(entry);
        !state.headers.is_empty() || state.draft.is_some()
    };
    match &write.intent {
        Intent::Finalize { draft, .. } if document.draft(draft).is_none() => {
            Err(Verdict::refused(Code::NotADraft, "the draft is not there"))
        }
        Intent::DismissLateEdit { entry, .. } if !entry_exists(entry) => {
            Err(Verdict::refused(Code::UnknownEntry, "the entry is not there"))
        }
        Intent::ChooseHeader { entry, chosen, .. } if !document.entry(entry).headers.contains_key(chosen) => {
            Err(Verdict::refused(Code::UnknownEntry, "the header is not there"))
        }
        Intent::Move { entry, header, .. } => {
            let state = document.entry(entry);
            if state.headers.values().any(|stored| *stored == **header) {
                Ok(())
            } else {
                Err(Verdict::refused(
                    Code::PolicyRefused,
                    "what is moved is not what stands there",
                ))
            }
        }
        Intent::SetChart { item: Some(item), .. }
            if !derives_from_a_source(&item.0) && document.chart_item(item).fields.is_empty() =>
        {
            Err(Verdict::refused(
                Code::UnknownEntry,
                "the chart item is not there",
            ))
        }
        _ => Ok(()),
    }
}
