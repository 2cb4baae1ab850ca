//! Which units have a patient: share, end a share, move, find and claim.

use super::{Client, Watched};
use crate::audit;
use crate::engine::HttpRequest;
use crate::error::{Code, Result, SyncError};
use crate::id::{PatientId, UnitId, WriteId};
use crate::outbox::{NewWrite, Saved, submit};
use crate::protocol::{Encoding, FindAnswer, FindRequest, PATH_FIND, encode_body};
use crate::record::{Compartment, Identifier, Intent};
use crate::redact::Sensitive;
use crate::store::patients;
use crate::store::places::{self, PlaceRow};
use crate::time::EpochMs;
use serde::Serialize;
use std::collections::BTreeSet;

/// Which units have a patient.
#[derive(Debug)]
pub struct Placement<'a>(pub(super) &'a Client);

/// A patient who was looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct FoundPatient {
    /// The patient.
    pub patient: PatientId,
    /// The claim, where the unit did not have them: it opens them with the next synchronisation.
    pub claim: Option<Saved>,
}

impl Placement<'_> {
    /// The units that have or had a patient beside the one that registered them, in the order of the log.
    ///
    /// # Errors
    /// `unknown_patient`.
    pub async fn list(&self, patient: PatientId) -> Result<Vec<PlaceRow>> {
        self.0
            .call(move |step| {
                if !patients::exists(step.transaction, &patient)? {
                    return Err(SyncError::from(Code::UnknownPatient));
                }
                Ok(places::of(step.transaction, &patient)?)
            })
            .await
    }

    /// The same, watched.
    pub fn watch_list(&self, patient: PatientId) -> Watched<Vec<PlaceRow>> {
        let client = self.0.clone();
        Watched::new(
            self.0.changes(),
            Box::new(move |changes| changes.many || changes.patients.contains(&patient)),
            Box::new(move || {
                let client = client.clone();
                Box::pin(async move { client.placement().list(patient).await })
            }),
        )
    }

    /// Shares a patient with another unit of the tenant until it is ended, or until a time of the server's: a referral,
    /// a second unit. `identity` is always shared. Both units are told.
    ///
    /// # Errors
    /// `unknown_patient`, `reason_required`, `out_of_scope` for a compartment the user does not read, `field_invalid` for a
    /// time that is over, and for a move to the unit they belong to. The server refuses (into the drawer) what is not the
    /// patient's own unit's to share.
    pub async fn share(
        &self,
        patient: PatientId,
        to: UnitId,
        compartments: BTreeSet<Compartment>,
        reason: String,
        until_ms: Option<EpochMs>,
    ) -> Result<Saved> {
        let mut compartments = compartments;
        compartments.insert(Compartment::Identity);
        self.write(
            patient,
            Intent::Share {
                to,
                compartments,
                reason: Sensitive(reason),
                until_ms,
            },
        )
        .await
    }

    /// Ends a share or a claim, or what is kept of a patient who moved away. What is not sent by then the server holds
    /// for a supervisor.
    ///
    /// # Errors
    /// As [`Placement::share`].
    pub async fn end(&self, patient: PatientId, share: WriteId, reason: String) -> Result<Saved> {
        let reason = Sensitive(reason);
        self.write(patient, Intent::EndShare { share, reason }).await
    }

    /// Moves a patient to another unit of the tenant. This one keeps them for thirty days, for what its devices have not
    /// sent yet.
    ///
    /// # Errors
    /// As [`Placement::share`].
    pub async fn transfer(&self, patient: PatientId, to: UnitId, reason: String) -> Result<Saved> {
        let reason = Sensitive(reason);
        self.write(patient, Intent::Transfer { to, reason }).await
    }

    /// Looks for a patient of another unit by an exact identifier, and claims whoever is found for a unit of the user's
    /// (the first, when none is named): they can be read and written there for 72 hours, both units know, and the reason
    /// stands in the audit and in both logs. Needs the network.
    ///
    /// # Errors
    /// `reason_required`; `cpf_invalid` and its like; `no_contact`; `not_found` where nobody carries it.
    pub async fn find(
        &self,
        system: &str,
        value: &str,
        unit: Option<UnitId>,
        reason: String,
    ) -> Result<Vec<FoundPatient>> {
        let identifier = Identifier::parse(system, value)?;
        let because = reason.clone();
        let unit = self
            .0
            .call(move |step| {
                if because.trim().is_empty() {
                    return Err(SyncError::from(Code::ReasonRequired));
                }
                let unit = unit.map_or_else(|| step.device.default_unit(), Ok)?;
                // Noted before anything is asked: a search that fails was made all the same.
                audit::did(step, "find", None, &because)?;
                Ok(unit)
            })
            .await?;
        let request = FindRequest {
            identifier,
            unit,
            reason: Sensitive(reason.clone()),
        };
        let answer = match self.ask(&request).await {
            Err(error) if error.code == Code::Unauthenticated => {
                // The access token ended; a round of synchronising brings the next.
                self.0.sync_once(crate::limits::REQUEST_TIMEOUT_MS).await?;
                self.ask(&request).await?
            }
            answer => answer?,
        };
        if answer.found.is_empty() {
            return Err(SyncError::from(Code::NotFound));
        }
        let mut found = Vec::with_capacity(answer.found.len());
        for person in answer.found {
            let claim = match person.grant {
                None => None,
                Some(grant) => {
                    let intent = Intent::Claim {
                        grant,
                        reason: Sensitive(reason.clone()),
                    };
                    Some(self.write_in(Some(unit), person.patient, intent).await?)
                }
            };
            found.push(FoundPatient {
                patient: person.patient,
                claim,
            });
        }
        Ok(found)
    }

    async fn ask(&self, request: &FindRequest) -> Result<FindAnswer> {
        let enrolment = self.0.call(|step| step.device.enrolled().cloned()).await?;
        self.0
            .ask(HttpRequest {
                server: enrolment.server.clone(),
                authority: enrolment.authority.map(|authority| *authority),
                method: "POST",
                path: PATH_FIND,
                bearer: enrolment.tokens.map(|tokens| tokens.access.clone()),
                content_type: Encoding::Vereda.media_type(),
                body: encode_body(request, Encoding::Vereda),
            })
            .await
    }

    async fn write(&self, patient: PatientId, intent: Intent) -> Result<Saved> {
        self.write_in(None, patient, intent).await
    }

    async fn write_in(&self, unit: Option<UnitId>, patient: PatientId, intent: Intent) -> Result<Saved> {
        self.0
            .call(move |step| {
                submit(
                    step,
                    NewWrite {
                        unit,
                        compartment: Compartment::Identity,
                        patient: Some(patient),
                        replaces: None,
                        intent,
                    },
                )
            })
            .await
    }
}
