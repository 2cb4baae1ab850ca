//! Two records of one person: link them, take the link back.

use super::Watched;
use super::patients::{PatientSummary, Patients, audit_list, summary};
use crate::error::{Code, Result, SyncError};
use crate::id::{PatientId, UnitId};
use crate::outbox::{NewWrite, Saved, submit};
use crate::record::{Compartment, Intent};
use crate::redact::Sensitive;
use crate::step::Step;
use crate::store::links::{self, LinkRow, Pair};
use crate::store::patients;
use serde::Serialize;

/// A record linked with another one, directly.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct LinkedPatient {
    /// The other record; none where it is not on this device.
    pub patient: Option<PatientSummary>,
    /// Who linked them, when and why.
    pub link: LinkRow,
}

impl Patients<'_> {
    /// Says that two records are one person's: opening either then shows what is under both, and under those linked
    /// with them. The documents stay where they are. `None` when these two are linked already.
    ///
    /// # Errors
    /// `reason_required`, `unknown_patient`, `field_invalid` for one record twice, `out_of_scope` where they are
    /// registered in different units.
    pub async fn link(&self, patient: PatientId, other: PatientId, reason: String) -> Result<Option<Saved>> {
        self.say(patient, other, true, reason).await
    }

    /// Says that they are not: each shows again what it showed before. `None` when these two are not linked with one
    /// another (two records may be one person's through a third).
    ///
    /// # Errors
    /// As [`Patients::link`].
    pub async fn unlink(
        &self,
        patient: PatientId,
        other: PatientId,
        reason: String,
    ) -> Result<Option<Saved>> {
        self.say(patient, other, false, reason).await
    }

    async fn say(
        &self,
        patient: PatientId,
        other: PatientId,
        linked: bool,
        reason: String,
    ) -> Result<Option<Saved>> {
        self.0
            .call(move |step| {
                // Of one pair everything is said in one lane, whoever is named first: it stays in order.
                let Pair(patient, other) = Pair::of(patient, other);
                let unit = unit_of_both(step, &patient)?;
                let stands = links::of(step.transaction, &patient)?;
                if stands.iter().any(|row| row.other == other) == linked {
                    return Ok(None);
                }
                let reason = Sensitive(reason);
                let intent = if linked {
                    Intent::Link { other, reason }
                } else {
                    Intent::Unlink { other, reason }
                };
                let new = NewWrite {
                    unit,
                    compartment: Compartment::Identity,
                    patient: Some(patient),
                    replaces: None,
                    intent,
                };
                submit(step, new).map(Some)
            })
            .await
    }

    /// The records linked with one directly, by the other's id.
    ///
    /// # Errors
    /// `unknown_patient`.
    pub async fn links(&self, patient: PatientId) -> Result<Vec<LinkedPatient>> {
        self.0
            .call(move |step| {
                if !patients::exists(step.transaction, &patient)? {
                    return Err(SyncError::from(Code::UnknownPatient));
                }
                let mut found = Vec::new();
                for link in links::of(step.transaction, &patient)? {
                    let row = patients::get(step.transaction, &link.other)?;
                    let patient = row.map(|row| summary(step, row, String::new())).transpose()?;
                    found.push(LinkedPatient { patient, link });
                }
                audit_list(step, "links", found.len(), "")?;
                Ok(found)
            })
            .await
    }

    /// The same, watched.
    pub fn watch_links(&self, patient: PatientId) -> Watched<Vec<LinkedPatient>> {
        let client = self.0.clone();
        Watched::new(
            self.0.changes(),
            Box::new(|changes| changes.patient_list),
            Box::new(move || {
                let client = client.clone();
                Box::pin(async move { client.patients().links(patient).await })
            }),
        )
    }
}

/// The unit in whose stream a pair is spoken of: one in which both records are. Where there is none, saving says why.
fn unit_of_both(step: &Step<'_>, patient: &PatientId) -> Result<Option<UnitId>> {
    Ok(patients::get(step.transaction, patient)?.map(|row| row.unit))
}
