//! `POST /v1/find`: a patient of another unit, by an exact identifier. Online only: nothing of other units' patients
//! lies on a device that did not claim them.

use crate::bytes::ByteBuf;
use crate::id::{PatientId, UnitId};
use crate::record::Identifier;
use crate::redact::Sensitive;
use serde::{Deserialize, Serialize};

/// Who is looked for, and for which unit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FindRequest {
    /// The identifier, in canonical form.
    pub identifier: Identifier,
    /// The unit that would claim them: one of the asker's.
    pub unit: UnitId,
    /// Why they are looked for: it stands in the server's audit.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub reason: Sensitive<String>,
}

fn is_empty(reason: &Sensitive<String>) -> bool {
    reason.0.is_empty()
}

/// A patient with this identifier.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Found {
    /// The patient.
    pub patient: PatientId,
    /// What a claim carries; none where the unit has them already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<ByteBuf>,
}

/// Who was found; nobody looks the same as nobody who may be claimed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct FindAnswer {
    /// The patients that carry the identifier: more than one where somebody is registered twice.
    pub found: Vec<Found>,
}
