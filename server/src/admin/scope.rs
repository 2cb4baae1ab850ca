//! Scopes: what a person reads beyond their role, in one unit.

use super::Administration;
use crate::store::sqlite::Directory;
use crate::store::{ScopeRow, StoreResult};
use vereda_core::record::Compartment;

impl Administration {
    /// Grants a user a compartment in a unit they work in: their devices read it from the next sync on.
    ///
    /// # Errors
    /// Where there is no such tenant, user or unit, the user does not work in the unit, or their role is never
    /// granted the compartment.
    pub fn grant_scope(
        &mut self,
        tenant: Option<&str>,
        user: &str,
        unit: &str,
        compartment: Compartment,
    ) -> StoreResult<()> {
        let tenant = self.store.tenant(tenant)?;
        let (user, unit) = (self.store.user(tenant, user)?, self.store.unit(tenant, unit)?);
        self.store.grant(tenant, user, unit, compartment)
    }

    /// Takes a grant back: the scope of the user's devices shrinks at the next sync.
    ///
    /// # Errors
    /// Where there is no such tenant, user, unit or grant.
    pub fn revoke_scope(
        &mut self,
        tenant: Option<&str>,
        user: &str,
        unit: &str,
        compartment: Compartment,
    ) -> StoreResult<()> {
        let tenant = self.store.tenant(tenant)?;
        let (user, unit) = (self.store.user(tenant, user)?, self.store.unit(tenant, unit)?);
        self.store.revoke_grant(tenant, user, unit, compartment)
    }

    /// The grants of a tenant, by user and unit.
    ///
    /// # Errors
    /// Where there is no such tenant.
    pub fn scopes(&mut self, tenant: Option<&str>) -> StoreResult<Vec<ScopeRow>> {
        let tenant = self.store.tenant(tenant)?;
        self.store.scopes(tenant)
    }
}
