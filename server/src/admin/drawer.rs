//! Drawers: what was refused of a unit's devices, for whoever looks after the unit.

use super::Administration;
use super::duty::Deed;
use crate::role::Duty;
use crate::store::{RefusedPlace, RefusedRow, StoreResult};
use vereda_core::time::EpochMs;

impl Administration {
    /// A page of what the server refused of the devices in the units of a user whose duty it is, by device and number.
    /// It names writes and reasons; what they say is in the devices' drawers. Audited in the server's own chain.
    ///
    /// # Errors
    /// Where there is no such tenant or user, or the user is no supervisor.
    pub fn refused(
        &mut self,
        tenant: Option<&str>,
        supervisor: &str,
        after: Option<RefusedPlace>,
        limit: usize,
        now_ms: EpochMs,
    ) -> StoreResult<Vec<RefusedRow>> {
        let (tenant, user) = self.on_duty(tenant, supervisor, Duty::Drawers)?;
        let deed = Deed {
            user,
            action: "drawers_listed",
            subject: None,
            reason: String::new(),
            at_ms: now_ms,
        };
        self.note(tenant, deed)?;
        self.store.refused_of_units(tenant, user, after.as_ref(), limit)
    }
}
