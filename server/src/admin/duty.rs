//! Who does something at the server, and the server's own audit: a chain of no device, under the tenant's id.

use super::Administration;
use crate::role::Duty;
use crate::store::sqlite::Directory;
use crate::store::{Rule, ServerStore, StoreResult};
use uuid::Uuid;
use vereda_core::id::{Incarnation, StoreId, TenantId, UserId};
use vereda_core::protocol::{AuditRecord, advance_audit, encode};
use vereda_core::redact::Sensitive;
use vereda_core::time::EpochMs;

/// Whoever holds the server's key file and works on its store: no user.
pub(super) const OPERATOR: UserId = UserId(Uuid::nil());

/// What was done at the server.
pub(crate) struct Deed<'a> {
    pub(crate) user: UserId,
    pub(crate) action: &'a str,
    pub(crate) subject: Option<Uuid>,
    pub(crate) reason: String,
    pub(crate) at_ms: EpochMs,
}

impl Administration {
    /// The user of a name, where something is their duty.
    pub(super) fn on_duty(
        &mut self,
        tenant: Option<&str>,
        user: &str,
        duty: Duty,
    ) -> StoreResult<(TenantId, UserId)> {
        let tenant = self.store.tenant(tenant)?;
        let user = self.store.user(tenant, user)?;
        let role = self.store.role(user)?;
        if role.rights().duties.contains(&duty) {
            Ok((tenant, user))
        } else {
            Err(Rule::NotTheirDuty.into())
        }
    }

    /// Adds a record to the server's own chain.
    pub(super) fn note(&mut self, tenant: TenantId, deed: Deed<'_>) -> StoreResult<()> {
        self.store.within(|store| note(store, tenant, deed))
    }
}

/// Adds a record to the server's own chain, in the transaction that is open.
pub(crate) fn note(store: &mut dyn ServerStore, tenant: TenantId, deed: Deed<'_>) -> StoreResult<()> {
    let chain = Incarnation {
        store: StoreId(tenant.0),
        number: 0,
    };
    let at_ms = deed.at_ms;
    let record = AuditRecord::Did {
        user: deed.user,
        action: deed.action.to_owned(),
        subject: deed.subject,
        reason: Sensitive(deed.reason),
        at_ms,
    };
    let (last, head) = store.audit_anchor(&chain)?;
    let head = advance_audit(&head, &record);
    store.append_audit(tenant, &chain, last + 1, &head, &encode(&record), at_ms)
}
