//! Where a patient's items lie: in the streams of the unit they belong to, and of every unit they are shared with.

use crate::store::{ShareRow, StoreResult};
use crate::writer::Session;
use std::collections::BTreeSet;
use vereda_core::id::{PatientId, TenantId, UnitId, WriteId};
use vereda_core::record::{Compartment, Stream};
use vereda_core::time::EpochMs;

/// The units that have a patient, and had them.
pub(crate) struct Places {
    home: UnitId,
    shares: Vec<ShareRow>,
    now_ms: EpochMs,
}

/// How a unit stands to a patient.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    /// It has them.
    Has,
    /// It had them: what its devices still send is held for a supervisor.
    Had,
    /// It never had them; absent and elsewhere look the same.
    Never,
}

impl Places {
    /// The places of a patient; none of one that is not registered.
    pub(crate) fn of(
        session: &mut Session<'_>,
        tenant: TenantId,
        patient: PatientId,
    ) -> StoreResult<Option<Self>> {
        let Some(home) = session.store.home(tenant, patient)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            home,
            shares: session.store.shares(tenant, patient)?,
            now_ms: session.now.ms,
        }))
    }

    /// The unit they belong to.
    pub(crate) fn home(&self) -> UnitId {
        self.home
    }

    /// The streams of a compartment that carry them.
    pub(crate) fn streams(&self, compartment: Compartment) -> BTreeSet<Stream> {
        let shared = self
            .shares
            .iter()
            .filter(|share| share.is_open(self.now_ms) && share.compartments.contains(&compartment))
            .map(|share| share.unit);
        std::iter::once(self.home)
            .chain(shared)
            .map(|unit| Stream::new(unit, compartment))
            .collect()
    }

    /// A share of them, open or not.
    pub(crate) fn share(&self, id: &WriteId) -> Option<&ShareRow> {
        self.shares.iter().find(|share| share.id == *id)
    }

    /// How a unit stands to a compartment of them.
    pub(crate) fn standing(&self, stream: &Stream) -> Standing {
        if self.streams(stream.compartment).contains(stream) {
            Standing::Has
        } else if self
            .shares
            .iter()
            .any(|share| share.unit == stream.unit && share.compartments.contains(&stream.compartment))
        {
            Standing::Had
        } else {
            Standing::Never
        }
    }
}
