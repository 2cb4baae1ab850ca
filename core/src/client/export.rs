//! What leaves the device for another program, noted in the audit with its form, its number and why.

use super::patients::{PatientFilter, Patients};
use super::view::PatientView;
use crate::audit;
use crate::error::{Code, Result, SyncError};
use crate::id::PatientId;
use crate::limits::PAGE_ROWS_MAX;
use crate::store::patients::PatientRow;

/// The form in which something is exported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExportFormat {
    /// JSON, as the lists give it.
    Json,
    /// Comma-separated values (RFC 4180).
    Csv,
    /// FHIR R4.
    Fhir,
}

impl ExportFormat {
    /// The name in the audit.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Fhir => "fhir",
        }
    }
}

fn require_reason(reason: &str) -> Result<()> {
    if reason.trim().is_empty() {
        return Err(SyncError::from(Code::ReasonRequired));
    }
    Ok(())
}

impl PatientView {
    /// Notes in the audit that what is read now leaves the device: one record (`export_FORMAT`, the patient, why).
    ///
    /// # Errors
    /// `reason_required`, `text_too_long`, `view_closed`.
    pub async fn export(&self, format: ExportFormat, reason: String) -> Result<()> {
        let patient = self.patient();
        self.read(move |step, _| {
            require_reason(&reason)?;
            let action = format!("export_{}", format.name());
            audit::did(step, &action, Some(patient.0), &reason)
        })
        .await
    }
}

impl Patients<'_> {
    /// The records of all patients of a list, by name, to leave the device: one record of the audit
    /// (`export_patients_FORMAT`; how many and why) before the first is given out.
    ///
    /// # Errors
    /// `reason_required`, `text_too_long`.
    pub async fn export(
        &self,
        filter: PatientFilter,
        format: ExportFormat,
        reason: String,
    ) -> Result<Vec<PatientRow>> {
        require_reason(&reason)?;
        let mut rows: Vec<PatientRow> = Vec::new();
        let mut after: Option<(String, PatientId)> = None;
        loop {
            let (filter, place) = (filter.clone(), after.take());
            let page = self.0.call(move |step| {
                let words = filter.words.as_ref().map_or("", |words| words.0.as_str());
                super::patients::found(step, words, place.as_ref(), PAGE_ROWS_MAX)
            });
            let page = page.await?;
            let is_last = page.len() < PAGE_ROWS_MAX;
            after = page.last().map(|(row, fold)| (fold.clone(), row.id));
            rows.extend(page.into_iter().map(|(row, _)| row));
            if is_last {
                break;
            }
        }
        let count = rows.len();
        self.0
            .call(move |step| {
                let action = format!("export_patients_{}", format.name());
                audit::did(step, &action, None, &format!("{count} patients: {reason}"))
            })
            .await?;
        Ok(rows)
    }
}
