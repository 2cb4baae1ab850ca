//! Patients' records: field by field, in the order of the log. Every device projects the same from the same log.

use super::verdict::Verdict;
use crate::access::Caller;
use crate::places::{Places, Standing};
use crate::store::RecordRow;
use crate::writer::Session;
use vereda_core::error::Code;
use vereda_core::id::{Incarnation, PatientId};
use vereda_core::record::{FieldChange, Intent, PatientRecord, Write};

/// Applies a write's effect on a record, if it has one.
pub(super) fn apply(
    session: &mut Session<'_>,
    caller: &Caller,
    incarnation: &Incarnation,
    write: &Write,
) -> Result<(), Verdict> {
    match &write.intent {
        Intent::Register { record, patient } => {
            register(session, caller, incarnation, write, record, *patient)
        }
        Intent::EditRecord { changes, .. } => edit(session, caller, write, changes),
        _ => Ok(()),
    }
}

fn register(
    session: &mut Session<'_>,
    caller: &Caller,
    incarnation: &Incarnation,
    write: &Write,
    record: &PatientRecord,
    named: Option<PatientId>,
) -> Result<(), Verdict> {
    let id = match named {
        Some(named) if named.0.get_version_num() == 5 => named,
        Some(_) => {
            return Err(Verdict::refused(
                Code::PolicyRefused,
                "the patient's id derives from no source",
            ));
        }
        None => write.patient_id(incarnation),
    };
    if id != write.patient {
        return Err(Verdict::refused(
            Code::PolicyRefused,
            "the patient's id is not the write's",
        ));
    }
    match session.store.record(caller.tenant(), id)? {
        // Imported again: the log keeps both, and where they differ every device sees the same conflict.
        Some(_) => {
            match Places::of(session, caller.tenant(), id)?.map(|places| places.standing(&write.stream())) {
                Some(Standing::Has) => Ok(()),
                _ => Err(Verdict::refused(
                    Code::OutOfScope,
                    "the patient cannot be registered here",
                )),
            }
        }
        None => {
            let row = RecordRow {
                unit: write.unit,
                version: 1,
                record: record.clone(),
            };
            Ok(session.store.save_record(caller.tenant(), id, &row)?)
        }
    }
}

/// A change that no longer starts from the stored value is a conflict: it stands in the log, and the record stays.
fn edit(
    session: &mut Session<'_>,
    caller: &Caller,
    write: &Write,
    changes: &[FieldChange],
) -> Result<(), Verdict> {
    let Some(mut row) = session.store.record(caller.tenant(), write.patient)? else {
        return Err(Verdict::refused(
            Code::UnknownPatient,
            "the patient is not registered",
        ));
    };
    for change in changes {
        if row.record.get(change.field) == change.from {
            row.record
                .set(change.field, &change.to)
                .map_err(Verdict::Refused)?;
        }
    }
    row.version += 1;
    Ok(session.store.save_record(caller.tenant(), write.patient, &row)?)
}
