//! Scopes: what a person reads beyond their role, in one unit.

use super::Administration;
use super::duty::{Deed, OPERATOR};
use crate::store::sqlite::Directory;
use crate::store::{PersonRow, ScopeRow, StoreResult};
use vereda_core::id::UserId;
use vereda_core::record::Compartment;
use vereda_core::time::EpochMs;

impl Administration {
    /// Grants a user a compartment in a unit they work in: their devices read it from the next sync on. Audited in the
    /// server's own chain.
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
        now_ms: EpochMs,
    ) -> StoreResult<()> {
        let tenant = self.store.tenant(tenant)?;
        let (member, place) = (self.store.user(tenant, user)?, self.store.unit(tenant, unit)?);
        self.store.grant(tenant, member, place, compartment)?;
        self.note(
            tenant,
            changed("scope_granted", member, unit, compartment, now_ms),
        )
    }

    /// Takes a grant back: the scope of the user's devices shrinks at the next sync. Audited.
    ///
    /// # Errors
    /// Where there is no such tenant, user, unit or grant.
    pub fn revoke_scope(
        &mut self,
        tenant: Option<&str>,
        user: &str,
        unit: &str,
        compartment: Compartment,
        now_ms: EpochMs,
    ) -> StoreResult<()> {
        let tenant = self.store.tenant(tenant)?;
        let (member, place) = (self.store.user(tenant, user)?, self.store.unit(tenant, unit)?);
        self.store.revoke_grant(tenant, member, place, compartment)?;
        self.note(
            tenant,
            changed("scope_revoked", member, unit, compartment, now_ms),
        )
    }

    /// Everybody of a tenant, by name: what they are, where they work, what is granted to them.
    ///
    /// # Errors
    /// Where there is no such tenant.
    pub fn people(&mut self, tenant: Option<&str>) -> StoreResult<Vec<PersonRow>> {
        let tenant = self.store.tenant(tenant)?;
        self.store.people(tenant)
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

/// The record of a grant that came or went.
fn changed(
    action: &'static str,
    member: UserId,
    unit: &str,
    compartment: Compartment,
    at_ms: EpochMs,
) -> Deed<'static> {
    Deed {
        user: OPERATOR,
        action,
        subject: Some(member.0),
        reason: format!("{} of {unit}", compartment.name()),
        at_ms,
    }
}
